/**
 * One connection to a server of 2024-11-05, which knows HTTP+SSE and nothing else: a GET that stays open brings every
 * message of the server's, its first event says where ours are posted. Messages arrive in the order in which they were
 * sent wherever the order tells. Whatever breaks, ends the channel: what was in flight has no other way back.
 */
import type { IncomingHttpHeaders } from "node:http";
import { DEFAULT_ANSWER_LIMIT_BYTES } from "../../mcp/answer.ts";
import { type SseItem, SseParser } from "../../mcp/sse.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamFault } from "../http-upstream.ts";
import type { ChannelPorts, ChildExit, StdioUpstream } from "./child-process.ts";

/** How long a server may take to say where to post. */
export const ENDPOINT_TIMEOUT_MS = 10_000;
/** Messages that wait until they may be posted, in bytes; beyond, none is taken. */
export const MAX_CHANNEL_WAITING_BYTES: number = 16 * 1024 * 1024;
/** How long a server may take to say that it has a message. */
export const POST_TIMEOUT_MS = 30_000;
const MAX_ENDPOINT_CHARACTERS = 4096;
const JSON_HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

export interface SseChannelOptions extends ChannelPorts {
  readonly server: HttpUpstream;
  /** The server's address, which its endpoint is read against. */
  readonly url: string;
  readonly owner: string | undefined;
  readonly endpointTimeoutMs?: number | undefined;
}

/** How our own requests begin; whatever begins otherwise must not be overtaken by what is sent after it. */
const REQUEST = /^\{"jsonrpc":"2\.0","id":\d{1,15},"method"/;

/** Never throws: a server that can't be reached is an end. */
export function openSseChannel(options: SseChannelOptions): StdioUpstream {
  return new SseChannel(options);
}

interface Waiting {
  readonly message: Buffer;
  readonly isOrdered: boolean;
}

class SseChannel implements AnswerSink, StdioUpstream {
  readonly #options: SseChannelOptions;
  readonly #get: OpenExchange;
  readonly #parser = new SseParser(DEFAULT_ANSWER_LIMIT_BYTES);
  readonly #timer: NodeJS.Timeout;
  #path: string | undefined;
  #exit: ChildExit | undefined;
  #isPaused = false;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** A message whose arrival the following ones wait for. */
  #barrier = false;

  constructor(options: SseChannelOptions) {
    this.#options = options;
    const wait = options.endpointTimeoutMs ?? ENDPOINT_TIMEOUT_MS;
    this.#timer = setTimeout(() => this.#end("it did not say where to post"), wait);
    this.#timer.unref();
    const headers = { accept: "text/event-stream" };
    this.#get = options.server.exchange({ method: "GET", headers, owner: options.owner, stream: true }, this);
  }

  /** There is no process. */
  get pid(): undefined {
    return undefined;
  }

  get isRunning(): boolean {
    return this.#exit === undefined;
  }

  /** Posts one message, at once or when the server has said where. */
  send(message: Buffer): boolean {
    if (this.#exit) return false;
    const isOrdered = !REQUEST.test(message.toString("latin1", 0, 64));
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

  stop(): Promise<ChildExit> {
    return Promise.resolve(this.#end("it was closed"));
  }

  onStart(status: number, headers: IncomingHttpHeaders): void {
    const type = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
    if (status !== 200 || type !== "text/event-stream") this.#end(`it answers ${status}`);
  }

  onData(chunk: Buffer): boolean {
    for (const item of this.#parser.push(chunk)) if (!this.#exit) this.#take(item);
    return !this.#isPaused;
  }

  onEnd(): void {
    this.#end("it closed the stream");
  }

  onFault(fault: UpstreamFault): void {
    this.#end(`the stream broke (${fault.reason})`);
  }

  #take(item: SseItem): void {
    if (item.kind === "overlong") return this.#options.onLine({ kind: "overlong", head: item.head });
    if (item.event === "endpoint") return this.#takeEndpoint(Buffer.from(item.data).toString("utf8"));
    if (item.event !== "message" || item.data.length === 0) return;
    this.#options.onLine({ kind: "line", bytes: item.data });
  }

  /** Nowhere but to the host that was configured does a message go, nor the credential with it. */
  #takeEndpoint(text: string): void {
    if (this.#path !== undefined) return;
    const { url } = this.#options;
    const named = text.length <= MAX_ENDPOINT_CHARACTERS && URL.canParse(text, url) ? new URL(text, url) : undefined;
    if (named === undefined || named.origin !== new URL(url).origin || named.username !== "" || named.password !== "") {
      this.#end("it wants its messages on another host");
      return;
    }
    clearTimeout(this.#timer);
    this.#path = `${named.pathname}${named.search}`;
    this.#postWaiting();
  }

  #postWaiting(): void {
    while (this.#path !== undefined && !this.#barrier && !this.#exit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#waitingBytes -= next.message.length;
      this.#post(this.#path, next);
    }
  }

  #post(path: string, { message, isOrdered }: Waiting): void {
    if (isOrdered) this.#barrier = true;
    const done = (status: number): void => {
      if (status >= 300) return void this.#end(`it answers ${status} to a message`);
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
      onFault: (fault) => void this.#end(`a message could not be posted (${fault.reason})`),
    };
    const signal = AbortSignal.timeout(POST_TIMEOUT_MS);
    this.#options.server.exchange(
      { method: "POST", path, body: message, headers: JSON_HEADERS, owner: this.#options.owner, signal, answerLimitBytes: 64 * 1024 },
      sink,
    );
  }

  /** Before the server said where to post nothing can have left; after it nobody knows what was done. */
  #end(words: string): ChildExit {
    if (this.#exit) return this.#exit;
    this.#exit = { code: null, signal: null, ...(this.#path === undefined ? { failure: words } : {}) };
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#waitingBytes = 0;
    // Whoever opened it has its handle first.
    queueMicrotask(() => {
      this.#get.cancel();
      this.#options.onExit(this.#exit as ChildExit);
    });
    return this.#exit;
  }
}
