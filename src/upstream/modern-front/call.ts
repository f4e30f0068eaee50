/**
 * One request that is under way at a legacy server. While a client's request is open its answer and messages go there;
 * where the server asks for something, the client is told so, the call waits under a handle, and goes on with the same
 * answer when the client comes back. It is sent once, and concluded once.
 */
import type { Json, JsonObject } from "../../kernel/json.ts";
import { peekAnswerId } from "../../mcp/answer.ts";
import type { Notification, Request } from "../../mcp/message.ts";
import type { LogLevel } from "../../mcp/meta.ts";
import { ROUND_METHODS } from "../../mcp/methods.ts";
import { ERROR_CODES } from "../../mcp/refusal.ts";
import type { MessageId } from "../../mcp/request-id.ts";
import type { UpstreamFault } from "../http-upstream.ts";
import { type InputResponse, writeInputRequired } from "./asks.ts";
import { LINGER_MS, MAX_KEPT_BYTES, MAX_REFUSED_ASKS, MAX_ROUNDS_PER_CALL } from "./bounds.ts";
import { KeptMessages, printLog, printProgress } from "./kept-messages.ts";
import { type AskRefusal, CALL_IS_OVER, OpenAsks, TOO_MUCH } from "./open-asks.ts";
import type { Outlet } from "./outlet.ts";
import type { Parkable, ParkedCalls } from "./parked.ts";
import { MessageReader, type ServerSays } from "./reader.ts";
import { resumeStream } from "./resume-stream.ts";
import { takeServerMessage } from "./server-says.ts";
import { createRequestId, type LegacySession } from "./session.ts";
import { SilenceWatch } from "./silence.ts";

/** One modern request of the client's: the first, or one that came back with what was asked. */
export interface Leg {
  readonly id: MessageId;
  readonly outlet: Outlet;
  readonly capabilities: JsonObject;
  readonly progressToken: Json | undefined;
  readonly logLevel: LogLevel | undefined;
}

/** What came of a call. */
export type Outcome =
  | { readonly kind: "answer"; readonly bytes: Buffer; readonly says: Extract<ServerSays, { kind: "result" | "error" }> }
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "fault"; readonly fault: UpstreamFault }
  /** Its stream ended before the answer. */
  | { readonly kind: "cut" };

export interface CallPorts {
  readonly parked: ParkedCalls<Parkable>;
  /** Tells the client; called once, with the request that is open. */
  conclude(call: LegacyCall, leg: Leg, outcome: Outcome): void;
  /** The server did not know the session, so the request was not run. */
  onUnknownSession(leg: Leg): void;
}

const NO_ROUNDS: AskRefusal = { code: ERROR_CODES.internal, message: "Nobody can be asked on this request" };
const BROKEN: UpstreamFault = { reason: "broken", sent: "unknown", detail: "the call could not go on" };

export class LegacyCall implements Parkable {
  readonly id: number = createRequestId();
  readonly session: LegacySession;
  readonly owner: string;
  readonly method: string;
  readonly #ports: CallPorts;
  readonly #reader: MessageReader;
  #leg: Leg | undefined;
  #capabilities: JsonObject;
  #status = 0;
  /** It has its outcome; nothing that comes now is for anybody. */
  #isOver = false;
  /** The outcome that waits for the client's return. */
  #outcome: Outcome | undefined;
  readonly #asks = new OpenAsks();
  #refused = 0;
  #rounds = 0;
  #gathering: NodeJS.Timeout | undefined;
  readonly #kept = new KeptMessages();
  #readWhileParked = 0;
  /** A stream that may wait for people has no limit of its own for silence; while a client waits it does. */
  readonly #silence: SilenceWatch;
  #lingering: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  /** `session` is held already; the call releases it. */
  constructor(session: LegacySession, owner: string, method: string, leg: Leg, ports: CallPorts) {
    this.session = session;
    this.owner = owner;
    this.method = method;
    this.#ports = ports;
    this.#leg = leg;
    this.#capabilities = leg.capabilities;
    this.#silence = new SilenceWatch(session.ports.bounds.silenceMs, () => {
      this.#leave("no answer in time", { ...BROKEN, reason: "answer_timeout", detail: "no answer in time" });
    });
    this.#reader = new MessageReader({
      onStart: (status) => this.#start(status),
      onMessage: (bytes, says) => this.#take(bytes, says),
      onOverlong: (head) => {
        if (peekAnswerId(head)?.value === this.id) this.#finish({ kind: "fault", fault: { ...BROKEN, reason: "too_large" } });
      },
      onPiece: (bytes) => this.#heard(bytes),
      onEnd: () => this.#end(),
      onFault: (fault) => this.#fault(fault),
    });
  }

  /** Whether its stream may have to stay open while nobody waits. */
  get #mayWait(): boolean {
    return this.session.canAsk && ROUND_METHODS.has(this.method);
  }

  start(body: Buffer, headers: Readonly<Record<string, string>>): void {
    const leg = this.#leg as Leg;
    this.session.calls.set(this.id, this);
    this.#tie(leg);
    leg.outlet.isSent = true;
    this.#reader.open = this.session.send(body, this.#reader, { stays: this.#mayWait, headers });
  }

  /** The client is back: its answers go to the server, and it waits for the same answer as before. */
  goOn(leg: Leg, responses: ReadonlyMap<string, InputResponse>): void {
    if (this.#outcome) return this.#ports.conclude(this, leg, this.#outcome);
    this.#leg = leg;
    this.#capabilities = leg.capabilities;
    leg.outlet.isSent = true;
    this.#tie(leg);
    for (const message of this.#kept.take()) this.pass(message, true);
    if (this.#isOver) return;
    for (const { ask, response } of this.#asks.takeAnswered(responses)) {
      void this.session.answer(ask.rawId, `"result":${response.raw}`).then((taken) => {
        if (taken) return;
        this.#finish({ kind: "fault", fault: BROKEN });
        this.#reader.open?.cancel();
      });
    }
    this.#readWhileParked = 0;
    this.#reader.open?.resume();
    if (this.#asks.size > 0) this.#gather();
  }

  /** A request of the server's that is this call's. */
  ask(message: Request): void {
    if (this.#asks.knows(message)) return;
    const refuse = ({ code, message: words }: AskRefusal): void => this.session.refuse(message.id.raw, code, words);
    if (this.#isOver) return refuse(CALL_IS_OVER);
    const refusal = ROUND_METHODS.has(this.method) ? this.#asks.add(message, this.#capabilities) : NO_ROUNDS;
    if (!refusal) {
      if (this.#leg) this.#gather();
      return;
    }
    refuse(refusal);
    if (++this.#refused > MAX_REFUSED_ASKS) this.#leave("too many requests were refused");
  }

  /** The server takes back what it asked. */
  withdraw(key: string): void {
    this.#asks.forget(key);
  }

  #gather(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#askClient();
    }, this.session.ports.bounds.gatherPauseMs);
  }

  /** Tells the client what the server asks, and waits for its return. */
  #askClient(): void {
    const leg = this.#leg;
    if (!leg || this.#isOver || this.#asks.size === 0) return;
    const mayPark = this.#rounds++ < MAX_ROUNDS_PER_CALL && this.#reader.pendingBytes <= MAX_KEPT_BYTES;
    const handle = mayPark ? this.#ports.parked.park(this) : undefined;
    if (handle === undefined) return this.#refuseAsks(TOO_MUCH);
    this.#untie();
    this.#leg = undefined;
    leg.outlet.answer(200, writeInputRequired(leg.id, this.#asks.tell(), handle, this.session.facts.serverInfo));
  }

  #refuseAsks({ code, message }: AskRefusal): void {
    for (const { rawId } of this.#asks.takeAll()) this.session.refuse(rawId, code, message);
  }

  /** Progress or a log message. What came on another stream than the call's own can't be held back there: who is slow misses it. */
  pass(message: Notification, isOwnStream: boolean): boolean {
    if (this.#isOver) return true;
    if (!this.#leg) {
      this.#kept.add(message);
      return true;
    }
    const { outlet, progressToken, logLevel } = this.#leg;
    if (outlet.isFull && !isOwnStream) return true;
    const text = message.method === "notifications/progress" ? printProgress(message, progressToken) : printLog(message, logLevel);
    return text === undefined || outlet.push(text);
  }

  /** Nobody came back, or nobody may any more. */
  expire(): void {
    if (!this.#isOver) this.#leave("nobody came back with what was asked");
    this.#outcome = undefined;
  }

  /** The session ends under it. */
  abandon(): void {
    this.#finish({ kind: "fault", fault: { ...BROKEN, reason: "closed", detail: "the server's connections are closed" } });
    this.#reader.open?.cancel();
  }

  /** Ends it here and at the server; what it did is not known. */
  #leave(reason: string, fault: UpstreamFault = BROKEN): void {
    this.session.cancelRequest(this.id, reason);
    this.#finish({ kind: "fault", fault });
    this.#reader.open?.cancel();
  }

  #tie(leg: Leg): void {
    leg.outlet.onCancel = () => {
      this.#leg = undefined;
      if (!this.#isOver) this.#leave("the client has left");
    };
    leg.outlet.onRoom = () => this.#reader.open?.resume();
    if (this.#mayWait) this.#silence.start();
  }

  #untie(): void {
    this.#silence.stop();
    const outlet = this.#leg?.outlet;
    if (!outlet) return;
    outlet.onCancel = undefined;
    outlet.onRoom = undefined;
  }

  #start(status: number): void {
    this.#status = status;
    if (status !== 401 && status !== 403 && status < 500) return;
    this.#finish({ kind: "status", status });
    this.#reader.open?.cancel();
  }

  /** A session that the server does not know any more: a first request was not run there. */
  #isUnknown(): boolean {
    return this.#status === 404 && this.session.facts.id !== undefined;
  }

  #loseSession(): void {
    const leg = this.#leg;
    const isFirst = !this.#asks.isUsed && this.#rounds === 0 && this.#reader.lastEventId === undefined;
    this.session.ports.onGone(this.session);
    if (!leg || !isFirst) return this.#finish({ kind: "cut" });
    this.#close();
    this.#leg = undefined;
    this.#ports.onUnknownSession(leg);
  }

  #take(bytes: Buffer, says: ServerSays): boolean {
    if ("method" in says) return takeServerMessage(this.session, bytes, says.kind, this);
    const isOurs = says.id === undefined ? says.kind === "error" && !this.#isUnknown() : says.id.value === this.id;
    if (isOurs && says.id === undefined) this.#doubt();
    if (isOurs) this.#finish({ kind: "answer", bytes, says });
    return true;
  }

  /** Some servers say by another status that they do not know a session any more: it is not used again, and nothing sent twice. */
  #doubt(): void {
    if (this.#status === 400 || this.#status === 410) this.session.ports.onGone(this.session);
  }

  #heard(bytes: number): boolean {
    this.#silence.hear();
    if (this.#leg || this.#isOver) return true;
    this.#readWhileParked += bytes;
    return this.#readWhileParked <= MAX_KEPT_BYTES;
  }

  #end(): void {
    clearTimeout(this.#lingering);
    if (this.#isOver || (this.#reader.kind === "events" && this.#resume())) return;
    if (this.#isUnknown()) return this.#loseSession();
    this.#doubt();
    // Events that stop before the answer are cut; anything else is a status, and no answer in the protocol.
    this.#finish(this.#reader.kind === "events" ? { kind: "cut" } : { kind: "status", status: this.#status });
  }

  #fault(fault: UpstreamFault): void {
    clearTimeout(this.#lingering);
    if (this.#isOver || (fault.reason === "broken" && this.#reader.kind === "events" && this.#resume())) return;
    this.#finish({ kind: "fault", fault: this.#status === 0 ? fault : { ...fault, sent: "unknown" } });
  }

  #resume(): boolean {
    this.#retry = resumeStream(this.session, this.#reader);
    return this.#retry !== undefined;
  }

  #finish(outcome: Outcome): void {
    if (this.#isOver) return;
    this.#close();
    if (outcome.kind === "answer") {
      this.#refuseAsks(CALL_IS_OVER);
      this.#linger();
    }
    const leg = this.#leg;
    this.#leg = undefined;
    if (leg) this.#ports.conclude(this, leg, outcome);
    else this.#outcome = outcome;
  }

  #linger(): void {
    if (this.#reader.kind !== "events") return;
    this.#lingering = setTimeout(() => this.#reader.open?.cancel(), LINGER_MS);
    this.#lingering.unref();
  }

  #close(): void {
    this.#isOver = true;
    this.#untie();
    clearTimeout(this.#gathering);
    clearTimeout(this.#retry);
    this.session.calls.delete(this.id);
    if (ROUND_METHODS.has(this.method)) this.session.ports.onAskedOver();
    this.session.release();
  }
}
