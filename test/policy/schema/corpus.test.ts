/** Schemas of real tools, where they are at hand beside the checkout: nearly all are usable, and every reason is known. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isJsonObject } from "../../../src/kernel/json.ts";
import { compileInputSchema } from "../../../src/policy/schema/input-schema.ts";
import { readJson } from "./read.ts";

const FILE = join(import.meta.dirname, "../../../../shared/data/tools-corpus.jsonl");

test.runIf(existsSync(FILE))("real schemas are read", () => {
  const reasons: string[] = [];
  const told: string[] = [];
  let usable = 0;
  let findings = 0;
  for (const line of readFileSync(FILE, "utf8").split("\n")) {
    if (!line.includes('"inputSchema"')) continue;
    const row = readJson(line);
    const schema = isJsonObject(row) ? row["inputSchema"] : undefined;
    if (schema === undefined) continue;
    const prepared = compileInputSchema(schema);
    if ("unusable" in prepared) reasons.push(prepared.unusable);
    else {
      usable++;
      findings += prepared.findings.length;
      told.push(prepared.schema.check({ no_such_argument_here: Number.MAX_SAFE_INTEGER }) ?? "");
    }
  }
  expect(usable).toBeGreaterThan(7000);
  expect(findings).toBe(0);
  expect(told.filter((sentence) => sentence.includes(String(Number.MAX_SAFE_INTEGER)))).toEqual([]);
  expect(told.filter((sentence) => sentence !== "").length).toBeGreaterThan(usable / 2);
  // Members that are no schemas, references to nowhere, and types that are none.
  expect(reasons.filter((reason) => !/^a schema has to be|leads nowhere|^`type` has to be/.test(reason))).toEqual([]);
  expect(reasons.length).toBeLessThan(usable / 500);
});
