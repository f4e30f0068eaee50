/** The bench runs: every system answers every call without an error. What it measures is not judged here. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { hasProgram } from "../../tools/programs.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const missing = ["wrk", "nginx", "taskset"].filter((program) => !hasProgram(program));

interface Printed {
  readonly table: readonly { readonly system: string; readonly errors: number; readonly "calls/s": number }[];
}

describe("the bench", () => {
  it.skipIf(missing.length > 0)(
    `gets an answer to every call from every system${missing.length > 0 ? ` (left out: no ${missing.join(", ")})` : ""}`,
    () => {
      const run = spawnSync(process.execPath, ["bench/run.ts", "--rounds", "1", "--seconds", "1", "--json"], {
        cwd: ROOT,
        encoding: "utf8",
        env: { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` },
        timeout: 150_000,
      });
      const printed = JSON.parse(run.stdout) as Printed;
      expect(printed.table.map((row) => row.system)).toEqual([
        "no gateway",
        "nginx proxy_pass",
        "raw relay",
        "raw relay again (A/A)",
        "sallyport",
      ]);
      for (const row of printed.table) {
        expect(row.errors).toBe(0);
        expect(row["calls/s"]).toBeGreaterThan(0);
      }
    },
    180_000,
  );
});
