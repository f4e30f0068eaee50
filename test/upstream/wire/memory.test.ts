/** Calls leave nothing behind. */

import { type AddressInfo, createServer } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import type { HttpUpstream } from "../../../src/upstream/http-upstream.ts";
import { openUpstream } from "../loopback-server.ts";

const CALLS = 20_000;
const AT_ONCE = 16;
const MAX_GROWTH_BYTES: number = 1024 * 1024;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function call(upstream: HttpUpstream, count: number): Promise<void> {
  const body = Buffer.from('{"jsonrpc":"2.0"}');
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const signal = new AbortController().signal;
      upstream.exchange(
        { method: "POST", headers: { "content-type": "application/json" }, body, signal },
        {
          onStart: () => undefined,
          onData: () => true,
          onEnd: resolve,
          onFault: ({ detail }) => reject(new Error(detail)),
        },
      );
    });
  const line = async (): Promise<void> => {
    for (let done = 0; done < count / AT_ONCE; done++) await one();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, line));
}

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

test("twenty thousand calls leave the heap as it was, on a handful of connections", async () => {
  let connections = 0;
  const answer = Buffer.from("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
  const server = createServer((socket) => {
    connections++;
    socket.on("error", () => undefined);
    // Requests are small and come one at a time: each is one piece.
    socket.on("data", () => socket.write(answer));
    onTestFinished(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const upstream = openUpstream(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
  await call(upstream, 2000);
  const before = heapBytes();
  await call(upstream, CALLS);
  expect(heapBytes() - before).toBeLessThan(MAX_GROWTH_BYTES);
  expect(connections).toBeLessThanOrEqual(AT_ONCE);
  expect(upstream.waiting).toBe(0);
}, 60_000);
