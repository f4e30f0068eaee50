import { afterEach, describe, expect, it } from "vitest";
import { NO_HASH, readLine } from "../../src/audit/chain.ts";
import { openCheckpoint } from "../../src/audit/checkpoint.ts";
import { auditMigrations } from "../../src/audit/migrations.ts";
import { parseVerifierKey } from "../../src/audit/note.ts";
import { readPage } from "../../src/audit/read-log.ts";
import { verifyStore } from "../../src/audit/verify-store.ts";
import { createAudit } from "../../src/audit/writer.ts";
import { createManualClock } from "../../src/kernel/clock.ts";
import { openStore } from "../../src/store/open-store.ts";
import { createIntent, createTestKeys, type Log, openLog, START_MS } from "./fixture.ts";

let log: Log;
afterEach(() => log.close());

const lines = async () => (await readPage(log.store, 0, 1, 1e9)).map((entry) => entry.line);
const verify = () => verifyStore(log.store, { publicKey: log.audit.publicKey });

describe("the writer", () => {
  it("chains what a group appends, in order, and gives each entry's id", async () => {
    log = await openLog();
    const ids = await log.append(createIntent(1), createIntent(1, { kind: "outcome", outcome: "ok" }));
    await log.append(createIntent(2));
    const read = (await lines()).map((line) => readLine(line));
    expect(read.map((line) => line?.seq)).toEqual([1, 2, 3]);
    expect(read.slice(0, 2).map((line) => line?.id)).toEqual(ids);
    expect(read.map((line) => line?.prev)).toEqual([NO_HASH, read[0]?.hash, read[1]?.hash]);
    expect(await verify()).toMatchObject({ ok: true, entries: 3, unsigned: 3 });
  });

  it("writes groups of every size in whole", async () => {
    log = await openLog();
    let total = 0;
    for (const size of [1, 2, 3, 5, 31, 64, 65, 127, 200]) {
      await log.append(...Array.from({ length: size }, (_, index) => createIntent(index)));
      total += size;
    }
    expect(await lines()).toHaveLength(total);
    expect(await verify()).toMatchObject({ ok: true, entries: total });
  });

  it("leaves nothing of a group that is undone, and goes on from where it stood", async () => {
    log = await openLog();
    await log.append(createIntent(1));
    const good = log.append(createIntent(2)).catch(() => "undone");
    const bad = log.store.write(async (batch) => {
      log.audit.append(batch, createIntent(3));
      throw new Error("no");
    });
    await expect(bad).rejects.toThrow("no");
    expect(await good).toBe("undone");
    expect(await lines()).toHaveLength(1);
    await log.append(createIntent(4));
    expect((await lines())[1]).toContain("exchange-4");
    expect(await verify()).toMatchObject({ ok: true, entries: 2 });
  });

  it("takes entries of one group that come after it was asked for a checkpoint", async () => {
    log = await openLog();
    await log.store.write(async (batch) => {
      log.audit.append(batch, createIntent(1));
      expect(await log.audit.checkpoint(batch)).toMatchObject({ size: 1, of: "log" });
      log.audit.append(batch, createIntent(2));
      batch.beforeCommit({}, async () => void log.audit.append(batch, createIntent(3)));
    });
    expect(await verify()).toMatchObject({ ok: true, entries: 3, unsigned: 2 });
  });

  it("goes on when the epoch is raised within its group", async () => {
    log = await openLog();
    await log.append(createIntent(1));
    await log.store.write(async (batch) => {
      log.audit.append(batch, createIntent(2));
      batch.raiseEpoch();
      await log.audit.checkpoint(batch);
      batch.raiseEpoch();
      log.audit.append(batch, createIntent(3));
    });
    await log.append(createIntent(4));
    expect(await verify()).toMatchObject({ ok: true, entries: 4 });
  });

  it("refuses when the log can't be written", async () => {
    log = await openLog();
    await log.append(createIntent(1));
    log.tamper("alter table audit_entry rename to gone");
    await expect(log.append(createIntent(2))).rejects.toMatchObject({ failures: [{ code: "storage_unavailable" }] });
    log.tamper("alter table gone rename to audit_entry");
    await log.append(createIntent(3));
    expect(await verify()).toMatchObject({ ok: true, entries: 2 });
  });

  it("takes strange texts without undoing anybody's group", async () => {
    log = await openLog();
    await log.append(createIntent(1, { tool: "a\u0000b\ud800", grant: "\udfff", message: "\u2028\n" }), createIntent(2));
    expect(await verify()).toMatchObject({ ok: true, entries: 2 });
  });

  it("signs a checkpoint every so many entries", async () => {
    log = await openLog({ entries: 10, ms: 1e12 });
    for (let number = 1; number <= 25; number++) await log.append(createIntent(number));
    expect(await verify()).toMatchObject({ ok: true, entries: 25, unsigned: 5, signature: "verified", checkpoint: { size: 20 } });
  });

  it("signs a checkpoint every so many seconds", async () => {
    log = await openLog({ entries: 1e6, ms: 10_000 });
    await log.append(createIntent(1));
    log.clock.set(START_MS + 9_999);
    await log.append(createIntent(2));
    expect(await verify()).toMatchObject({ unsigned: 2, signature: "unchecked" });
    log.clock.set(START_MS + 10_000);
    await log.append(createIntent(3));
    expect(await verify()).toMatchObject({ unsigned: 0, checkpoint: { size: 3, timeMs: START_MS + 10_000 } });
  });

  it("gives the same checkpoint while nothing new came", async () => {
    log = await openLog();
    const first = await log.store.write((batch) => log.audit.checkpoint(batch));
    expect(first).toMatchObject({ size: 0, hash: NO_HASH });
    await log.append(createIntent(1));
    const second = await log.store.write((batch) => log.audit.checkpoint(batch));
    log.clock.set(START_MS + 60_000);
    expect(await log.store.write((batch) => log.audit.checkpoint(batch))).toEqual(second);
    expect(openCheckpoint(second.note, parseVerifierKey(log.audit.publicKey))).toEqual(second);
  });

  it("joins another writer's chain, and its time never goes back", async () => {
    log = await openLog();
    const clock = createManualClock(START_MS - 60_000);
    const other = await openStore({ file: log.file, clock, durability: "process", migrations: [auditMigrations] });
    const audit = createAudit({ clock, keys: createTestKeys() });
    for (let round = 0; round < 5; round++) {
      await log.append(createIntent(round), createIntent(round));
      await other.write(async (batch) => audit.append(batch, createIntent(100 + round)));
    }
    await other.close();
    expect(await verify()).toMatchObject({ ok: true, entries: 15 });
    const times = (await lines()).map((line) => (JSON.parse(line) as { time: string }).time);
    expect(times).toEqual(times.toSorted());
    expect(clock.now()).toBe(START_MS);
  });
});
