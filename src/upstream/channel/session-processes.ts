/**
 * The processes of a server of which every session has its own. Bounded in all and for each owner: where there is no
 * room, one that nobody has used for a while makes it, else the next client is told so. None is left behind.
 */
import { randomBytes } from "node:crypto";
import { BoundedMap } from "../../kernel/bounded-map.ts";
import { writeError } from "../../mcp/answers.ts";
import type { AnswerSink, OpenExchange, UpstreamRequest } from "../http-upstream.ts";
import type { ChildLog } from "./child-log.ts";
import type { ChildExit, OpenChannel } from "./child-process.ts";
import { answer, type ChildCommand, refuse } from "./link.ts";
import type { Posted, PostedRequest } from "./posted.ts";
import { type PaceBounds, RestartPace } from "./restart-pace.ts";
import { SessionProcess } from "./session-process.ts";
import { SESSION_ID_BYTES } from "./shared-sessions.ts";

export const MAX_SESSION_PROCESSES = 64;
/** Of one grant. */
export const MAX_SESSION_PROCESSES_PER_OWNER = 16;
/** A session that nobody listens to and nobody asks ends after this. */
export const SESSION_PROCESS_IDLE_MS: number = 30 * 60 * 1000;
/** A session makes room for another one when it has been idle for so long. */
export const EVICT_IDLE_MS: number = 60 * 1000;
const MAX_REMEMBERED_OWNERS = 1024;
/** The code of errors that servers define for themselves. */
const NO_ROOM = -32_000;

interface Starts {
  readonly pace: RestartPace;
  downUntilMs: number;
}

export interface SessionBounds extends PaceBounds {
  readonly openMs: number;
  readonly answerMs: number;
  readonly inFlight: number;
  readonly sessionProcesses: number;
  readonly sessionProcessesPerOwner: number;
  readonly sessionIdleMs: number;
  readonly evictIdleMs: number;
}

export interface SessionProcessesOptions {
  readonly child: ChildCommand | OpenChannel;
  readonly bounds: SessionBounds;
  readonly log: ChildLog;
  readonly now: () => number;
  readonly random: () => number;
}

export class SessionProcesses {
  readonly #options: SessionProcessesOptions;
  readonly #sessions = new Map<string, SessionProcess>();
  /** How each owner's starts have gone: what one of them breaks holds up nobody else. */
  readonly #starts = new BoundedMap<string, Starts>(MAX_REMEMBERED_OWNERS);
  /** Processes on their way out, with their owner: they are there until they have gone. */
  readonly #ending = new Map<Promise<unknown>, string | undefined>();
  readonly #sweep: NodeJS.Timeout;

  constructor(options: SessionProcessesOptions) {
    this.#options = options;
    this.#sweep = setInterval(() => this.#endIdle(options.bounds.sessionIdleMs), Math.max(50, options.bounds.sessionIdleMs / 10));
    this.#sweep.unref();
  }

  get pids(): readonly number[] {
    return [...this.#sessions.values()].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  /** A client opens a conversation: it gets a process of its own. */
  open(posted: PostedRequest, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const { child, bounds, log, now } = this.#options;
    const starts = this.#startsOf(request.owner);
    if (now() < starts.downUntilMs)
      return refuse(sink, { reason: "connect", sent: "not_sent", detail: "the last process failed to start" });
    if (!this.#hasRoom(request.owner)) {
      const words = "Too many conversations with this server are open. Close one, or try again later.";
      return answer(sink, 503, writeError(posted.id, NO_ROOM, words));
    }
    const id = randomBytes(SESSION_ID_BYTES).toString("base64url");
    const session: SessionProcess = new SessionProcess({
      id,
      owner: request.owner,
      child,
      answerMs: bounds.answerMs,
      openMs: bounds.openMs,
      inFlight: bounds.inFlight,
      log,
      now,
      onOpen: () => starts.pace.reset(),
      onExit: (exit, isOpen) => this.#takeExit(session, starts, exit, isOpen),
    });
    this.#sessions.set(id, session);
    // Whatever ends the opening without a session ends its process too; one that has ended by itself is told of there.
    const giveUp = (): void => {
      if (!session.isOpen && session.isRunning) this.#end(session);
    };
    const closing: AnswerSink = {
      onStart: (status, headers) => sink.onStart(status, headers),
      onData: (chunk) => sink.onData(chunk),
      onEnd: () => {
        giveUp();
        sink.onEnd();
      },
      onFault: (fault) => {
        giveUp();
        sink.onFault(fault);
      },
    };
    return session.open(posted, request, closing);
  }

  post(posted: Posted, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    return this.#find(request)?.post(posted, request, sink) ?? answer(sink, 404);
  }

  listen(request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    return this.#find(request)?.listen(request, sink) ?? answer(sink, 404);
  }

  end(request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const session = this.#find(request);
    if (session === undefined) return answer(sink, 404);
    this.#end(session);
    return answer(sink, 204);
  }

  /** Ends an owner's sessions in which nothing is under way. */
  endOwner(owner: string): void {
    for (const session of [...this.#sessions.values()]) if (session.owner === owner && session.isIdle) this.#end(session);
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    for (const session of [...this.#sessions.values()]) this.#end(session);
    await Promise.all(this.#ending.keys());
  }

  #startsOf(owner: string | undefined): Starts {
    const key = owner ?? "";
    const known = this.#starts.get(key);
    if (known) return known;
    const starts: Starts = { pace: new RestartPace(this.#options.bounds, this.#options.random), downUntilMs: 0 };
    this.#starts.set(key, starts);
    return starts;
  }

  #find(request: UpstreamRequest): SessionProcess | undefined {
    const session = this.#sessions.get(request.headers["mcp-session-id"] ?? "");
    return session?.isOpen === true && session.owner === request.owner ? session : undefined;
  }

  #hasRoom(owner: string | undefined): boolean {
    const { sessionProcesses, sessionProcessesPerOwner, evictIdleMs } = this.#options.bounds;
    const ownEnding = [...this.#ending.values()].filter((of) => of === owner).length;
    if (this.#ending.size >= sessionProcesses || ownEnding >= sessionProcessesPerOwner) return false;
    const own = [...this.#sessions.values()].filter((session) => session.owner === owner);
    if (own.length >= sessionProcessesPerOwner && !this.#evict(own, evictIdleMs)) return false;
    return this.#sessions.size < sessionProcesses || this.#evict([...this.#sessions.values()], evictIdleMs);
  }

  /** Ends the one that was used longest ago, where it is idle long enough. */
  #evict(among: readonly SessionProcess[], idleMs: number): boolean {
    const [oldest] = among.filter((session) => this.#isIdle(session, idleMs)).sort((a, b) => a.usedMs - b.usedMs);
    if (oldest) this.#end(oldest);
    return oldest !== undefined;
  }

  #endIdle(idleMs: number): void {
    for (const session of [...this.#sessions.values()]) if (this.#isIdle(session, idleMs)) this.#end(session);
  }

  #isIdle(session: SessionProcess, idleMs: number): boolean {
    return session.isIdle && this.#options.now() - session.usedMs >= idleMs;
  }

  #takeExit(session: SessionProcess, starts: Starts, exit: ChildExit, isOpen: boolean): void {
    if (!this.#sessions.delete(session.id)) return;
    // What fails to start is not started as often as clients ask.
    if (!isOpen) starts.downUntilMs = this.#options.now() + starts.pace.next(0);
    this.#options.log.ended(exit, undefined);
  }

  #end(session: SessionProcess): void {
    if (!this.#sessions.delete(session.id)) return;
    const ending: Promise<unknown> = session.end().finally(() => this.#ending.delete(ending));
    this.#ending.set(ending, session.owner);
  }
}
