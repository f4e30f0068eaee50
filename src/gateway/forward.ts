/**
 * Step *forward*: sends the value that was judged, once, with our own id, the server's own credential and none of the
 * client's headers. What comes back is sorted by the relay; the exchange is concluded when its answer has arrived.
 */
import { type Json, readMember } from "../kernel/json.ts";
import { readMirroredName } from "../mcp/era.ts";
import { pickForwardedHeaders } from "../mcp/headers.ts";
import type { MetaRewrite } from "../mcp/meta.ts";
import { createRequestHeaders } from "../mcp/param-headers.ts";
import { asData } from "../mcp/refusal.ts";
import { keyOfId } from "../mcp/request-id.ts";
import { chooseLegacyRevision } from "../mcp/revisions.ts";
import { type HeldMember, writeForwarded } from "../mcp/rewrite.ts";
import { AnswerRelay, type Arrival } from "./answer-relay.ts";
import type { Channel } from "./channel.ts";
import { conclude } from "./conclude.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import { restrictCapabilities } from "./inspect-opening.ts";
import { openSessionOf } from "./open-session.ts";
import { capsOf, startCallClock } from "./result-caps.ts";
import { resumeUpstream } from "./resume-upstream.ts";
import { relayServerMessage } from "./server-messages.ts";
import { Admitted, sessionHeaders } from "./session.ts";
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

export function forward(desk: Desk, exchange: Exchange, channel: Channel): Promise<void> {
  const upstreamId = nextUpstreamId++;
  const { session, endpoint, claim, request } = exchange;
  const { body, headers } = writeRequestFor(desk, exchange, upstreamId);
  const key = keyOfId(request.id);
  const stays = exchange.subject.kind === "listen";
  const caps = capsOf(exchange);
  let stream: AnswerStream | undefined;
  let upstreamSession: string | undefined;
  let isAcknowledged = false;
  let untell: (() => void) | undefined;

  return new Promise((resolve, reject) => {
    const arrive = (arrival: Arrival): void => {
      session?.inFlight.delete(key);
      clock?.stop();
      untell?.();
      conclude(desk, exchange, arrival, withSession(channel), stream).then(resolve, reject);
    };
    const withSession = (to: Channel): Channel => {
      if (request.method !== "initialize" || (upstreamSession === undefined && to.isConnection !== true)) return to;
      return openSessionOf(desk, exchange, upstreamSession ?? "", to);
    };
    const relay = new AnswerRelay({
      upstreamId,
      limits: caps,
      onStart(status, answered, kind) {
        exchange.upstreamStatus = status;
        const id = answered["mcp-session-id"];
        if (request.method === "initialize" && typeof id === "string") upstreamSession = id;
        if (status === 404 && session) desk.sessions.end(session);
        // The opening's answer decides about the session, so it is told in one piece.
        if (kind === "events" && request.method !== "initialize") stream = channel.openStream();
        // Of a listen's own the acknowledgement comes first.
        if (stays && stream && !untell)
          untell = tellListen(desk, exchange, { push: (message) => !isAcknowledged || (stream?.push(message) ?? true) });
      },
      onMessage(bytes, kind, method) {
        isAcknowledged = true;
        if (method === "notifications/progress") clock?.extend();
        return relayServerMessage(desk, exchange, stream, bytes, kind, () => relay.open?.resume());
      },
      onArrival: arrive,
      onCut: (cut) => resumeUpstream(exchange, cut),
      onDropped: (reason) => desk.say(`A message of the server ${endpoint.name} was dropped: ${reason}.`),
    });
    const cancel = (): void => {
      relay.open?.cancel();
      relay.giveUp("cancelled");
    };
    const late = (): void => {
      relay.giveUp("answer_timeout");
      relay.open?.cancel();
    };
    const clock = caps.timeoutMs === undefined ? undefined : startCallClock(caps.timeoutMs, late);
    const admitted = session?.inFlight.get(key);
    if (admitted instanceof Admitted && admitted.isCancelled) {
      arrive({ kind: "fault", code: "cancelled", sent: "not_sent", status: undefined });
      return;
    }
    session?.inFlight.set(key, { upstreamId, method: request.method, cancel });
    exchange.sentAt = performance.now();
    relay.open = endpoint.upstream.exchange({ method: "POST", body, headers, owner: exchange.grant.id, stream: stays }, relay);
    // Hanging up cancels in the modern era; in the legacy one the call goes on.
    if (claim.era === "modern") channel.onGone(cancel);
  });
}
