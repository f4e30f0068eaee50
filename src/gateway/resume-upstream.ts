/**
 * A server may close a stream of events before its answer and have us come back for the rest (legacy, with event ids).
 * The stream is asked for again, never the request: a call is sent at most once.
 */
import type { AnswerRelay } from "./answer-relay.ts";
import type { Endpoint } from "./desk.ts";
import { type Session, sessionHeaders } from "./session.ts";

export const MAX_RESUMES = 1_000;
export const MIN_RESUME_WAIT_MS = 100;
export const DEFAULT_RESUME_WAIT_MS = 1_000;
export const MAX_RESUME_WAIT_MS = 30_000;

const resumes = new WeakMap<AnswerRelay, number>();

/** True: it will be asked for again, and the relay goes on with what comes. */
export function resumeUpstream(of: { readonly session: Session | undefined; readonly endpoint: Endpoint }, relay: AnswerRelay): boolean {
  const { session, endpoint } = of;
  const { lastEventId } = relay;
  const count = resumes.get(relay) ?? 0;
  if (!session || session.ended || lastEventId === undefined || lastEventId === "" || count >= MAX_RESUMES) return false;
  resumes.set(relay, count + 1);
  const wait = Math.max(MIN_RESUME_WAIT_MS, Math.min(relay.retryMs ?? DEFAULT_RESUME_WAIT_MS, MAX_RESUME_WAIT_MS));
  const timer = setTimeout(() => {
    if (relay.arrived) return;
    if (session.ended) {
      relay.giveUp("no_answer");
      return;
    }
    const headers = { accept: "text/event-stream", "last-event-id": lastEventId, ...sessionHeaders(session) };
    relay.open = endpoint.upstream.exchange({ method: "GET", headers, owner: session.grantId, stream: true }, relay);
  }, wait);
  timer.unref();
  return true;
}
