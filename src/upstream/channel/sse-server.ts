/**
 * A server of 2024-11-05 over HTTP+SSE, seen as the gateway sees every server: Streamable HTTP with sessions. Each session
 * has a connection of its own and ends with it; there is nothing that sessions could share.
 */
import { writeError } from "../../mcp/answers.ts";
import { ERROR_CODES } from "../../mcp/refusal.ts";
import type { Log } from "../../observe/log.ts";
import { ANSWER_TIMEOUT_MS, type AnswerSink, type HttpUpstream, type OpenExchange, type UpstreamRequest } from "../http-upstream.ts";
import type { ChildLog } from "./child-log.ts";
import { answer, MAX_STDIO_IN_FLIGHT, refuse } from "./link.ts";
import { OPEN_TIMEOUT_MS } from "./opening.ts";
import { readPosted } from "./posted.ts";
import { RESTART_MAX_MS, RESTART_MIN_MS, STABLE_MS } from "./restart-pace.ts";
import { EVICT_IDLE_MS, SESSION_PROCESS_IDLE_MS, type SessionBounds, SessionProcesses } from "./session-processes.ts";
import { openSseChannel } from "./sse-channel.ts";

export const MAX_SSE_SESSIONS = 1_000;
export const MAX_SSE_SESSIONS_PER_OWNER = 256;

const BOUNDS: SessionBounds = {
  openMs: OPEN_TIMEOUT_MS,
  answerMs: ANSWER_TIMEOUT_MS,
  inFlight: MAX_STDIO_IN_FLIGHT,
  restartMinMs: RESTART_MIN_MS,
  restartMaxMs: RESTART_MAX_MS,
  stableMs: STABLE_MS,
  sessionProcesses: MAX_SSE_SESSIONS,
  sessionProcessesPerOwner: MAX_SSE_SESSIONS_PER_OWNER,
  sessionIdleMs: SESSION_PROCESS_IDLE_MS,
  evictIdleMs: EVICT_IDLE_MS,
};

export interface SseServerOptions {
  readonly name: string;
  readonly url: string;
  /** The same host over plain HTTP; closed by whoever opened it. */
  readonly server: HttpUpstream;
  readonly log: Log;
  readonly now?: (() => number) | undefined;
  readonly random?: (() => number) | undefined;
  readonly endpointTimeoutMs?: number | undefined;
}

/** Opens nothing yet: the first `initialize` does. */
export function createSseServer(options: SseServerOptions): HttpUpstream {
  const { server, url, endpointTimeoutMs } = options;
  const now = options.now ?? ((): number => performance.now());
  const sessions = new SessionProcesses({
    child: (ports, owner) => openSseChannel({ ...ports, server, url, owner, endpointTimeoutMs }),
    bounds: BOUNDS,
    log: createConnectionLog(options.name, options.log),
    now,
    random: options.random ?? Math.random,
  });
  return {
    exchange(request, sink) {
      if (request.method === "GET") return sessions.listen(request, sink);
      return request.method === "DELETE" ? sessions.end(request, sink) : post(sessions, request, sink);
    },
    waiting: 0,
    endOwner: (owner) => sessions.endOwner(owner),
    close: () => sessions.close(),
  };
}

function post(sessions: SessionProcesses, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
  const posted = request.body && readPosted(request.body);
  if (!posted) return refuse(sink, { reason: "unsendable", sent: "not_sent", detail: "the message can't be read" });
  if (posted.kind === "request" && posted.method === "initialize") return sessions.open(posted, request, sink);
  if (request.headers["mcp-session-id"] !== undefined) return sessions.post(posted, request, sink);
  if (posted.kind !== "request") return answer(sink, 400);
  return answer(sink, 400, writeError(posted.id, ERROR_CODES.invalidRequest, "Bad Request: a session is needed"));
}

function createConnectionLog(server: string, log: Log): ChildLog {
  const say = (event: string, words: string): void => log.warn(event, words, { server });
  return {
    stderr: () => undefined,
    dropped: (reason) => say("server.dropped", `A message of \`${server}\` was dropped: ${reason}.`),
    ended({ failure }) {
      if (failure === undefined) say("server.ended", `A connection of \`${server}\` has ended, and its session with it.`);
      else say("server.failed", `A connection of \`${server}\` (HTTP+SSE) could not be opened: ${failure}.`);
    },
    failed: (words) => say("server.failed", `A connection of \`${server}\` ${words}`),
    warn: say,
  };
}
