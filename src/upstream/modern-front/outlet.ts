/**
 * The answer to one modern request: a JSON message, or a stream of events that ends with it. It ends exactly once,
 * whoever ends it; what is written afterwards goes nowhere.
 */
import { writeSseEvent } from "../../mcp/sse.ts";
import type { AnswerSink, OpenExchange, UpstreamFault } from "../http-upstream.ts";

const JSON_HEADERS = { "content-type": "application/json" };
const EVENT_HEADERS = { "content-type": "text/event-stream" };

export class Outlet implements OpenExchange {
  readonly #sink: AnswerSink;
  readonly #limitBytes: number;
  #mode: "none" | "events" | "over" = "none";
  #bytes = 0;
  #isFull = false;
  /** Whether a byte of the request may have reached the server. */
  isSent = false;
  /** The client has left, or waits no longer. */
  onCancel: (() => void) | undefined;
  /** It has ended, in whatever way. */
  onOver: (() => void) | undefined;
  /** There is room again after a pause that `push` asked for. */
  onRoom: (() => void) | undefined;

  constructor(sink: AnswerSink, limitBytes: number = Number.POSITIVE_INFINITY) {
    this.#sink = sink;
    this.#limitBytes = limitBytes;
  }

  get isOver(): boolean {
    return this.#mode === "over";
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Sends a message before the answer; false asks for a pause, until `onRoom`. */
  push(message: Uint8Array): boolean {
    if (this.#mode === "over") return true;
    if (this.#mode === "none") this.#start(200, EVENT_HEADERS, "events");
    return this.#write(writeSseEvent({ data: message }));
  }

  answer(status: number, message: Buffer): void {
    if (this.#mode === "over") return;
    if (this.#mode === "none") {
      this.#start(status, JSON_HEADERS, "none");
      this.#write(message);
    } else this.#write(writeSseEvent({ data: message }));
    this.#end();
  }

  /** A status and nothing else: what the server said of the gateway's own credential or of its health. */
  stop(status: number): void {
    if (this.#mode === "none") this.#start(status, {}, "none");
    this.#end();
  }

  /** Events that end without the answer. */
  cut(): void {
    if (this.#mode === "none") this.#start(200, EVENT_HEADERS, "events");
    this.#end();
  }

  fault(fault: UpstreamFault): void {
    if (this.#mode === "over") return;
    this.#mode = "over";
    this.onOver?.();
    this.#sink.onFault(fault);
  }

  cancel(): void {
    if (this.#mode === "over") return;
    this.fault({ reason: "cancelled", sent: this.isSent ? "unknown" : "not_sent", detail: "cancelled" });
    this.onCancel?.();
  }

  resume(): void {
    this.#isFull = false;
    if (this.#mode !== "over") this.onRoom?.();
  }

  #start(status: number, headers: Record<string, string>, mode: "none" | "events"): void {
    this.#mode = mode;
    this.#guarded(() => this.#sink.onStart(status, headers));
  }

  #write(bytes: Buffer): boolean {
    if (this.isOver) return true;
    this.#bytes += bytes.length;
    if (this.#bytes > this.#limitBytes) {
      this.fault({ reason: "too_large", sent: "unknown", detail: "the answer is larger than its bound" });
      this.onCancel?.();
      return true;
    }
    this.#guarded(() => {
      this.#isFull = !this.#sink.onData(bytes);
    });
    return this.isOver || !this.#isFull;
  }

  #end(): void {
    if (this.#mode === "over") return;
    this.#mode = "over";
    this.onOver?.();
    this.#sink.onEnd();
  }

  /** A sink that throws ends its own exchange; the stream that fed it belongs to others too. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch {
      this.fault({ reason: "broken", sent: "unknown", detail: "the answer could not be taken" });
      this.onCancel?.();
    }
  }
}
