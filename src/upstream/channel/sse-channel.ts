/**
 * One connection to a server of 2024-11-05, which knows HTTP+SSE and nothing else: a GET that stays open brings every
 * message of the server's, its first event says where ours are posted. Messages arrive in the order in which they were
 * sent wherever the order tells. Whatever breaks, ends the channel: what was in flight has no other way back.
 */
import type { IncomingHttpHeaders } from "node:http";
import { DEFAULT_ANSWER_LIMIT_BYTES } from "../../mcp/answer.ts";
import { type SseItem, SseParser } from "../../mcp/sse.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamFault } from "../http-upstream.ts";

/** How long a server may take to say where to post. */
export const ENDPOINT_TIMEOUT_MS = 10_000;
/** Messages that wait until they may be posted, in bytes; beyond, none is taken. */
export const MAX_CHANNEL_WAITING_BYTES: number = 16 * 1024 * 1024;
/** How long a server may take to say that it has a message. */
export const POST_TIMEOUT_MS = 30_000;
const MAX_ENDPOINT_CHARACTERS = 4096;
const JSON_HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

/** Why a channel is no more. */
export interface ChannelEnd {
  /** Of the connection, where it was one; `status`: the server refused it. */
  readonly fault: UpstreamFault["reason"] | "status" | "no_endpoint" | "foreign_endpoint" | "ended" | "stopped";
  readonly status?: number | undefined;
}

export interface SseChannelOptions {
  readonly server: HttpUpstream;
  /** The server's address, which its endpoint is read against. */
  readonly url: string;
  readonly owner?: string | undefined;
  readonly endpointTimeoutMs?: number | undefined;
  /** One message of the server's; `undefined`: one that was larger than its bound, of which the beginning is given. */
  onMessage(bytes: Buffer | undefined, head: Uint8Array): void;
  /** The server has said where to post. */
  onOpen?(): void;
  /** Comes once, last. */
  onEnd(end: ChannelEnd): void;
}

interface Waiting {
  readonly message: Buffer;
  readonly isOrdered: boolean;
}

export class SseChannel implements AnswerSink {
  readonly #options: SseChannelOptions;
  readonly #get: OpenExchange;
  readonly #parser = new SseParser(DEFAULT_ANSWER_LIMIT_BYTES);
  readonly #timer: NodeJS.Timeout;
  #path: string | undefined;
  #ended = false;
  #isPaused = false;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** A message whose arrival the following ones wait for. */
  #barrier = false;

  constructor(options: SseChannelOptions) {
    this.#options = options;
    const wait = options.endpointTimeoutMs ?? ENDPOINT_TIMEOUT_MS;
    this.#timer = setTimeout(() => this.#end({ fault: "no_endpoint" }), wait);
    this.#timer.unref();
    const headers = { accept: "text/event-stream" };
    this.#get = options.server.exchange({ method: "GET", headers, owner: options.owner, stream: true }, this);
  }

  get isRunning(): boolean {
    return !this.#ended;
  }

  /**
   * Posts one message, at once or when the server has said where. `isOrdered`: what is sent later must not overtake it.
   * False: it certainly did not leave.
   */
  send(message: Buffer, isOrdered: boolean): boolean {
    if (this.#ended) return false;
    if (this.#waitingBytes > 0 && this.#waitingBytes + message.length > MAX_CHANNEL_WAITING_BYTES) return false;
    this.#waiting.push({ message, isOrdered });
    this.#waitingBytes += message.length;
    this.#postWaiting();
    return true;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#get.resume();
  }

  stop(): void {
    this.#end({ fault: "stopped" });
  }

  onStart(status: number, headers: IncomingHttpHeaders): void {
    const type = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
    if (status !== 200 || type !== "text/event-stream") this.#end({ fault: "status", status });
  }

  onData(chunk: Buffer): boolean {
    for (const item of this.#parser.push(chunk)) if (!this.#ended) this.#take(item);
    return !this.#isPaused;
  }

  onEnd(): void {
    this.#end({ fault: "ended" });
  }

  onFault(fault: UpstreamFault): void {
    this.#end({ fault: fault.reason });
  }

  #take(item: SseItem): void {
    if (item.kind === "overlong") return this.#options.onMessage(undefined, item.head);
    if (item.event === "endpoint") return this.#takeEndpoint(Buffer.from(item.data).toString("utf8"));
    if (item.event !== "message" || item.data.length === 0) return;
    const { buffer, byteOffset, byteLength } = item.data;
    this.#options.onMessage(Buffer.from(buffer, byteOffset, byteLength), item.data);
  }

  /** Nowhere but to the host that was configured does a message go, nor the credential with it. */
  #takeEndpoint(text: string): void {
    if (this.#path !== undefined) return;
    const { url } = this.#options;
    const named = text.length <= MAX_ENDPOINT_CHARACTERS && URL.canParse(text, url) ? new URL(text, url) : undefined;
    if (named === undefined || named.origin !== new URL(url).origin || named.username !== "" || named.password !== "") {
      return this.#end({ fault: "foreign_endpoint" });
    }
    clearTimeout(this.#timer);
    this.#path = `${named.pathname}${named.search}`;
    this.#options.onOpen?.();
    this.#postWaiting();
  }

  #postWaiting(): void {
    while (this.#path !== undefined && !this.#barrier && !this.#ended) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#waitingBytes -= next.message.length;
      this.#post(this.#path, next);
    }
  }

  #post(path: string, { message, isOrdered }: Waiting): void {
    if (isOrdered) this.#barrier = true;
    const done = (status: number): void => {
      if (status >= 300) return this.#end({ fault: "status", status });
      if (!isOrdered || !this.#barrier) return;
      this.#barrier = false;
      this.#postWaiting();
    };
    let status = 0;
    const sink: AnswerSink = {
      onStart(answered) {
        status = answered;
      },
      onData: () => true,
      onEnd: () => done(status),
      onFault: (fault) => this.#end({ fault: fault.reason }),
    };
    const signal = AbortSignal.timeout(POST_TIMEOUT_MS);
    this.#options.server.exchange(
      { method: "POST", path, body: message, headers: JSON_HEADERS, owner: this.#options.owner, signal, answerLimitBytes: 64 * 1024 },
      sink,
    );
  }

  #end(end: ChannelEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#get.cancel();
    this.#options.onEnd(end);
  }
}
