/**
 * What one request costs the listener: an echo behind Node's HTTP server and behind the quick way, in one process, turn
 * by turn. Told are the medians of processor time a request and of the ratios, pair by pair.
 *
 *   taskset -c 1 node bench/listener.ts [--rounds 9] [--seconds 2]
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { FrontServer } from "../src/http/front-server.ts";
import type { HttpReply, HttpRequest } from "../src/http/request.ts";
import { HEADERS_TIMEOUT_MS, IDLE_TIMEOUT_MS, MAX_HEADER_BYTES, REQUEST_TIMEOUT_MS } from "../src/http-server.ts";
import { CALL_BODY } from "./call-body.ts";
import { median } from "./numbers.ts";
import { takeSample } from "./sample.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "9" }, seconds: { type: "string", default: "2" } } });
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const bounds = {
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  keepAliveTimeout: IDLE_TIMEOUT_MS,
};

/** Looks at what the gateway looks at, and sends the body back. */
function echo(request: HttpRequest, reply: HttpReply): void {
  const { headers, rawHeaders } = request;
  const known = [headers.host, headers.authorization, headers["content-type"]].length + rawHeaders.length;
  const answer = (body: Buffer): void => {
    reply.writeHead(known > 0 ? 200 : 400, { "content-type": "application/json", "content-length": body.length });
    reply.end(body);
  };
  if ("body" in request) return answer(request.body);
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => answer(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
}

const folder = mkdtempSync(path.join(os.tmpdir(), "sallyport-listener-"));
const script = path.join(folder, "post.lua");
const fields = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  authorization: "Bearer spg_0123456789abcdef_0123456789abcdef0123456789abcdef",
  "mcp-protocol-version": "2025-11-25",
  "mcp-session-id": "0123456789abcdef0123456789abcdef",
  "user-agent": "bench",
};
const lines = Object.entries(fields).map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`);
writeFileSync(script, `wrk.method = "POST"\nwrk.body = [==[${CALL_BODY}]==]\n${lines.join("\n")}\n`);

async function sample(server: Server, forSeconds: number): Promise<number> {
  const before = process.cpuUsage();
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/mcp/a`;
  const system = { name: "listener", url, headers: {}, sessions: [], pids: () => [process.pid], stop: async () => undefined };
  const { calls: requests, errors } = await takeSample(system, [], { script, connections: 32, seconds: forSeconds, once: true });
  const spent = process.cpuUsage(before);
  if (errors > 0 || requests === 0) throw new Error("the load failed");
  return (spent.user + spent.system) / requests;
}

const node = createServer(bounds, echo);
const quick = new FrontServer({ node: bounds, find: () => echo, otherwise: echo });
try {
  for (const server of [node, quick]) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  for (const server of [node, quick]) await sample(server, 2);
  const pairs: { node: number; quick: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const pair = { node: 0, quick: 0 };
    for (const one of round % 2 === 0 ? (["node", "quick"] as const) : (["quick", "node"] as const)) {
      pair[one] = await sample(one === "node" ? node : quick, seconds);
    }
    pairs.push(pair);
  }
  const us = (all: readonly number[]): string => median(all).toFixed(1);
  process.stdout.write(
    `Node's server ${us(pairs.map((pair) => pair.node))} µs, the quick way ${us(pairs.map((pair) => pair.quick))} µs of processor time a request; ` +
      `ratio ${median(pairs.map((pair) => pair.quick / pair.node)).toFixed(3)} (median of ${rounds} pairs)\n`,
  );
} finally {
  for (const server of [node, quick]) {
    server.close();
    server.closeAllConnections();
  }
  rmSync(folder, { recursive: true, force: true });
}
