/**
 * A modern server in memory, behind the port that every server has: each request waits until the test answers it, or a
 * rule does. And the other side: whoever asks the front, with everything it was answered.
 */
import type { IncomingHttpHeaders } from "node:http";
import { SseParser } from "../../src/mcp/sse.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamFault, UpstreamRequest } from "../../src/upstream/http-upstream.ts";

interface Message {
  readonly id?: unknown;
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was sent.
  readonly params: any;
}

/** One request that reached the server. */
export class Arrived {
  readonly request: UpstreamRequest;
  readonly text: string;
  readonly message: Message;
  isCancelled = false;
  isResumed = 0;
  /** What the sink said when it was last given something. */
  wantsMore = true;
  readonly #sink: AnswerSink;
  #isOver = false;
  #isStreaming = false;

  constructor(request: UpstreamRequest, sink: AnswerSink) {
    this.request = request;
    this.text = request.body?.toString() ?? "";
    this.message = JSON.parse(this.text) as Message;
    this.#sink = sink;
  }

  get id(): string {
    return JSON.stringify(this.message.id);
  }

  /** A JSON answer; `ID` stands for the request's id. */
  json(text: string, status = 200): void {
    this.#start(status, { "content-type": "application/json" });
    this.#sink.onData(Buffer.from(text.replaceAll("ID", this.id)));
    this.end();
  }

  result(text: string): void {
    this.json(`{"jsonrpc":"2.0","id":ID,"result":${text}}`);
  }

  error(code: number, message = "no", data?: string, status = 200): void {
    const more = data === undefined ? "" : `,"data":${data}`;
    this.json(`{"jsonrpc":"2.0","id":ID,"error":{"code":${code},"message":${JSON.stringify(message)}${more}}}`, status);
  }

  status(status: number, headers: IncomingHttpHeaders = {}): void {
    this.#start(status, headers);
    this.end();
  }

  event(text: string): void {
    if (this.#isOver) return;
    if (!this.#isStreaming) this.#start(200, { "content-type": "text/event-stream" });
    this.#isStreaming = true;
    this.wantsMore = this.#sink.onData(Buffer.from(`data: ${text.replaceAll("ID", this.id)}\n\n`));
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.onEnd();
  }

  fault(reason: UpstreamFault["reason"], sent: UpstreamFault["sent"] = "unknown"): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.onFault({ reason, sent, detail: "in a test" });
  }

  cancel(): void {
    if (this.#isOver) return;
    this.isCancelled = true;
    this.fault("cancelled");
  }

  #start(status: number, headers: IncomingHttpHeaders): void {
    this.#sink.onStart(status, headers);
  }
}

export const DISCOVERED: string = JSON.stringify({
  resultType: "complete",
  supportedVersions: ["2026-07-28"],
  capabilities: {
    tools: { listChanged: true },
    prompts: { listChanged: false },
    resources: { subscribe: true, listChanged: true },
    logging: {},
    completions: {},
    tasks: { list: {} },
    experimental: { odd: {} },
    extensions: { "io.modelcontextprotocol/tasks": {}, "io.modelcontextprotocol/ui": { mimeTypes: ["text/html"] } },
  },
  instructions: "Be brief.",
  ttlMs: 0,
  cacheScope: "private",
  _meta: { "io.modelcontextprotocol/serverInfo": { name: "modern", version: "7" } },
});

export interface FakeModernServer extends HttpUpstream {
  readonly arrived: Arrived[];
  /** Answers by itself; undefined: the test does. */
  respond: ((arrived: Arrived) => void) | undefined;
  readonly isClosed: boolean;
  /** Those of a method, in order. */
  of(method: string): Arrived[];
}

/** `server/discover` is answered unless a test says otherwise. */
export function createFakeModernServer(): FakeModernServer {
  const arrived: Arrived[] = [];
  let isClosed = false;
  const server: FakeModernServer = {
    arrived,
    respond: undefined,
    waiting: 0,
    get isClosed() {
      return isClosed;
    },
    of: (method) => arrived.filter(({ message }) => message.method === method),
    exchange(request, sink): OpenExchange {
      const one = new Arrived(request, sink);
      arrived.push(one);
      const { respond } = server;
      if (respond) queueMicrotask(() => respond(one));
      else if (one.message.method === "server/discover") queueMicrotask(() => one.result(DISCOVERED));
      return { cancel: () => one.cancel(), resume: () => void one.isResumed++ };
    },
    async close() {
      isClosed = true;
      for (const one of arrived) one.fault("closed");
    },
  };
  return server;
}

/** What came back for one request to the front. */
export class Answered implements AnswerSink {
  status = 0;
  headers: IncomingHttpHeaders = {};
  text = "";
  /** JSON-RPC messages, as text: of the body, or of the stream. */
  readonly texts: string[] = [];
  fault: UpstreamFault | undefined;
  isEnded = false;
  /** What is said to whoever writes: false asks for a pause. */
  takesMore = true;
  open: OpenExchange | undefined;
  readonly #parser = new SseParser();

  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came.
  get messages(): any[] {
    return this.texts.map((text) => JSON.parse(text) as unknown);
  }

  get isStream(): boolean {
    return this.headers["content-type"] === "text/event-stream";
  }

  get isOver(): boolean {
    return this.isEnded || this.fault !== undefined;
  }

  onStart(status: number, headers: IncomingHttpHeaders): void {
    if (this.status !== 0) throw new Error("started twice");
    this.status = status;
    this.headers = headers;
  }

  onData(chunk: Buffer): boolean {
    if (this.status === 0 || this.isOver) throw new Error("not open");
    this.text += chunk.toString();
    if (!this.isStream) this.texts.push(chunk.toString());
    else for (const item of this.#parser.push(chunk)) if (item.kind === "event") this.texts.push(Buffer.from(item.data).toString());
    return this.takesMore;
  }

  onEnd(): void {
    if (this.isOver) throw new Error("ended twice");
    this.isEnded = true;
  }

  onFault(fault: UpstreamFault): void {
    if (this.isOver) throw new Error("ended twice");
    this.fault = fault;
  }
}

export interface Sent {
  readonly session?: string | undefined;
  readonly owner?: string | undefined;
  readonly method?: UpstreamRequest["method"];
  readonly signal?: AbortSignal;
}

/** Sends to the front, and lets it take it. */
export async function send(front: HttpUpstream, body: string | object | undefined, sent: Sent = {}): Promise<Answered> {
  const answered = new Answered();
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const headers: Record<string, string> = sent.session === undefined ? {} : { "mcp-session-id": sent.session };
  answered.open = front.exchange(
    {
      method: sent.method ?? "POST",
      headers,
      owner: "owner" in sent ? sent.owner : "alice",
      ...(text === undefined ? {} : { body: Buffer.from(text) }),
      ...(sent.signal ? { signal: sent.signal } : {}),
    },
    answered,
  );
  await settled();
  return answered;
}

/** Everything that waits for nothing but its turn has had it. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

export function initialize(capabilities: object = {}, protocolVersion = "2025-11-25"): object {
  const params = { protocolVersion, capabilities, clientInfo: { name: "raw", version: "1" } };
  return { jsonrpc: "2.0", id: 1, method: "initialize", params };
}

export async function openSession(front: HttpUpstream, capabilities: object = {}, version?: string, owner = "alice"): Promise<string> {
  const opened = await send(front, initialize(capabilities, version), { owner });
  const session = opened.headers["mcp-session-id"];
  if (typeof session !== "string") throw new Error(`no session: ${opened.status} ${opened.text}`);
  return session;
}

export function ask(id: number | string, method: string, params: object = {}): object {
  return { jsonrpc: "2.0", id, method, params };
}

export function call(id: number | string, name: string, args: object = {}): object {
  return ask(id, "tools/call", { name, arguments: args });
}

export function notify(method: string, params: object = {}): object {
  return { jsonrpc: "2.0", method, params };
}
