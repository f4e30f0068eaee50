/**
 * One MCP server that is reached over HTTP: a pool of pinned connections and one act, `exchange`. A request is written
 * at most once and never again; where it certainly never left, the answer says so. No redirect is followed, no encoding
 * is undone, the server's own headers are added here and only headers on the list go along with them.
 */
import type { IncomingHttpHeaders } from "node:http";
import { FailureError } from "../kernel/failure.ts";
import type { AddressGuard } from "./address-guard.ts";
import { findUnusableHeader } from "./upstream-headers.ts";
import type { Connection } from "./wire/connection.ts";
import { ConnectionPool, type Waiting } from "./wire/connection-pool.ts";
import { createSocketOpener } from "./wire/open-socket.ts";
import { createHeadWriter } from "./wire/write-head.ts";

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
  const writeHead = createHeadWriter(url, options.headers);
  const openSocket = createSocketOpener({ url, guard: options.guard, ca: options.ca });
  const openPool = (connections: number, silenceTimeoutMs: number): ConnectionPool =>
    new ConnectionPool(openSocket, {
      connections,
      connectTimeoutMs: bounds.connectTimeoutMs,
      waitTimeoutMs: bounds.waitTimeoutMs,
      headTimeoutMs: bounds.answerTimeoutMs,
      silenceTimeoutMs,
    });
  const calls = openPool(bounds.callConnections, bounds.answerTimeoutMs);
  let streams: ConnectionPool | undefined;
  const gate: Gate = { waiting: 0, closed: false };

  return {
    exchange(request, sink) {
      const head = writeHead(request);
      const running = new RunningExchange(request, head ?? "", sink, gate);
      if (gate.closed) running.refuse("closed", "the server's connections are closed");
      else if (head === undefined) running.refuse("unsendable", "a header or the path can't be sent");
      else if (gate.waiting >= bounds.waitingRequests) running.refuse("busy", "too many requests wait for a connection");
      else running.start(request.stream === true ? (streams ??= openPool(MAX_STREAM_CONNECTIONS, 0)) : calls);
      return running;
    },
    get waiting() {
      return gate.waiting;
    },
    async close() {
      gate.closed = true;
      await Promise.all([calls.close(), streams?.close()]);
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
class RunningExchange implements OpenExchange, Waiting {
  readonly head: string;
  readonly #request: UpstreamRequest;
  readonly #sink: AnswerSink;
  readonly #gate: Gate;
  #pool: ConnectionPool | undefined;
  #connection: Connection | undefined;
  #onAbort: (() => void) | undefined;
  #isWaiting = false;
  /** The first byte may have left. */
  #started = false;
  #ended = false;
  #received = 0;

  constructor(request: UpstreamRequest, head: string, sink: AnswerSink, gate: Gate) {
    this.#request = request;
    this.head = head;
    this.#sink = sink;
    this.#gate = gate;
  }

  get body(): Buffer | undefined {
    return this.#request.body;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  start(pool: ConnectionPool): void {
    const { signal } = this.#request;
    if (signal?.aborted === true) {
      this.refuse("cancelled", "cancelled before it was sent");
      return;
    }
    if (signal !== undefined) {
      this.#onAbort = () => this.cancel();
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    this.#isWaiting = true;
    this.#gate.waiting++;
    this.#pool = pool;
    pool.take(this);
  }

  /** Tells the sink, after the caller has its handle, that nothing was sent. */
  refuse(reason: FaultReason, detail: string): void {
    queueMicrotask(() => this.#end(reason, detail));
  }

  cancel(): void {
    this.#end("cancelled", "cancelled");
  }

  resume(): void {
    if (!this.#ended) this.#connection?.resume();
  }

  onRefused(reason: FaultReason, detail: string): void {
    this.#end(reason, detail);
  }

  onLeaving(connection: Connection): void {
    this.#leaveQueue();
    this.#started = true;
    this.#connection = connection;
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    if (status >= 300 && status < 400) {
      this.#end("redirect", `the server answered ${status}`);
      return;
    }
    const encoding = headers["content-encoding"];
    if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
      this.#end("encoding", "the answer is encoded in a way that was not asked for");
      return;
    }
    try {
      this.#sink.onStart(status, headers);
    } catch {
      this.#endForSink();
    }
  }

  onPiece(piece: Buffer): boolean {
    this.#received += piece.length;
    if (this.#received > (this.#request.answerLimitBytes ?? Number.POSITIVE_INFINITY)) {
      this.#end("too_large", "the answer is larger than its bound");
      return true;
    }
    try {
      return this.#sink.onData(piece);
    } catch {
      this.#endForSink();
      return true;
    }
  }

  onWhole(): void {
    if (this.#ended) return;
    this.#finish();
    try {
      this.#sink.onEnd();
    } catch {
      // It has had its end; whoever else travels on this connection must not pay for it.
    }
  }

  onBroken(reason: FaultReason, detail: string): void {
    this.#end(reason, detail);
  }

  /** A sink that throws is a bug of its owner; the exchange must still end. */
  #endForSink(): void {
    this.#end("broken", "the answer could not be taken");
  }

  #leaveQueue(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#gate.waiting--;
  }

  #finish(): void {
    this.#ended = true;
    if (this.#onAbort !== undefined) this.#request.signal?.removeEventListener("abort", this.#onAbort);
  }

  #end(reason: FaultReason, detail: string): void {
    if (this.#ended) return;
    this.#finish();
    if (this.#isWaiting) this.#pool?.forget(this);
    this.#leaveQueue();
    this.#connection?.destroy();
    this.#sink.onFault({ reason, sent: this.#started ? "unknown" : "not_sent", detail });
  }
}
