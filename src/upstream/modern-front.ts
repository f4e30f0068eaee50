/**
 * Shows a server that speaks only legacy revisions as a modern, stateless one. Behind this port it keeps legacy sessions,
 * apart by grant and by what the client declares, and parks calls on which the server asks for something. In front of it
 * stands nothing but requests of 2026-07-28 and their answers.
 */
import { createJsonObject, type JsonObject } from "../kernel/json.ts";
import { DEFAULT_ANSWER_LIMIT_BYTES } from "../mcp/answer.ts";
import { writeError, writeRefusal } from "../mcp/answers.ts";
import { type ModernClaim, readEra } from "../mcp/era.ts";
import { type Request, readMessage } from "../mcp/message.ts";
import { META, readMeta } from "../mcp/meta.ts";
import { findMethod, ROUND_METHODS } from "../mcp/methods.ts";
import { asData, ERROR_CODES, isRefusal, refuse, refuseMethod } from "../mcp/refusal.ts";
import { MODERN_REVISIONS } from "../mcp/revisions.ts";
import { writeForwarded } from "../mcp/rewrite.ts";
import { readRound, readSubject } from "../mcp/subject.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamRequest } from "./http-upstream.ts";
import { readInputResponses } from "./modern-front/asks.ts";
import { DEFAULT_FRONT_BOUNDS, type FrontBounds } from "./modern-front/bounds.ts";
import { type CallPorts, type Leg, LegacyCall, type Outcome } from "./modern-front/call.ts";
import { writeDiscovery } from "./modern-front/discover.ts";
import type { ClientName } from "./modern-front/open-session.ts";
import { Outlet } from "./modern-front/outlet.ts";
import { type Parkable, ParkedCalls } from "./modern-front/parked.ts";
import type { LegacySession } from "./modern-front/session.ts";
import { SessionTable } from "./modern-front/session-table.ts";
import { isAgreed, openUrlRound, UrlRound } from "./modern-front/url-round.ts";
import { writeBroken, writeModernError, writeModernResult } from "./modern-front/write-modern.ts";

export interface ModernFrontOptions {
  /** The server, as Streamable HTTP of the legacy era. It is closed with the front. */
  readonly upstream: HttpUpstream;
  /** Our name and version, as the server is told. */
  readonly clientInfo: ClientName;
  /** Of what the server asks nobody can tell which of several calls it is for: each has a session for itself. */
  readonly asksAlone?: boolean | undefined;
  /** A session of the server's said that its tools changed. */
  readonly onToolsChanged?: (() => void) | undefined;
  readonly bounds?: Partial<FrontBounds> | undefined;
}

export interface ModernFront extends HttpUpstream {
  /** Ends what is kept for one grant: what waits for its return, and its sessions as soon as nothing is under way in them. */
  endOwner(owner: string): void;
  /** Sessions that are open, and calls that wait for their client. */
  readonly kept: { readonly sessions: number; readonly parked: number };
}

const START_AGAIN = "This call can't go on where it was: what the server asked for is not open any more. Start it again.";
const DECLINED = "The call was not run: the address that the server asked for was not opened.";
/** Of the headers of a modern request only those that speak of no hop go along. */
const TRACE_HEADERS = ["traceparent", "tracestate", "baggage"] as const;

export function createModernFront(options: ModernFrontOptions): ModernFront {
  const { upstream, clientInfo } = options;
  const bounds: FrontBounds = { ...DEFAULT_FRONT_BOUNDS, ...options.bounds };
  const onToolsChanged = options.onToolsChanged ?? ((): void => undefined);
  const sessions = new SessionTable({ upstream, clientInfo, bounds, asksAlone: options.asksAlone ?? false, onToolsChanged });
  const parked = new ParkedCalls<Parkable>(bounds);
  let isClosed = false;

  function exchange(request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const outlet = new Outlet(sink, request.answerLimitBytes);
    const { signal } = request;
    if (signal) {
      const abort = (): void => outlet.cancel();
      signal.addEventListener("abort", abort, { once: true });
      outlet.onOver = () => signal.removeEventListener("abort", abort);
    }
    // The caller has its handle before it is told anything.
    queueMicrotask(() => {
      if (signal?.aborted === true) outlet.cancel();
      if (outlet.isOver) return;
      if (isClosed) return outlet.fault({ reason: "closed", sent: "not_sent", detail: "the server's connections are closed" });
      begin(request, outlet);
    });
    return outlet;
  }

  function begin(sent: UpstreamRequest, outlet: Outlet): void {
    if (sent.method !== "POST" || !sent.body) return outlet.stop(405);
    const message = readMessage(sent.body, { bodyLimitBytes: DEFAULT_ANSWER_LIMIT_BYTES });
    if (isRefusal(message)) return outlet.answer(message.status, writeRefusal(message));
    // A modern client has nothing to say over HTTP but requests.
    if (message.kind !== "request") return outlet.stop(202);
    const claim = readEra(message, undefined);
    if (isRefusal(claim)) return outlet.answer(claim.status, writeRefusal(claim));
    if (claim.era === "legacy") {
      const data = asData({ supported: [...MODERN_REVISIONS] });
      const code = ERROR_CODES.unsupportedVersion;
      return outlet.answer(400, writeRefusal(refuse(code, 400, "Unsupported protocol version", "era", message.id, data)));
    }
    const method = findMethod(message.method, "client_request", claim.revision);
    if (!method || method.judgement === "refused") {
      const refusal = refuseMethod(message.id, "modern");
      return outlet.answer(refusal.status, writeRefusal(refusal));
    }
    const round = readRound(message);
    if (round && isRefusal(round)) return outlet.answer(round.status, writeRefusal(round));
    const asked: Asked = { request: message, claim, owner: sent.owner ?? "", outlet, headers: pickTrace(sent.headers), isSecond: false };
    if (round) void goOn(asked, round.requestState).catch(() => fail(outlet));
    else void open(asked).catch(() => fail(outlet));
  }

  /** A first request: a session, and what is asked of it. */
  async function open(asked: Asked): Promise<void> {
    const { request, claim, owner, outlet } = asked;
    const mayBeAsked = ROUND_METHODS.has(request.method);
    const acquired = await sessions.acquire(owner, claim.clientCapabilities, mayBeAsked);
    if (acquired.kind === "status") return outlet.stop(acquired.status);
    if (acquired.kind === "fault") return outlet.fault(acquired.fault);
    if (acquired.kind === "refused") {
      return outlet.answer(200, writeError(request.id, ERROR_CODES.internal, "The server opens no session that is understood here"));
    }
    const { session } = acquired;
    await prepare(asked, session);
    if (outlet.isOver) {
      if (mayBeAsked) session.ports.onAskedOver();
      return session.release();
    }
    if (request.method === "server/discover") {
      outlet.answer(200, writeDiscovery(request.id, session.facts));
      return session.release();
    }
    if (request.method === "subscriptions/listen") return await listen(asked, session);
    const call = new LegacyCall(session, owner, request.method, legOf(asked), ports(asked));
    const meta = readMeta(request);
    const forwarded = { extraKeys: meta && Object.keys(meta), progressToken: call.id };
    call.start(writeForwarded(request, { id: call.id, meta: forwarded }), asked.headers);
  }

  async function listen(asked: Asked, session: LegacySession): Promise<void> {
    const { request, outlet } = asked;
    try {
      if (session.isGone && !asked.isSecond) return await open({ ...asked, isSecond: true });
      const subject = readSubject(request, "listen");
      if ("code" in subject) return outlet.answer(subject.status, writeRefusal(subject));
      if (subject.kind !== "listen" || (await session.listens.open(request.id, subject.filter, outlet))) return;
      outlet.fault({ reason: "busy", sent: "not_sent", detail: "too many listens are open" });
    } finally {
      session.release();
    }
  }

  /** A request that comes back with what was asked. It never becomes a new call, unless the first one was not run. */
  async function goOn(asked: Asked, handle: string | undefined): Promise<void> {
    const { request, owner, outlet } = asked;
    const found = handle === undefined ? undefined : parked.take(handle, owner, request.method);
    const responses = readInputResponses(request);
    if (found instanceof LegacyCall) return found.goOn(legOf(asked), responses);
    if (found instanceof UrlRound && isAgreed(responses)) {
      await found.visited(outlet, bounds.urlVisitWaitMs);
      return outlet.isOver ? undefined : await open(asked);
    }
    const { status, message } = writeBroken(request.id, request.method, found ? DECLINED : START_AGAIN);
    outlet.answer(status, message);
  }

  function ports(asked: Asked): CallPorts {
    return {
      parked,
      conclude,
      onUnknownSession({ outlet }) {
        if (asked.isSecond) return outlet.stop(404);
        // The server did not know the session, so it did not run the request: it is sent once more, on a new one.
        void open({ ...asked, isSecond: true }).catch(() => fail(outlet));
      },
    };
  }

  function conclude(call: LegacyCall, leg: Leg, outcome: Outcome): void {
    const { outlet, id } = leg;
    if (outcome.kind === "status") return outlet.stop(outcome.status);
    if (outcome.kind === "fault") return outlet.fault(outcome.fault);
    if (outcome.kind === "cut") return outlet.cut();
    const { bytes, says } = outcome;
    if (says.kind === "result") return outlet.answer(200, writeModernResult(id, call.method, says, bytes, call.session.facts.serverInfo));
    if (says.code === ERROR_CODES.urlElicitationRequired) return openUrlRound(call, leg, says, bytes, parked);
    const { status, message } = writeModernError(id, says, bytes);
    outlet.answer(status, message);
  }

  return {
    exchange,
    get waiting() {
      return upstream.waiting;
    },
    get kept() {
      return { sessions: sessions.size, parked: parked.size };
    },
    endOwner(owner) {
      parked.end(owner);
      sessions.endOwner(owner);
      upstream.endOwner?.(owner);
    },
    async close() {
      isClosed = true;
      parked.end();
      await sessions.close();
      await upstream.close();
    },
  };
}

/** What the server says while it works may come on its GET stream, and its messages only from a level on. */
async function prepare({ request, claim }: Asked, session: LegacySession): Promise<void> {
  const { logLevel } = claim;
  const mayBeAsked = session.canAsk && ROUND_METHODS.has(request.method);
  const waits: Promise<void>[] = [];
  if (mayBeAsked || logLevel !== undefined || request.method === "subscriptions/listen") waits.push(session.stream.ready());
  if (logLevel !== undefined) waits.push(session.raiseLevel(logLevel));
  if (waits.length > 0) await Promise.all(waits);
}

interface Asked {
  readonly request: Request;
  readonly claim: ModernClaim;
  readonly owner: string;
  readonly outlet: Outlet;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent once before, to a session that the server did not know. */
  readonly isSecond: boolean;
}

const NO_META: JsonObject = Object.freeze(createJsonObject());

function legOf({ request, claim, outlet }: Asked): Leg {
  const progressToken = (readMeta(request) ?? NO_META)[META.progressToken];
  return { id: request.id, outlet, capabilities: claim.clientCapabilities, progressToken, logLevel: claim.logLevel };
}

function pickTrace(headers: Readonly<Record<string, string>>): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of TRACE_HEADERS) if (headers[name] !== undefined) picked[name] = headers[name];
  return picked;
}

/** A fault of ours ends that one request, closed. */
function fail(outlet: Outlet): void {
  outlet.fault({ reason: "broken", sent: "unknown", detail: "a fault of the gateway's" });
}
