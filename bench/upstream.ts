/**
 * The server behind everything that is measured: as little as an MCP server can be. It reads HTTP/1.1 off the socket by
 * hand, answers `tools/call` with a fixed result under the request's id, and the few other methods in the plain way.
 * Run as a program: `node bench/upstream.ts PORT`.
 */
import { createServer, type Socket } from "node:net";

const HEAD_END = Buffer.from("\r\n\r\n");
const ID = Buffer.from('"id":');
const CALL = Buffer.from('"method":"tools/call"');
const TEXT = "x".repeat(200);
const RESULT = `,"result":{"content":[{"type":"text","text":"${TEXT}"}],"isError":false}}`;
const TOOL = { name: "echo", description: "Says it again.", inputSchema: { type: "object", properties: { text: { type: "string" } } } };

function answer(body: string): Buffer {
  return Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function answerSlowly(body: Buffer): Buffer {
  const message = JSON.parse(body.toString()) as { id?: number | string; method?: string; params?: { protocolVersion?: string } };
  if (message.id === undefined) return Buffer.from("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
  const results: Record<string, unknown> = {
    initialize: {
      protocolVersion: message.params?.protocolVersion ?? "2025-11-25",
      capabilities: { tools: {} },
      serverInfo: { name: "bench", version: "1" },
    },
    "tools/list": { tools: [TOOL] },
    ping: {},
  };
  const result = results[message.method ?? ""];
  return answer(
    JSON.stringify(
      result === undefined
        ? { jsonrpc: "2.0", id: message.id, error: { code: -32601, message: "Method not found" } }
        : { jsonrpc: "2.0", id: message.id, result },
    ),
  );
}

function serve(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    rest = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const headEnd = rest.indexOf(HEAD_END);
      if (headEnd < 0) return;
      const head = rest.subarray(0, headEnd).toString("latin1");
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      const end = headEnd + 4 + length;
      if (rest.byteLength < end) return;
      const body = rest.subarray(headEnd + 4, end);
      rest = rest.subarray(end);
      if (head.startsWith("POST")) socket.write(body.includes(CALL) ? answerCall(body) : answerSlowly(body));
      else socket.write("HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n");
    }
  });
}

function answerCall(body: Buffer): Buffer {
  const start = body.indexOf(ID) + ID.byteLength;
  let end = start;
  while (body[end] !== 44 && body[end] !== 125) end++;
  return answer(`{"jsonrpc":"2.0","id":${body.subarray(start, end).toString("latin1")}${RESULT}`);
}

createServer(serve).listen(Number(process.argv[2]), "127.0.0.1");
