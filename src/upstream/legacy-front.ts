/**
 * Shows a server that speaks 2026-07-28 alone as a legacy Streamable HTTP server with sessions, so that a legacy client
 * works with it unchanged. Wraps any upstream of that era, however it is reached. Owns its sessions and what they listen
 * to; judges nothing, and sends a request again only where the protocol's rounds want it.
 */
import { randomUUID } from "node:crypto";
import { printJson, readMember } from "../kernel/json.ts";
import { writeError, writeRefusal, writeResult } from "../mcp/answers.ts";
import { DEFAULT_BODY_LIMIT_BYTES, type Notification, type Request, type Response, readMessage } from "../mcp/message.ts";
import { isLogLevel } from "../mcp/meta.ts";
import { findMethod } from "../mcp/methods.ts";
import type { ParamDeclaration } from "../mcp/param-headers.ts";
import { asData, ERROR_CODES, isRefusal } from "../mcp/refusal.ts";
import { keyOfId, readId } from "../mcp/request-id.ts";
import { LATEST_MODERN } from "../mcp/revisions.ts";
import { MAX_URI_CHARACTERS } from "../mcp/subject.ts";
import type { HttpUpstream, OpenExchange, UpstreamRequest } from "./http-upstream.ts";
import { LEGACY_FRONT_BOUNDS, type LegacyFrontBounds, SWEEP_MS } from "./legacy-front/bounds.ts";
import { FrontReply } from "./legacy-front/front-reply.ts";
import { type FrontSession, FrontSessions } from "./legacy-front/front-session.ts";
import { ListenLine, type Subscribed } from "./legacy-front/listen-line.ts";
import { openFrontSession } from "./legacy-front/open-front-session.ts";
import { Passage } from "./legacy-front/passage.ts";

/** A little more than a client's body: the gateway adds to what it lets through. */
const BODY_LIMIT_BYTES: number = DEFAULT_BODY_LIMIT_BYTES + 1024 * 1024;
/** Requests that a server of the modern era alone has another way for. */
const OWN_METHODS: ReadonlySet<string> = new Set(["server/discover", "subscriptions/listen"]);

export interface LegacyFrontOptions {
  readonly upstream: HttpUpstream;
  /** What servers are told the client is. */
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** Arguments that a tool of that name wants mirrored into headers; none for a tool that is not known. */
  readonly paramHeadersOf: (tool: string) => readonly ParamDeclaration[];
  /** The log's word of something that was dropped. */
  readonly onDropped?: ((reason: string) => void) | undefined;
  readonly nowMs?: (() => number) | undefined;
  readonly bounds?: Partial<LegacyFrontBounds> | undefined;
}

/** `close` ends its sessions and then the upstream that it wraps. */
export function createLegacyFront(options: LegacyFrontOptions): HttpUpstream {
  return new LegacyFront(options);
}

class LegacyFront implements HttpUpstream {
  readonly #options: LegacyFrontOptions;
  readonly #bounds: LegacyFrontBounds;
  readonly #sessions: FrontSessions;
  readonly #nowMs: () => number;
  readonly #onDropped: (reason: string) => void;
  readonly #sweep: NodeJS.Timeout;
  #closed = false;

  constructor(options: LegacyFrontOptions) {
    this.#options = options;
    this.#bounds = { ...LEGACY_FRONT_BOUNDS, ...options.bounds };
    this.#sessions = new FrontSessions(this.#bounds);
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#onDropped = options.onDropped ?? (() => undefined);
    this.#sweep = setInterval(() => this.#sessions.endIdle(this.#nowMs()), Math.min(SWEEP_MS, this.#bounds.idleMs));
    this.#sweep.unref();
  }

  get waiting(): number {
    return this.#options.upstream.waiting;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweep);
    this.#sessions.endAll();
    await this.#options.upstream.close();
  }

  exchange(request: UpstreamRequest, sink: ConstructorParameters<typeof FrontReply>[0]): OpenExchange {
    const reply = new FrontReply(sink);
    let running: OpenExchange | undefined;
    const cancel = (): void => {
      running?.cancel();
      reply.fault({ reason: "cancelled", sent: running ? "unknown" : "not_sent", detail: "cancelled" });
    };
    const { signal } = request;
    signal?.addEventListener("abort", cancel, { once: true });
    reply.onEnded = () => signal?.removeEventListener("abort", cancel);
    // Nothing is told before whoever asked has a handle.
    queueMicrotask(() => {
      if (signal?.aborted === true) cancel();
      if (reply.isEnded) return;
      if (this.#closed) return reply.fault({ reason: "closed", sent: "not_sent", detail: "the server's connections are closed" });
      try {
        running = this.#serve(request, reply);
      } catch {
        // A fault of our own ends this exchange and no other.
        this.#onDropped("it could not be translated");
        reply.fault({ reason: "broken", sent: "unknown", detail: "the request could not be translated" });
      }
    });
    return { cancel, resume: () => running?.resume() };
  }

  #serve(request: UpstreamRequest, reply: FrontReply): OpenExchange | undefined {
    const session = this.#sessions.find(request.headers["mcp-session-id"], request.owner, this.#nowMs());
    if (request.method === "POST") return this.#servePost(request, session, reply);
    if (!session) {
      reply.bare(request.headers["mcp-session-id"] === undefined ? 400 : 404);
      return undefined;
    }
    if (request.method === "DELETE") {
      this.#sessions.end(session);
      reply.bare(204);
      return undefined;
    }
    const { line } = session;
    const { onEnded } = reply;
    reply.onEnded = () => {
      onEnded?.();
      line.detach(reply);
    };
    line.attach(reply);
    return { cancel: () => undefined, resume: () => line.resume() };
  }

  #servePost(request: UpstreamRequest, session: FrontSession | undefined, reply: FrontReply): OpenExchange | undefined {
    const message = readMessage(request.body ?? Buffer.alloc(0), { bodyLimitBytes: BODY_LIMIT_BYTES });
    if (isRefusal(message)) {
      reply.json(message.status, writeRefusal(message));
      return undefined;
    }
    if (message.kind === "request" && message.method === "initialize") return this.#open(request, message, reply);
    if (!session) {
      if (request.headers["mcp-session-id"] !== undefined) reply.bare(404);
      else if (message.kind === "request") reply.json(400, writeError(message.id, ERROR_CODES.invalidRequest, "A session is needed."));
      else reply.bare(400);
      return undefined;
    }
    if (message.kind === "request") return this.#serveRequest(session, message, reply);
    if (message.kind === "response") reply.bare(takeResponse(session, message) ? 202 : 400);
    else {
      takeNotification(session, message);
      reply.bare(202);
    }
    return undefined;
  }

  #open(asked: UpstreamRequest, request: Request, reply: FrontReply): OpenExchange | undefined {
    const { upstream, clientInfo } = this.#options;
    const { owner } = asked;
    return openFrontSession(request, reply, {
      upstream,
      owner,
      clientInfo: asData({ ...clientInfo }),
      discoverWaitMs: this.#bounds.discoverWaitMs,
      onDropped: this.#onDropped,
      createSession: (speaker, revision, server) => {
        const lists = new Set<string>();
        if (server.toolsListChanged) lists.add("notifications/tools/list_changed");
        if (server.promptsListChanged) lists.add("notifications/prompts/list_changed");
        if (server.resourcesListChanged) lists.add("notifications/resources/list_changed");
        const line = new ListenLine({ upstream, owner, speaker, lists, bounds: this.#bounds, onDropped: this.#onDropped });
        return this.#sessions.create({ owner, revision, server, speaker, line }, this.#nowMs());
      },
    });
  }

  #serveRequest(session: FrontSession, request: Request, reply: FrontReply): OpenExchange | undefined {
    const answer = (members: Parameters<typeof writeResult>[1] = {}): void =>
      reply.json(200, writeResult(request.id, members, { era: "legacy" }));
    const refuse = (code: number, words: string): void => reply.json(200, writeError(request.id, code, words));
    switch (request.method) {
      case "ping":
        answer();
        return undefined;
      case "logging/setLevel": {
        const level = request.params && readMember(request.params, "level");
        if (!session.server.logging) refuse(ERROR_CODES.methodNotFound, "Method not found");
        else if (!isLogLevel(level)) refuse(ERROR_CODES.invalidParams, "`level` must be a level of the log");
        else {
          session.speaker.logLevel = level;
          answer();
        }
        return undefined;
      }
      case "resources/subscribe":
      case "resources/unsubscribe": {
        const uri = request.params && readMember(request.params, "uri");
        if (!session.server.subscribe) refuse(ERROR_CODES.methodNotFound, "Method not found");
        else if (typeof uri !== "string" || uri === "" || uri.length > MAX_URI_CHARACTERS) {
          refuse(ERROR_CODES.invalidParams, "`uri` must be a text");
        } else if (request.method === "resources/unsubscribe") {
          session.line.unsubscribe(uri);
          answer();
        } else {
          session.line.subscribe(uri, (subscribed) => {
            if (subscribed === "subscribed") answer();
            else refuse(subscribed === "refused" ? ERROR_CODES.invalidParams : ERROR_CODES.internal, SUBSCRIBE_WORDS[subscribed]);
          });
        }
        return undefined;
      }
      default:
        return this.#pass(session, request, reply, refuse);
    }
  }

  #pass(
    session: FrontSession,
    request: Request,
    reply: FrontReply,
    refuse: (code: number, words: string) => void,
  ): OpenExchange | undefined {
    const method = findMethod(request.method, "client_request", LATEST_MODERN);
    const key = keyOfId(request.id);
    if (!method || method.judgement === "refused" || OWN_METHODS.has(request.method)) {
      refuse(ERROR_CODES.methodNotFound, "Method not found");
    } else if (session.inFlight.has(key)) refuse(ERROR_CODES.invalidRequest, "Invalid Request: the id is in use");
    else if (session.inFlight.size >= this.#bounds.requestsPerSession) refuse(ERROR_CODES.internal, "Too many requests are under way");
    else {
      const name = request.params && readMember(request.params, "name");
      const declarations = request.method === "tools/call" && typeof name === "string" ? this.#options.paramHeadersOf(name) : [];
      const passage = new Passage({
        upstream: this.#options.upstream,
        session,
        request,
        reply,
        declarations,
        bounds: this.#bounds,
        createElicitationId: randomUUID,
        onDropped: this.#onDropped,
      });
      session.inFlight.set(key, passage);
      const { onEnded } = reply;
      reply.onEnded = () => {
        onEnded?.();
        session.inFlight.delete(key);
        session.lastUsedMs = this.#nowMs();
      };
      passage.start();
      return passage;
    }
    return undefined;
  }
}

const SUBSCRIBE_WORDS: Readonly<Record<Exclude<Subscribed, "subscribed">, string>> = {
  refused: "The server does not tell of changes of this resource.",
  failed: "The server could not be asked to tell of changes of this resource.",
  full: "There are too many subscriptions in this session.",
};

/** False: an answer to nothing that was asked. */
function takeResponse(session: FrontSession, response: Response): boolean {
  const take = typeof response.id.value === "string" ? session.asks.get(response.id.value) : undefined;
  take?.(response);
  return take !== undefined;
}

/** The modern era has no notifications of a client's; a cancelled request is a stream that is closed. */
function takeNotification(session: FrontSession, message: Notification): void {
  if (message.method !== "notifications/cancelled") return;
  const value = message.params && readMember(message.params, "requestId");
  const id = value === undefined ? undefined : readId(value, printJson(value));
  if (id) session.inFlight.get(keyOfId(id))?.withdraw();
}
