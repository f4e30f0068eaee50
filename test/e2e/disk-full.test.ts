/** A disk without room, under SQLite's folder and under PostgreSQL's tables: refused, said, and served again when there is some. */
import { mkdirSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { codeOf, startGatewayProcess, until } from "../support/gateway-process.ts";
import { isLeftOut, startPostgres } from "../support/postgres.ts";
import { runProgram } from "../support/program.ts";
import type { RawAnswer } from "../support/raw-http.ts";
import { type Replica, startReplicas } from "../support/replicas.ts";
import { enterDisk, fillDisk, HAS_SMALL_DISK, lookInto, onSmallDisk } from "../support/small-disk.ts";

const TIMEOUT = { timeout: 120_000 };
const ALLOW = { version: "1", default: "allow" };
const MOST_CALLS = 3_000;
const AT_ONCE = 20;

interface Gateway {
  call(name: string): Promise<RawAnswer>;
  get(path: string): Promise<RawAnswer>;
}

async function isServing(gateway: Gateway): Promise<void> {
  const code = await until(
    () => gateway.call("echo").then(codeOf),
    (word) => word === "passed",
    30_000,
  );
  expect(code).toBe("passed");
  expect(
    await until(
      async () => (await gateway.get("/readyz")).status,
      (status) => status === 200,
      30_000,
    ),
  ).toBe(200);
}

/** Calls until every one is refused; gives how many passed. What is free in files that are there may still be used. */
async function callUntilRefused(gateway: Gateway): Promise<number> {
  let passed = 0;
  for (let asked = 0; asked < MOST_CALLS; asked += AT_ONCE) {
    const codes = await Promise.all(Array.from({ length: AT_ONCE }, () => gateway.call("echo").then(codeOf)));
    expect(codes.filter((code) => !["passed", "unavailable", "503"].includes(code))).toEqual([]);
    passed += codes.filter((code) => code === "passed").length;
    if (!codes.includes("passed")) return passed;
  }
  throw new Error("the disk was never full");
}

async function isClosed(gateway: Gateway): Promise<void> {
  // One small entry may have room where many had none: each that has takes of the little that is left.
  const ready = await until(
    async () => {
      await gateway.call("echo");
      return await gateway.get("/readyz");
    },
    ({ status }) => status === 503,
    30_000,
  );
  expect([ready.status, JSON.parse(ready.text).reason]).toEqual([503, expect.stringMatching(/disk .*full|database/i)]);
  expect((await gateway.get("/healthz")).status).toBe(200);
}

const countIntents = (lines: string): number => lines.split("\n").filter((line) => line.includes('"kind":"intent"')).length;

describe.skipIf(!HAS_SMALL_DISK)("a disk that is full", () => {
  test("of SQLite: no call passes that has no room on record, and all is well when there is room again", TIMEOUT, async () => {
    const gateway = await startGatewayProcess({
      policy: ALLOW,
      within: (data) => {
        mkdirSync(data, { recursive: true, mode: 0o700 });
        return onSmallDisk(data, "24m");
      },
    });
    await isServing(gateway);
    const pid = gateway.running.child.pid as number;
    const before = gateway.upstream.calls().length;
    const disk = fillDisk(lookInto(pid, gateway.data));
    const passed = await callUntilRefused(gateway);
    expect(gateway.upstream.calls().length - before).toBe(passed);
    await isClosed(gateway);
    disk.free();
    await isServing(gateway);
    const [verified, searched] = await Promise.all([
      runProgram(["audit", "verify", "--data", gateway.data], { within: enterDisk(pid) }),
      runProgram(["audit", "export", "--json", "--kind", "intent", "--data", gateway.data], { within: enterDisk(pid) }),
    ]);
    expect([verified.code, verified.err, searched.code, searched.err]).toEqual([0, "", 0, ""]);
    expect(countIntents(searched.out)).toBe(gateway.upstream.calls().length);
    expect((await gateway.running.kill("SIGTERM")).code).toBe(0);
  });

  test.skipIf(isLeftOut)("of PostgreSQL: refused on every gateway, and all is well when there is room again", TIMEOUT, async () => {
    const cluster = await startPostgres({ smallDisk: "120m" });
    onTestFinished(() => cluster.stop());
    const replicas = await startReplicas({ url: await cluster.createDatabase(), policy: ALLOW });
    const [first, second] = replicas.all as [Replica, Replica];
    await Promise.all([isServing(first), isServing(second)]);
    replicas.upstream.forget();
    const disk = fillDisk(cluster.seen());
    const passed = (await callUntilRefused(first)) + (await callUntilRefused(second));
    expect(replicas.upstream.calls()).toHaveLength(passed);
    await Promise.all([isClosed(first), isClosed(second)]);
    disk.free();
    await Promise.all([isServing(first), isServing(second)]);
    const reached = replicas.upstream.calls().length;
    expect(countIntents(await replicas.command("audit", "export", "--json", "--kind", "intent"))).toBeGreaterThanOrEqual(reached);
    expect(await replicas.command("audit", "verify")).toBeTruthy();
  });
});
