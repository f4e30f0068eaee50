/** The bench runs: every system answers every call without an error. What it measures is not judged here. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { NAMES } from "../../bench/measure-table.ts";
import { hasProgram } from "../../tools/programs.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const missing = ["wrk", "nginx", "taskset"].filter((program) => !hasProgram(program));

interface Printed {
  readonly table: readonly Readonly<Record<string, string | number>>[];
  readonly verdict: { readonly marks: readonly { readonly mark: string; readonly met?: boolean }[] };
}

describe("the bench", () => {
  it.skipIf(missing.length > 0)(
    `gets an answer to every call from every system${missing.length > 0 ? ` (left out: no ${missing.join(", ")})` : ""}`,
    () => {
      const run = spawnSync(process.execPath, ["bench/run.ts", "--quick", "--json"], { cwd: ROOT, encoding: "utf8", timeout: 250_000 });
      expect(run.stdout, run.stderr).not.toBe("");
      const { table, verdict } = JSON.parse(run.stdout) as Printed;
      // The peers are another matter: they would have to be downloaded.
      expect(table.map((row) => row["system"])).toEqual(Object.values(NAMES));
      for (const row of table) {
        expect(row, String(row["system"])).toMatchObject({ errors: 0 });
        const carried = ["calls/s at 1", "at 16", "at 64"].reduce((sum, column) => sum + Number(row[column]), 0);
        expect(carried, String(row["system"])).toBeGreaterThan(0);
      }
      // Both entries of each call: those that were cut off at the end of a sample have theirs too.
      const recorded = table.filter((row) => row["entries/call"] !== "–");
      expect(recorded.map((row) => row["system"])).toEqual([NAMES.process, NAMES.disk, NAMES.stdio]);
      for (const row of recorded) expect(Number(row["entries/call"]), String(row["system"])).toBeGreaterThanOrEqual(1.99);
      expect(verdict.marks.length).toBeGreaterThanOrEqual(8);
    },
    300_000,
  );
});
