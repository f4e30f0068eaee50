/**
 * One server under a client's session with several: a session of its own, opened with the first request that needs one
 * and again when the server has forgotten it. Seen as every other server, so the journey knows nothing of it. A call that
 * met a forgotten session is not sent again; what only reads is, once.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject } from "../../kernel/json.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamFault, UpstreamRequest } from "../../upstream/http-upstream.ts";

/** How long a request waits for the server's session. */
export const OPEN_WAIT_MS = 20_000;

/** What the server said when the session was opened. */
export interface Opened {
  /** Undefined for a server that keeps none. */
  readonly upstreamSession: string | undefined;
  readonly revision: string;
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
}

export interface LinkPorts {
  readonly upstream: HttpUpstream;
  readonly open: () => Promise<Opened | undefined>;
  readonly onOpened: () => void;
  /** No connection could be made. */
  readonly onUnreachable: () => void;
}

export class SessionLink implements HttpUpstream {
  readonly ports: LinkPorts;
  #opened: Opened | undefined;
  #opening: Promise<Opened | undefined> | undefined;

  constructor(ports: LinkPorts) {
    this.ports = ports;
  }

  get opened(): Opened | undefined {
    return this.#opened;
  }

  get waiting(): number {
    return this.ports.upstream.waiting;
  }

  /** The session, opened if need be; undefined where it can't be had in time. */
  async ready(waitMs: number = OPEN_WAIT_MS): Promise<Opened | undefined> {
    if (this.#opened) return this.#opened;
    this.#opening ??= this.ports
      .open()
      .catch(() => undefined)
      .then((opened) => {
        this.#opened = opened;
        this.#opening = undefined;
        if (opened) this.ports.onOpened();
        else this.ports.onUnreachable();
        return opened;
      });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), waitMs);
    });
    return await Promise.race([this.#opening, late]).finally(() => clearTimeout(timer));
  }

  /** The server knows this session no more. */
  forget(opened: Opened): void {
    if (this.#opened === opened) this.#opened = undefined;
  }

  exchange(request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const linked = new LinkedExchange(this, request, sink);
    linked.start();
    return linked;
  }

  /** The connections are the server's, not this session's. */
  async close(): Promise<void> {}
}

/** The head of a request of ours that may be sent a second time: it has an id, and is no call. */
const REPEATABLE = /^\{"jsonrpc":"2\.0","id":(?:\d{1,15}|"[0-9A-Za-z-]{1,64}"),"method":"(?!tools\/call")/;
const HEAD_BYTES = 256;

const UNREACHABLE: ReadonlySet<UpstreamFault["reason"]> = new Set(["connect", "wait_timeout", "broken"]);

function isRepeatable({ method, body }: UpstreamRequest): boolean {
  if (method !== "POST") return method === "GET";
  return body !== undefined && REPEATABLE.test(body.subarray(0, HEAD_BYTES).toString("latin1"));
}

class LinkedExchange implements OpenExchange, AnswerSink {
  readonly #link: SessionLink;
  readonly #request: UpstreamRequest;
  readonly #sink: AnswerSink;
  #under: Opened | undefined;
  #open: OpenExchange | undefined;
  #forgotten = false;
  #repeated = false;
  #ended = false;

  constructor(link: SessionLink, request: UpstreamRequest, sink: AnswerSink) {
    this.#link = link;
    this.#request = request;
    this.#sink = sink;
  }

  start(): void {
    const { opened } = this.#link;
    if (opened) return this.#send(opened);
    // There is nothing to end where nothing was opened.
    if (this.#request.method === "DELETE") return queueMicrotask(() => this.#fail("cancelled", "not_sent", "no session is open"));
    void this.#sendWhenReady();
  }

  async #sendWhenReady(): Promise<void> {
    const opened = await this.#link.ready();
    if (this.#ended) return;
    if (opened) this.#send(opened);
    else this.#fail("connect", this.#repeated ? "unknown" : "not_sent", "no session could be opened");
  }

  #send(opened: Opened): void {
    this.#under = opened;
    const headers: Record<string, string> = { ...this.#request.headers, "mcp-protocol-version": opened.revision };
    delete headers["mcp-session-id"];
    if (opened.upstreamSession !== undefined) headers["mcp-session-id"] = opened.upstreamSession;
    this.#open = this.#link.ports.upstream.exchange({ ...this.#request, headers }, this);
  }

  cancel(): void {
    if (this.#open) this.#open.cancel();
    else this.#fail("cancelled", "not_sent", "cancelled");
  }

  resume(): void {
    this.#open?.resume();
  }

  onStart(status: number, headers: IncomingHttpHeaders): void {
    // One server's 404 speaks of its own session, never of the one that the client knows.
    this.#forgotten = status === 404;
    if (this.#forgotten && this.#under) this.#link.forget(this.#under);
    else this.#sink.onStart(status, headers);
  }

  onData(chunk: Buffer): boolean {
    return this.#forgotten || this.#sink.onData(chunk);
  }

  onEnd(): void {
    if (this.#forgotten) return this.#again();
    this.#ended = true;
    this.#sink.onEnd();
  }

  onFault(fault: UpstreamFault): void {
    if (this.#forgotten && fault.reason !== "cancelled") return this.#again();
    this.#ended = true;
    if (UNREACHABLE.has(fault.reason)) this.#link.ports.onUnreachable();
    this.#sink.onFault(fault);
  }

  #again(): void {
    if (this.#repeated || !isRepeatable(this.#request)) return this.#fail("broken", "unknown", "the server had forgotten the session");
    this.#repeated = true;
    this.#forgotten = false;
    this.#open = undefined;
    void this.#sendWhenReady();
  }

  #fail(reason: UpstreamFault["reason"], sent: UpstreamFault["sent"], detail: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#sink.onFault({ reason, sent, detail });
  }
}
