/**
 * The gateway's HTTP face, `/mcp/<server>`: Streamable HTTP of every revision. POST brings one message, GET opens or
 * resumes a stream, DELETE ends a session. Before a grant is known nothing is told but a status.
 */

import type { FailureCounter } from "../audit/count-failures.ts";
import type { HttpReply, HttpRequest } from "../http/request.ts";
import { writeRefusal } from "../mcp/answers.ts";
import type { Notification, Request } from "../mcp/message.ts";
import { ERROR_CODES, isRefusal, type Refusal, refuse } from "../mcp/refusal.ts";
import type { Desk } from "./desk.ts";
import { HttpChannel, sendJson } from "./http-channel.ts";
import { endHttpSession, openHttpStream } from "./http-stream.ts";
import { type Gate, type Identified, identify, type Turned } from "./identify.ts";
import { passNotification, passResponse, recordRefusal } from "./one-way.ts";
import { openExchange, prepare, renew, underWay } from "./open-exchange.ts";
import { pass } from "./pipeline.ts";
import { writeChallenge } from "./protected-resource.ts";
import { withRecall } from "./recall-session.ts";
import { receive } from "./receive.ts";
import { route } from "./route.ts";
import { awaitOn, createSseChannel, hearServer, openSse, opensSse, readConnectionId } from "./sse-face.ts";

export interface HttpFace {
  readonly desk: Desk;
  readonly gate: Gate;
  readonly failures: FailureCounter;
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  503: "Service Unavailable",
};

/** A problem document (RFC 9457) that says the status and nothing else. */
export function sendProblem(response: HttpReply, status: number, headers: Readonly<Record<string, string>> = {}): void {
  const body = Buffer.from(JSON.stringify({ type: "about:blank", title: TITLES[status] ?? "Error", status }));
  sendJson(response, status, body, { "content-type": "application/problem+json", ...headers });
}

/** Serves one HTTP request for `server` (the name in the path). Never rejects. */
export async function serveHttp(face: HttpFace, server: string, request: HttpRequest, response: HttpReply): Promise<void> {
  const { desk } = face;
  const startedAt = performance.now();
  try {
    const identifying = identify(desk, face.gate, request, server);
    const who = identifying instanceof Promise ? await identifying : identifying;
    if (who.kind === "turned") return await turnAway(face, who, server, request, response);
    if (request.method === "POST") return await servePost(face, who, request, response, startedAt);
    if (request.method === "GET" && opensSse(request))
      return openSse(desk, who, request, response) ? undefined : sendProblem(response, 503);
    if (request.method === "GET") return await openHttpStream(desk, who, request, response);
    if (request.method === "DELETE") return await endHttpSession(desk, who, request, response);
    sendProblem(response, 405, { allow: "POST, GET, DELETE" });
  } catch (error) {
    desk.say(`A request ended by a fault: ${error instanceof Error ? (error.stack ?? error.message) : "unknown"}`);
    sendProblem(response, 503);
  }
}

export async function turnAway(
  face: HttpFace,
  turned: Turned,
  server: string | undefined,
  request: HttpRequest,
  response: HttpReply,
): Promise<void> {
  const source = request.socket.remoteAddress ?? "unknown";
  face.desk.meter.turnedAway.add(turned.reason);
  const challenged = turned.status === 401 || turned.reason === "insufficient_scope";
  const headers: Record<string, string> = challenged ? { "www-authenticate": writeChallenge(face.gate.signIn, server, turned.reason) } : {};
  try {
    await face.failures.count({ kind: "authentication", source, reason: turned.reason });
  } catch {
    // Nothing passes either way: the answer is the same refusal.
  }
  if (!request.complete) headers["connection"] = "close";
  sendProblem(response, turned.status, headers);
}

async function servePost(face: HttpFace, who: Identified, request: HttpRequest, response: HttpReply, startedAt: number): Promise<void> {
  const { desk } = face;
  const named = readConnectionId(request);
  const connection = named === undefined ? undefined : desk.sse.find(named, who.grant.id, who.endpoint.id);
  if (named !== undefined && !connection) return sendProblem(response, 404, request.complete ? {} : { connection: "close" });
  const receiving = receive(request);
  const message = receiving instanceof Promise ? await receiving : receiving;
  if (message === undefined) {
    response.destroy();
    return;
  }
  if (isRefusal(message)) return await refuseMessage(desk, who, message, request, response);
  // A client of the old transport is known by its connection, as one of the new is by its header.
  const session = connection?.session;
  const rawHeaders = session ? [...request.rawHeaders, "mcp-session-id", session.id] : request.rawHeaders;
  if (message.kind === "response") return await passResponse(desk, who, message, rawHeaders, (status) => endOneWay(response, status));
  const tried = route(desk, who, message, rawHeaders);
  const routed = isRefusal(tried) ? await withRecall(desk, who, rawHeaders, tried, () => route(desk, who, message, rawHeaders)) : tried;
  if (isRefusal(routed)) {
    if (message.kind === "request" || routed.code !== ERROR_CODES.methodNotFound)
      return await refuseMessage(desk, who, routed, request, response);
    // A notification that nobody knows has no answer, not even this one.
    await recordRefusal(desk, who, routed);
    return endOneWay(response, 202);
  }
  if (connection && routed.claim.era === "modern") return await refuseMessage(desk, who, refuseModern(message), request, response);
  if (message.kind === "notification") {
    await passNotification(desk, who, routed, message, (status) => endOneWay(response, status));
    if (connection && message.method === "notifications/initialized") hearServer(desk, who, connection);
    return;
  }
  const exchange = openExchange(desk, who, routed, message, rawHeaders, startedAt);
  if (isRefusal(exchange)) return await refuseMessage(desk, who, exchange, request, response);
  const preparing = prepare(desk, exchange);
  if (preparing) await preparing;
  if (connection) endOneWay(response, 202);
  const channel = connection
    ? createSseChannel(desk, who, connection)
    : new HttpChannel(desk, request, response, routed.session, { bearer: who.bearer, grantId: who.grant.id, server: who.endpoint.name });
  const passOn = (): Promise<void> =>
    underWay(
      desk,
      exchange,
      () => pass(desk, exchange, channel, (stale) => renew(desk, stale)),
      async (refusal) => {
        if (!connection) return await refuseMessage(desk, who, refusal, request, response);
        await recordRefusal(desk, who, refusal);
        channel.answer(refusal.status, writeRefusal(refusal));
      },
    );
  await (connection ? awaitOn(connection, passOn) : passOn());
}

/** In the modern era who hangs up cancels, and a connection of the old transport knows no hanging up on one request. */
function refuseModern(message: Request | Notification): Refusal {
  const id = message.kind === "request" ? message.id : undefined;
  return refuse(ERROR_CODES.invalidRequest, 400, "Invalid Request: this connection is one of 2024-11-05", "old_transport", id);
}

export function endOneWay(response: HttpReply, status: number): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { "content-length": 0 });
  response.end();
}

export async function refuseMessage(
  desk: Desk,
  who: Identified,
  refusal: Refusal,
  request: HttpRequest,
  response: HttpReply,
): Promise<void> {
  await recordRefusal(desk, who, refusal);
  // What was not read to its end must not be taken for the next request.
  const headers: Record<string, string> = request.complete ? {} : { connection: "close" };
  sendJson(response, refusal.status, writeRefusal(refusal), headers);
}
