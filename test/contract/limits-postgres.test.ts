/** The promises of limits, kept by two replicas on one PostgreSQL that take turns, and by both at once. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createManualClock } from "../../src/kernel/clock.ts";
import { limitMigrations } from "../../src/limit/counter-table.ts";
import { createLimits, PRUNE_INTERVAL_MS } from "../../src/limit/create-limits.ts";
import { openStore } from "../../src/store/open-store.ts";
import { describeLimits } from "../limit/limits-suite.ts";
import { bindReplicas, type Rig } from "../limit/rigs.ts";
import { chargeOf, limitOf, partiesOf, START } from "../limit/specs.ts";
import { isLeftOut, type PostgresCluster, startPostgres } from "../support/postgres.ts";

describe.skipIf(isLeftOut)("on a real server", () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterAll(() => cluster.stop());

  async function openReplicas(clock = createManualClock(0)) {
    const url = await cluster.createDatabase();
    const open = async () => {
      const store = await openStore({ url, clock, durability: "process", migrations: [limitMigrations] });
      return { store, limits: createLimits({ clock, store }) };
    };
    const replicas = [await open(), await open()];
    const rows = async (table: string) =>
      Number((await cluster.run(`SELECT count(*) AS rows FROM ${table}`, url.slice(url.lastIndexOf("/") + 1)))[0]?.["rows"]);
    const close = async () => {
      for (const { store } of replicas) await store.close();
    };
    return { replicas, limits: bindReplicas(replicas), rows, close };
  }

  describeLimits("two replicas on PostgreSQL", async (): Promise<Rig> => await openReplicas());

  test("a thousand calls at once over both, under limits that overlap, take exactly what there is", { timeout: 120_000 }, async () => {
    const { limits, close } = await openReplicas();
    const all = limitOf({ max: 150, key: "all", rule: "/all" });
    const each = limitOf({ max: 40, key: "each", rule: "/each" });
    const admitted = new Map<string, number>();
    await Promise.all(
      Array.from({ length: 1_000 }, async (_, index) => {
        const per = `customer ${index % 7}`;
        const taken = await limits.take([chargeOf(all), chargeOf(each, { per })], partiesOf(), START);
        if (taken.ok) admitted.set(per, (admitted.get(per) ?? 0) + 1);
      }),
    );
    expect([...admitted.values()].reduce((sum, count) => sum + count, 0)).toBe(150);
    expect(Math.max(...admitted.values())).toBeLessThanOrEqual(40);
    await close();
  });

  test("what counts no more is let go of, in a group of its own", async () => {
    const clock = createManualClock(START);
    const { replicas, limits, rows, close } = await openReplicas(clock);
    for (let index = 0; index < 20; index++) {
      await limits.take([chargeOf(limitOf(), { per: `v${index}` })], partiesOf(), START);
    }
    expect([await rows("counter"), await rows("counter_bucket")]).toEqual([20, 20]);
    clock.raise(START + PRUNE_INTERVAL_MS * 3);
    for (let index = 0; index < 2; index++) await limits.take([chargeOf(limitOf({ key: "other" }))], partiesOf(), clock.now());
    // It waits behind nobody's call, and is done when the next group that excludes all others is.
    for (const { store } of replicas) await store.write(async () => undefined);
    expect([await rows("counter"), await rows("counter_bucket")]).toEqual([1, 1]);
    await close();
  });

  test("a count that its group does not hold is never taken from", async () => {
    const { replicas, close } = await openReplicas();
    const [{ store, limits }] = replicas as [(typeof replicas)[0]];
    const taken = store.write((batch) => limits.take(batch, [chargeOf(limitOf())], partiesOf(), START), {
      shared: true,
      locks: ["another"],
    });
    await expect(taken).rejects.toThrow("does not hold");
    await close();
  });
});
