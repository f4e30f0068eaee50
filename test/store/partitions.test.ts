import { expect, it } from "vitest";
import { createRowWriter, monthOf } from "../../src/audit/insert-rows.ts";
import { createPartitions } from "../../src/store/partitions.ts";
import type { Batch, SqlRow, SqlValue } from "../../src/store/store.ts";

/** A batch of a database with parts that keeps what it was told. */
function createRecorder(rows: readonly SqlRow[] = []) {
  const told: { sql: string; values: readonly SqlValue[] }[] = [];
  const batch = {
    all: async (sql: string, values: readonly SqlValue[] = []) => (told.push({ sql, values }), [...rows]),
    run: async (sql: string, values: readonly SqlValue[] = []) => (told.push({ sql, values }), 1),
  };
  return { told, batch: { ...batch, partitions: createPartitions(batch) } as unknown as Batch };
}

it("parts are named after their table and value, and nothing else can be named", async () => {
  const { told, batch } = createRecorder([{ name: "audit_entry_24323" }, { name: "audit_entry_24322" }]);
  const { partitions } = batch;
  expect(partitions?.by("month")).toBe("partition by list (month)");
  await partitions?.create("audit_entry", 24322);
  await partitions?.drop("audit_entry", 24322);
  expect(told.map(({ sql }) => sql)).toEqual([
    "create table if not exists audit_entry_24322 partition of audit_entry for values in (24322)",
    "drop table if exists audit_entry_24322",
  ]);
  expect(await partitions?.list("audit_entry")).toEqual([24322, 24323]);
  for (const [table, value] of [
    ["a; drop", 1],
    ["audit_entry", 1.5],
    ["audit_entry", -1],
    ["audit_entry", Number.NaN],
  ] as const) {
    await expect(partitions?.create(table, value)).rejects.toThrow(RangeError);
  }
});

it("rows of a table in parts say their month, and each statement is of one", async () => {
  const { told, batch } = createRecorder();
  const writer = createRowWriter();
  const january = Date.parse("2026-01-31T23:59:59.999Z");
  const timesMs = [...Array.from({ length: 70 }, () => january), january + 1, january + 1];
  await writer.insert(
    batch,
    timesMs.flatMap((_, index) => [index + 1, `line ${index}`]),
    timesMs,
  );
  expect(told.map(({ sql }) => [...sql.matchAll(/\(\?,(\d+),\?\)/g)].map((match) => Number(match[1])))).toEqual([
    Array.from({ length: 64 }, () => monthOf(january)),
    Array.from({ length: 6 }, () => monthOf(january)),
    [monthOf(january) + 1, monthOf(january) + 1],
  ]);
  expect(told.flatMap(({ values }) => values)).toEqual(timesMs.flatMap((_, index) => [index + 1, `line ${index}`]));
});
