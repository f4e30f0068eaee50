/** Gateways whose database goes away: nothing passes that can't be recorded, everybody hears so in time, and all is well when it is back. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeOf, until } from "../support/gateway-process.ts";
import { isLeftOut, type PostgresCluster, startPostgres } from "../support/postgres.ts";
import { tool } from "../support/raw-upstream.ts";
import { type Replica, startReplicas } from "../support/replicas.ts";

const TIMEOUT = 180_000;
const ALLOW = { version: "1", default: "allow" };

describe.skipIf(isLeftOut)("gateways whose database goes away", () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterAll(() => cluster.stop());

  const passes = async (replica: Replica) =>
    expect(
      await until(
        () => replica.call("echo").then(codeOf),
        (code) => code === "passed",
        30_000,
      ),
    ).toBe("passed");

  /** Nothing goes through, and it is said why. */
  async function isClosed(replica: Replica): Promise<void> {
    const [call, ready, alive] = await Promise.all([replica.call("echo"), replica.get("/readyz"), replica.get("/healthz")]);
    expect(codeOf(call)).toMatch(/^(?:503|unavailable)$/);
    expect([ready.status, alive.status]).toEqual([503, 200]);
    expect(JSON.parse(ready.text)).toEqual({ status: "not ready", reason: expect.stringMatching(/database/) });
    for (const text of [call.text, ready.text]) {
      expect(text).not.toContain(cluster.password);
      expect(text).not.toContain(String(cluster.port));
    }
  }

  test("killed, frozen and back again", { timeout: TIMEOUT }, async () => {
    const replicas = await startReplicas({ url: await cluster.createDatabase(), policy: ALLOW });
    const [first, second] = replicas.all as [Replica, Replica];
    await Promise.all(replicas.all.map(passes));
    replicas.upstream.forget();

    await cluster.kill("SIGKILL");
    await Promise.all(replicas.all.map(isClosed));
    expect(replicas.upstream.calls()).toEqual([]);
    await cluster.start();
    await Promise.all(replicas.all.map(passes));

    await until(
      () => first.get("/readyz"),
      ({ status }) => status === 200,
    );
    replicas.upstream.forget();
    const frozen = await cluster.freeze();
    try {
      await Promise.all(replicas.all.map(isClosed));
    } finally {
      frozen.thaw();
    }
    // What was under way when it froze was answered with a refusal, and is not sent now that it goes on.
    expect(replicas.upstream.calls()).toEqual([]);
    await Promise.all(replicas.all.map(passes));
    await until(
      () => second.get("/readyz"),
      ({ status }) => status === 200,
    );
    expect(await replicas.command("audit", "verify")).toBeTruthy();

    const ended = await Promise.all(replicas.all.map(({ running }) => running.kill("SIGTERM")));
    for (const { code, err } of ended) {
      expect(code).toBe(0);
      expect(err).not.toContain(cluster.password);
      expect(err).not.toMatch(/at .*\.ts/);
    }
  });

  test("a limit is never exceeded though the database is killed in the middle", { timeout: TIMEOUT }, async () => {
    const policy = { ...ALLOW, tools: { echo: { limits: [{ max: 100, window: "1d" }] } } };
    const tools = `[${tool("echo")},${tool("free")}]`;
    const replicas = await startReplicas({ url: await cluster.createDatabase(), policy, tools });
    for (const replica of replicas.all)
      await until(
        () => replica.call("free").then(codeOf),
        (code) => code === "passed",
      );
    replicas.upstream.forget();
    let restarted: Promise<void> | undefined;
    const codes: string[] = [];
    const call = async (index: number): Promise<void> => {
      codes.push(codeOf(await (replicas.all[index % 2] as Replica).call("echo")));
      if (codes.length === 25) restarted = cluster.kill("SIGKILL").then(() => cluster.start());
    };
    await Promise.all(Array.from({ length: 90 }, (_, index) => call(index)));
    await restarted;
    for (const replica of replicas.all)
      await until(
        () => replica.call("free").then(codeOf),
        (code) => code === "passed",
        30_000,
      );
    for (let index = 0; codes.at(-1) !== "limit_exceeded" && index < 200; index++) await call(index);
    expect(codes.at(-1)).toBe("limit_exceeded");
    // What was refused because nobody knows whether it was taken may be taken all the same: fewer pass, never more.
    const reached = replicas.upstream.calls().filter(({ message }) => message?.params?.["name"] === "echo").length;
    expect(reached).toBeLessThanOrEqual(100);
    expect(codes.filter((code) => code === "passed").length).toBeLessThanOrEqual(reached);
    expect(reached).toBeGreaterThanOrEqual(10);
    expect(await replicas.command("audit", "verify")).toBeTruthy();
  });

  test("a stop ends though the database is frozen", { timeout: TIMEOUT }, async () => {
    const replicas = await startReplicas({ url: await cluster.createDatabase(), policy: ALLOW, count: 1 });
    const [only] = replicas.all as [Replica];
    await passes(only);
    const frozen = await cluster.freeze();
    try {
      expect((await only.running.kill("SIGTERM")).code).toBe(0);
    } finally {
      frozen.thaw();
    }
  });

  test("a start without its database says so and ends", { timeout: TIMEOUT }, async () => {
    const url = (await cluster.createDatabase()).replace(`:${cluster.port}`, ":1");
    const started = startReplicas({ url, policy: ALLOW, count: 1 });
    await expect(started).rejects.toThrow(/Nobody listens at the address of the database/);
    const told = await started.catch((error: Error) => error.message);
    expect(told).not.toContain(cluster.password);
  });
});
