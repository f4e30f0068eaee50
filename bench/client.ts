/**
 * The client alone: calls through the gateway's own way to a server against undici's `Pool.dispatch`, in one process, in
 * turns, by the processor time of that process. Run as a program, pinned away from the server:
 * `taskset -c 1 node bench/upstream.ts PORT &` then `taskset -c 0 node bench/client.ts PORT [AT_ONCE]`.
 */
import { Pool } from "undici";
import { createAddressGuard } from "../src/upstream/address-guard.ts";
import { createHttpUpstream } from "../src/upstream/http-upstream.ts";

const CALLS = 10_000;
const ROUNDS = 9;
const [port = 0, atOnce = 32] = process.argv.slice(2).map(Number);
const body = Buffer.from(
  `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"${"x".repeat(300)}"}}}`,
);
const headers = (): Record<string, string> => ({
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  "mcp-session-id": "0123456789abcdef0123456789abcdef",
  "mcp-protocol-version": "2025-11-25",
});

type Send = (onEnd: () => void) => void;

function stop(error: unknown): never {
  console.error(error);
  process.exit(1);
}

const guard = createAddressGuard({ allow: ["127.0.0.1/32"], resolve: () => Promise.resolve([]) });
const upstream = createHttpUpstream({ url: `http://127.0.0.1:${port}/mcp`, headers: {}, guard });
const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 64, pipelining: 1 });
const kept: Buffer[] = [];

const ours: Send = (onEnd) => {
  const onData = (piece: Buffer): boolean => {
    kept[0] = piece;
    return true;
  };
  upstream.exchange({ method: "POST", headers: headers(), body }, { onStart: () => undefined, onData, onEnd, onFault: stop });
};
const undici: Send = (onEnd) => {
  pool.dispatch(
    { path: "/mcp", method: "POST", headers: headers(), body },
    {
      onRequestStart: () => undefined,
      onResponseStart: () => undefined,
      onResponseData: (_controller, piece) => void (kept[0] = piece),
      onResponseEnd: onEnd,
      onResponseError: (_controller, error) => stop(error),
    },
  );
};

/** Microseconds of this process a call. */
async function measure(send: Send): Promise<number> {
  const before = process.cpuUsage();
  let left = CALLS;
  const line = async (): Promise<void> => {
    while (left-- > 0) await new Promise<void>((resolve) => send(resolve));
  };
  await Promise.all(Array.from({ length: atOnce }, line));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

const rounds: { ours: number; undici: number }[] = [];
await measure(ours);
await measure(undici);
for (let round = 0; round < ROUNDS; round++) {
  if (round % 2 === 0) rounds.push({ ours: await measure(ours), undici: await measure(undici) });
  else {
    const second = await measure(undici);
    rounds.push({ ours: await measure(ours), undici: second });
  }
}
const figures = {
  ours: median(rounds.map((round) => round.ours)),
  undici: median(rounds.map((round) => round.undici)),
  ratio: median(rounds.map((round) => round.ours / round.undici)),
};
for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(8)}${value.toFixed(2)}`);
await Promise.all([upstream.close(), pool.destroy()]);
