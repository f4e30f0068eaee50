/**
 * One session with a legacy server, kept for one grant and one set of client capabilities: its headers, the calls that
 * are under way in it, and the one GET stream that they share. Whoever uses it holds it; nobody's session ends.
 */
import { BoundedMap } from "../../kernel/bounded-map.ts";
import { type JsonObject, printJson, toJson } from "../../kernel/json.ts";
import { LOG_LEVELS, type LogLevel } from "../../mcp/meta.ts";
import { asData } from "../../mcp/refusal.ts";
import type { LegacyRevision } from "../../mcp/revisions.ts";
import { writeNotification } from "../../mcp/rewrite.ts";
import { askServer, type ServerAnswer } from "../ask-server.ts";
import type { AnswerSink, HttpUpstream, OpenExchange } from "../http-upstream.ts";
import {
  DELIVER_TIMEOUT_MS,
  END_TIMEOUT_MS,
  type FrontBounds,
  MAX_OPEN_REPLIES,
  MAX_REMEMBERED_VISITS,
  TELL_TIMEOUT_MS,
} from "./bounds.ts";
import type { LegacyCall } from "./call.ts";
import { Listens } from "./listens.ts";
import { SessionStream } from "./session-stream.ts";
import { tellServer } from "./tell-server.ts";

/** What the server said when the session was opened. */
export interface SessionFacts {
  /** The session's id; undefined where the server keeps none. */
  readonly id: string | undefined;
  readonly revision: LegacyRevision;
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
  readonly serverInfo: JsonObject;
  /** What it was told that the client can do. */
  readonly declared: JsonObject;
}

export interface SessionPorts {
  /** Our requests carry the owner already. */
  readonly upstream: HttpUpstream;
  readonly bounds: FrontBounds;
  onToolsChanged(): void;
  /** A call that may be asked is over, or was never begun. */
  onAskedOver(): void;
  /** Nothing uses it any more. */
  onIdle(session: LegacySession): void;
  /** The server does not know it any more. */
  onGone(session: LegacySession): void;
}

let nextRequestId = 1;

/** One number for each request of ours; it is its progress token as well. */
export function createRequestId(): number {
  return nextRequestId++;
}

export class LegacySession {
  readonly facts: SessionFacts;
  readonly ports: SessionPorts;
  readonly listens: Listens;
  readonly stream: SessionStream;
  /** By our id, which is their progress token too. */
  readonly calls: Map<number, LegacyCall> = new Map();
  /** Addresses that the server said were visited, and who waits for one. */
  readonly visits: BoundedMap<string, true> = new BoundedMap(MAX_REMEMBERED_VISITS);
  readonly visitWaits: Set<() => void> = new Set();
  isEnded = false;
  /** The server does not know it any more. */
  isGone = false;
  #uses = 0;
  #replies = 0;
  #level: LogLevel | undefined;
  #leveling: Promise<void> = Promise.resolve();

  constructor(facts: SessionFacts, ports: SessionPorts) {
    this.facts = facts;
    this.ports = ports;
    this.listens = new Listens(this);
    this.stream = new SessionStream(this);
  }

  /** Whether the server may ask for something that the client declared. */
  get canAsk(): boolean {
    const { declared } = this.facts;
    return Object.hasOwn(declared, "elicitation") || Object.hasOwn(declared, "sampling") || Object.hasOwn(declared, "roots");
  }

  get isUsed(): boolean {
    return this.#uses > 0;
  }

  hold(): void {
    this.#uses++;
  }

  release(): void {
    if (--this.#uses === 0) this.ports.onIdle(this);
  }

  headers(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    const { id, revision } = this.facts;
    return { ...more, "mcp-protocol-version": revision, ...(id === undefined ? {} : { "mcp-session-id": id }) };
  }

  /** A client's request, to be answered to `sink`. */
  send(body: Buffer, sink: AnswerSink, how: { readonly stays: boolean; readonly headers: Readonly<Record<string, string>> }): OpenExchange {
    const headers = this.headers({ ...how.headers, ...POST_HEADERS });
    return this.ports.upstream.exchange({ method: "POST", body, headers, stream: how.stays }, sink);
  }

  /** A request of our own. */
  async ask(method: string, params: Readonly<Record<string, unknown>>, timeoutMs: number): Promise<ServerAnswer> {
    const id = `front-${createRequestId()}`;
    const body = printJson(toJson({ jsonrpc: "2.0", id, method, params }));
    const signal = AbortSignal.timeout(timeoutMs);
    return this.#look(await askServer(this.ports.upstream, { method: "POST", body, id, headers: this.headers(POST_HEADERS), signal }));
  }

  /** A message that the server does not answer; false: it did not take it. */
  async tell(body: string | Buffer, timeoutMs: number = TELL_TIMEOUT_MS): Promise<boolean> {
    const message = { body, headers: this.headers(POST_HEADERS), timeoutMs };
    const status = await tellServer(this.ports.upstream, message);
    if (status === 404 && this.facts.id !== undefined) this.ports.onGone(this);
    return status !== undefined && status < 300;
  }

  #look(answer: ServerAnswer): ServerAnswer {
    const isUnknown = answer.kind !== "fault" && answer.kind !== "result" && answer.status === 404;
    if (isUnknown && this.facts.id !== undefined) this.ports.onGone(this);
    return answer;
  }

  /** Answers a request of the server's, under its own id; `member` is `"result":…` or `"error":…`. */
  async answer(rawId: string, member: string): Promise<boolean> {
    return await this.tell(`{"jsonrpc":"2.0","id":${rawId},${member}}`, DELIVER_TIMEOUT_MS);
  }

  /** An answer of our own. A server that asks faster than it takes them gets no more. */
  reply(rawId: string, member: string): void {
    if (this.#replies >= MAX_OPEN_REPLIES) return;
    this.#replies++;
    void this.answer(rawId, member).finally(() => this.#replies--);
  }

  refuse(rawId: string, code: number, message: string): void {
    this.reply(rawId, `"error":${printJson(asData({ code, message }))}`);
  }

  cancelRequest(requestId: number, reason: string): void {
    void this.tell(writeNotification("notifications/cancelled", asData({ requestId, reason })));
  }

  /** The server is told the most talkative level that any request asked for; who hears what is sorted here. */
  async raiseLevel(level: LogLevel): Promise<void> {
    if (!Object.hasOwn(this.facts.capabilities, "logging")) return;
    this.#leveling = this.#leveling.then(async () => {
      if (this.#level !== undefined && LOG_LEVELS.indexOf(this.#level) <= LOG_LEVELS.indexOf(level)) return;
      const answer = await this.ask("logging/setLevel", { level }, TELL_TIMEOUT_MS);
      if (answer.kind === "result") this.#level = level;
    });
    await this.#leveling;
  }

  noteVisit(elicitationId: string): void {
    this.visits.set(elicitationId, true);
    for (const look of [...this.visitWaits]) look();
  }

  /** Ends what is open here, and says so to a server that still knows it. */
  async end(): Promise<void> {
    if (this.isEnded) return;
    this.isEnded = true;
    for (const call of [...this.calls.values()]) call.abandon();
    this.listens.end();
    this.stream.close();
    if (this.isGone || this.facts.id === undefined) return;
    await askServer(this.ports.upstream, { method: "DELETE", headers: this.headers(), signal: AbortSignal.timeout(END_TIMEOUT_MS) });
  }
}

export const POST_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};
