/**
 * One MCP server that is reached over HTTP: a pool of pinned connections and one act, `exchange`. A request is written
 * at most once and never again; where it certainly never left, the answer says so. No redirect is followed, no encoding
 * is undone, the server's own headers are added here and only headers on the list go along with them.
 */
import type { IncomingHttpHeaders } from "node:http";
import { type Dispatcher, Pool } from "undici";
import { FailureError } from "../kernel/failure.ts";
import { type AddressGuard, AddressRefused } from "./address-guard.ts";
import { createHeaderSelection, findUnusableHeader } from "./upstream-headers.ts";

/** Connections for calls; a request beyond them waits for one. */
export const MAX_CALL_CONNECTIONS = 64;
/** Connections for streams that stay open (GET streams, listens), apart from those for calls. */
export const MAX_STREAM_CONNECTIONS = 1024;
/** Requests that wait for a connection; one more is refused. */
export const MAX_WAITING_REQUESTS = 1024;
export const CONNECT_TIMEOUT_MS = 10_000;
/** How long a request may wait for a connection, the time to open one included. */
export const WAIT_TIMEOUT_MS = 20_000;
/** How long the server may think before its answer begins, and be silent within it. */
export const ANSWER_TIMEOUT_MS = 300_000;
const KEEP_ALIVE_MS = 4_000;
const KEEP_ALIVE_MAX_MS = 60_000;

export type FaultReason =
  | "address_refused"
  | "connect"
  | "unsendable"
  | "busy"
  | "wait_timeout"
  | "cancelled"
  | "closed"
  | "redirect"
  | "encoding"
  | "answer_timeout"
  | "too_large"
  | "invalid_answer"
  | "broken"
  /** There is no credential, or the server refused it: a person has to sign in. */
  | "login_required"
  | "login_unavailable"
  | "insufficient_scope";

/** Why there is no answer, or no whole one. */
export interface UpstreamFault {
  readonly reason: FaultReason;
  /** `not_sent`: no byte of the request left. `unknown`: the server may have acted on it. */
  readonly sent: "not_sent" | "unknown";
  /** For the log, never for the client: it may name the address. */
  readonly detail: string;
}

/** Takes the answer. Exactly one of `onEnd` and `onFault` comes, last. What it throws ends the exchange. */
export interface AnswerSink {
  onStart(status: number, headers: IncomingHttpHeaders): void;
  /** `false` asks for a pause, until `resume`. */
  onData(chunk: Buffer): boolean;
  onEnd(): void;
  onFault(fault: UpstreamFault): void;
}

/** For what is told to a server and whose answer is of no interest. */
export const DEAF: AnswerSink = { onStart: () => undefined, onData: () => true, onEnd: () => undefined, onFault: () => undefined };

export interface UpstreamRequest {
  readonly method: "POST" | "GET" | "DELETE";
  /** Another place on the same host, path and query; left out: the server's own address. */
  readonly path?: string | undefined;
  readonly body?: Buffer | undefined;
  /** Protocol headers, lower case; names that are not on the list are left out. */
  readonly headers: Readonly<Record<string, string>>;
  /** The server's credential where it changes; set by whoever keeps it, never from a client's request. */
  readonly authorization?: string | undefined;
  /** Who asks, a grant's id: what is remembered between requests is kept apart by it. Left out: the gateway itself. */
  readonly owner?: string | undefined;
  /** The answer is a stream that stays open and may be silent for ever. */
  readonly stream?: boolean | undefined;
  /** Bytes of the answer's body that are taken; left out: the sink counts for itself. */
  readonly answerLimitBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface OpenExchange {
  /** Ends it; the sink is told `cancelled`, unless it had its end. */
  cancel(): void;
  resume(): void;
}

export interface HttpUpstream {
  exchange(request: UpstreamRequest, sink: AnswerSink): OpenExchange;
  /** Requests that wait for a connection. */
  readonly waiting: number;
  /** Ends every exchange and connection. */
  /**
   * A grant is over: what is kept for it between its requests ends at once, what is under way may end by itself. Left out
   * where nothing is kept.
   */
  endOwner?(owner: string): void;
  close(): Promise<void>;
}

export interface HttpUpstreamOptions {
  readonly url: string;
  /** The server's own headers, its credential among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly guard: AddressGuard;
  /** PEM of certificate authorities in place of the system's. */
  readonly ca?: string | undefined;
  readonly bounds?: Partial<UpstreamBounds> | undefined;
}

export interface UpstreamBounds {
  readonly callConnections: number;
  readonly waitingRequests: number;
  readonly connectTimeoutMs: number;
  readonly waitTimeoutMs: number;
  readonly answerTimeoutMs: number;
}

const DEFAULT_BOUNDS: UpstreamBounds = {
  callConnections: MAX_CALL_CONNECTIONS,
  waitingRequests: MAX_WAITING_REQUESTS,
  connectTimeoutMs: CONNECT_TIMEOUT_MS,
  waitTimeoutMs: WAIT_TIMEOUT_MS,
  answerTimeoutMs: ANSWER_TIMEOUT_MS,
};

/** Throws a `FailureError` where the address or a header can't be used. Opens no connection yet. */
export function createHttpUpstream(options: HttpUpstreamOptions): HttpUpstream {
  const url = parseServerUrl(options.url);
  const unusable = findUnusableHeader(options.headers);
  if (unusable !== undefined) {
    throw new FailureError({ code: "invalid_config", message: `the header \`${unusable}\` can't be set for a server` });
  }
  const bounds: UpstreamBounds = { ...DEFAULT_BOUNDS, ...options.bounds };
  const path = `${url.pathname}${url.search}`;
  const selectHeaders = createHeaderSelection(options.headers);
  const connect = options.guard.createConnector({ timeoutMs: bounds.connectTimeoutMs, ca: options.ca });
  const openPool = (connections: number, bodyTimeout: number): Pool =>
    new Pool(url.origin, {
      connections,
      connect,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
      headersTimeout: bounds.answerTimeoutMs,
      bodyTimeout,
    });
  const calls = openPool(bounds.callConnections, bounds.answerTimeoutMs);
  let streams: Pool | undefined;
  const gate: Gate = { waiting: 0, closed: false };

  return {
    exchange(request, sink) {
      const running = new RunningExchange(request, sink, gate, bounds.waitTimeoutMs);
      if (gate.closed) running.refuse("closed", "the server's connections are closed");
      else if (gate.waiting >= bounds.waitingRequests) running.refuse("busy", "too many requests wait for a connection");
      else {
        const pool = request.stream === true ? (streams ??= openPool(MAX_STREAM_CONNECTIONS, 0)) : calls;
        const headers = selectHeaders(request.headers);
        if (request.authorization !== undefined) headers.push("authorization", request.authorization);
        const dispatched: Dispatcher.DispatchOptions = {
          path: request.path ?? path,
          method: request.method,
          headers,
          body: request.body ?? null,
        };
        running.start(pool, dispatched);
      }
      return running;
    },
    get waiting() {
      return gate.waiting;
    },
    async close() {
      gate.closed = true;
      await Promise.all([calls.destroy(), streams?.destroy()]);
    },
  };
}

function parseServerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new FailureError({ code: "invalid_config", message: "a server's address is an absolute http or https URL" });
  }
  if (url.username !== "" || url.password !== "") {
    throw new FailureError({ code: "invalid_config", message: "a server's address holds no user or password; set a header instead" });
  }
  return url;
}

interface Gate {
  waiting: number;
  closed: boolean;
}

/** One request on its way, from the wait for a connection to the one end that its sink is told. */
class RunningExchange implements OpenExchange, Dispatcher.DispatchHandler {
  readonly #request: UpstreamRequest;
  readonly #sink: AnswerSink;
  readonly #gate: Gate;
  readonly #waitTimeoutMs: number;
  #controller: Dispatcher.DispatchController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #onAbort: (() => void) | undefined;
  /** In the pool's queue. */
  #queued = false;
  /** The first byte may have left. */
  #started = false;
  #ended = false;
  /** Inside `dispatch`: whoever asked has no handle yet. */
  #dispatching = false;
  #received = 0;

  constructor(request: UpstreamRequest, sink: AnswerSink, gate: Gate, waitTimeoutMs: number) {
    this.#request = request;
    this.#sink = sink;
    this.#gate = gate;
    this.#waitTimeoutMs = waitTimeoutMs;
  }

  start(pool: Pool, options: Dispatcher.DispatchOptions): void {
    const { signal } = this.#request;
    if (signal?.aborted === true) {
      this.refuse("cancelled", "cancelled before it was sent");
      return;
    }
    if (signal !== undefined) {
      this.#onAbort = () => this.cancel();
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    this.#queued = true;
    this.#gate.waiting++;
    this.#dispatching = true;
    pool.dispatch(options, this);
    this.#dispatching = false;
    if (this.#queued && !this.#ended) {
      this.#timer = setTimeout(() => this.#end("wait_timeout", "no connection in time"), this.#waitTimeoutMs);
    }
  }

  /** Tells the sink, after the caller has its handle, that nothing was sent. */
  refuse(reason: FaultReason, detail: string): void {
    queueMicrotask(() => this.#end(reason, detail));
  }

  cancel(): void {
    this.#end("cancelled", "cancelled");
  }

  resume(): void {
    if (!this.#ended) this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#leaveQueue();
    // A second start would send the request again; an ended exchange must not be sent at all.
    if (this.#ended || this.#started) {
      controller.abort(new Error("not to be sent"));
      return;
    }
    this.#started = true;
    this.#controller = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.#ended || status < 200) return;
    if (status >= 300 && status < 400) {
      this.#end("redirect", `the server answered ${status}`);
      return;
    }
    const encoding = headers["content-encoding"];
    if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
      this.#end("encoding", "the answer is encoded in a way that was not asked for");
      return;
    }
    this.#guarded(() => this.#sink.onStart(status, headers));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) return;
    this.#received += chunk.length;
    if (this.#received > (this.#request.answerLimitBytes ?? Number.POSITIVE_INFINITY)) {
      this.#end("too_large", "the answer is larger than its bound");
      return;
    }
    this.#guarded(() => {
      if (!this.#sink.onData(chunk)) controller.pause();
    });
  }

  onResponseEnd(): void {
    if (this.#ended) return;
    this.#finish();
    this.#sink.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#leaveQueue();
    const reason = classifyError(error, this.#started);
    if (this.#dispatching) this.refuse(reason, error.message);
    else this.#end(reason, error.message);
  }

  /** A sink that throws is a bug of its owner; the exchange must still end. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#end("broken", "the answer could not be taken");
      throw error;
    }
  }

  #leaveQueue(): void {
    if (!this.#queued) return;
    this.#queued = false;
    this.#gate.waiting--;
    clearTimeout(this.#timer);
  }

  #finish(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    if (this.#onAbort !== undefined) this.#request.signal?.removeEventListener("abort", this.#onAbort);
  }

  #end(reason: FaultReason, detail: string): void {
    if (this.#ended) return;
    this.#finish();
    this.#controller?.abort(new Error(reason));
    this.#sink.onFault({ reason, sent: this.#started ? "unknown" : "not_sent", detail });
  }
}

function classifyError(error: Error & { readonly code?: unknown }, started: boolean): FaultReason {
  if (error instanceof AddressRefused) return "address_refused";
  switch (error.code) {
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
      return "answer_timeout";
    case "UND_ERR_INVALID_ARG":
      return started ? "broken" : "unsendable";
    case "UND_ERR_CLOSED":
    case "UND_ERR_DESTROYED":
      return "closed";
    default:
      return started ? "broken" : "connect";
  }
}
