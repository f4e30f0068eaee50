/**
 * The reference: a relay that reads nothing. node:http in, undici's `Pool.dispatch` out, bodies handed on as they are.
 * Run as a program: `node bench/relay.ts PORT UPSTREAM_PORT`.
 */
import { createServer } from "node:http";
import { Pool } from "undici";

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { connections: 64, pipelining: 1 });

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const answer: Buffer[] = [];
    pool.dispatch(
      { path: "/mcp", method: "POST", headers: { "content-type": "application/json" }, body: Buffer.concat(chunks) },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, status) => void (response.statusCode = status),
        onResponseData: (_controller, chunk) => void answer.push(chunk),
        onResponseEnd: () => {
          response.setHeader("content-type", "application/json");
          response.end(Buffer.concat(answer));
        },
        onResponseError: () => response.destroy(),
      },
    );
  });
}).listen(port, "127.0.0.1");
