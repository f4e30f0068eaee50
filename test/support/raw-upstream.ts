/**
 * An MCP server made of nothing but `node:http`: it keeps every byte it gets and answers what a test says, byte for byte.
 * It speaks both eras, holds no session, and is gone when it is stopped.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly text: string;
  /** The message, read by a plain parser; undefined where there is none. */
  readonly message: Asked | undefined;
}

export interface Asked {
  readonly id?: string | number;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** JSON text of a whole result, of an error, or the answer by hand. */
export type Reply =
  | { readonly result: string }
  | { readonly error: string }
  | { readonly act: (response: ServerResponse, socket: Socket, id: string) => void };

export type Respond = (arrived: Arrived, asked: Asked) => Reply | undefined;

export interface RawUpstream {
  readonly port: number;
  readonly url: string;
  /** Requests in the order in which they were whole. */
  readonly arrived: Arrived[];
  /** Every byte of every connection. */
  bytes(): Buffer;
  /** Those whose method is `tools/call` (or another one). */
  calls(method?: string): Arrived[];
  /** What is answered first; undefined goes on to the default. */
  respond: Respond;
  /** Answers a GET; left out: 405. */
  onGet?: ((response: ServerResponse) => void) | undefined;
  /** JSON text of the tools that it lists. */
  tools: string;
  forget(): void;
  /** On the same port again, after a stop. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface RawUpstreamOptions {
  readonly tools?: string;
  /** `legacy`: `server/discover` is unknown to it. */
  readonly era?: "legacy" | "both";
  readonly respond?: Respond;
}

export const tool = (name: string, more = ""): string => `{"name":${JSON.stringify(name)},"inputSchema":{"type":"object"}${more}}`;

const META = '"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"raw","version":"1"}}';
const DISCOVERED = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"resources":{},"prompts":{}},"ttlMs":0,"cacheScope":"private",${META}}`;
export const INITIALIZED =
  '{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{},"prompts":{}},"serverInfo":{"name":"raw","version":"1"}}';
export const OK_RESULT = '{"content":[{"type":"text","text":"done"}]}';

/** Answers `initialize` with a session, as servers that keep one do. */
export const withSession: Respond = (_arrived, { method }) =>
  method === "initialize"
    ? {
        act: (response, _socket, id) =>
          void response
            .writeHead(200, { "content-type": "application/json", "mcp-session-id": "of-the-server" })
            .end(`{"jsonrpc":"2.0","id":${id},"result":${INITIALIZED}}`),
      }
    : undefined;

function answerByDefault(upstream: RawUpstream, era: "legacy" | "both", asked: Asked): Reply {
  switch (asked.method) {
    case "server/discover":
      return era === "both" ? { result: DISCOVERED } : { error: '{"code":-32601,"message":"Method not found"}' };
    case "initialize":
      return { result: INITIALIZED };
    case "tools/list":
      return { result: `{"resultType":"complete","tools":${upstream.tools},"ttlMs":0,"cacheScope":"private"}` };
    case "tools/call":
      return { result: OK_RESULT.replace("{", '{"resultType":"complete",') };
    default:
      return { error: '{"code":-32601,"message":"Method not found"}' };
  }
}

function parse(text: string): Asked | undefined {
  try {
    return JSON.parse(text) as Asked;
  } catch {
    return undefined;
  }
}

export async function startRawUpstream(options: RawUpstreamOptions = {}): Promise<RawUpstream> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const body: Buffer[] = [];
    request.on("data", (chunk: Buffer) => body.push(chunk));
    request.on("error", () => undefined);
    request.on("end", () => {
      const text = Buffer.concat(body).toString("utf8");
      const { method = "", url = "", headers, rawHeaders } = request;
      const arrived: Arrived = { method, url, headers, rawHeaders, text, message: parse(text) };
      upstream.arrived.push(arrived);
      answer(arrived, request, response);
    });
  });
  const answer = (arrived: Arrived, request: IncomingMessage, response: ServerResponse): void => {
    const asked = arrived.message;
    if (arrived.method === "GET" && upstream.onGet) return upstream.onGet(response);
    if (!asked || arrived.method !== "POST") return void response.writeHead(405).end();
    if (asked.id === undefined) return void response.writeHead(202).end();
    const reply = upstream.respond(arrived, asked) ?? answerByDefault(upstream, options.era ?? "both", asked);
    const id = JSON.stringify(asked.id);
    if ("act" in reply) return reply.act(response, request.socket, id);
    const member = "result" in reply ? `"result":${reply.result}` : `"error":${reply.error}`;
    response.writeHead(200, { "content-type": "application/json" }).end(`{"jsonrpc":"2.0","id":${id},${member}}`);
  };
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  const listen = (at: number): Promise<void> => new Promise((resolve) => server.listen(at, "127.0.0.1", resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const upstream: RawUpstream = {
    port,
    url: `http://127.0.0.1:${port}/mcp`,
    arrived: [],
    bytes: () => Buffer.concat(chunks),
    calls: (method = "tools/call") => upstream.arrived.filter(({ message }) => message?.method === method),
    respond: options.respond ?? (() => undefined),
    tools: options.tools ?? `[${tool("echo")}]`,
    forget: () => {
      upstream.arrived.length = 0;
      chunks.length = 0;
    },
    start: () => listen(port),
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return upstream;
}
