/**
 * One answer of the legacy front, written into the sink of whoever asked: JSON while nothing was said before it, a stream
 * of events from the first message on. Ends exactly once, whatever is tried afterwards.
 */
import { writeSseEvent } from "../../mcp/sse.ts";
import type { AnswerSink, UpstreamFault } from "../http-upstream.ts";

const JSON_HEADERS = { "content-type": "application/json" };
const EVENT_HEADERS = { "content-type": "text/event-stream" };

export class FrontReply {
  readonly #sink: AnswerSink;
  #state: "silent" | "streaming" | "ended" = "silent";
  /** Told once, when the reply has its end. */
  onEnded: (() => void) | undefined;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  get isEnded(): boolean {
    return this.#state === "ended";
  }

  get isStreaming(): boolean {
    return this.#state === "streaming";
  }

  /** A status alone; a session that is gone is told so. */
  bare(status: number): void {
    if (this.#state !== "silent") return;
    this.#sink.onStart(status, {});
    this.#end();
    this.#sink.onEnd();
  }

  json(status: number, message: Buffer, headers: Readonly<Record<string, string>> = {}): void {
    if (this.#state !== "silent") return;
    this.#sink.onStart(status, { ...JSON_HEADERS, ...headers });
    this.#sink.onData(message);
    this.#end();
    this.#sink.onEnd();
  }

  openEvents(): void {
    if (this.#state !== "silent") return;
    this.#state = "streaming";
    this.#sink.onStart(200, EVENT_HEADERS);
  }

  /** One message on the way; false asks for a pause. */
  push(message: Uint8Array): boolean {
    if (this.#state === "ended") return true;
    this.openEvents();
    return this.#sink.onData(writeSseEvent({ event: "message", data: message }));
  }

  /** The answer itself. */
  finish(message: Buffer): void {
    if (this.#state === "silent") return this.json(200, message);
    if (this.#state === "ended") return;
    this.#sink.onData(writeSseEvent({ event: "message", data: message }));
    this.cut();
  }

  /** An end without an answer. */
  cut(): void {
    if (this.#state === "ended") return;
    this.openEvents();
    this.#end();
    this.#sink.onEnd();
  }

  fault(fault: UpstreamFault): void {
    if (this.#state === "ended") return;
    this.#end();
    this.#sink.onFault(fault);
  }

  #end(): void {
    this.#state = "ended";
    this.onEnded?.();
  }
}
