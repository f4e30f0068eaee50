/**
 * Takes one answer of a server, JSON or a stream of events, and sorts what is in it: the answer to our request, once;
 * messages for the client on the way; nothing else. Whatever happens to the connection, it concludes exactly once.
 */
import type { IncomingHttpHeaders } from "node:http";
import { MAX_JSON_DEPTH } from "../kernel/strict-json.ts";
import { type Answer, DEFAULT_ANSWER_LIMIT_BYTES, type ErrorAnswer, peekAnswerId, type ResultAnswer, skimAnswer } from "../mcp/answer.ts";
import { GatheredBody } from "../mcp/gathered-body.ts";
import { type SseItem, SseParser } from "../mcp/sse.ts";
import type { AnswerSink, OpenExchange, UpstreamFault } from "../upstream/http-upstream.ts";

/** Why an answer could not be looked over, as the reader says it. */
const TOO_LARGE = "too large";
const TOO_DEEP = "the nesting is too deep";

/** How long a stream may stay open that has brought its answer. */
export const ANSWERED_LINGER_MS = 500;

/** What came of a request: its answer, or why there is none. */
export type Arrival =
  | { readonly kind: "answer"; readonly bytes: Buffer; readonly answer: ResultAnswer | ErrorAnswer }
  | { readonly kind: "accepted" }
  | { readonly kind: "fault"; readonly code: ArrivalFault; readonly sent: "not_sent" | "unknown"; readonly status: number | undefined };

export type ArrivalFault = UpstreamFault["reason"] | "not_found" | "refused" | "not_mcp" | "no_answer" | "too_deep";

export interface RelayPorts {
  /** What an answer may be at most; left out: the bounds of every answer. */
  readonly limits?: { readonly maxBytes: number; readonly maxDepth: number } | undefined;
  /** Our id of the request; undefined: no answer is awaited (a stream of the server's own, a notification). */
  readonly upstreamId: number | undefined;
  onStart(status: number, headers: IncomingHttpHeaders, kind: "json" | "events" | "none"): void;
  /** A request or notification of the server's; false asks for a pause. */
  onMessage(bytes: Buffer, kind: "request" | "notification", method: string): boolean;
  onArrival(arrival: Arrival): void;
  /** A stream of events ended before its answer; true: somebody goes on with it. */
  onCut?(relay: AnswerRelay): boolean;
  /** The log's word of something that was dropped. */
  onDropped(reason: string): void;
}

/** An error answer without an id, or with the one we sent, is for us. */
function isForUs(answer: ResultAnswer | ErrorAnswer, upstreamId: number): boolean {
  return answer.id === undefined ? answer.kind === "error" : answer.id.value === upstreamId;
}

export class AnswerRelay implements AnswerSink {
  readonly #ports: RelayPorts;
  readonly #limits: { readonly limitBytes: number; readonly maxDepth: number };
  readonly #body = new GatheredBody();
  #bytes = 0;
  #mode: "json" | "events" | "none" = "none";
  #status = 0;
  #arrived = false;
  #parser: SseParser | undefined;
  #lastEventId: string | undefined;
  #retryMs: number | undefined;
  #lingering: NodeJS.Timeout | undefined;
  open: OpenExchange | undefined;

  constructor(ports: RelayPorts) {
    this.#ports = ports;
    const { limits } = ports;
    this.#limits = { limitBytes: limits?.maxBytes ?? DEFAULT_ANSWER_LIMIT_BYTES, maxDepth: limits?.maxDepth ?? MAX_JSON_DEPTH };
  }

  get arrived(): boolean {
    return this.#arrived;
  }

  onStart(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#mode = "none";
    if (this.#parser) this.#remember(this.#parser);
    this.#parser = undefined;
    const type = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
    // Whatever a server says with a 401 is meant for the gateway, not for its client.
    if (type === "application/json" && status !== 401) this.#mode = "json";
    else if (type === "text/event-stream" && status < 300) this.#mode = "events";
    this.#ports.onStart(status, headers, this.#mode);
  }

  onData(chunk: Buffer): boolean {
    if (this.#arrived && this.#ports.upstreamId !== undefined) return true;
    if (this.#mode === "events") return this.#readEvents(chunk);
    if (this.#mode === "none") return true;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limits.limitBytes) {
      this.#body.clear();
      this.#fail("too_large");
      this.open?.cancel();
      return true;
    }
    this.#body.append(chunk);
    return true;
  }

  onEnd(): void {
    clearTimeout(this.#lingering);
    if (this.#arrived) return;
    if (this.#mode === "events") {
      if (this.#ports.onCut?.(this) !== true) this.#fail("no_answer");
      return;
    }
    if (this.#mode === "json") {
      const bytes = this.#body.take();
      if (this.#take(bytes, skimAnswer(bytes, this.#limits)) && this.#arrived) return;
    }
    if (this.#status >= 200 && this.#status < 300 && this.#ports.upstreamId === undefined) return this.#arrive({ kind: "accepted" });
    this.#fail(faultOfStatus(this.#status));
  }

  onFault(fault: UpstreamFault): void {
    clearTimeout(this.#lingering);
    if (this.#arrived) return;
    // A connection that breaks under a stream of events has ended it no more than its server could.
    if (fault.reason === "broken" && this.#mode === "events" && this.#ports.onCut?.(this) === true) return;
    // Whoever has answered, if only with a beginning, has the request: that a later try to go on did not leave is no matter.
    const sent = this.#status === 0 ? fault.sent : "unknown";
    this.#arrive({ kind: "fault", code: fault.reason, sent, status: this.#status || undefined });
  }

  /** What a stream that broke off can be asked to go on from. */
  get lastEventId(): string | undefined {
    return this.#parser?.lastEventId ?? this.#lastEventId;
  }

  get retryMs(): number | undefined {
    return this.#parser?.retryMs ?? this.#retryMs;
  }

  /** A stream that is asked for again begins anew; only where it was is kept. */
  #remember(parser: SseParser): void {
    this.#lastEventId = parser.lastEventId ?? this.#lastEventId;
    this.#retryMs = parser.retryMs ?? this.#retryMs;
  }

  #readEvents(chunk: Buffer): boolean {
    this.#parser ??= new SseParser();
    let more = true;
    for (const item of this.#parser.push(chunk)) more = this.#takeItem(item) && more;
    return more;
  }

  #takeItem(item: SseItem): boolean {
    if (item.kind === "overlong") {
      this.#ports.onDropped("an event larger than its bound");
      const { upstreamId } = this.#ports;
      if (upstreamId !== undefined && peekAnswerId(item.head)?.value === upstreamId) this.#fail("too_large");
      return true;
    }
    if (item.data.length === 0 || item.event !== "message") return true;
    const bytes = Buffer.from(item.data.buffer, item.data.byteOffset, item.data.byteLength);
    return this.#take(bytes, skimAnswer(bytes, this.#limits));
  }

  /** Sorts one message; false asks for a pause. */
  #take(bytes: Buffer, answer: Answer): boolean {
    switch (answer.kind) {
      case "result":
      case "error":
        if (this.#ports.upstreamId !== undefined && !this.#arrived && isForUs(answer, this.#ports.upstreamId)) {
          this.#arrive({ kind: "answer", bytes, answer });
        } else this.#ports.onDropped("an answer to nothing that was asked");
        return true;
      case "request":
      case "notification":
        return this.#ports.onMessage(bytes, answer.kind, answer.method);
      case "invalid":
        this.#ports.onDropped(answer.reason);
        // One unreadable event may have been the answer: a JSON body certainly was.
        if (answer.reason === TOO_LARGE || answer.reason === TOO_DEEP)
          this.#failBeyond(bytes, answer.reason === TOO_LARGE ? "too_large" : "too_deep");
        if (this.#mode === "json") this.#fail("invalid_answer");
        return true;
    }
  }

  /** An answer of ours that is beyond its bounds will not come again. */
  #failBeyond(bytes: Buffer, code: "too_large" | "too_deep"): void {
    const { upstreamId } = this.#ports;
    if (upstreamId === undefined) return;
    if (this.#mode !== "json" && peekAnswerId(bytes)?.value !== upstreamId) return;
    this.#fail(code);
    if (this.#mode === "events") this.open?.cancel();
  }

  /** Ends the wait for an answer that nobody will bring. */
  giveUp(code: ArrivalFault): void {
    this.#fail(code);
  }

  #fail(code: ArrivalFault): void {
    if (!this.#arrived) this.#arrive({ kind: "fault", code, sent: "unknown", status: this.#status || undefined });
  }

  #arrive(arrival: Arrival): void {
    this.#arrived = true;
    if (this.#mode === "events" && arrival.kind === "answer") {
      this.#lingering = setTimeout(() => this.open?.cancel(), ANSWERED_LINGER_MS);
      this.#lingering.unref();
    }
    this.#ports.onArrival(arrival);
  }
}

function faultOfStatus(status: number): ArrivalFault {
  if (status === 401 || status === 403) return "login_required";
  if (status === 404) return "not_found";
  return status >= 200 && status < 300 ? "not_mcp" : "refused";
}
