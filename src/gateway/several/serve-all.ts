/**
 * The HTTP face of all servers of a grant at once, `/mcp`. It answers what is about all of them, asks all for lists, and
 * sends everything else on the journey to the one server that it is for, in that server's own words.
 */
import type { HttpReply, HttpRequest } from "../../http/request.ts";
import { writeError, writeRefusal } from "../../mcp/answers.ts";
import type { Request } from "../../mcp/message.ts";
import { ERROR_CODES, isRefusal, type Refusal, refuse } from "../../mcp/refusal.ts";
import { keyOfId } from "../../mcp/request-id.ts";
import { readSubject } from "../../mcp/subject.ts";
import { HttpChannel } from "../http-channel.ts";
import { endOneWay, type HttpFace, refuseMessage, sendProblem, turnAway } from "../http-face.ts";
import { endSession, findHttpSession, openHttpStream } from "../http-stream.ts";
import { type Identified, identifyAll } from "../identify.ts";
import { recordEntry, recordRefusal } from "../one-way.ts";
import { withRecall } from "../recall-session.ts";
import { receive } from "../receive.ts";
import { type Routed, route } from "../route.ts";
import { MAX_REQUESTS_IN_FLIGHT_PER_SESSION } from "../session.ts";
import { recordEnd } from "../session-seal.ts";
import { type Asking, type Everybody, passTo } from "./asking.ts";
import { findTarget, type NoTarget, type Target } from "./find-target.ts";
import { LIST_KINDS, listAll } from "./list-all.ts";
import { listenToAll } from "./listen-to-all.ts";
import { listenToParts } from "./listen-to-parts.ts";
import { passNotificationToAll, passResponseFromAll } from "./one-way-all.ts";
import { answerForAll } from "./own-answers.ts";
import { ALL, dropParts, findSeveral, openParts, partFor } from "./parts.ts";
import { TurnedChannel } from "./turned-channel.ts";

type All = Identified & Everybody;

/** Serves one HTTP request. Never rejects. */
export async function serveAll(face: HttpFace, request: HttpRequest, response: HttpReply): Promise<void> {
  const { desk, gate } = face;
  const startedAt = performance.now();
  try {
    const found = await identifyAll(desk, gate, request);
    if (found.kind === "turned") return await turnAway(face, found, undefined, request, response);
    const who: All = { ...found, kind: "identified", endpoint: ALL };
    if (request.method === "POST") return await servePost(face, who, request, response, startedAt);
    if (request.method === "GET") {
      return await openHttpStream(desk, who, request, response, (session) => listenToParts(desk, gate, session, response));
    }
    if (request.method === "DELETE") return await endAll(face, who, request, response);
    sendProblem(response, 405, { allow: "POST, GET, DELETE" });
  } catch (error) {
    desk.say(`A request ended by a fault: ${error instanceof Error ? (error.stack ?? error.message) : "unknown"}`);
    sendProblem(response, 503);
  }
}

async function endAll({ desk }: HttpFace, who: All, request: HttpRequest, response: HttpReply): Promise<void> {
  const session = await findHttpSession(desk, who, request, response);
  if (!session) return;
  const parts = openParts(session);
  await desk.store.write((batch) => recordEnd(batch, session.id, desk.clock.now()));
  desk.sessions.end(session);
  await Promise.all(parts.map((part) => endSession(desk, part.session)));
  response.writeHead(204).end();
}

async function servePost(face: HttpFace, who: All, request: HttpRequest, response: HttpReply, startedAt: number): Promise<void> {
  const { desk } = face;
  const end = (status: number): void => endOneWay(response, status);
  const message = await receive(request);
  if (message === undefined) {
    response.destroy();
    return;
  }
  if (isRefusal(message)) return await refuseMessage(desk, who, message, request, response);
  if (message.kind === "response") return await passResponseFromAll(desk, who, message, request.rawHeaders, end);
  const tried = route(desk, who, message, request.rawHeaders);
  const routed = isRefusal(tried)
    ? await withRecall(desk, who, request.rawHeaders, tried, () => route(desk, who, message, request.rawHeaders))
    : tried;
  if (isRefusal(routed)) {
    if (message.kind === "request" || routed.code !== ERROR_CODES.methodNotFound)
      return await refuseMessage(desk, who, routed, request, response);
    // A notification that nobody knows has no answer, not even this one.
    await recordRefusal(desk, who, routed);
    return end(202);
  }
  const several = findSeveral(routed.session);
  // A rotated token is the same grant's.
  if (several) several.bearer = who.bearer;
  // A server that was taken from the grant hears no more of this client.
  if (routed.session) dropParts(desk, routed.session, who.endpoints);
  if (message.kind === "notification") return await passNotificationToAll(desk, who, routed, message, end);
  const busy = findBusy(routed, message);
  if (busy) return await refuseMessage(desk, who, busy, request, response);
  await serveRequest(face, who, routed, message, request, response, startedAt);
}

/** An id is in use while any server has it: the client knows one session. */
function findBusy({ session }: Routed, request: Request): Refusal | undefined {
  if (!session) return undefined;
  if (session.inFlight.has(keyOfId(request.id))) {
    return refuse(ERROR_CODES.invalidRequest, 400, "Invalid Request: the id is in use", "id_in_use", request.id);
  }
  if (session.inFlight.size < MAX_REQUESTS_IN_FLIGHT_PER_SESSION) return undefined;
  return refuse(ERROR_CODES.internal, 503, "Too many requests are under way", "too_many", request.id);
}

async function serveRequest(
  face: HttpFace,
  who: All,
  routed: Routed,
  message: Request,
  request: HttpRequest,
  response: HttpReply,
  startedAt: number,
): Promise<void> {
  const { desk } = face;
  const { session, method } = routed;
  const given = new AbortController();
  const asking: Asking = { desk, who, routed, request: message, rawHeaders: request.rawHeaders, startedAt, signal: given.signal };
  const channel = new HttpChannel(desk, request, response, session, { bearer: who.bearer, grantId: who.grant.id, server: undefined });
  const key = keyOfId(message.id);
  session?.inFlight.set(key, { upstreamId: undefined, method: message.method, cancel: () => given.abort() });
  try {
    const { judgement } = method;
    if (judgement === "plain" || judgement in LIST_KINDS) {
      // Hanging up cancels in the modern era; in the legacy one the request goes on.
      if (routed.claim.era === "modern") channel.onGone(() => given.abort());
      const own =
        judgement === "plain" ? await answerForAll(asking) : await listAll(asking, LIST_KINDS[judgement as keyof typeof LIST_KINDS]);
      if (own && isRefusal(own)) return await refuseMessage(desk, who, own, request, response);
      if (own) return channel.answer(own.status, own.message, own.headers);
      return channel.answer(200, writeError(message.id, ERROR_CODES.internal, "The call was cancelled."));
    }
    if (judgement === "listen") {
      const subject = readSubject(message, judgement);
      if (isRefusal(subject)) return await refuseMessage(desk, who, subject, request, response);
      if (subject.kind === "listen") await listenToAll(asking, subject.filter, face.gate, channel);
      return;
    }
    const target = await findTarget(asking);
    if (target.kind === "refusal") return await refuseMessage(desk, who, target, request, response);
    if (target.kind === "none") return await answerNoTarget(asking, target, channel);
    await passToTarget(asking, target, channel);
  } finally {
    session?.inFlight.delete(key);
  }
}

async function passToTarget(asking: Asking, { endpoint, request, shown }: Target, channel: HttpChannel): Promise<void> {
  const part = partFor(asking.desk, asking.routed.session, endpoint);
  await passTo(asking, part, request, new TurnedChannel(channel, endpoint.name, request.method), shown);
}

/** No server of the grant's is named: on record, and answered as what does not exist. */
async function answerNoTarget({ desk, who, routed, request }: Asking, none: NoTarget, channel: HttpChannel): Promise<void> {
  const recorded = await recordEntry(desk, {
    kind: "denial",
    grant: who.grant.label,
    grantId: who.grant.id,
    identity: who.grant.identity,
    session: routed.session?.id.slice(0, 12),
    method: request.method,
    tool: none.shown,
    decision: "deny",
    code: request.method === "tools/call" ? "unknown_tool" : "not_allowed",
    requestId: request.id.value,
  });
  if (recorded) return channel.answer(200, none.message);
  const refusal = refuse(ERROR_CODES.internal, 503, "The request can't be put on record now", "audit_unavailable", request.id);
  channel.answer(refusal.status, writeRefusal(refusal));
}
