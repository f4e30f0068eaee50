/**
 * A server on standard streams, seen as the gateway sees every server: Streamable HTTP, with sessions where it is legacy.
 * It says which process a request is for and nothing more: the shared one, or that of its session. Modern requests know
 * no session and always go to the shared one.
 */

import { writeError } from "../../mcp/answers.ts";
import { ERROR_CODES } from "../../mcp/refusal.ts";
import { isModernRevision } from "../../mcp/revisions.ts";
import type { Log } from "../../observe/log.ts";
import {
  ANSWER_TIMEOUT_MS,
  type AnswerSink,
  type HttpUpstream,
  MAX_WAITING_REQUESTS,
  type OpenExchange,
  type UpstreamFault,
  type UpstreamRequest,
} from "../http-upstream.ts";
import { LateExchange } from "../late-exchange.ts";
import { createChildLog } from "./child-log.ts";
import { createChildEnvironment, type StdioBounds } from "./child-process.ts";
import { answer, MAX_STDIO_IN_FLIGHT, refuse } from "./link.ts";
import { postModern, takeModernMessage } from "./modern-relay.ts";
import { OPEN_TIMEOUT_MS, PROBE_TIMEOUT_MS } from "./opening.ts";
import { readPosted } from "./posted.ts";
import { RESTART_MAX_MS, RESTART_MIN_MS, STABLE_MS } from "./restart-pace.ts";
import {
  EVICT_IDLE_MS,
  MAX_SESSION_PROCESSES,
  MAX_SESSION_PROCESSES_PER_OWNER,
  SESSION_PROCESS_IDLE_MS,
  type SessionBounds,
  SessionProcesses,
} from "./session-processes.ts";
import { SharedFront } from "./shared-front.ts";
import { type Found, type SharedBounds, SharedProcess } from "./shared-process.ts";

export interface StdioServerBounds extends SharedBounds, SessionBounds {
  readonly child: Partial<StdioBounds>;
}

const DEFAULT_BOUNDS: StdioServerBounds = {
  probeMs: PROBE_TIMEOUT_MS,
  openMs: OPEN_TIMEOUT_MS,
  answerMs: ANSWER_TIMEOUT_MS,
  inFlight: MAX_STDIO_IN_FLIGHT,
  restartMinMs: RESTART_MIN_MS,
  restartMaxMs: RESTART_MAX_MS,
  stableMs: STABLE_MS,
  sessionProcesses: MAX_SESSION_PROCESSES,
  sessionProcessesPerOwner: MAX_SESSION_PROCESSES_PER_OWNER,
  sessionIdleMs: SESSION_PROCESS_IDLE_MS,
  evictIdleMs: EVICT_IDLE_MS,
  child: {},
};

export interface StdioServerOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What the configuration gives it, and our own environment, of which it gets next to nothing. */
  readonly env: Readonly<Record<string, string>>;
  readonly ownEnv: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string | undefined;
  /** Whether a legacy server has one process for everybody, or one for each session. */
  readonly process: "server" | "session";
  /** What its error output must not show. */
  readonly secrets: readonly string[];
  readonly clientInfo: { readonly name: string; readonly version: string };
  readonly log: Log;
  readonly bounds?: Partial<StdioServerBounds> | undefined;
  readonly now?: (() => number) | undefined;
  readonly random?: (() => number) | undefined;
}

export interface StdioServer extends HttpUpstream {
  /** The processes that run. */
  readonly pids: readonly number[];
}

/** Starts nothing yet: the first request does. */
export function createStdioServer(options: StdioServerOptions): StdioServer {
  const bounds: StdioServerBounds = { ...DEFAULT_BOUNDS, ...options.bounds };
  const now = options.now ?? ((): number => performance.now());
  const random = options.random ?? Math.random;
  const { command, args, cwd } = options;
  const child = { command, args, cwd, environment: createChildEnvironment(options.ownEnv, options.env), bounds: bounds.child };
  const log = createChildLog({ server: options.name, command, secrets: options.secrets, log: options.log, now });
  const front = new SharedFront(log);
  const sessions = options.process === "session" ? new SessionProcesses({ child, bounds, log, now, random }) : undefined;
  const shared = new SharedProcess({
    child,
    clientInfo: options.clientInfo,
    sharesLegacy: sessions === undefined,
    bounds,
    log,
    now,
    random,
    onFound: (found) => front.take(found.era === "legacy" ? found : undefined),
    onMessage(found, bytes, kind, call) {
      if (found.era === "modern") takeModernMessage(found, log, bytes, kind, call);
      else if (found.era === "legacy") front.takeMessage(found, bytes, kind, call);
    },
  });
  let waiting = 0;
  let isClosed = false;

  /** Acts on the open process, now or when it is open. */
  function whenFound(request: UpstreamRequest, sink: AnswerSink, act: (found: Found) => OpenExchange): OpenExchange {
    const found = shared.find();
    if (!(found instanceof Promise)) return isFault(found) ? refuse(sink, found) : act(found);
    if (waiting >= MAX_WAITING_REQUESTS)
      return refuse(sink, { reason: "busy", sent: "not_sent", detail: "too many requests wait for the process" });
    waiting++;
    const late = new LateExchange(request, sink);
    void found.then((opened) => {
      waiting--;
      late.begin(() => (isFault(opened) ? refuse(sink, opened) : act(opened)));
    });
    return late;
  }

  function exchange(request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    if (isClosed) return refuse(sink, { reason: "closed", sent: "not_sent", detail: "the server is no longer served" });
    const { headers } = request;
    if (request.method !== "POST") {
      const by = sessions ?? front;
      return request.method === "GET" ? by.listen(request, sink) : by.end(request, sink);
    }
    const posted = request.body && readPosted(request.body);
    if (!posted) return refuse(sink, { reason: "unsendable", sent: "not_sent", detail: "the message can't be read" });
    if (sessions && posted.kind === "request" && posted.method === "initialize") return sessions.open(posted, request, sink);
    if (sessions && headers["mcp-session-id"] !== undefined) return sessions.post(posted, request, sink);
    const isModern = isModernRevision(headers["mcp-protocol-version"] ?? "");
    return whenFound(request, sink, (found) => {
      if (found.era === "modern" && isModern) return postModern(found, posted, request, sink);
      if (found.era === "legacy" && !isModern) return front.post(found, posted, request, sink);
      // A session of a process that is no more, or a message of the era that this server does not speak.
      if (posted.kind !== "request" || headers["mcp-session-id"] !== undefined) return answer(sink, 404);
      return answer(sink, 400, writeError(posted.id, ERROR_CODES.invalidRequest, "Bad Request: the server does not speak this era"));
    });
  }

  return {
    exchange,
    get waiting() {
      return waiting;
    },
    get pids() {
      return [...(shared.pid === undefined ? [] : [shared.pid]), ...(sessions?.pids ?? [])];
    },
    endOwner: (owner) => sessions?.endOwner(owner),
    async close() {
      isClosed = true;
      front.close();
      await Promise.all([shared.close(), sessions?.close()]);
    },
  };
}

function isFault(found: Found | UpstreamFault): found is UpstreamFault {
  return "reason" in found;
}
