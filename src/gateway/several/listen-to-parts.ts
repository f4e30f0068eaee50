/**
 * The one stream on which several servers speak unasked (GET, legacy): each server's own stream is joined to it when its
 * session is open, asked for again when it breaks, and let go with the client. What a policy or a server's health changes
 * is told on it too.
 */
import type { HttpReply } from "../../http/request.ts";
import type { GrantRecord } from "../../identity/grant.ts";
import { AnswerRelay, type Arrival } from "../answer-relay.ts";
import type { Desk, Endpoint } from "../desk.ts";
import { attachResponse, createSessionStream } from "../http-channel.ts";
import { STREAM_LINGER_MS } from "../http-stream.ts";
import { endpointsOf, type Gate } from "../identify.ts";
import { resumeUpstream } from "../resume-upstream.ts";
import { relayOn } from "../server-messages.ts";
import { revisionOf, type Session } from "../session.ts";
import type { MessageStream } from "../stream.ts";
import { tellChanges } from "../tell-changes.ts";
import { dropParts, findSeveral, openParts, type SessionPart } from "./parts.ts";
import { turnMessages } from "./turned-channel.ts";

/** How long after a server's stream has ended it is asked for again; twice as long after each failure, up to the bound. */
export const LISTEN_AGAIN_MS = 2_000;
export const MAX_LISTEN_AGAIN_MS = 60_000;

export function listenToParts(desk: Desk, gate: Pick<Gate, "endpoints">, session: Session, response: HttpReply): void {
  const several = findSeveral(session);
  const stream = createSessionStream(session);
  const joined = new Map<SessionPart, () => void>();
  const join = (part: SessionPart): void => {
    joined.get(part)?.();
    joined.set(part, listenTo(desk, part, turnMessages(stream, part.endpoint.name)));
  };
  // A server that is taken from the grant is heard no more.
  const readServers = (grant: GrantRecord): readonly Endpoint[] => {
    const endpoints = endpointsOf(gate, grant);
    for (const part of dropParts(desk, session, endpoints)) {
      joined.get(part)?.();
      joined.delete(part);
    }
    return endpoints;
  };
  const end = (): void => {
    if (stream.ended) return;
    stream.end();
    unwatch();
    session.closers.delete(end);
    if (several?.onOpened === join) several.onOpened = undefined;
    if (session.listening === stream) {
      session.listening = undefined;
      session.linger = undefined;
    }
    session.streams.delete(stream.id);
    for (const leave of joined.values()) leave();
    joined.clear();
  };
  const unwatch = tellChanges(
    desk,
    { bearer: several?.bearer ?? "", grantId: session.grantId, endpointsOf: readServers, heedsHealth: true },
    stream,
  );
  session.closers.add(end);
  session.listening = stream;
  session.lastListening = stream.id;
  session.linger = (to) => {
    to.on("close", () => void setTimeout(() => (stream.attached ? undefined : end()), STREAM_LINGER_MS).unref());
  };
  session.linger(response);
  attachResponse(response, stream, 0);
  if (several) several.onOpened = join;
  for (const part of openParts(session)) join(part);
}

/** Joins one server's own stream; gives what leaves it. */
function listenTo(desk: Desk, part: SessionPart, stream: MessageStream): () => void {
  const { endpoint, session } = part;
  let waitMs = LISTEN_AGAIN_MS;
  let relay: AnswerRelay | undefined;
  let timer: NodeJS.Timeout | undefined;
  let left = false;

  const start = (): void => {
    let offered = false;
    const own = new AnswerRelay({
      upstreamId: undefined,
      onStart(_status, _headers, kind) {
        offered = kind === "events";
        if (offered) waitMs = LISTEN_AGAIN_MS;
      },
      onMessage: (bytes, kind) =>
        relayOn(desk, { endpoint, revision: revisionOf(session), session }, stream, bytes, kind, () => own.open?.resume()),
      onArrival: (arrival) => goOn(arrival, offered),
      onCut: (cut) => !left && resumeUpstream({ session, endpoint }, cut),
      onDropped: (reason) => desk.say(`A message of the server ${endpoint.name} was dropped: ${reason}.`),
    });
    relay = own;
    const headers = { accept: "text/event-stream" };
    own.open = endpoint.upstream.exchange({ method: "GET", headers, owner: session.grantId, stream: true }, own);
  };

  const goOn = (arrival: Arrival, offered: boolean): void => {
    // A server that offers no such stream has said so; of any other only the connection is gone.
    if (left || session.ended || (arrival.kind === "fault" && !offered && arrival.status !== undefined)) return;
    desk.health.suspect(endpoint);
    timer = setTimeout(() => {
      // A session that was forgotten joins again when it is opened again.
      if (!left && !session.ended && part.link.opened) start();
    }, waitMs);
    timer.unref();
    waitMs = Math.min(waitMs * 2, MAX_LISTEN_AGAIN_MS);
  };

  const leave = (): void => {
    left = true;
    session.closers.delete(leave);
    clearTimeout(timer);
    relay?.open?.cancel();
    relay?.giveUp("cancelled");
  };
  session.closers.add(leave);
  start();
  return leave;
}
