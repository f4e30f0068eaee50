/**
 * Our own requests to a server over HTTP: one JSON-RPC message out, the one answer back, whether it comes as JSON or on an
 * event stream. Answers are read strictly and held in memory up to a bound. Never used for a client's calls.
 */
import type { IncomingHttpHeaders } from "node:http";
import { isJsonObject, type Json, readMember } from "../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import { type ErrorAnswer, type ResultAnswer, skimAnswer } from "../mcp/answer.ts";
import { GatheredBody } from "../mcp/gathered-body.ts";
import { SseParser } from "../mcp/sse.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamFault } from "./http-upstream.ts";

export const OWN_ANSWER_LIMIT_BYTES: number = 32 * 1024 * 1024;
/** Events on the stream of one answer that are not the answer. */
export const MAX_OTHER_EVENTS = 10_000;

export interface Question {
  readonly method: "POST" | "DELETE";
  /** The JSON-RPC message; its id is `id` where it is a request. */
  readonly body?: string | undefined;
  readonly id?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** A JSON-RPC error as the server told it. */
export interface ToldError {
  readonly code: number;
  readonly data: Json | undefined;
}

export type ServerAnswer =
  | { readonly kind: "result"; readonly headers: IncomingHttpHeaders; readonly bytes: Buffer; readonly answer: ResultAnswer }
  /** `status` is the HTTP status that it came with; its id may be another than ours, or none. */
  | { readonly kind: "error"; readonly status: number; readonly headers: IncomingHttpHeaders; readonly error: ToldError }
  /** Neither: a status and nothing that can be read. */
  | { readonly kind: "nothing"; readonly status: number; readonly headers: IncomingHttpHeaders; readonly reason: string }
  | { readonly kind: "fault"; readonly fault: UpstreamFault };

/** Never rejects. */
export function askServer(upstream: HttpUpstream, question: Question): Promise<ServerAnswer> {
  return new Promise((resolve) => {
    const reader = new AnswerReader(question.id, resolve);
    const exchange = upstream.exchange(
      {
        method: question.method,
        headers: question.headers,
        body: question.body === undefined ? undefined : Buffer.from(question.body),
        answerLimitBytes: OWN_ANSWER_LIMIT_BYTES,
        signal: question.signal,
      },
      reader,
    );
    reader.attach(exchange);
  });
}

/** Puts an answer together and settles once. */
class AnswerReader implements AnswerSink {
  readonly #id: string | undefined;
  readonly #settle: (answer: ServerAnswer) => void;
  #exchange: OpenExchange | undefined;
  #settled = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  readonly #body = new GatheredBody();
  #stream: SseParser | undefined;
  #others = 0;

  constructor(id: string | undefined, settle: (answer: ServerAnswer) => void) {
    this.#id = id;
    this.#settle = settle;
  }

  attach(exchange: OpenExchange): void {
    this.#exchange = exchange;
  }

  onStart(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    if (readMediaType(headers) === "text/event-stream") this.#stream = new SseParser(OWN_ANSWER_LIMIT_BYTES);
  }

  onData(chunk: Buffer): boolean {
    // What a stream still says after its answer is for nobody.
    if (this.#settled) return true;
    if (this.#stream === undefined) {
      this.#body.append(chunk);
      return true;
    }
    for (const item of this.#stream.push(chunk)) {
      if (item.kind === "overlong") this.#finishNothing("an event is too large");
      else if (!this.#takeMessage(Buffer.from(item.data.buffer, item.data.byteOffset, item.data.byteLength))) {
        if (++this.#others > MAX_OTHER_EVENTS) this.#finishNothing("too many messages before the answer");
      }
      if (this.#settled) break;
    }
    return true;
  }

  onEnd(): void {
    if (this.#settled) return;
    if (this.#stream !== undefined) this.#finishNothing("the stream ended without the answer");
    else if (this.#body.length === 0) this.#finishNothing("the answer is empty");
    else if (!this.#takeMessage(this.#body.take())) this.#finishNothing("the answer is no JSON-RPC answer to the request");
  }

  onFault(fault: UpstreamFault): void {
    this.#finish({ kind: "fault", fault });
  }

  /** Whether this is the answer. */
  #takeMessage(bytes: Buffer): boolean {
    const answer = skimAnswer(bytes, { limitBytes: OWN_ANSWER_LIMIT_BYTES });
    if (answer.kind === "result" && answer.id.value === this.#id) {
      this.#finish({ kind: "result", headers: this.#headers, bytes, answer });
      return true;
    }
    if (answer.kind !== "error" || (answer.id !== undefined && answer.id.value !== this.#id)) return false;
    this.#finish({ kind: "error", status: this.#status, headers: this.#headers, error: readToldError(bytes, answer) });
    return true;
  }

  #finishNothing(reason: string): void {
    this.#finish({ kind: "nothing", status: this.#status, headers: this.#headers, reason });
    this.#exchange?.cancel();
  }

  #finish(answer: ServerAnswer): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#settle(answer);
  }
}

function readToldError(bytes: Buffer, answer: ErrorAnswer): ToldError {
  const parsed = parseStrictJson(bytes.toString("utf8", answer.error.start, answer.error.end));
  const data = !isJsonFault(parsed) && isJsonObject(parsed.value) ? readMember(parsed.value, "data") : undefined;
  return { code: answer.code, data };
}

function readMediaType(headers: IncomingHttpHeaders): string {
  return (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}
