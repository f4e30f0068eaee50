/**
 * Reads what a modern server answers to one request of the front: notifications on the way, then the answer, once, or why
 * there is none. What is not strict or not meant for this request goes nowhere.
 */
import type { IncomingHttpHeaders } from "node:http";
import { DEFAULT_ANSWER_LIMIT_BYTES, type ErrorAnswer, peekAnswerId, type ResultAnswer, skimAnswer } from "../../mcp/answer.ts";
import { GatheredBody } from "../../mcp/gathered-body.ts";
import { type SseItem, SseParser } from "../../mcp/sse.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamFault, UpstreamRequest } from "../http-upstream.ts";

/** How long a stream may stay open that has brought its answer. */
export const ANSWERED_LINGER_MS = 500;

export type ServerAnswer =
  | { readonly kind: "result"; readonly bytes: Buffer; readonly answer: ResultAnswer }
  | { readonly kind: "error"; readonly bytes: Buffer; readonly answer: ErrorAnswer }
  /** An answer that can't be read, or is no answer to what was asked. */
  | { readonly kind: "invalid" }
  /** Nothing but a status. */
  | { readonly kind: "status"; readonly status: number }
  /** The stream ended without the answer. */
  | { readonly kind: "cut" }
  | { readonly kind: "fault"; readonly fault: UpstreamFault };

export interface AnswerPorts {
  /** Our id of the request. */
  readonly id: string;
  /** The answer comes as a stream. */
  readonly onEvents?: (() => void) | undefined;
  /** False asks for a pause. */
  readonly onNotification: (bytes: Buffer, method: string) => boolean;
  /** Comes once, last. */
  readonly onAnswer: (answer: ServerAnswer) => void;
  readonly onDropped: (reason: string) => void;
}

export function askModernServer(upstream: HttpUpstream, request: UpstreamRequest, ports: AnswerPorts): OpenExchange {
  const reader = new ServerAnswerReader(ports);
  const open = upstream.exchange(request, reader);
  reader.open = open;
  return open;
}

class ServerAnswerReader implements AnswerSink {
  readonly #ports: AnswerPorts;
  readonly #body = new GatheredBody();
  #mode: "json" | "events" | "none" = "none";
  #status = 0;
  #parser: SseParser | undefined;
  #answered = false;
  #lingering: NodeJS.Timeout | undefined;
  open: OpenExchange | undefined;

  constructor(ports: AnswerPorts) {
    this.#ports = ports;
  }

  onStart(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    const type = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
    if (type === "application/json") this.#mode = "json";
    else if (type === "text/event-stream" && status < 300) {
      this.#mode = "events";
      this.#parser = new SseParser();
      this.#ports.onEvents?.();
    }
  }

  onData(chunk: Buffer): boolean {
    if (this.#answered || this.#mode === "none") return true;
    if (this.#parser) {
      let more = true;
      for (const item of this.#parser.push(chunk)) more = this.#takeItem(item) && more;
      return more;
    }
    if (this.#body.length + chunk.length <= DEFAULT_ANSWER_LIMIT_BYTES) this.#body.append(chunk);
    else {
      this.#body.clear();
      this.#finish({ kind: "invalid" });
      this.open?.cancel();
    }
    return true;
  }

  onEnd(): void {
    clearTimeout(this.#lingering);
    if (this.#answered) return;
    if (this.#mode === "events") return this.#finish({ kind: "cut" });
    if (this.#mode === "none") return this.#finish({ kind: "status", status: this.#status });
    this.#takeMessage(this.#body.take());
    // Behind an error's status may stand a body of anybody's, such as a proxy's.
    if (!this.#answered) this.#finish(this.#status < 300 ? { kind: "invalid" } : { kind: "status", status: this.#status });
  }

  onFault(fault: UpstreamFault): void {
    clearTimeout(this.#lingering);
    if (!this.#answered) this.#finish({ kind: "fault", fault });
  }

  #takeItem(item: SseItem): boolean {
    if (this.#answered) return true;
    if (item.kind === "overlong") {
      this.#ports.onDropped("an event larger than its bound");
      if (peekAnswerId(item.head)?.value === this.#ports.id) this.#finish({ kind: "invalid" });
      return true;
    }
    if (item.data.length === 0 || item.event !== "message") return true;
    return this.#takeMessage(Buffer.from(item.data.buffer, item.data.byteOffset, item.data.byteLength));
  }

  #takeMessage(bytes: Buffer): boolean {
    const { id, onDropped, onNotification } = this.#ports;
    const answer = skimAnswer(bytes);
    switch (answer.kind) {
      case "result":
      case "error":
        if (answer.id === undefined ? answer.kind === "result" : answer.id.value !== id) onDropped("an answer to nothing that was asked");
        else this.#finish(answer.kind === "result" ? { kind: "result", bytes, answer } : { kind: "error", bytes, answer });
        return true;
      case "notification":
        return onNotification(bytes, answer.method);
      case "request":
        onDropped("a server of the modern era can't ask this way");
        return true;
      case "invalid":
        onDropped(answer.reason);
        return true;
    }
  }

  #finish(answer: ServerAnswer): void {
    this.#answered = true;
    if (this.#mode === "events" && (answer.kind === "result" || answer.kind === "error")) {
      this.#lingering = setTimeout(() => this.open?.cancel(), ANSWERED_LINGER_MS);
      this.#lingering.unref();
    }
    this.#ports.onAnswer(answer);
  }
}
