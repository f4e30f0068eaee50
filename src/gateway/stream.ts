/**
 * One stream of events towards a client: event ids of our own, a bounded memory for clients that come back, and a sink
 * that may be gone for a while. In the legacy era a client that hangs up has not cancelled: the stream goes on filling.
 */

import { SSE_KEEP_ALIVE, writeSseEvent } from "../mcp/sse.ts";

/** What a stream remembers for a client that comes back; beyond it the oldest are forgotten. */
export const STREAM_REPLAY_EVENTS = 512;
export const STREAM_REPLAY_BYTES: number = 4 * 1024 * 1024;

/** How long a client whose stream broke off is asked to wait before it comes back. */
export const COME_BACK_MS = 1_000;

/** Where events go; `write` answers false when it is full, as a Node stream does. */
export interface EventSink {
  write(bytes: Uint8Array): boolean;
  end(): void;
  onDrain(resume: () => void): void;
}

/** What a server's messages are written to on their way to the client. */
export interface MessageStream {
  /** Answers whether more can be taken at once. */
  push(message: Uint8Array): boolean;
  onceWritable(resume: () => void): void;
}

/** Such a stream that ends with an answer. */
export interface AnswerStream extends MessageStream {
  end(): void;
}

interface KeptEvent {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

export class EventStream implements AnswerStream {
  readonly id: string;
  /** Whether events carry ids, so that a client can come back for the rest. */
  readonly resumable: boolean;
  ended = false;
  #sink: EventSink | undefined;
  #sequence = 0;
  /** The last event that a sink was given. */
  #given = 0;
  #kept: KeptEvent[] = [];
  #keptBytes = 0;
  #waiting: (() => void)[] = [];

  constructor(id: string, resumable: boolean) {
    this.id = id;
    this.resumable = resumable;
  }

  get attached(): boolean {
    return this.#sink !== undefined;
  }

  /** Sends one event; answers whether the sink can take more at once. */
  push(message: Uint8Array): boolean {
    if (this.ended) return true;
    this.#sequence++;
    const bytes = writeSseEvent({ data: message, id: this.resumable ? `${this.id}_${this.#sequence}` : undefined });
    if (this.resumable) this.#keep({ sequence: this.#sequence, bytes });
    if (!this.#sink) return true;
    this.#given = this.#sequence;
    return this.#sink.write(bytes);
  }

  /** An event without a message, so that the client knows an id to come back with, and when. */
  prime(): void {
    if (!this.resumable || this.ended) return;
    this.#sink?.write(writeSseEvent({ data: "", id: `${this.id}_${this.#sequence}`, retryMs: COME_BACK_MS }));
  }

  /** A comment: keeps proxies from closing an idle connection. */
  beat(): void {
    this.#sink?.write(SSE_KEEP_ALIVE);
  }

  /**
   * Connects a sink and gives it what came after `afterSequence`; left out: what no sink was given yet. The sink that was
   * there before is ended.
   */
  attach(sink: EventSink, afterSequence: number = this.#given): void {
    this.#sink?.end();
    this.#sink = sink;
    for (const event of this.#kept) if (event.sequence > afterSequence) sink.write(event.bytes);
    this.#given = this.#sequence;
    if (this.ended) {
      sink.end();
      this.#sink = undefined;
    }
    this.#release();
  }

  /** The sink is gone; events are kept for its return. */
  detach(sink: EventSink): void {
    if (this.#sink === sink) this.#sink = undefined;
    this.#release();
  }

  /** Calls back when the sink can take more, at once where there is none. */
  onceWritable(resume: () => void): void {
    if (!this.#sink) {
      resume();
      return;
    }
    this.#waiting.push(resume);
    this.#sink.onDrain(() => this.#release());
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.#sink?.end();
    this.#sink = undefined;
    this.#release();
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  #keep(event: KeptEvent): void {
    this.#kept.push(event);
    this.#keptBytes += event.bytes.byteLength;
    while (this.#kept.length > STREAM_REPLAY_EVENTS || (this.#keptBytes > STREAM_REPLAY_BYTES && this.#kept.length > 1)) {
      const oldest = this.#kept.shift();
      this.#keptBytes -= oldest?.bytes.byteLength ?? 0;
    }
  }
}

/** The stream and the sequence that a `Last-Event-ID` of ours names. */
export function readEventId(text: string): { readonly stream: string; readonly sequence: number } | undefined {
  const match = /^([0-9a-z]{1,32})_(\d{1,15})$/.exec(text);
  return match ? { stream: match[1] as string, sequence: Number(match[2]) } : undefined;
}
