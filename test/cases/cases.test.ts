/** Every policy test file of the project, through the command itself; and the examples beside the checkout, where they are. */
import { globSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { runCli } from "../../src/cli/run-cli.ts";
import { createTerminal } from "./terminal.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");

interface Report {
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly { readonly name: string; readonly ok: boolean; readonly expected: unknown; readonly actual: unknown }[];
}

async function run(file: string): Promise<Report> {
  const terminal = createTerminal();
  const code = await runCli(["policy", "test", "--json", file], terminal.ports);
  expect(terminal.err, file).toBe("");
  const report = JSON.parse(terminal.out) as Report;
  expect(code, file).toBe(report.failed === 0 ? 0 : 1);
  return report;
}

const own = [...globSync("test/cases/*.policy-test.yaml", { cwd: ROOT }), ...globSync("policies/*.policy-test.yaml", { cwd: ROOT })];
const beside = globSync("../shared/cases/*.policy-test.yaml", { cwd: ROOT });

describe("policy tests", () => {
  it("are there", () => {
    expect(own.length).toBeGreaterThan(12);
  });

  it.each([...own, ...beside].sort())("%s", async (file) => {
    const { passed, failed, cases } = await run(path.join(ROOT, file));
    expect(cases.filter(({ ok }) => !ok)).toEqual([]);
    expect(failed).toBe(0);
    expect(passed).toBeGreaterThan(0);
  });

  it("stand beside every policy that ships", () => {
    const policies = globSync("policies/*.json", { cwd: ROOT }).map((file) => path.basename(file, ".json"));
    const tested = globSync("policies/*.policy-test.yaml", { cwd: ROOT }).map((file) => path.basename(file, ".policy-test.yaml"));
    expect(policies.length).toBeGreaterThan(0);
    expect(policies.filter((name) => !tested.includes(name))).toEqual([]);
  });
});
