import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { countByHour } from "../../src/audit/counts.ts";
import { exportLog } from "../../src/audit/export.ts";
import { monthOf } from "../../src/audit/insert-rows.ts";
import { auditMigrations } from "../../src/audit/migrations.ts";
import { readLogHead } from "../../src/audit/read-log.ts";
import { dropMonths, findCutMs, removeRetired, retireMonths } from "../../src/audit/retention.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { SPAN_ENTRIES } from "../../src/audit/term-index.ts";
import { indexSpans } from "../../src/audit/upkeep.ts";
import { verifyExport } from "../../src/audit/verify-export.ts";
import { verifyStore } from "../../src/audit/verify-store.ts";
import { type Audit, createAudit } from "../../src/audit/writer.ts";
import { createManualClock, createStoreClock } from "../../src/kernel/clock.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { Store } from "../../src/store/store.ts";
import { isLeftOut, type PostgresCluster, startPostgres } from "../support/postgres.ts";
import { createIntent, createTestKeys } from "./fixture.ts";

const DAY_MS = 86_400_000;

interface Replica {
  readonly store: Store;
  readonly audit: Audit;
}

describe.skipIf(isLeftOut)("the log on PostgreSQL", () => {
  let cluster: PostgresCluster;
  let url: string;
  const replicas: Replica[] = [];

  beforeAll(async () => {
    cluster = await startPostgres();
    url = await cluster.createDatabase();
  });
  afterAll(async () => {
    for (const { store } of replicas) await store.close();
    await cluster.stop();
  });

  async function openReplica(clock = createStoreClock()): Promise<Replica> {
    const store = await openStore({ url, clock, durability: "process", migrations: [auditMigrations] });
    const audit = createAudit({ clock, keys: createTestKeys(), checkpointEvery: { entries: 50, ms: 1e12 }, chains: "own" });
    const replica = { store, audit };
    replicas.push(replica);
    return replica;
  }

  const write = ({ store, audit }: Replica, number: number) =>
    store.write(async (batch) => audit.append(batch, createIntent(number, { grant: `grant-${number % 7}` })), {
      shared: true,
      locks: [`counter-${number % 3}`],
    });

  it("has a chain for each replica, written side by side, that verify together", async () => {
    const three = [await openReplica(), await openReplica(), await openReplica()];
    const written = await Promise.all(
      three.map(async (replica, index) => {
        const ids: string[] = [];
        for (let round = 0; round < 20; round++) {
          ids.push(...(await Promise.all(Array.from({ length: 5 + index * 15 }, (_, number) => write(replica, number)))));
        }
        return ids;
      }),
    );
    const [first] = three as [Replica];
    const head = await readLogHead(first.store.query);
    expect(head?.chains.map(({ size }) => size).toSorted((left, right) => left - right)).toEqual([100, 400, 700]);
    const key = { publicKey: first.audit.publicKey };
    expect(await verifyStore(first.store, key)).toMatchObject({ ok: true, chains: 3, entries: 1200, signature: "verified" });
    const pieces: Uint8Array[] = [];
    for await (const piece of exportLog({ ...first, clock: createStoreClock() })) pieces.push(Buffer.from(piece));
    expect(await verifyExport(pieces, key)).toMatchObject({ ok: true, chains: 3, entries: 1200 });
    const found = new Set<string>();
    for (let before: string | undefined, more = true; more; ) {
      const page = await searchEntries(first.store, {}, { limit: 333, before });
      for (const { line } of page.entries) found.add((JSON.parse(line) as { id: string }).id);
      before = page.next;
      more = before !== undefined;
    }
    expect(found).toEqual(new Set(written.flat()));
  });

  it("finds out that a chain was lost, and never forks it", async () => {
    const [first, second] = replicas as [Replica, Replica];
    const before = await readLogHead(first.store.query);
    await cluster.run("update audit_chain set until_ms = 0, holder = 'another'", url.slice(url.lastIndexOf("/") + 1));
    await expect(write(first, 1)).rejects.toMatchObject({ failures: [{ code: "storage_unavailable" }] });
    await write(first, 2);
    await write(second, 3).catch(() => write(second, 3));
    await turn();
    const after = await readLogHead(first.store.query);
    expect(after?.chains.length).toBe(before?.chains.length);
    expect(await verifyStore(first.store, { publicKey: first.audit.publicKey })).toMatchObject({ ok: true });
  });

  it("indexes, searches and counts", async () => {
    const [first] = replicas as [Replica];
    let number = 0;
    const size = async () => Math.max(...((await readLogHead(first.store.query))?.chains ?? []).map((chain) => chain.size));
    while ((await size()) < SPAN_ENTRIES + 10) await Promise.all(Array.from({ length: 256 }, () => write(first, ++number)));
    const ask = () => searchEntries(first.store, { grant: "grant-3", decision: "allow" }, { limit: 1000 });
    const plain = await ask();
    expect(await indexSpans(first.store)).toBeGreaterThan(0);
    expect(await ask()).toEqual(plain);
    expect((await searchEntries(first.store, { grant: "nobody" })).entries).toEqual([]);
    const counts = await countByHour(first.store, { sinceMs: Date.now() - 3 * 3_600_000, untilMs: Date.now() + 3_600_000 });
    const all = (await readLogHead(first.store.query))?.chains.reduce((sum, chain) => sum + chain.size, 0);
    expect(counts.reduce((sum, one) => sum + one.entries, 0)).toBe(all);
  });

  it("lies in parts by month, made ahead and dropped when they are retired", async () => {
    const [first] = replicas as [Replica];
    const parts = () => first.store.write(async (batch) => (await batch.partitions?.list("audit_entry")) ?? []);
    const month = monthOf(Date.now());
    expect(await parts()).toEqual([month, month + 1, month + 2]);
    const clock = createManualClock(Date.now() + 70 * DAY_MS);
    const later = await openReplica(clock as never);
    for (const { store, audit } of replicas) await store.write((batch) => audit.release(batch));
    await write(later, 1);
    for (const { store, audit } of replicas) await store.write((batch) => audit.checkpoint(batch));
    const retention = { ms: 20 * DAY_MS, text: "20d" };
    expect(await retireMonths({ ...later, clock, retention })).toBeGreaterThan(SPAN_ENTRIES);
    await dropMonths(later.store, findCutMs(clock.now(), retention));
    await removeRetired(later.store);
    expect(await parts()).not.toContain(month);
    expect(await verifyStore(later.store, { publicKey: later.audit.publicKey })).toMatchObject({ ok: true });
    const pieces: Uint8Array[] = [];
    for await (const piece of exportLog({ ...later, clock })) pieces.push(Buffer.from(piece));
    expect(await verifyExport(pieces, { publicKey: later.audit.publicKey })).toMatchObject({ ok: true });
  });
});
