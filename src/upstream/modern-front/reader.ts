/**
 * Sorts what a legacy server answers, one JSON body or a stream of events, into messages. A stream that broke off can be
 * read on with the same reader: it knows where it was. Judges nothing and answers nothing.
 */
import type { IncomingHttpHeaders } from "node:http";
import { type Answer, DEFAULT_ANSWER_LIMIT_BYTES, type InvalidAnswer, skimAnswer } from "../../mcp/answer.ts";
import { GatheredBody } from "../../mcp/gathered-body.ts";
import { SseParser } from "../../mcp/sse.ts";
import type { AnswerSink, OpenExchange, UpstreamFault } from "../http-upstream.ts";

export type ServerSays = Exclude<Answer, InvalidAnswer>;
export type BodyKind = "json" | "events" | "none";

export interface ReaderPorts {
  onStart(status: number, headers: IncomingHttpHeaders, kind: BodyKind): void;
  /** False asks for a pause. */
  onMessage(bytes: Buffer, says: ServerSays): boolean;
  /** The beginning of an event that was larger than its bound. */
  onOverlong(head: Uint8Array): void;
  /** After each piece; false asks for a pause. */
  onPiece(bytes: number): boolean;
  onEnd(): void;
  onFault(fault: UpstreamFault): void;
}

export class MessageReader implements AnswerSink {
  readonly #ports: ReaderPorts;
  #kind: BodyKind = "none";
  readonly #body = new GatheredBody();
  #bytes = 0;
  #parser: SseParser | undefined;
  #lastEventId: string | undefined;
  #retryMs: number | undefined;
  open: OpenExchange | undefined;

  constructor(ports: ReaderPorts) {
    this.#ports = ports;
  }

  get kind(): BodyKind {
    return this.#kind;
  }

  /** At least the bytes of the message that is not whole yet. */
  get pendingBytes(): number {
    return this.#bytes;
  }

  get lastEventId(): string | undefined {
    return this.#parser?.lastEventId ?? this.#lastEventId;
  }

  get retryMs(): number | undefined {
    return this.#parser?.retryMs ?? this.#retryMs;
  }

  onStart(status: number, headers: IncomingHttpHeaders): void {
    this.#lastEventId = this.lastEventId;
    this.#retryMs = this.retryMs;
    this.#parser = undefined;
    this.#body.clear();
    this.#bytes = 0;
    const type = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
    this.#kind = type === "application/json" ? "json" : type === "text/event-stream" && status < 300 ? "events" : "none";
    this.#ports.onStart(status, headers, this.#kind);
  }

  onData(chunk: Buffer): boolean {
    let more = true;
    this.#bytes += chunk.length;
    if (this.#kind === "events") more = this.#readEvents(chunk);
    else if (this.#kind === "json") this.#gather(chunk);
    return this.#ports.onPiece(chunk.length) && more;
  }

  onEnd(): void {
    if (this.#kind === "json") {
      this.#take(this.#body.take());
    }
    this.#ports.onEnd();
  }

  onFault(fault: UpstreamFault): void {
    this.#ports.onFault(fault);
  }

  #gather(chunk: Buffer): void {
    if (this.#bytes <= DEFAULT_ANSWER_LIMIT_BYTES) {
      this.#body.append(chunk);
      return;
    }
    this.#body.clear();
    this.#kind = "none";
    this.#ports.onFault({ reason: "too_large", sent: "unknown", detail: "the answer is larger than its bound" });
    this.open?.cancel();
  }

  #readEvents(chunk: Buffer): boolean {
    this.#parser ??= new SseParser();
    let more = true;
    for (const item of this.#parser.push(chunk)) {
      this.#bytes = chunk.length;
      if (item.kind === "overlong") this.#ports.onOverlong(item.head);
      else if (item.event === "message" && item.data.length > 0) {
        more = this.#take(Buffer.from(item.data.buffer, item.data.byteOffset, item.data.byteLength)) && more;
      }
    }
    return more;
  }

  #take(bytes: Buffer): boolean {
    const says = skimAnswer(bytes);
    return says.kind === "invalid" ? true : this.#ports.onMessage(bytes, says);
  }
}
