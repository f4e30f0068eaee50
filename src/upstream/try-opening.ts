/**
 * A legacy `initialize` that is tried on one way to a server first: a result is passed on, and where the answer says that
 * this way leads nowhere, the same opening goes another way; it has changed nothing at the server. What the first way said
 * is kept, for whoever has to be told when the other one leads nowhere either.
 */
import type { IncomingHttpHeaders } from "node:http";
import { skimAnswer } from "../mcp/answer.ts";
import { GatheredBody } from "../mcp/gathered-body.ts";
import { SseParser } from "../mcp/sse.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamFault, UpstreamRequest } from "./http-upstream.ts";

/** An answer to an opening is kept so long as it is no longer than this. */
export const OPENING_LIMIT_BYTES: number = 1024 * 1024;

/** How our own writers begin an `initialize`. */
const OPENING = /^\{"jsonrpc":"2\.0","id":(?:\d{1,15}|"[0-9A-Za-z-]{1,64}"),"method":"initialize"/;

/** Whether a request is the one that opens a legacy conversation. */
export function isOpening({ method, body }: UpstreamRequest): boolean {
  return method === "POST" && body !== undefined && OPENING.test(body.toString("latin1", 0, 128));
}

export interface OpeningTurn {
  /** Whether an answer of that status, without a result, means the other way. */
  mayTurn(status: number): boolean;
  /** The first way has taken the opening. */
  onTaken(): void;
  /** The other way; asked at most once. */
  turn(sink: AnswerSink): OpenExchange;
  /** Where the other way can't even be connected, the first answer is the better word. */
  readonly fallsBack?: boolean | undefined;
}

export function tryOpening(first: HttpUpstream, request: UpstreamRequest, sink: AnswerSink, how: OpeningTurn): OpenExchange {
  const trial = new TrialOpening(sink, how);
  trial.begin(first.exchange(request, trial));
  return trial;
}

class TrialOpening implements AnswerSink, OpenExchange {
  readonly #sink: AnswerSink;
  readonly #how: OpeningTurn;
  #open: OpenExchange | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  readonly #body = new GatheredBody();
  #passing = false;
  /** Of a stream of events, which may stay open behind its answer. */
  #parser: SseParser | undefined;

  constructor(sink: AnswerSink, how: OpeningTurn) {
    this.#sink = sink;
    this.#how = how;
  }

  begin(open: OpenExchange): void {
    this.#open ??= open;
  }

  cancel(): void {
    this.#open?.cancel();
  }

  resume(): void {
    this.#open?.resume();
  }

  onStart(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
  }

  onData(chunk: Buffer): boolean {
    if (this.#passing) return this.#sink.onData(chunk);
    this.#body.append(chunk);
    if (this.#body.length > OPENING_LIMIT_BYTES || this.#bringsResult(chunk)) return this.#pass();
    return true;
  }

  onEnd(): void {
    if (this.#passing) return this.#sink.onEnd();
    if (this.#isResult() || !this.#how.mayTurn(this.#status)) return this.#giveFirst();
    const other: AnswerSink = {
      onStart: (status, headers) => this.#sink.onStart(status, headers),
      onData: (chunk) => this.#sink.onData(chunk),
      onEnd: () => this.#sink.onEnd(),
      onFault: (fault) => {
        if (this.#how.fallsBack === true && fault.reason === "connect") this.#giveFirst();
        else this.#sink.onFault(fault);
      },
    };
    this.#open = this.#how.turn(other);
  }

  /** A connection that fails says nothing of ways. */
  onFault(fault: UpstreamFault): void {
    this.#sink.onFault(fault);
  }

  #giveFirst(): void {
    this.#pass();
    this.#sink.onEnd();
  }

  /** What came so far, and from now on what comes. */
  #pass(): boolean {
    this.#passing = true;
    this.#sink.onStart(this.#status, this.#headers);
    return this.#body.length === 0 || this.#sink.onData(this.#body.take());
  }

  /** Each chunk is read once: a server may send as many as it likes. */
  #bringsResult(chunk: Buffer): boolean {
    if (this.#status !== 200 || !this.#isEvents()) return false;
    const items = (this.#parser ??= new SseParser()).push(chunk);
    return this.#take(items.some((item) => item.kind !== "overlong" && skimAnswer(item.data).kind === "result"));
  }

  /** The whole of an answer that is no stream. */
  #isResult(): boolean {
    return this.#take(this.#status === 200 && !this.#isEvents() && skimAnswer(this.#body.look()).kind === "result");
  }

  #isEvents(): boolean {
    return (this.#headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() === "text/event-stream";
  }

  #take(found: boolean): boolean {
    if (found) this.#how.onTaken();
    return found;
  }
}
