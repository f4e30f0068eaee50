import { setTimeout as pause } from "node:timers/promises";
import * as fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AuditEntry } from "../../src/audit/entry.ts";
import type { AuditFilter } from "../../src/audit/filter.ts";
import { findSeqAt } from "../../src/audit/read-log.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { followLog } from "../../src/audit/tail.ts";
import { SPAN_ENTRIES } from "../../src/audit/term-index.ts";
import { indexSpans, startUpkeep } from "../../src/audit/upkeep.ts";
import { verifyStore } from "../../src/audit/verify-store.ts";
import { createId } from "../../src/kernel/id.ts";
import { createIntent, type Log, openLog, START_MS } from "./fixture.ts";

const ENTRIES = 2 * SPAN_ENTRIES + 100;

interface Known {
  readonly seq: number;
  readonly timeMs: number;
  readonly entry: AuditEntry;
}

describe("a search", () => {
  let log: Log;
  const known: Known[] = [];

  beforeAll(async () => {
    log = await openLog();
    const pending: AuditEntry[] = [];
    for (let seq = 1; seq <= ENTRIES; seq++) {
      const timeMs = START_MS + Math.floor(seq / 7) * 1000;
      if (timeMs !== log.clock.now()) {
        await log.append(...pending.splice(0));
        log.clock.set(timeMs);
      }
      const entry = createIntent(seq, {
        exchange: createId(timeMs),
        grant: seq === 40 || seq === 2500 ? 'rare "one"' : `grant-${seq % 5}`,
        tool: `tool_${seq % 3}`,
        decision: seq % 10 === 0 ? "deny" : "allow",
        ...(seq % 10 === 0 ? { code: "denied", kind: "denial" as const } : {}),
        ...(seq % 100 === 0 ? { identity: undefined } : {}),
        message: 'says "grant":"grant-1" in words',
      });
      known.push({ seq, timeMs, entry });
      pending.push(entry);
    }
    await log.append(...pending);
  });
  afterAll(() => log.close());

  const expected = (filter: AuditFilter): number[] => {
    const { sinceMs = 0, untilMs = Number.POSITIVE_INFINITY, ...names } = filter;
    const fits = ({ timeMs, entry }: Known) =>
      timeMs >= sinceMs && timeMs < untilMs && Object.entries(names).every(([key, value]) => entry[key as keyof AuditEntry] === value);
    return known.filter(fits).map(({ seq }) => seq);
  };

  const readAll = async (filter: AuditFilter, limit: number): Promise<number[]> => {
    const found: number[] = [];
    let before: string | undefined;
    do {
      const page = await searchEntries(log.store, filter, { limit, before });
      expect(page.entries.length).toBeLessThanOrEqual(limit);
      found.push(...page.entries.map(({ seq }) => seq));
      before = page.next;
    } while (before !== undefined);
    return found;
  };

  const cases: readonly AuditFilter[] = [
    {},
    { grant: "grant-3" },
    { grant: 'rare "one"' },
    { grant: "nobody" },
    { tool: "tool_1", decision: "deny" },
    { code: "denied", server: "sendit", kind: "denial" },
    { identity: "alice@example.com", untilMs: START_MS + 2000 },
    { sinceMs: START_MS + 100_000, untilMs: START_MS + 110_000 },
    { sinceMs: START_MS + 1e9 },
    { untilMs: START_MS },
  ];

  const checkAll = async () => {
    for (const filter of cases) {
      const want = expected(filter).reverse();
      expect(await readAll(filter, 700)).toEqual(want);
      const page = await searchEntries(log.store, filter, { limit: 3 });
      expect(page.entries.map(({ seq }) => seq)).toEqual(want.slice(0, 3));
      expect(page.next !== undefined).toBe(want.length > 3);
    }
    for (const seq of [1, 777, ENTRIES]) {
      const { exchange } = (known[seq - 1] as Known).entry;
      expect((await searchEntries(log.store, { exchange })).entries.map((entry) => entry.seq)).toEqual([seq]);
    }
  };

  it("finds what is asked for, newest first, a page at a time", async () => {
    expect(cases.map((filter) => expected(filter).length > 0)).toContain(true);
    await checkAll();
  });

  it("finds the place of a time", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -5, max: Math.floor(ENTRIES / 7) + 5 }), async (second) => {
        const timeMs = START_MS + second * 1000;
        const first = known.find((entry) => entry.timeMs >= timeMs)?.seq ?? ENTRIES + 1;
        expect(await findSeqAt(log.store, { chain: 0, size: ENTRIES, retired: 0 }, timeMs)).toBe(first);
      }),
      { numRuns: 30 },
    );
  });

  it("exports what a filter asks for", async () => {
    const lines = await log.export({ grant: "grant-3", decision: "deny" });
    expect(lines.slice(0, -1).map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(
      expected({ grant: "grant-3", decision: "deny" }),
    );
  });

  it("finds the same with an index, and reads less", async () => {
    expect(await indexSpans(log.store, 1)).toBe(1);
    await checkAll();
    expect(await indexSpans(log.store)).toBe(1);
    expect(await indexSpans(log.store)).toBe(0);
    await checkAll();
    log.tamper("update audit_entry set line = 'x' where place between 1030 and 1040");
    const { entries, next } = await searchEntries(log.store, { grant: 'rare "one"' });
    expect(entries.map(({ seq }) => seq)).toEqual([2500, 40]);
    expect(next).toBeUndefined();
  });
});

describe("following", () => {
  let log: Log;
  afterEach(() => log.close());

  it("tells the backlog, then what comes, and ends when told to", async () => {
    log = await openLog();
    for (let number = 1; number <= 5; number++) await log.append(createIntent(number, { tool: number % 2 === 0 ? "even" : "odd" }));
    const stop = new AbortController();
    const told: string[] = [];
    const readVersion = () => `${log.store.readEpoch()}.${log.audit.committed}`;
    const ended = (async () => {
      for await (const entry of followLog({
        store: log.store,
        backlog: 2,
        signal: stop.signal,
        pollMs: 5,
        readVersion,
        filter: { tool: "odd" },
      })) {
        told.push(String((JSON.parse(entry.line) as { requestId: number }).requestId));
      }
    })();
    await pause(60);
    await log.append(createIntent(6, { tool: "even" }), createIntent(7, { tool: "odd" }));
    await pause(60);
    await log.append(createIntent(9, { tool: "odd" }));
    await pause(60);
    stop.abort();
    await ended;
    expect(told).toEqual(["3", "5", "7", "9"]);
  });

  it("learns from the store's epoch what another process wrote, and reads nothing in between", async () => {
    log = await openLog();
    await log.append(createIntent(1));
    const stop = new AbortController();
    const told: number[] = [];
    let asked = 0;
    let epoch = 1;
    const readVersion = () => {
      asked++;
      return epoch;
    };
    const ended = (async () => {
      for await (const entry of followLog({ store: log.store, signal: stop.signal, pollMs: 5, readVersion })) told.push(entry.seq);
    })();
    await pause(30);
    await log.append(createIntent(2));
    await pause(50);
    expect(told).toEqual([]);
    epoch++;
    await pause(50);
    stop.abort();
    await ended;
    expect(told).toEqual([2]);
    expect(asked).toBeLessThan(60);
  });
});

describe("upkeep", () => {
  it("signs a tail that no later entry would have signed, and what is left at the end", async () => {
    const log = await openLog();
    const stop = startUpkeep({ store: log.store, audit: log.audit, clock: log.clock, everyMs: 5 });
    await log.append(createIntent(1));
    await pause(80);
    expect(await verifyStore(log.store)).toMatchObject({ unsigned: 0, checkpoint: { size: 1 } });
    const stopNow = startUpkeep({ store: log.store, audit: log.audit, clock: log.clock, everyMs: 1e6 });
    await stop();
    await log.append(createIntent(2));
    expect(await verifyStore(log.store)).toMatchObject({ unsigned: 1 });
    await stopNow();
    expect(await verifyStore(log.store)).toMatchObject({ unsigned: 0, checkpoint: { size: 2 } });
    await log.close();
  });
});
