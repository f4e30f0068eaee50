import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { countByHour } from "../../src/audit/counts.ts";
import { AUDIT_KINDS, type AuditEntry, printEntry } from "../../src/audit/entry.ts";
import { FILTER_FIELDS } from "../../src/audit/filter.ts";
import { readNames } from "../../src/audit/read-names.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { indexSpan, packPlaces, SPAN_ENTRIES } from "../../src/audit/term-index.ts";
import { indexSpans } from "../../src/audit/upkeep.ts";
import { createIntent, type Log, openLog, START_MS } from "./fixture.ts";

const HOUR_MS = 3_600_000;

describe("names in a line", () => {
  const text = fc.option(
    fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.constantFrom('",', '"grant":"x"', ',"exchange":"y",', "\\", "null")),
    {
      nil: undefined,
    },
  );
  const entries = fc.record({
    kind: fc.constantFrom(...AUDIT_KINDS),
    server: text,
    grant: text,
    identity: text,
    method: text,
    tool: text,
    decision: fc.constantFrom("allow" as const, "deny" as const, undefined),
    code: text,
    rule: text,
    exchange: text,
    requestId: fc.oneof(fc.string(), fc.integer(), fc.constant(null)),
    outcome: text,
    message: text,
    toolHash: text,
    chain: fc.nat(2),
  });

  it("are those that the parsed line has, whatever the texts hold", () => {
    fc.assert(
      fc.property(entries, ({ chain, ...entry }) => {
        const line = `${printEntry(entry as AuditEntry, { chain, seq: 7, id: "id7", timeMs: START_MS, prev: "0".repeat(64) })}}`;
        const parsed = JSON.parse(line) as Record<string, unknown>;
        const names = readNames(line);
        expect(names?.time).toBe(parsed["time"]);
        expect(names?.values).toEqual(FILTER_FIELDS.map((field) => parsed[field] ?? undefined));
        expect(names?.knowsTool).toBe("toolHash" in parsed);
      }),
      { numRuns: 400 },
    );
    expect(readNames("x")).toBeUndefined();
  });
});

describe("the index", () => {
  let log: Log;
  beforeEach(async () => {
    log = await openLog(undefined, "own");
  });
  afterEach(() => log.close());

  async function fill(writer = log.audit, entries = SPAN_ENTRIES + 50): Promise<void> {
    for (let from = 0; from < entries; from += 256) {
      log.clock.set(START_MS + from * 2000);
      await log.store.write(async (batch) => {
        for (let number = from; number < Math.min(entries, from + 256); number++) {
          const denied = number % 5 === 0;
          writer.append(
            batch,
            createIntent(number, {
              exchange: `exchange-${number >> 1}`,
              tool: `tool-${number % 3}`,
              ...(denied ? { kind: "denial", decision: "deny", code: "denied", rule: `/rule/${number % 10}` } : {}),
              ...(number % 3 === 0 ? {} : { toolHash: "hash" }),
            }),
          );
        }
      });
    }
  }

  const ask = async (filter: Parameters<typeof searchEntries>[1]) => {
    const page = await searchEntries(log.store, filter, { limit: 1000 });
    return page.entries.map(({ chain, seq }) => `${chain}:${seq}`);
  };
  const filters = [
    { exchange: "exchange-77" },
    { exchange: "exchange-77", decision: "deny" as const },
    { exchange: "nobody's" },
    { rule: "/rule/5", tool: "tool-1" },
    { code: "denied", kind: "denial" as const, untilMs: START_MS + 1_000_000 },
    { tool: "tool-0", rule: "/rule/1" },
  ];

  it("finds the same as reading does, in each of several chains", async () => {
    await fill();
    await fill(log.openWriter(), SPAN_ENTRIES + 3);
    const plain = await Promise.all(filters.map(ask));
    expect(plain.map((found) => found.length > 0)).toEqual([true, true, false, true, true, false]);
    expect(await indexSpans(log.store)).toBe(2);
    expect(await Promise.all(filters.map(ask))).toEqual(plain);
    // It is asked: what is not in it is not read.
    log.tamper("update audit_entry set line = 'x' where place = 1000");
    expect(await ask(filters[0] as object)).toEqual(plain[0]);
  });

  it("counts each entry once, indexed or not, whoever indexes and however often", async () => {
    await fill();
    const range = { sinceMs: START_MS, untilMs: START_MS + 10 * HOUR_MS };
    const plain = await countByHour(log.store, range);
    expect(plain.reduce((sum, { entries }) => sum + entries, 0)).toBe(SPAN_ENTRIES + 50);
    expect(plain.length).toBeGreaterThan(5);
    expect(new Set(plain.map(({ tool }) => tool))).toEqual(new Set(["", "tool-1", "tool-2"]));
    const done = await Promise.all([indexSpan(log.store, 0, 0), indexSpan(log.store, 0, 0)]);
    expect(done.toSorted()).toEqual([false, true]);
    expect(await indexSpan(log.store, 0, 0)).toBe(false);
    expect(await countByHour(log.store, range)).toEqual(plain);
    const second = await countByHour(log.store, { sinceMs: START_MS + HOUR_MS, untilMs: START_MS + 2 * HOUR_MS });
    expect(second).toEqual(plain.filter(({ hourMs }) => hourMs === START_MS + HOUR_MS));
  });

  it("has places in the shorter of two forms", () => {
    const all = Array.from({ length: SPAN_ENTRIES }, (_, index) => index);
    expect(packPlaces([1, 2, 3]).length).toBe(8);
    expect(packPlaces(all).length).toBeLessThan(700);
  });
});
