/** The page of all attacks is as it is written, each claim from a run of the policy's test. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { printAttacksPage } from "../../../tools/docs/print-attacks.ts";

it("docs/reference/attacks.md is as it is written", async () => {
  const page = readFileSync(path.resolve(import.meta.dirname, "../../../docs/reference/attacks.md"), "utf8");
  expect(page, "run `node tools/write-reference.ts`").toBe(await printAttacksPage());
});
