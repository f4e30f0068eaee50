/** Requests of the modern era, put to a front as the gateway puts them, and what came back. */
import { expect, onTestFinished } from "vitest";
import { SseParser } from "../../../src/mcp/sse.ts";
import type { HttpUpstream, OpenExchange, UpstreamFault } from "../../../src/upstream/http-upstream.ts";
import type { FrontBounds } from "../../../src/upstream/modern-front/bounds.ts";
import { createModernFront, type ModernFront } from "../../../src/upstream/modern-front.ts";
import { openUpstream } from "../loopback-server.ts";

export const ALL = { elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: {} };

export function openFront(url: string, bounds: Partial<FrontBounds> = {}, onToolsChanged?: () => void, asksAlone = false): ModernFront {
  const clientInfo = { name: "sallyport", version: "1.2.3" };
  const upstream = openUpstream(url);
  const front = createModernFront({ upstream, clientInfo, bounds: { resumeWaitMs: 100, ...bounds }, onToolsChanged, asksAlone });
  onTestFinished(() => front.close());
  return front;
}

export interface How {
  readonly id?: number;
  readonly owner?: string;
  readonly capabilities?: object;
  /** Further keys of `_meta`. */
  readonly meta?: object;
  /** JSON text in place of the params' own. */
  readonly rawParams?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

// oxlint-disable-next-line typescript/no-explicit-any
type Message = any;

export interface Asking {
  readonly open: OpenExchange;
  readonly messages: Message[];
  /** Each message as it was written. */
  readonly texts: string[];
  status: number | undefined;
  type: string | undefined;
  fault: UpstreamFault | undefined;
  /** Settles with the last message, or undefined where there was none. */
  readonly done: Promise<Message>;
}

let nextId = 1;

export function ask(front: HttpUpstream, method: string, params: object, how: How = {}): Asking {
  const id = how.id ?? 1000 + nextId++;
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "sallyport", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": how.capabilities ?? {},
    ...how.meta,
  };
  const text =
    how.rawParams === undefined
      ? JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta: meta } })
      : `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":{${how.rawParams},"_meta":${JSON.stringify(meta)}}}`;
  const { promise, resolve } = Promise.withResolvers<Message>();
  const messages: Message[] = [];
  const texts: string[] = [];
  const chunks: Buffer[] = [];
  let parser: SseParser | undefined;
  const take = (bytes: Uint8Array): void => {
    const one = Buffer.from(bytes).toString("utf8");
    texts.push(one);
    messages.push(JSON.parse(one));
  };
  const asking = { messages, texts, status: undefined, type: undefined, fault: undefined, done: promise } as unknown as {
    -readonly [Key in keyof Asking]: Asking[Key];
  };
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": "x", "mcp-param-region": "eu", ...how.headers };
  asking.open = front.exchange(
    {
      method: "POST",
      body: Buffer.from(text),
      headers,
      owner: how.owner ?? "alice",
      stream: method === "subscriptions/listen",
      signal: how.signal,
    },
    {
      onStart(status, answered) {
        asking.status = status;
        asking.type = answered["content-type"];
        if (asking.type === "text/event-stream") parser = new SseParser();
      },
      onData(chunk) {
        if (parser) for (const item of parser.push(chunk)) void (item.kind === "event" && take(item.data));
        else chunks.push(chunk);
        return true;
      },
      onEnd() {
        if (!parser && chunks.length > 0) take(Buffer.concat(chunks));
        resolve(messages.at(-1));
      },
      onFault(fault) {
        asking.fault = fault;
        resolve(undefined);
      },
    },
  );
  return asking;
}

export function call(front: HttpUpstream, name: string, how: How & { readonly args?: object } = {}): Asking {
  return ask(front, "tools/call", { name, arguments: how.args ?? {} }, how);
}

/** The same call again, with what was asked. */
export function comeBack(front: HttpUpstream, name: string, state: unknown, inputResponses: object, how: How = {}): Asking {
  return ask(front, "tools/call", { name, arguments: {}, requestState: state, inputResponses }, { capabilities: ALL, ...how });
}

/** Asked again and again until it holds: on a busy machine that takes a while. */
export function eventually<T>(read: () => T): ReturnType<typeof expect.poll<T>> {
  return expect.poll(read, { timeout: 15_000, interval: 10 });
}
