/**
 * Node's HTTP server alone, and the same with the quick way in front, both telling what they were given: whatever comes
 * over the wire, a client must not be able to tell one from the other, and what was handed on must be the same.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { FrontServer } from "../../src/http/front-server.ts";
import type { HttpReply, HttpRequest } from "../../src/http/request.ts";

const BOUNDS = { maxHeaderSize: 32 * 1024, headersTimeout: 15_000, requestTimeout: 60_000, keepAliveTimeout: 75_000 };
const TALK_TIMEOUT_MS = 30_000;

/** A server, and its end of each connection by the port of the other. */
export interface Reader {
  readonly port: number;
  readonly sockets: ReadonlyMap<number, Socket>;
}

export interface TwoReaders {
  readonly node: Reader;
  readonly front: Reader;
  readonly frontServer: FrontServer;
  /** Requests that the quick way served. */
  quick(): number;
  stop(): Promise<void>;
}

function readBody(request: HttpRequest, then: (body: Buffer) => void): void {
  if ("body" in request) return then(request.body);
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => then(Buffer.concat(chunks)));
}

/** Answers with everything that it was given. */
function tell(request: HttpRequest, reply: HttpReply): void {
  readBody(request, (body) => {
    const { method, url, rawHeaders, headers } = request;
    const known = [headers.host, headers.authorization, headers.origin, headers.accept, headers["content-type"]];
    const told = Buffer.from(JSON.stringify({ method, url, rawHeaders, known, body: body.toString("latin1") }));
    reply.writeHead(200, { "content-type": "application/json", "content-length": told.length });
    reply.end(told);
  });
}

async function startReader(server: Server): Promise<Reader> {
  const sockets = new Map<number, Socket>();
  server.on("connection", (socket: Socket) => {
    const { remotePort = 0 } = socket;
    sockets.set(remotePort, socket);
    socket.on("close", () => sockets.delete(remotePort));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, sockets };
}

export async function startTwoReaders(): Promise<TwoReaders> {
  let quick = 0;
  const find = (target: string) =>
    target.startsWith("/mcp")
      ? (request: HttpRequest, reply: HttpReply): void => {
          quick++;
          tell(request, reply);
        }
      : undefined;
  const otherwise = (request: IncomingMessage, response: HttpReply): void => tell(request, response);
  const nodeServer = createServer(BOUNDS, otherwise);
  const frontServer = new FrontServer({ node: BOUNDS, find, otherwise });
  const [node, front] = await Promise.all([startReader(nodeServer), startReader(frontServer)]);
  return {
    node,
    front,
    frontServer,
    quick: () => quick,
    stop: async () => {
      await Promise.all(
        [nodeServer, frontServer].map(async (server) => {
          const closed = new Promise((resolve) => server.close(resolve));
          server.closeAllConnections();
          await closed;
        }),
      );
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Sends the pieces, each when the one before was read, hangs up the sending side, and gives all that was answered.
 * A server that has closed is sent nothing more.
 */
export async function talk({ port, sockets }: Reader, pieces: readonly Uint8Array[]): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const chunks: Buffer[] = [];
  const closed = new Promise<void>((resolve, reject) => {
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.setTimeout(TALK_TIMEOUT_MS, () => {
      socket.destroy();
      reject(new Error("no end in time"));
    });
  });
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const { localPort = 0 } = socket;
  while (!sockets.has(localPort) && !socket.closed) await turn();
  let sent = 0;
  for (const piece of pieces) {
    const server = sockets.get(localPort);
    if (socket.closed || !server) break;
    socket.write(piece);
    sent += piece.length;
    while (sockets.has(localPort) && server.bytesRead < sent && !socket.closed) await turn();
  }
  if (!socket.closed) socket.end();
  await closed;
  return Buffer.concat(chunks)
    .toString("latin1")
    .replaceAll(/Date: [^\r]*/g, "Date: then");
}

/** The bytes in pieces that end before each of the places. */
export function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.filter((place) => place > 0 && place < bytes.length))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}
