/**
 * The GET stream of one session, on which a legacy server speaks unasked. Opened when somebody may need it, shared by all
 * of them, read on where it broke off. A server that offers none is not asked again.
 */

import { MAX_EMPTY_STREAMS, MAX_RESUME_WAIT_MS, MIN_RESUME_WAIT_MS } from "./bounds.ts";
import { MessageReader } from "./reader.ts";
import { takeServerMessage } from "./server-says.ts";
import type { LegacySession } from "./session.ts";

/** Statuses of a server that has no such stream at all. */
const OFFERS_NONE: ReadonlySet<number> = new Set([400, 404, 405, 406, 415, 501]);

export class SessionStream {
  readonly #session: LegacySession;
  readonly #reader: MessageReader;
  #state: "new" | "opening" | "open" | "none" = "new";
  #ready: Promise<void> | undefined;
  #settle: () => void = () => undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Streams in a row that brought nothing. */
  #empty = 0;
  #heard = 0;

  constructor(session: LegacySession) {
    this.#session = session;
    this.#reader = new MessageReader({
      onStart: (status, _headers, kind) => this.#start(status, kind === "events"),
      onMessage: (bytes, says) => {
        if ("method" in says) takeServerMessage(session, bytes, says.kind, undefined);
        return true;
      },
      onOverlong: () => undefined,
      onPiece: (bytes) => {
        this.#heard += bytes;
        return true;
      },
      onEnd: () => this.#lose(),
      onFault: () => this.#lose(),
    });
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Settles when the stream is there, or is known not to be, or was waited for long enough. */
  ready(): Promise<void> {
    this.#ready ??= new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#session.ports.bounds.streamWaitMs);
      this.#settle = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#open();
    });
    return this.#ready;
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#state = "none";
    this.#settle();
    this.#reader.open?.cancel();
  }

  #open(): void {
    const session = this.#session;
    if (session.isEnded) return;
    this.#state = "opening";
    this.#heard = 0;
    const last = this.#reader.lastEventId;
    const headers = session.headers({
      accept: "text/event-stream",
      ...(last === undefined || last === "" ? {} : { "last-event-id": last }),
    });
    this.#reader.open = session.ports.upstream.exchange({ method: "GET", headers, stream: true }, this.#reader);
  }

  #start(status: number, isStream: boolean): void {
    if (isStream) this.#state = "open";
    else {
      this.#state = "none";
      this.#reader.open?.cancel();
      // What may be otherwise the next time is asked for again by the next who needs it.
      if (!OFFERS_NONE.has(status)) this.#ready = undefined;
      if (status === 404 && this.#session.facts.id !== undefined) this.#session.ports.onGone(this.#session);
      this.#session.listens.end();
    }
    this.#settle();
  }

  #lose(): void {
    this.#settle();
    const session = this.#session;
    if (session.isEnded || this.#state === "none") return;
    this.#empty = this.#heard > 0 ? 0 : this.#empty + 1;
    if (this.#empty > MAX_EMPTY_STREAMS || this.#state === "opening") {
      // Nobody answers there: whoever listens is told that it is over, and may ask anew.
      this.#state = "none";
      session.listens.end();
      this.#ready = undefined;
      return;
    }
    const wait = this.#reader.retryMs ?? session.ports.bounds.resumeWaitMs;
    this.#retry = setTimeout(() => this.#open(), Math.max(MIN_RESUME_WAIT_MS, Math.min(wait, MAX_RESUME_WAIT_MS)));
    this.#retry.unref();
  }
}
