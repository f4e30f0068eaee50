/** Counters in Redis whose journal is in PostgreSQL: two gateways, groups that run side by side, and everything lost at times. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSteadyClock } from "../../../src/kernel/clock.ts";
import { FailureError } from "../../../src/kernel/failure.ts";
import { limitMigrations } from "../../../src/limit/counter-table.ts";
import { createLimits } from "../../../src/limit/create-limits.ts";
import { openRedisLimits } from "../../../src/limit/redis/redis-limits.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { waitUntil } from "../../support/gateway.ts";
import { isLeftOut, type PostgresCluster, startPostgres } from "../../support/postgres.ts";
import { HAS_REDIS, startRedis, type TestRedis } from "../../support/redis.ts";
import { chargeOf, limitOf, partiesOf } from "../specs.ts";

const parties = partiesOf();

describe.runIf(HAS_REDIS && !isLeftOut)("Redis beside PostgreSQL", () => {
  let cluster: PostgresCluster;
  let redis: TestRedis;
  beforeAll(async () => {
    cluster = await startPostgres();
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.stop();
    await cluster.stop();
  });

  async function openGateway(url: string) {
    const clock = createSteadyClock();
    const store = await openStore({ url, clock, durability: "process", migrations: [limitMigrations] });
    const limits = await openRedisLimits({
      url: redis.url,
      store,
      clock,
      home: "shared",
      stored: createLimits({ clock, store }),
      say: () => undefined,
    });
    const ask = async (charges: readonly ReturnType<typeof chargeOf>[]): Promise<string> => {
      try {
        const hold = await limits.reserve(charges, parties, "take");
        const terms = { shared: true, locks: limits.nameTaken(charges, parties) } as const;
        const answer = await store.write(async (batch) => {
          if (hold && !(await hold.holds(batch))) return undefined;
          return await limits.take(batch, charges, parties, batch.nowMs, hold);
        }, terms);
        if (answer?.ok !== true) hold?.release();
        if (!answer) return "unavailable";
        return answer.ok ? "ok" : "full";
      } catch (error) {
        if (error instanceof FailureError && error.failures[0]?.code === "limits_unavailable") return "unavailable";
        throw error;
      }
    };
    return { store, limits, ask, close: () => limits.close().then(() => store.close()) };
  }

  test("what went out is what counts, whatever Redis forgets, and a durable limit beside it is exact too", {
    timeout: 120_000,
  }, async () => {
    const url = await cluster.createDatabase();
    const [one, two] = await Promise.all([openGateway(url), openGateway(url)]);
    try {
      const charges = [
        chargeOf(limitOf({ key: "storm", rule: "/redis", max: 150, windowMs: 3_600_000 })),
        chargeOf(limitOf({ key: "kept", rule: "/store", max: 1_000, windowMs: 3_600_000, durable: true })),
      ];
      const answers: string[] = [];
      const ask40 = async () =>
        answers.push(...(await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? one : two).ask(charges)))));
      const count = (word: string) => answers.filter((answer) => answer === word).length;
      for (let round = 0; round < 4; round++) await Promise.all([ask40(), redis.send(round % 2 === 0 ? "FLUSHALL" : "PING")]);
      expect(count("ok")).toBeLessThanOrEqual(150);
      await waitUntil(async () => {
        await ask40();
        return count("ok") >= 150;
      });
      for (let round = 0; round < 3; round++) await ask40();
      expect(count("ok")).toBe(150);
      const database = url.slice(url.lastIndexOf("/") + 1);
      expect(Number((await cluster.run("SELECT count(*) AS n FROM limit_charge", database))[0]?.["n"])).toBe(150);
      // The store counted exactly those that went out.
      const rest = [chargeOf(limitOf({ key: "kept", max: 150, windowMs: 3_600_000, durable: true }))];
      expect(await one.ask(rest)).toBe("full");
      expect(await two.ask([chargeOf(limitOf({ key: "kept", max: 151, windowMs: 3_600_000, durable: true }))])).toBe("ok");
    } finally {
      await one.close();
      await two.close();
    }
  });
});
