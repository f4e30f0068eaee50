import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFailureCounter, type FailureCounter, MAX_FAILURE_SOURCES, OTHER_SOURCES } from "../../src/audit/count-failures.ts";
import { readPage } from "../../src/audit/read-log.ts";
import { type Log, openLog, START_MS } from "./fixture.ts";

let log: Log;
let counter: FailureCounter;

beforeEach(async () => {
  log = await openLog();
  counter = createFailureCounter({ clock: log.clock, store: log.store, audit: log.audit });
});
afterEach(() => log.close());

interface Told {
  kind: string;
  source: string;
  code: string;
  count: number;
  server: string | null;
  detail: { minute: string };
}

const told = async (): Promise<Told[]> => {
  const found: Told[] = [];
  for (let from = 1; ; from += 500) {
    const page = await readPage(log.store, 0, from, from + 499);
    if (page.length === 0) return found;
    found.push(...page.map(({ line }) => JSON.parse(line) as Told));
  }
};
const failure = (source = "10.0.0.1", reason = "unknown_token") => ({ kind: "authentication" as const, source, reason });

describe("failures before a grant is known", () => {
  it("put the first on record at once, the others of the minute as one more entry", async () => {
    await counter.count(failure());
    expect(await told()).toMatchObject([{ kind: "authentication", source: "10.0.0.1", code: "unknown_token", decision: "deny", count: 1 }]);
    for (let time = 0; time < 49; time++) await counter.count(failure());
    await counter.flush();
    expect(await told()).toHaveLength(1);
    log.clock.set(START_MS + 60_000);
    await counter.flush();
    expect((await told()).map(({ count }) => count)).toEqual([1, 49]);
    expect((await told())[1]?.detail.minute).toBe("2026-01-05T09:00:00.000Z");
    await counter.flush(true);
    expect(await told()).toHaveLength(2);
  });

  it("tell sources, reasons, servers and minutes apart", async () => {
    const all = [
      failure(),
      failure("10.0.0.2"),
      failure("10.0.0.1", "expired"),
      { ...failure(), server: "sendit" },
      { ...failure(), kind: "envelope" as const },
    ];
    for (const one of all) await counter.count(one);
    log.clock.set(START_MS + 60_000);
    await counter.count(failure());
    expect((await told()).map(({ count }) => count)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("lose no count when it stops", async () => {
    const stop = counter.start();
    for (let time = 0; time < 10; time++) await counter.count(failure());
    await stop();
    expect((await told()).map(({ count }) => count)).toEqual([1, 9]);
  });

  it("lose no count when the log can't be written for a while", async () => {
    log.tamper("alter table audit_entry rename to gone");
    await expect(counter.count(failure())).rejects.toMatchObject({ failures: [{ code: "storage_unavailable" }] });
    await counter.count(failure());
    await expect(counter.flush(true)).rejects.toBeDefined();
    log.tamper("alter table gone rename to audit_entry");
    await counter.flush(true);
    expect((await told()).map(({ count }) => count)).toEqual([2]);
  });

  it("are bounded: sources beyond the bound share an entry, and the counts add up", async () => {
    const sources = MAX_FAILURE_SOURCES + 50;
    await Promise.all(Array.from({ length: sources }, (_, index) => counter.count(failure(`source-${index}`))));
    await counter.flush(true);
    const entries = await told();
    expect(entries.length).toBeLessThanOrEqual(MAX_FAILURE_SOURCES + 2);
    expect(entries.filter(({ source }) => source === OTHER_SOURCES).reduce((sum, { count }) => sum + count, 0)).toBe(50);
    expect(entries.reduce((sum, { count }) => sum + count, 0)).toBe(sources);
    log.clock.set(START_MS + 120_000);
    await counter.flush();
    await counter.count(failure("after"));
    expect((await told()).at(-1)).toMatchObject({ source: "after", count: 1 });
  });
});
