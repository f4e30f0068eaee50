/**
 * A legacy server may close a call's stream before its answer and have us come back for the rest. The stream is asked for
 * again from where it was, never the request.
 */
import { MAX_RESUME_WAIT_MS, MAX_STREAM_RESUMES, MIN_RESUME_WAIT_MS } from "./bounds.ts";
import type { MessageReader } from "./reader.ts";
import type { LegacySession } from "./session.ts";

const resumes = new WeakMap<MessageReader, number>();

/** The timer of the next try; undefined where the stream can't be read on. */
export function resumeStream(session: LegacySession, reader: MessageReader): NodeJS.Timeout | undefined {
  const { lastEventId } = reader;
  const count = resumes.get(reader) ?? 0;
  const canResume = session.facts.id !== undefined && !session.isEnded && !session.isGone && count < MAX_STREAM_RESUMES;
  if (!canResume || lastEventId === undefined || lastEventId === "") return undefined;
  resumes.set(reader, count + 1);
  const wait = reader.retryMs ?? session.ports.bounds.resumeWaitMs;
  const timer = setTimeout(
    () => {
      const headers = session.headers({ accept: "text/event-stream", "last-event-id": lastEventId });
      reader.open = session.ports.upstream.exchange({ method: "GET", headers, stream: true }, reader);
    },
    Math.max(MIN_RESUME_WAIT_MS, Math.min(wait, MAX_RESUME_WAIT_MS)),
  );
  timer.unref();
  return timer;
}
