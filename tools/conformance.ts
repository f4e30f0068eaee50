/**
 * `npm run conformance`: the published conformance suite through a real gateway, as a table; `--json` for programs,
 * `--only TEXT` for rows whose name holds it, `--write` to put the table into docs/conformance.md. Ends with 1 where
 * something that passes without the gateway does not pass through it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { fillPage, printTable } from "../test/conformance/report.ts";
import { isGood, listRows, nameClientRows, REVISIONS, type RowReport, runAlone, runClients, runPairing } from "../test/conformance/run.ts";
import type { Revision, ScenarioResult } from "../test/conformance/suite.ts";

const PAGE = path.resolve(import.meta.dirname, "../docs/conformance.md");
const { values } = parseArgs({ options: { only: { type: "string" }, json: { type: "boolean" }, write: { type: "boolean" } } });

if (values.write && values.only !== undefined) throw new Error("--write needs every row: leave out --only");

const alone = new Map<Revision, Promise<ScenarioResult[]>>();
const rows: RowReport[] = [];
const tell = (words: string): void => void process.stderr.write(`${words}\n`);

function add(report: RowReport): void {
  rows.push(report);
  tell(`${isGood(report) ? "good" : "NOT GOOD"}  ${report.name}: ${report.through} of ${report.scored}`);
  for (const loss of report.losses) tell(`  lost: ${loss}`);
  for (const loss of report.stale) tell(`  no longer lost, take it out of known-losses.json: ${loss}`);
}

for (const pairing of listRows(values.only)) {
  const { requirement } = pairing;
  const first = alone.get(requirement) ?? runAlone(requirement);
  alone.set(requirement, first);
  add(await runPairing(pairing, await first));
}
for (const revision of REVISIONS) {
  const isWanted = (name: string): boolean => name.includes(values.only ?? "");
  if (!nameClientRows(revision).some(isWanted)) continue;
  for (const row of await runClients(revision)) if (isWanted(row.name)) add(row);
}

if (rows.length === 0) tell("No row has a name that holds this.");
process.stdout.write(values.json ? `${JSON.stringify(rows, null, 2)}\n` : printTable(rows));
if (values.write) writeFileSync(PAGE, fillPage(readFileSync(PAGE, "utf8"), printTable(rows)));
process.exitCode = rows.length > 0 && rows.every(isGood) ? 0 : 1;
