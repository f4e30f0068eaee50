/**
 * A legacy process that many clients share, seen as a Streamable HTTP server with sessions: every client's `initialize` is
 * answered from the one that we made, and what could reach the wrong client is not offered. The server can ask its clients
 * nothing and its log is nobody's.
 */
import { printCanonicalJson } from "../../kernel/canonical-json.ts";
import { isJsonObject, type Json, readMember } from "../../kernel/json.ts";
import { writeError, writeResult } from "../../mcp/answers.ts";
import { asData, ERROR_CODES } from "../../mcp/refusal.ts";
import { readId } from "../../mcp/request-id.ts";
import { writeNotification } from "../../mcp/rewrite.ts";
import type { AnswerSink, OpenExchange, UpstreamRequest } from "../http-upstream.ts";
import { StdioCall } from "./call.ts";
import type { ChildLog } from "./child-log.ts";
import { type AskOptions, answer, refuse } from "./link.ts";
import { Listening } from "./listening.ts";
import { ask } from "./opening.ts";
import { type Posted, type PostedRequest, readPostedParams, readWhole } from "./posted.ts";
import type { LegacyFound } from "./shared-process.ts";
import { type SharedSession, SharedSessions } from "./shared-sessions.ts";

const OWN_ASK_TIMEOUT_MS = 30_000;
/** What a shared process can't honour: a level of the log is one client's, and tasks are not relayed. */
const NOT_SHARED: ReadonlySet<string> = new Set(["logging", "tasks"]);
const CHANGES: ReadonlyMap<string, string> = new Map([
  ["notifications/tools/list_changed", "tools"],
  ["notifications/prompts/list_changed", "prompts"],
  ["notifications/resources/list_changed", "resources"],
]);
/** What says something about one client alone. */
const OF_SESSIONS: ReadonlySet<string> = new Set(["resources/subscribe", "resources/unsubscribe", "logging/setLevel"]);
const SESSION_HEADER = "mcp-session-id";

export class SharedFront {
  readonly #sessions: SharedSessions;
  readonly #log: ChildLog;
  #found: LegacyFound | undefined;
  #signature = "";

  constructor(log: ChildLog) {
    this.#log = log;
    this.#sessions = new SharedSessions((uri) => this.#tellServer("resources/unsubscribe", uri));
  }

  /** A process is open. Sessions go on where it says of itself what the one before it said; else their clients begin anew. */
  take(found: LegacyFound | undefined): void {
    this.#found = undefined;
    const signature = found === undefined ? "" : printCanonicalJson([found.revision, readMember(found.result, "capabilities") ?? null]);
    if (signature !== this.#signature) this.#sessions.endAll();
    this.#signature = signature;
    this.#found = found;
    if (found === undefined) return;
    for (const uri of this.#sessions.subscribed()) this.#tellServer("resources/subscribe", uri);
    // What it lists may be something else than before.
    const capabilities = readMember(found.result, "capabilities");
    for (const [method, capability] of CHANGES) if (tellsOfChanges(capabilities, capability)) this.#tellChange(method);
  }

  post(found: LegacyFound, posted: Posted, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    if (posted.kind === "request" && posted.method === "initialize") return this.#open(found, posted, request, sink);
    const session = this.#find(request);
    if (session === undefined) {
      if (request.headers[SESSION_HEADER] !== undefined) return answer(sink, 404);
      return posted.kind === "request" ? askAlone(found, posted, request, sink) : answer(sink, 202);
    }
    if (posted.kind === "request") return this.#ask(found, session, posted, request, sink);
    // Nothing was asked of this client, and the conversation is long open: of the rest only a cancel says something.
    if (posted.kind === "notification" && posted.message.method === "notifications/cancelled") {
      const { params } = posted.message;
      const id = readId(params && readMember(params, "requestId"), "");
      if (id) found.link.findCall(id, session.id)?.withdraw(params && readMember(params, "reason"));
    }
    return answer(sink, 202);
  }

  listen(request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const session = this.#find(request);
    if (session === undefined) return answer(sink, request.headers[SESSION_HEADER] === undefined ? 405 : 404);
    session.listening?.end();
    const listening: Listening = new Listening(request, sink, {
      onOpen: () => this.#sessions.tellDue(session),
      onEnd: () => {
        if (session.listening === listening) session.listening = undefined;
      },
      onDropped: (reason) => this.#log.dropped(reason),
    });
    session.listening = listening;
    return listening;
  }

  end(request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const session = this.#find(request);
    if (session === undefined) return answer(sink, 404);
    this.#sessions.end(session);
    for (const call of [...(this.#found?.link.calls(session.id) ?? [])]) call.cancel();
    return answer(sink, 204);
  }

  /** What the process says unasked. */
  takeMessage(found: LegacyFound, bytes: Buffer, kind: "request" | "notification", call: StdioCall | undefined): void {
    if (call) return call.push(bytes);
    const message = readWhole(bytes);
    if (message === undefined || message.kind !== kind) return this.#log.dropped("it is not strict JSON-RPC");
    if (message.kind === "request") {
      const isPing = message.method === "ping";
      const refused = "This server is shared by several clients, so nothing can be asked of them";
      found.link.tell(isPing ? writeResult(message.id, {}, LEGACY) : writeError(message.id, ERROR_CODES.methodNotFound, refused));
      return;
    }
    if (message.kind !== "notification") return;
    // Made anew, so that nothing else travels with it to everybody.
    if (CHANGES.has(message.method)) return this.#tellChange(message.method);
    const uri = message.params && readMember(message.params, "uri");
    if (message.method === "notifications/resources/updated" && typeof uri === "string") this.#sessions.tellSubscribers(uri, bytes);
  }

  close(): void {
    this.#found = undefined;
    this.#sessions.endAll();
  }

  #find(request: UpstreamRequest): SharedSession | undefined {
    return this.#sessions.find(request.headers[SESSION_HEADER], request.owner);
  }

  #open(found: LegacyFound, posted: PostedRequest, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const session = this.#sessions.create(request.owner);
    const capabilities = shareable(readMember(found.result, "capabilities"));
    const members = { ...found.result, protocolVersion: found.revision, capabilities };
    return answer(sink, 200, writeResult(posted.id, members, LEGACY), { [SESSION_HEADER]: session.id });
  }

  #ask(found: LegacyFound, session: SharedSession, posted: PostedRequest, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const { id, method } = posted;
    if (method === "logging/setLevel") return answer(sink, 200, writeError(id, ERROR_CODES.methodNotFound, "Method not found"));
    if (method === "resources/subscribe") return this.#subscribe(found, session, posted, request, sink);
    if (method === "resources/unsubscribe") {
      const uri = uriOf(posted);
      // Others may still want to hear of it.
      if (uri !== undefined && !this.#sessions.unsubscribe(session, uri)) return answer(sink, 200, writeResult(id, {}, LEGACY));
    }
    return pass(found, session, posted, request, sink);
  }

  #subscribe(found: LegacyFound, session: SharedSession, posted: PostedRequest, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const { id } = posted;
    const uri = uriOf(posted);
    if (uri === undefined) return answer(sink, 200, writeError(id, ERROR_CODES.invalidParams, "Invalid params: `uri` is missing"));
    const isNew = !session.uris.has(uri);
    if (!this.#sessions.subscribe(session, uri)) {
      return answer(sink, 200, writeError(id, ERROR_CODES.invalidRequest, "Too many subscriptions in one session"));
    }
    return pass(found, session, posted, request, sink, (said) => {
      if (said.kind === "error" && isNew) this.#sessions.unsubscribe(session, uri);
      return undefined;
    });
  }

  #tellChange(method: string): void {
    this.#sessions.tellAll(method, writeNotification(method));
  }

  #tellServer(method: string, uri: string): void {
    if (this.#found) void ask(this.#found.link, method, { uri }, AbortSignal.timeout(OWN_ASK_TIMEOUT_MS));
  }
}

const LEGACY = { era: "legacy" } as const;

/** A request outside of every session: answered as far as none is needed. */
function askAlone(found: LegacyFound, posted: PostedRequest, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
  if (!OF_SESSIONS.has(posted.method)) return pass(found, undefined, posted, request, sink);
  return answer(sink, 400, writeError(posted.id, ERROR_CODES.invalidRequest, "Bad Request: a session is needed"));
}

function pass(
  found: LegacyFound,
  session: SharedSession | undefined,
  posted: PostedRequest,
  request: UpstreamRequest,
  sink: AnswerSink,
  onAnswer?: AskOptions["onAnswer"],
): OpenExchange {
  const asked = found.link.ask(posted, request, sink, { scope: session?.id, onAnswer });
  return asked instanceof StdioCall ? asked : refuse(sink, asked);
}

function uriOf(posted: PostedRequest): string | undefined {
  const uri = readPostedParams(posted)?.["uri"];
  return typeof uri === "string" ? uri : undefined;
}

function shareable(capabilities: Json | undefined): Json {
  if (!isJsonObject(capabilities)) return asData({});
  return asData(Object.fromEntries(Object.entries(capabilities).filter(([name]) => !NOT_SHARED.has(name))));
}

function tellsOfChanges(capabilities: Json | undefined, name: string): boolean {
  const one = isJsonObject(capabilities) ? readMember(capabilities, name) : undefined;
  return isJsonObject(one) && readMember(one, "listChanged") === true;
}
