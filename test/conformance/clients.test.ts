/** The suite's client scenarios: its own servers behind a gateway, a client of the SDK or a person with a browser before it. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { printRow, readTable } from "./report.ts";
import { isGood, nameClientRows, REVISIONS, runClients } from "./run.ts";
import { RUN_TIMEOUT_MS } from "./suite.ts";

const PAGE = readFileSync(path.resolve(import.meta.dirname, "../../docs/conformance.md"), "utf8");

it.each(REVISIONS)(
  "servers of %s see nothing wrong, and let the gateway in",
  async (revision) => {
    const rows = await runClients(revision);
    expect(rows.map(({ name }) => name)).toEqual(nameClientRows(revision));
    for (const report of rows) {
      expect(report.losses).toEqual([]);
      expect(report.stale, "known-losses.json names what is not lost any more").toEqual([]);
      expect(report.through).toBe(report.scored);
      expect(isGood(report)).toBe(true);
      expect(readTable(PAGE), "run `npm run conformance -- --write`").toContain(printRow(report));
    }
  },
  RUN_TIMEOUT_MS * 2,
);
