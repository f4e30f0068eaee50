/**
 * One answer on its way into a sink: whole as JSON, or, from the first message that comes before it, as a stream of
 * events. Messages wait while the sink asks for a pause, up to a bound; beyond it the oldest are lost and that is told. A
 * sink that throws ends its own answer and nobody else's.
 */
import { writeSseEvent } from "../../mcp/sse.ts";
import type { AnswerSink, UpstreamFault } from "../http-upstream.ts";

export const MAX_FEED_MESSAGES = 4096;
export const MAX_FEED_BYTES: number = 8 * 1024 * 1024;
const EVENTS = { "content-type": "text/event-stream", "cache-control": "no-store" };
const JSON_BODY = { "content-type": "application/json" };

export interface FeedPorts {
  /** Told when messages begin to wait, and when none waits any more. */
  onBackedUp?(isBackedUp: boolean): void;
  onDropped(reason: string): void;
}

export class SinkFeed {
  readonly #sink: AnswerSink;
  readonly #ports: FeedPorts;
  #isOpen = false;
  #isPaused = false;
  #isEnded = false;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isBackedUp = false;

  constructor(sink: AnswerSink, ports: FeedPorts) {
    this.#sink = sink;
    this.#ports = ports;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Makes a stream of events of it. */
  open(headers: Readonly<Record<string, string>> = {}): void {
    if (this.#isOpen || this.#isEnded) return;
    this.#isOpen = true;
    this.#guarded(() => this.#sink.onStart(200, { ...EVENTS, ...headers }));
  }

  /** A message before the answer. */
  push(message: Uint8Array): void {
    if (this.#isEnded) return;
    this.open();
    const event = writeSseEvent({ data: message });
    if (!this.#isPaused) return this.#give(event);
    this.#waiting.push(event);
    this.#waitingBytes += event.length;
    this.#tellBackedUp(true);
    while (this.#waiting.length > MAX_FEED_MESSAGES || (this.#waitingBytes > MAX_FEED_BYTES && this.#waiting.length > 1)) {
      this.#waitingBytes -= this.#waiting.shift()?.length ?? 0;
      this.#ports.onDropped("its reader is too slow for what it is told");
    }
  }

  resume(): void {
    if (!this.#isPaused || this.#isEnded) return;
    this.#isPaused = false;
    while (!this.#isPaused && !this.#isEnded && this.#waiting.length > 0) this.#give(this.#takeWaiting());
    if (this.#waiting.length === 0) this.#tellBackedUp(false);
  }

  /** The answer, last; without one the stream just ends. */
  finish(status: number, message?: Buffer, headers: Readonly<Record<string, string>> = {}): void {
    if (this.#isEnded) return;
    // What still waits comes before the answer; it is little.
    while (this.#waiting.length > 0 && !this.#isEnded) this.#give(this.#takeWaiting());
    if (this.#isOpen) {
      if (message) this.#give(writeSseEvent({ data: message }));
    } else {
      this.#guarded(() => this.#sink.onStart(status, message ? { ...JSON_BODY, ...headers } : headers));
      if (message) this.#give(message);
    }
    if (this.#end()) this.#guarded(() => this.#sink.onEnd());
  }

  fault(fault: UpstreamFault): void {
    if (this.#end()) this.#guarded(() => this.#sink.onFault(fault));
  }

  #takeWaiting(): Buffer {
    const event = this.#waiting.shift() as Buffer;
    this.#waitingBytes -= event.length;
    return event;
  }

  #give(bytes: Buffer): void {
    this.#guarded(() => {
      if (!this.#sink.onData(bytes)) this.#isPaused = true;
    });
  }

  #end(): boolean {
    if (this.#isEnded) return false;
    this.#isEnded = true;
    this.#waiting = [];
    this.#tellBackedUp(false);
    return true;
  }

  #tellBackedUp(isBackedUp: boolean): void {
    if (this.#isBackedUp === isBackedUp) return;
    this.#isBackedUp = isBackedUp;
    this.#ports.onBackedUp?.(isBackedUp);
  }

  /** What a sink throws must not reach the process that others share. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch {
      this.#ports.onDropped("an answer could not be taken");
      if (this.#end())
        this.#guarded(() => this.#sink.onFault({ reason: "broken", sent: "unknown", detail: "the answer could not be taken" }));
    }
  }
}
