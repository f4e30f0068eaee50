/**
 * GET and DELETE of the legacy era: the stream on which a server speaks unasked, coming back to a stream that broke off,
 * and the end of a session. The modern era has none of them.
 */
import type { HttpReply, HttpRequest } from "../http/request.ts";
import { readMcpHeaders } from "../mcp/headers.ts";
import { isModernRevision } from "../mcp/revisions.ts";
import type { AnswerSink } from "../upstream/http-upstream.ts";
import type { Desk } from "./desk.ts";
import { attachResponse, createSessionStream } from "./http-channel.ts";
import { sendProblem } from "./http-face.ts";
import type { Identified } from "./identify.ts";
import { listenUpstream } from "./listen-upstream.ts";
import { recallSession } from "./recall-session.ts";
import { type Session, sessionHeaders } from "./session.ts";
import { recordEnd } from "./session-seal.ts";
import { readEventId } from "./stream.ts";
import { tellChanges } from "./tell-changes.ts";

/** A GET stream that lost its client is kept open towards the server for so long. */
export const STREAM_LINGER_MS = 60_000;
export const DELETE_TIMEOUT_MS = 5_000;

/** The session that a GET or DELETE is about; where there is none, that has been answered. */
export async function findHttpSession(
  desk: Desk,
  who: Identified,
  request: HttpRequest,
  response: HttpReply,
): Promise<Session | undefined> {
  const headers = readMcpHeaders(request.rawHeaders);
  if (headers.version !== undefined && isModernRevision(headers.version)) {
    sendProblem(response, 405, { allow: "POST" });
    return undefined;
  }
  if (headers.session === undefined || headers.repeated.has("mcp-session-id")) {
    // Without a session there is nothing to listen to and nothing to end.
    sendProblem(response, request.method === "GET" ? 405 : 400, request.method === "GET" ? { allow: "POST" } : {});
    return undefined;
  }
  const session =
    desk.sessions.find(headers.session, who.grant.id, who.endpoint.id, desk.clock.now()) ??
    (await recallSession(desk, who, request.rawHeaders));
  if (!session) sendProblem(response, 404);
  return session;
}

/** `listen` begins a stream on which the server speaks unasked. */
export async function openHttpStream(
  desk: Desk,
  who: Identified,
  request: HttpRequest,
  response: HttpReply,
  listen: (session: Session) => void = (session) => openListening(desk, who, session, response),
): Promise<void> {
  const session = await findHttpSession(desk, who, request, response);
  if (!session) return;
  const { lastEventId } = readMcpHeaders(request.rawHeaders);
  const { bearer, grant, endpoint } = who;
  // Of several servers it is held for the grant alone.
  const server = endpoint.name || undefined;
  const release = desk.holds.add({ bearer, grantId: grant.id, server, close: () => desk.sessions.end(session) });
  response.on("close", release);
  if (lastEventId !== undefined && lastEventId !== "") {
    const place = readEventId(lastEventId);
    const stream = place && session.streams.get(place.stream);
    // What listened before and has ended is listened to anew; of any other stream nothing can be given any more.
    if (place && !stream && place.stream === session.lastListening) return listen(session);
    if (!place || !stream) return sendProblem(response, 400);
    if (stream === session.listening) session.linger?.(response);
    return attachResponse(response, stream, place.sequence);
  }
  if (session.listening && !session.listening.ended) {
    session.linger?.(response);
    return attachResponse(response, session.listening);
  }
  listen(session);
}

function openListening(desk: Desk, who: Identified, session: Session, response: HttpReply): void {
  const stream = createSessionStream(session);
  const watch = { bearer: who.bearer, grantId: who.grant.id, endpointsOf: () => [session.endpoint], heedsHealth: false };
  const untell = tellChanges(desk, watch, stream);
  const linger = (to: HttpReply): void => {
    to.on("close", () => {
      const leave = (): void => (stream.attached ? undefined : end());
      setTimeout(leave, STREAM_LINGER_MS).unref();
    });
  };
  linger(response);
  const end = listenUpstream(desk, session, stream, {
    opened() {
      // Asked for again after it broke off, it goes on where it was.
      if (session.listening === stream) return;
      session.listening = stream;
      session.lastListening = stream.id;
      session.linger = linger;
      attachResponse(response, stream, 0);
    },
    refused: (status) => sendProblem(response, status, status === 405 ? { allow: "POST, DELETE" } : {}),
    ended() {
      stream.end();
      untell();
      if (session.listening === stream) {
        session.listening = undefined;
        session.linger = undefined;
      }
      session.streams.delete(stream.id);
    },
  });
}

export async function endHttpSession(desk: Desk, who: Identified, request: HttpRequest, response: HttpReply): Promise<void> {
  const session = await findHttpSession(desk, who, request, response);
  if (!session) return;
  await endSession(desk, session);
  response.writeHead(204).end();
}

/** Tells the server, waits for it no longer than the bound, and ends ours in any case. */
export async function endSession(desk: Desk, session: Session): Promise<void> {
  const headers = sessionHeaders(session);
  const { grantId, endpoint } = session;
  desk.sessions.end(session);
  await desk.store
    .write(async (batch) => {
      desk.audit.append(batch, {
        kind: "intent",
        server: endpoint.name,
        grantId,
        session: session.id.slice(0, 12),
        method: "DELETE",
        decision: "allow",
      });
      await recordEnd(batch, session.id, desk.clock.now());
    })
    .catch(() => undefined);
  await new Promise<void>((resolve) => {
    const sink: AnswerSink = { onStart: () => undefined, onData: () => true, onEnd: resolve, onFault: () => resolve() };
    const signal = AbortSignal.timeout(DELETE_TIMEOUT_MS);
    endpoint.upstream.exchange({ method: "DELETE", headers, owner: grantId, signal }, sink);
  });
}
