/** The network between gateways and their stores: late, silent, cut, half-closed, away for both at once; and a server made anew. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { codeOf, until } from "../support/gateway-process.ts";
import { isLeftOut, type PostgresCluster, startPostgres } from "../support/postgres.ts";
import { tool } from "../support/raw-upstream.ts";
import { HAS_REDIS, startRedis, type TestRedis } from "../support/redis.ts";
import { type Relay, startRelay, throughRelay } from "../support/relay.ts";
import { type Replica, type Replicas, startReplicas } from "../support/replicas.ts";

const TIMEOUT = { timeout: 120_000 };
const POLICY = {
  version: "1",
  default: "deny",
  tools: { free: {}, counted: { limits: [{ window: "day", max: 20 }] }, kept: { limits: [{ window: "day", max: 20, durable: true }] } },
};
const TOOLS = `[${["free", "counted", "kept"].map((name) => tool(name)).join(",")}]`;
/** What a call is told where its store can't be asked. */
const REFUSED = /^(?:503|unavailable)$/;

describe.skipIf(isLeftOut || !HAS_REDIS)("a network that fails between gateways and their stores", () => {
  let cluster: PostgresCluster;
  let redis: TestRedis;
  beforeAll(async () => {
    [cluster, redis] = await Promise.all([startPostgres(), startRedis()]);
  });
  afterAll(async () => {
    await redis.stop();
    await cluster.stop();
  });

  interface Wired {
    readonly replicas: Replicas;
    /** Behind the wires. */
    readonly first: Replica;
    /** Its way to the stores is good. */
    readonly second: Replica;
    readonly store: Relay;
    readonly counters: Relay;
    readonly database: string;
  }

  async function startWired(): Promise<Wired> {
    const url = await cluster.createDatabase();
    const [store, counters] = await Promise.all([startRelay(cluster.port), startRelay(redis.port)]);
    for (const relay of [store, counters]) onTestFinished(() => relay.stop());
    const replicas = await startReplicas({
      url,
      policy: POLICY,
      tools: TOOLS,
      config: { limits: { url: "${LIMITS_URL}" } },
      envOf: (index) =>
        index === 0
          ? { STORE_URL: throughRelay(url, store), LIMITS_URL: throughRelay(redis.url, counters) }
          : { LIMITS_URL: redis.url, STORE_URL: url },
    });
    const [first, second] = replicas.all as [Replica, Replica];
    await Promise.all(replicas.all.map(isServing));
    replicas.upstream.forget();
    return { replicas, first, second, store, counters, database: url.slice(url.lastIndexOf("/") + 1) };
  }

  const told = async (replica: Replica, name: string): Promise<string> => codeOf(await replica.call(name));

  async function isServing(replica: Replica): Promise<void> {
    const code = await until(
      () => told(replica, "free"),
      (word) => word === "passed",
      30_000,
    );
    expect(code).toBe("passed");
    const ready = await until(
      () => replica.get("/readyz"),
      ({ status }) => status === 200,
      30_000,
    );
    expect(ready.text).toContain("ready");
  }

  async function isUnready(replica: Replica, words: RegExp): Promise<void> {
    const ready = await until(
      () => replica.get("/readyz"),
      ({ status }) => status === 503,
      30_000,
    );
    expect([ready.status, JSON.parse(ready.text).reason]).toEqual([503, expect.stringMatching(words)]);
  }

  test("a store that is late is waited for, and one that is too late refuses", TIMEOUT, async () => {
    const { first, second, store, replicas } = await startWired();
    store.delay(100);
    expect([await told(first, "free"), await told(first, "kept")]).toEqual(["passed", "passed"]);
    store.delay(20_000);
    replicas.upstream.forget();
    expect(await told(first, "free")).toMatch(REFUSED);
    expect(replicas.upstream.calls()).toEqual([]);
    expect(await told(second, "free")).toBe("passed");
    store.mend();
    await isServing(first);
  });

  test(
    "a wire to the store that falls silent in mid-call lets nothing pass, and what it held back changes nothing later",
    TIMEOUT,
    async () => {
      const { first, second, store, replicas } = await startWired();
      const asked = Array.from({ length: 30 }, (_, index) => told(index % 2 === 0 ? first : second, "kept"));
      await until(
        async () => replicas.upstream.calls().length,
        (count) => count > 0,
      );
      store.silence();
      const late = await Promise.all([...asked, told(first, "kept")]);
      expect(late.at(-1)).toMatch(REFUSED);
      await isUnready(first, /database/);
      // The wire speaks again: what was sent before it fell silent reaches the store now.
      store.mend();
      await isServing(first);
      const rest: string[] = [];
      for (let more = "passed"; more === "passed"; rest.push(more)) more = await told(rest.length % 2 === 0 ? first : second, "kept");
      expect(rest.at(-1)).toBe("limit_exceeded");
      expect(replicas.upstream.calls().filter(({ message }) => message?.params?.["name"] === "kept").length).toBeLessThanOrEqual(20);
      expect(await replicas.command("audit", "verify")).toBeTruthy();
    },
  );

  test("a wire to the store that is cut or half-closed again and again loses no unit and admits none too many", TIMEOUT, async () => {
    const { first, second, store, replicas } = await startWired();
    const codes: string[] = [];
    for (let round = 0; round < 12; round++) {
      const asked = [first, second, first].map((replica) => told(replica, "kept"));
      if (round % 2 === 0) store.cut();
      else store.halfClose();
      codes.push(...(await Promise.all(asked)));
    }
    await isServing(first);
    for (let index = 0; codes.at(-1) !== "limit_exceeded" && index < 60; index++) codes.push(await told(first, "kept"));
    expect(codes.at(-1)).toBe("limit_exceeded");
    const reached = replicas.upstream.calls().filter(({ message }) => message?.params?.["name"] === "kept").length;
    expect(reached).toBeLessThanOrEqual(20);
    expect(codes.filter((code) => code === "passed").length).toBeLessThanOrEqual(reached);
    expect(await replicas.command("audit", "verify")).toBeTruthy();
  });

  test("Redis that is late, silent or refusing stops what it counts and nothing else", TIMEOUT, async () => {
    const { first, second, counters, replicas } = await startWired();
    counters.delay(50);
    expect(await told(first, "counted")).toBe("passed");
    for (const fail of [() => counters.delay(20_000), () => counters.silence(), () => counters.refuse()]) {
      fail();
      replicas.upstream.forget();
      expect(await told(first, "counted")).toBe("unavailable");
      expect(replicas.upstream.calls()).toEqual([]);
      await isUnready(first, /Redis/);
      expect([await told(first, "free"), await told(first, "kept"), await told(second, "counted")]).toEqual(["passed", "passed", "passed"]);
      counters.mend();
      counters.cut();
      await isServing(first);
      const code = await until(
        () => told(first, "counted"),
        (word) => word === "passed",
      );
      expect(code).toBe("passed");
    }
  });

  test("without both stores nothing passes, whichever comes back first", TIMEOUT, async () => {
    const { first, store, counters, replicas } = await startWired();
    for (const order of [
      [store, counters],
      [counters, store],
    ] as const) {
      store.refuse();
      counters.refuse();
      replicas.upstream.forget();
      for (const name of ["free", "kept", "counted"]) expect(await told(first, name)).toMatch(REFUSED);
      await isUnready(first, /database|Redis/);
      order[0].mend();
      expect(await told(first, "counted")).toMatch(REFUSED);
      expect(replicas.upstream.calls().filter(({ message }) => message?.params?.["name"] === "counted")).toEqual([]);
      order[1].mend();
      await isServing(first);
      expect(
        await until(
          () => told(first, "counted"),
          (word) => word === "passed",
        ),
      ).toBe("passed");
    }
  });

  test(
    "a store that goes while calls are at their server: nobody loses a good grant by it, and the outcomes are on record when it is back",
    TIMEOUT,
    async () => {
      const { first, store, replicas } = await startWired();
      const waiting: (() => void)[] = [];
      replicas.upstream.respond = (_arrived, { method }) =>
        method !== "tools/call"
          ? undefined
          : {
              act: (response, _socket, id) =>
                void waiting.push(() =>
                  response
                    .writeHead(200, { "content-type": "application/json" })
                    .end(`{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}`),
                ),
            };
      const calls = Array.from({ length: 5 }, () => first.call("free"));
      await until(
        async () => waiting.length,
        (count) => count === 5,
      );
      store.refuse();
      for (const answer of waiting) answer();
      // Nobody can say whether the grant still holds, so nobody sees an answer.
      for (const answer of await Promise.all(calls)) {
        expect([answer.status, answer.json().result.isError]).toEqual([200, true]);
        expect(answer.text).toMatch(/sent, and its answer can't be handed on/);
      }
      store.mend();
      const read = async () =>
        (await replicas.command("audit", "search", "--kind", "outcome", "--tool", "free", "--json"))
          .split("\n")
          .filter((line) => line !== "");
      const before = await until(read, (lines) => lines.length >= 7, 30_000);
      // Those five, and the one of each gateway before.
      const exchanges = before.map((line) => (JSON.parse(line) as { exchange: string }).exchange);
      expect(new Set(exchanges).size).toBe(exchanges.length);
      expect(exchanges.length).toBeGreaterThanOrEqual(7);
      expect(before.filter((line) => line.includes('"code":"grant_unconfirmed"'))).toHaveLength(5);
      replicas.upstream.respond = () => undefined;
      await isServing(first);
    },
  );

  test("a server that comes back with an empty database of that name is refused until the right one is back", TIMEOUT, async () => {
    const { first, second, replicas, database } = await startWired();
    const gone = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`;
    const swap = async (from: string, to: string): Promise<void> => {
      await until(
        async () => {
          await cluster.run(gone);
          return await cluster.run(`ALTER DATABASE ${from} RENAME TO ${to}`).then(
            () => true,
            () => false,
          );
        },
        (done) => done,
        30_000,
      );
    };
    await swap(database, `${database}_kept`);
    await cluster.run(`CREATE DATABASE ${database}`);
    replicas.upstream.forget();
    for (const replica of [first, second]) {
      expect(await told(replica, "free")).toMatch(REFUSED);
      await isUnready(replica, /database/);
    }
    expect(replicas.upstream.calls()).toEqual([]);
    await cluster.run(`DROP DATABASE ${database} WITH (FORCE)`);
    await swap(`${database}_kept`, database);
    await Promise.all([first, second].map(isServing));
  });
});
