import { afterEach, describe, expect, it } from "vitest";
import { monthOf, startOfMonth } from "../../src/audit/insert-rows.ts";
import { CHAIN_ENTRIES, toPlace } from "../../src/audit/place.ts";
import { readLogHead, readPage } from "../../src/audit/read-log.ts";
import { dropMonths, findCutMs, removeRetired, retireMonths } from "../../src/audit/retention.ts";
import { readRetiredNotes } from "../../src/audit/retired.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { startUpkeep } from "../../src/audit/upkeep.ts";
import type { Verdict } from "../../src/audit/verdict.ts";
import { verifyExport } from "../../src/audit/verify-export.ts";
import { verifyStore } from "../../src/audit/verify-store.ts";
import { createLogWitness } from "../../src/audit/witness.ts";
import { waitUntil } from "../support/gateway.ts";
import { createIntent, type Log, openLog, toBytes } from "./fixture.ts";

const DAY_MS = 86_400_000;
const RETENTION = { ms: 60 * DAY_MS, text: "60d" };
const faultOf = (verdict: Verdict) => (verdict.ok ? undefined : verdict.fault);

let log: Log;

/** An entry every fifth day of half a year, by two writers in turn, up to the first of July. */
async function fill(): Promise<void> {
  log = await openLog({ entries: 4, ms: 1e12 }, "own");
  const writers = [log.audit, log.openWriter()];
  let number = 0;
  for (let timeMs = Date.parse("2026-01-03T12:00:00Z"); timeMs < Date.parse("2026-07-01T00:00:00Z"); timeMs += 5 * DAY_MS) {
    log.clock.set(timeMs);
    for (const writer of writers) await log.store.write(async (batch) => void writer.append(batch, createIntent(++number)));
    for (const writer of writers) await log.store.write(async (batch) => writer.renew(batch));
  }
  log.clock.set(Date.parse("2026-07-01T00:00:00Z"));
  for (const writer of writers) await log.store.write((batch) => writer.checkpoint(batch));
}

const options = () => ({ store: log.store, audit: log.audit, clock: log.clock, retention: RETENTION });
const key = () => ({ publicKey: log.audit.publicKey });
const timesOf = (lines: readonly string[]) => lines.map((line) => (JSON.parse(line) as { time: string }).time);
const bounds = async () => (await readLogHead(log.store.query))?.chains.map(({ retired, size }) => ({ retired, size })) ?? [];

describe("what is due", () => {
  it("is counted in whole months", () => {
    expect(new Date(findCutMs(Date.parse("2026-07-01T00:00:00Z"), RETENTION)).toISOString()).toBe("2026-05-01T00:00:00.000Z");
    expect(new Date(findCutMs(Date.parse("2026-06-29T00:00:00Z"), RETENTION)).toISOString()).toBe("2026-04-01T00:00:00.000Z");
    for (const text of ["2026-01-01", "2025-12-31", "1999-02-28"]) {
      const month = monthOf(Date.parse(text));
      expect(new Date(startOfMonth(month)).toISOString().slice(0, 7)).toBe(text.slice(0, 7));
    }
  });
});

describe("retention", () => {
  afterEach(() => log.close());

  it("takes whole months of every chain, says so, and leaves everything after provable", async () => {
    await fill();
    const before = await log.export();
    const went = await retireMonths(options());
    const retired = (await bounds()).map((chain) => chain.retired);
    expect(went).toBe(retired.reduce((sum, count) => sum + count, 0));
    expect(went).toBeGreaterThan(10);
    expect(await retireMonths(options())).toBe(0);
    await dropMonths(log.store, findCutMs(log.clock.now(), RETENTION));
    expect(await removeRetired(log.store)).toBe(true);
    for (const [chain, size] of retired.entries()) {
      const [first] = await readPage(log.store, chain, 1, Number.MAX_SAFE_INTEGER, 1);
      expect(first?.seq).toBe(size + 1);
      expect(timesOf([first?.line ?? ""])[0]?.startsWith("2026-05")).toBe(true);
    }
    expect(await verifyStore(log.store, key())).toMatchObject({ ok: true, signature: "verified", retired: [{ retention: "60d" }, {}] });
    const exported = await log.export();
    expect(await verifyExport(toBytes(exported), key())).toMatchObject({
      ok: true,
      retired: retired.map((seq, chain) => ({ chain, seq, retention: "60d", beforeMs: Date.parse("2026-05-01") })),
    });
    // What was exported before holds as it did, by itself and beside the log.
    expect(await verifyExport(toBytes(before), { ...key(), log: createLogWitness(log.store) })).toMatchObject({ ok: true, retired: [] });
    const [said] = (await searchEntries(log.store, { kind: "admin" })).entries.map(
      ({ line }) => JSON.parse(line) as Record<string, unknown>,
    );
    expect(said).toMatchObject({
      action: "audit.retired",
      actor: "gateway",
      detail: { before: "2026-05-01T00:00:00.000Z", retention: "60d", first: 1 },
    });
    expect((await searchEntries(log.store, { sinceMs: 0 }, { limit: 1000 })).entries.length).toBe(exported.length - 3);
  });

  it("goes on from cut to cut, and keeps the last statement alone", async () => {
    await fill();
    await retireMonths(options());
    log.clock.set(Date.parse("2026-08-15T00:00:00Z"));
    await retireMonths(options());
    expect(await removeRetired(log.store)).toBe(true);
    expect((await readRetiredNotes(log.store.query)).size).toBe(2);
    expect(await log.store.write((batch) => batch.all("select count(*) as rows from audit_retired"))).toEqual([{ rows: 2 }]);
    expect(await verifyStore(log.store, key())).toMatchObject({ ok: true, retired: [{ beforeMs: Date.parse("2026-06-01") }, {}] });
    expect(await verifyExport(toBytes(await log.export()), key())).toMatchObject({ ok: true });
  });

  it("retires a chain whose entries are all old, which goes on from there", async () => {
    await fill();
    log.clock.set(Date.parse("2027-07-01T00:00:00Z"));
    await retireMonths(options());
    await removeRetired(log.store);
    expect((await bounds()).map(({ retired, size }) => size - retired)).toContain(0);
    expect(await verifyStore(log.store, key())).toMatchObject({ ok: true });
    const other = log.openWriter();
    await log.store.write(async (batch) => void other.append(batch, createIntent(1)));
    expect(await verifyStore(log.store, key())).toMatchObject({ ok: true });
    expect(await verifyExport(toBytes(await log.export()), key())).toMatchObject({ ok: true });
  });

  it("shows a beginning that was taken away in any other way", async () => {
    await fill();
    await retireMonths(options());
    await removeRetired(log.store);
    const lines = await log.export();
    const verify = async (changed: readonly string[]) => faultOf(await verifyExport(toBytes(changed), key()));
    const retired = (await bounds()).map((chain) => chain.retired);
    expect(await verify(lines.slice(1))).toMatchObject({ kind: "removed", chain: 0, seq: 1, lastSeq: retired[0] });
    expect(await verify(lines.toSpliced(1, 1))).toMatchObject({ kind: "removed", chain: 1, seq: 1, lastSeq: retired[1] });
    expect(await verify(lines.toSpliced(2, 1))).toMatchObject({ kind: "removed", seq: (retired[0] ?? 0) + 1 });
    expect(await verify(lines.with(0, (lines[0] as string).replace("60d", "90d")))).toMatchObject({ kind: "checkpoint", line: 1 });
    expect(await verify([lines[0] as string, ...lines])).toMatchObject({ kind: "checkpoint", line: 2 });
    log.tamper("delete from audit_retired where place < ?", CHAIN_ENTRIES);
    expect(faultOf(await verifyStore(log.store, key()))).toMatchObject({ kind: "removed", chain: 0, seq: 1 });
  });

  it("shows a statement over what was retired that was changed or moved", async () => {
    await fill();
    await retireMonths(options());
    await removeRetired(log.store);
    const [{ retired = 0 } = {}] = await bounds();
    log.tamper(
      "update audit_retired set note = (select note from audit_retired where place > ?) where place < ?",
      CHAIN_ENTRIES,
      CHAIN_ENTRIES,
    );
    expect(faultOf(await verifyStore(log.store, key()))).toMatchObject({ kind: "checkpoint", chain: 0, seq: retired });
  });

  it("retires nothing where no checkpoint vouches for the cut", async () => {
    await fill();
    log.tamper("update audit_entry set line = replace(line, 'alice@', 'mallory@') where place = ?", toPlace(0, 24));
    await expect(retireMonths(options())).rejects.toMatchObject({ failures: [{ code: "storage_unavailable" }] });
    expect((await bounds()).map(({ retired }) => retired)).toEqual([0, 0]);
  });

  it("is carried out by the upkeep, where the configuration says so", async () => {
    await fill();
    const faults: unknown[] = [];
    const stop = startUpkeep({ ...options(), readRetention: () => RETENTION, everyMs: 5, onFault: (error) => faults.push(error) });
    await waitUntil(async () => (await readPage(log.store, 1, 1, Number.MAX_SAFE_INTEGER, 1))[0]?.seq !== 1);
    await stop();
    expect(faults).toEqual([]);
    expect(await verifyStore(log.store, key())).toMatchObject({ ok: true, unsigned: 0, retired: [{}, {}] });
  });
});
