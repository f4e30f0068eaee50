/**
 * Step *forward*: sends the value that was judged, once, with our own id, the server's own credential and none of the
 * client's headers. What comes back is sorted by the relay; the exchange is concluded when its answer has arrived.
 */
import type { IncomingHttpHeaders } from "node:http";
import { type Json, readMember } from "../kernel/json.ts";
import { readMirroredName } from "../mcp/era.ts";
import { pickForwardedHeaders } from "../mcp/headers.ts";
import type { MetaRewrite } from "../mcp/meta.ts";
import { createRequestHeaders } from "../mcp/param-headers.ts";
import { asData } from "../mcp/refusal.ts";
import { keyOfId } from "../mcp/request-id.ts";
import { chooseLegacyRevision } from "../mcp/revisions.ts";
import { type HeldMember, writeForwarded } from "../mcp/rewrite.ts";
import { AnswerRelay, type Arrival, type RelayPorts } from "./answer-relay.ts";
import type { Channel } from "./channel.ts";
import { conclude } from "./conclude.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import { restrictCapabilities } from "./inspect-opening.ts";
import { openSessionOf } from "./open-session.ts";
import { type CallClock, capsOf, type ResultCaps, startCallClock } from "./result-caps.ts";
import { resumeUpstream } from "./resume-upstream.ts";
import { relayServerMessage } from "./server-messages.ts";
import { Admitted, type Passage, sessionHeaders } from "./session.ts";
import type { AnswerStream } from "./stream.ts";
import { tellListen } from "./tell-changes.ts";

let nextUpstreamId = 1;

/** The bytes and headers of a request as the server gets it. */
export function writeRequestFor(desk: Desk, exchange: Exchange, upstreamId: number): { body: Buffer; headers: Record<string, string> } {
  const { request, claim, rounds, endpoint } = exchange;
  const meta: MetaRewrite = { extraKeys: endpoint.extraMeta };
  const set: Record<string, Json> = {};
  const keep: HeldMember[] = [];
  if (rounds) {
    keep.push("inputResponses");
    if (rounds.upstreamState !== undefined) set["requestState"] = rounds.upstreamState;
  }
  if (request.method === "initialize") setOpening(desk, exchange, set);
  const ours = { name: "sallyport", version: desk.version };
  const envelope = claim.era === "modern" && {
    protocolVersion: claim.revision,
    clientCapabilities: restrictCapabilities(claim.clientCapabilities, endpoint.asks),
    clientInfo: asData(ours),
    logLevel: claim.logLevel,
  };
  const body = writeForwarded(request, { id: upstreamId, set, keep, meta: envelope ? { ...meta, envelope } : meta });
  return { body, headers: headersFor(exchange) };
}

function setOpening(desk: Desk, exchange: Exchange, set: Record<string, Json>): void {
  const { params } = exchange.request;
  const requested = params && readMember(params, "protocolVersion");
  set["protocolVersion"] = chooseLegacyRevision(typeof requested === "string" ? requested : "");
  set["capabilities"] = restrictCapabilities(params && readMember(params, "capabilities"), exchange.endpoint.asks);
  set["clientInfo"] = asData({ name: "sallyport", version: desk.version });
}

function headersFor(exchange: Exchange): Record<string, string> {
  const { request, claim, session, rawHeaders } = exchange;
  const headers: Record<string, string> = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  if (claim.era === "modern") {
    const declarations = exchange.tool?.paramHeaders ?? [];
    const declared = new Set(declarations.map(({ header }) => header.toLowerCase()));
    Object.assign(headers, pickForwardedHeaders(rawHeaders, declared));
    const { subject } = exchange;
    const mirrored = {
      revision: claim.revision,
      method: request.method,
      name: readMirroredName(request.method, request.params),
      args: subject.kind === "tool_call" ? subject.args : undefined,
      declarations,
    };
    Object.assign(headers, createRequestHeaders(mirrored));
    return headers;
  }
  if (session) return Object.assign(headers, sessionHeaders(session));
  if (request.method !== "initialize") headers["mcp-protocol-version"] = exchange.revision;
  return headers;
}

/** Settles when the exchange is concluded. */
export function forward(desk: Desk, exchange: Exchange, channel: Channel): Promise<void> {
  return new Promise((resolve, reject) => new Forwarding(desk, exchange, channel, resolve, reject).start());
}

/** One request on its way to the server and back. */
class Forwarding implements RelayPorts, Passage {
  readonly upstreamId: number = nextUpstreamId++;
  readonly method: string;
  readonly limits: ResultCaps;
  readonly #desk: Desk;
  readonly #exchange: Exchange;
  readonly #channel: Channel;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  readonly #relay: AnswerRelay;
  readonly #key: string;
  #clock: CallClock | undefined;
  #stream: AnswerStream | undefined;
  #upstreamSession: string | undefined;
  #isAcknowledged = false;
  #untell: (() => void) | undefined;

  constructor(desk: Desk, exchange: Exchange, channel: Channel, resolve: () => void, reject: (error: unknown) => void) {
    this.#desk = desk;
    this.#exchange = exchange;
    this.#channel = channel;
    this.#resolve = resolve;
    this.#reject = reject;
    this.method = exchange.request.method;
    this.limits = capsOf(exchange);
    this.#key = keyOfId(exchange.request.id);
    this.#relay = new AnswerRelay(this);
  }

  start(): void {
    const { session, endpoint, claim, grant } = this.#exchange;
    const { body, headers } = writeRequestFor(this.#desk, this.#exchange, this.upstreamId);
    const { timeoutMs } = this.limits;
    if (timeoutMs !== undefined) this.#clock = startCallClock(timeoutMs, () => this.#giveUpLate());
    const admitted = session?.inFlight.get(this.#key);
    if (admitted instanceof Admitted && admitted.isCancelled) {
      this.onArrival({ kind: "fault", code: "cancelled", sent: "not_sent", status: undefined });
      return;
    }
    session?.inFlight.set(this.#key, this);
    this.#exchange.sentAt = performance.now();
    const request = { method: "POST", body, headers, owner: grant.id, stream: this.#stays } as const;
    this.#relay.open = endpoint.upstream.exchange(request, this.#relay);
    // Hanging up cancels in the modern era; in the legacy one the call goes on.
    if (claim.era === "modern") this.#channel.onGone(() => this.cancel());
  }

  cancel(): void {
    this.#relay.open?.cancel();
    this.#relay.giveUp("cancelled");
  }

  get #stays(): boolean {
    return this.#exchange.subject.kind === "listen";
  }

  #giveUpLate(): void {
    this.#relay.giveUp("answer_timeout");
    this.#relay.open?.cancel();
  }

  onStart(status: number, answered: IncomingHttpHeaders, kind: "json" | "events" | "none"): void {
    const { session } = this.#exchange;
    this.#exchange.upstreamStatus = status;
    const id = answered["mcp-session-id"];
    if (this.method === "initialize" && typeof id === "string") this.#upstreamSession = id;
    if (status === 404 && session) this.#desk.sessions.end(session);
    // The opening's answer decides about the session, so it is told in one piece.
    if (kind === "events" && this.method !== "initialize") this.#stream = this.#channel.openStream();
    // Of a listen's own the acknowledgement comes first.
    if (this.#stays && this.#stream && !this.#untell) {
      this.#untell = tellListen(this.#desk, this.#exchange, {
        push: (message) => !this.#isAcknowledged || (this.#stream?.push(message) ?? true),
      });
    }
  }

  onMessage(bytes: Buffer, kind: "request" | "notification", method: string): boolean {
    this.#isAcknowledged = true;
    if (method === "notifications/progress") this.#clock?.extend();
    return relayServerMessage(this.#desk, this.#exchange, this.#stream, bytes, kind, () => this.#relay.open?.resume());
  }

  onArrival(arrival: Arrival): void {
    this.#exchange.session?.inFlight.delete(this.#key);
    this.#clock?.stop();
    this.#untell?.();
    try {
      const concluding = conclude(this.#desk, this.#exchange, arrival, this.#withSession(), this.#stream);
      if (concluding instanceof Promise) concluding.then(this.#resolve, this.#reject);
      else this.#resolve();
    } catch (error) {
      this.#reject(error);
    }
  }

  onCut(cut: AnswerRelay): boolean {
    return resumeUpstream(this.#exchange, cut);
  }

  onDropped(reason: string): void {
    this.#desk.say(`A message of the server ${this.#exchange.endpoint.name} was dropped: ${reason}.`);
  }

  #withSession(): Channel {
    const channel = this.#channel;
    if (this.method !== "initialize" || (this.#upstreamSession === undefined && channel.isConnection !== true)) return channel;
    return openSessionOf(this.#desk, this.#exchange, this.#upstreamSession ?? "", channel);
  }
}
