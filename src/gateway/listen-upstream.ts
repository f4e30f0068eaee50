/**
 * The stream on which a server of the legacy era speaks unasked, for one session: opened once, gone on with after a cut,
 * ended with the session. Knows nothing of how the client listens.
 */
import { isRevision, LATEST_LEGACY } from "../mcp/revisions.ts";
import { AnswerRelay } from "./answer-relay.ts";
import type { Desk } from "./desk.ts";
import { resumeUpstream } from "./resume-upstream.ts";
import { relayOn } from "./server-messages.ts";
import { type Session, sessionHeaders } from "./session.ts";
import type { MessageStream } from "./stream.ts";

/** What becomes of a wish to hear what a server says unasked. */
export interface Listening {
  /** The server has opened its stream; also when it does so again after a cut. */
  opened(): void;
  /** It has none to open (`status`), or can't be reached (503). */
  refused(status: number): void;
  ended(): void;
}

/** Asks the server for the stream of what it says unasked; its messages go to `stream`. Gives what ends it. */
export function listenUpstream(desk: Desk, session: Session, stream: MessageStream, listening: Listening): () => void {
  const { endpoint } = session;
  const revision = isRevision(session.protocolVersion) ? session.protocolVersion : LATEST_LEGACY;
  let isOpen = false;
  let hasEnded = false;
  const end = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    session.closers.delete(end);
    listening.ended();
    relay.open?.cancel();
    relay.giveUp("cancelled");
  };
  const relay = new AnswerRelay({
    upstreamId: undefined,
    onStart(status, _headers, kind) {
      isOpen ||= kind === "events";
      if (kind === "events") return listening.opened();
      if (status === 404) desk.sessions.end(session);
      listening.refused(status === 404 ? 404 : 405);
      end();
    },
    onMessage: (bytes, kind) => relayOn(desk, { endpoint, revision, session }, stream, bytes, kind, () => relay.open?.resume()),
    onArrival() {
      if (!isOpen && !hasEnded) listening.refused(503);
      end();
    },
    onCut: (cut) => resumeUpstream({ session, endpoint }, cut),
    onDropped: (reason) => desk.say(`A message of the server ${endpoint.name} was dropped: ${reason}.`),
  });
  session.closers.add(end);
  const headers = { accept: "text/event-stream", ...sessionHeaders(session) };
  relay.open = endpoint.upstream.exchange({ method: "GET", headers, owner: session.grantId, stream: true }, relay);
  return end;
}
