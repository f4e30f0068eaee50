/** Two gateways as processes of their own on one store, counting in one Redis: as one gateway would. */
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { codeOf, FILE_TOKEN, type GatewayProcess, startGatewayProcess, until } from "../support/gateway-process.ts";
import { runProgram, startProgram } from "../support/program.ts";
import { sendHttp } from "../support/raw-http.ts";
import { OK_RESULT, tool } from "../support/raw-upstream.ts";
import { HAS_REDIS, startRedis, type TestRedis } from "../support/redis.ts";

const TIMEOUT = { timeout: 120_000 };
const PASSWORD = "redis-password-canary";
const TOOLS = `[${["free", "narrow", "tried", "kept"].map((name) => tool(name)).join(",")}]`;
const POLICY = {
  version: "1",
  default: "deny",
  tools: {
    free: {},
    narrow: { limits: [{ window: "hour", max: 100 }] },
    tried: { limits: [{ window: "day", max: 5, count: "successes" }] },
    kept: { limits: [{ window: "day", max: 3, durable: true }] },
  },
};

let redis: TestRedis | undefined;
afterEach(async () => {
  await redis?.stop();
  redis = undefined;
});

interface Pair {
  readonly redis: TestRedis;
  readonly one: GatewayProcess;
  readonly ports: readonly number[];
  call(port: number, name: string): Promise<string>;
  ready(port: number): Promise<{ readonly status: number; readonly text: string }>;
  readonly second: ReturnType<typeof startProgram>;
}

async function startPair(): Promise<Pair> {
  const server = await startRedis({ password: PASSWORD });
  redis = server;
  const config = { store: { url: "sqlite:./shared.db" }, secrets: { keyFile: "./shared.key" }, limits: { url: server.url } };
  const one = await startGatewayProcess({ policy: POLICY, config, tools: TOOLS });
  const second = startProgram(["start", "--config", one.config, "--data", path.join(one.folder, "second"), "--port", "0"], {
    cwd: one.folder,
  });
  const [, port] = await second.says(/gateway\s+http:\/\/127\.0\.0\.1:(\d+)/);
  const ports = [one.port, Number(port)];
  const send = (to: number, name: string) =>
    sendHttp(to, {
      path: "/mcp/alpha",
      headers: [
        ["Host", `127.0.0.1:${to}`],
        ["Authorization", `Bearer ${FILE_TOKEN}`],
        ["Content-Type", "application/json"],
        ["Connection", "close"],
      ],
      body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${JSON.stringify(name)},"arguments":{}}}`,
    });
  const pair: Pair = {
    redis: server,
    one,
    ports,
    second,
    call: async (to, name) => codeOf(await send(to, name)),
    ready: (to) =>
      sendHttp(to, {
        method: "GET",
        path: "/readyz",
        headers: [
          ["Host", "any"],
          ["Connection", "close"],
        ],
      }),
  };
  for (const to of ports) {
    await until(
      () => pair.call(to, "free"),
      (code) => code === "passed",
    );
  }
  one.upstream.forget();
  return pair;
}

const countOf = (codes: readonly string[], code: string) => codes.filter((one) => one === code).length;

describe.runIf(HAS_REDIS)("two gateways with one Redis", () => {
  test("three hundred calls at once against a limit of a hundred: exactly a hundred pass, and a hundred arrive", TIMEOUT, async () => {
    const { ports, call, one, redis: server } = await startPair();
    const codes = await Promise.all(Array.from({ length: 300 }, (_, n) => call(ports[n % 2] as number, "narrow").catch(() => "cut")));
    expect([countOf(codes, "passed"), countOf(codes, "limit_exceeded")]).toEqual([100, 200]);
    expect(one.upstream.calls()).toHaveLength(100);
    // Emptied under them: full all the same.
    await server.send("FLUSHALL");
    const after = await until(
      () => call(ports[0] as number, "narrow"),
      (code) => code !== "unavailable",
    );
    expect(after).toBe("limit_exceeded");
    const verified = await runProgram(["audit", "verify", "--data", one.data, "--config", one.config], { cwd: one.folder });
    expect([verified.code, verified.err]).toEqual([0, ""]);
  });

  test("without its Redis a gateway refuses what is limited, says so, and counts on when it is back, empty", TIMEOUT, async () => {
    const { ports, call, ready, one, redis: server, second } = await startPair();
    const [a, b] = ports as [number, number];
    const refuseOnce = { result: OK_RESULT.replace("{", '{"isError":true,') };
    one.upstream.respond = (_arrived, asked) =>
      asked.method === "tools/call" && asked.params?.["name"] === "tried" ? refuseOnce : undefined;
    // Errors are given back, whichever gateway they came through.
    for (let n = 0; n < 8; n++) expect(await call(n % 2 === 0 ? a : b, "tried")).toBe("failed");
    one.upstream.respond = () => undefined;
    expect([await call(a, "tried"), await call(b, "tried")]).toEqual(["passed", "passed"]);
    expect((await ready(a)).status).toBe(200);
    await server.kill();
    expect([await call(a, "tried"), await call(b, "tried")]).toEqual(["unavailable", "unavailable"]);
    expect([await call(a, "free"), await call(b, "kept")]).toEqual(["passed", "passed"]);
    const told = await ready(a);
    expect(told.status).toBe(503);
    expect(told.text).toMatch(/Redis/);
    await server.start();
    for (const port of [a, b]) {
      await until(
        async () => (await ready(port)).status,
        (status) => status === 200,
      );
    }
    const codes: string[] = [];
    for (let n = 0; n < 5; n++) codes.push(await call(n % 2 === 0 ? a : b, "tried"));
    expect(codes).toEqual(["passed", "passed", "passed", "limit_exceeded", "limit_exceeded"]);
    expect([await call(a, "kept"), await call(b, "kept"), await call(a, "kept")]).toEqual(["passed", "passed", "limit_exceeded"]);
    const words = one.running.err() + one.running.out() + second.err() + second.out() + told.text;
    expect(words).toContain("Calls with limits are refused");
    expect(words).not.toContain(PASSWORD);
  });

  test("one killed in the midst of it: never a call too many, and the other counts on", TIMEOUT, async () => {
    const { ports, call, one, second } = await startPair();
    const [a, b] = ports as [number, number];
    const asked = Array.from({ length: 80 }, (_, n) => call(n % 2 === 0 ? a : b, "narrow").catch(() => "cut"));
    await until(
      async () => one.upstream.calls().length,
      (count) => count >= 20,
    );
    await second.kill("SIGKILL");
    await Promise.all(asked);
    const codes: string[] = [];
    for (let round = 0; round < 12; round++) codes.push(...(await Promise.all(Array.from({ length: 10 }, () => call(a, "narrow")))));
    expect(codes.at(-1)).toBe("limit_exceeded");
    expect(one.upstream.calls().length).toBeLessThanOrEqual(100);
    // What was charged without going out is at most what the killed one had under way.
    expect(one.upstream.calls().length).toBeGreaterThanOrEqual(60);
  });
});
