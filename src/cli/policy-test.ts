/** `sallyport policy test`: runs policy test files and says what is not as expected. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import type { Failure } from "../kernel/failure.ts";
import { isJsonObject, printJson, toJson } from "../kernel/json.ts";
import { scanDocument } from "../policy/read-document.ts";
import { describeError } from "./policy-check.ts";
import { readTextFile } from "./policy-files.ts";
import { type CommandContext, EXIT_NO, EXIT_USAGE, tellFailures } from "./run-cli.ts";
import { type CaseResult, describeOutcome, type FileRun, runPolicyTestFile } from "./run-policy-tests.ts";

export interface TestFlags {
  readonly json?: boolean;
}

const TEST_FILE_NAME = /\.policy-test\.(?:ya?ml|json)$/;
const DOCUMENT_NAME = /\.(?:ya?ml|json)$/i;

export async function testPolicies({ ports, exit }: CommandContext, files: readonly string[], flags: TestFlags): Promise<void> {
  const { terminal } = ports;
  const failures: Failure[] = [];
  const runs: FileRun[] = [];
  for (const file of await listTestFiles(files)) {
    const skipped = await findReasonToSkip(file);
    if (skipped !== undefined) {
      terminal.err(`${file}: left out, ${skipped}.\n`);
      continue;
    }
    const run = await runPolicyTestFile(file, readTextFile);
    if (run.ok) runs.push(run.value);
    else failures.push(...run.failures);
    if (!flags.json && run.ok) terminal.out(printRun(run.value));
  }
  if (runs.length === 0 && failures.length === 0) {
    failures.push({ code: "usage", message: "None of these is a policy test file.", hint: "Their names end in `.policy-test.yaml`." });
  }
  const results = runs.flatMap((run) => run.results);
  const failed = results.filter((result) => !result.ok).length;
  tellFailures(ports, failures);
  if (flags.json) terminal.out(`${printReport(results, failed, failures)}\n`);
  else if (runs.length > 0) terminal.out(`${results.length - failed} passed, ${failed} failed\n`);
  if (failures.length > 0) exit(EXIT_USAGE);
  else if (failed > 0) exit(EXIT_NO);
}

/** A folder stands for the test files in it. */
async function listTestFiles(files: readonly string[]): Promise<string[]> {
  const listed = await Promise.all(
    files.map(async (file) => {
      const entries = await readdir(file, { recursive: true }).catch(() => undefined);
      if (entries === undefined) return [file];
      const tests = entries.filter((entry) => TEST_FILE_NAME.test(entry) && !entry.split(path.sep).includes("node_modules"));
      return tests.sort().map((entry) => path.join(file, entry));
    }),
  );
  return listed.flat();
}

/** A shell's `*` names what lies beside the tests too: pages, and the policies themselves. */
async function findReasonToSkip(file: string): Promise<string | undefined> {
  if (TEST_FILE_NAME.test(file)) return undefined;
  if (!DOCUMENT_NAME.test(file)) {
    const read = await readTextFile(file);
    return read.ok && path.extname(file) !== "" ? "it is neither YAML nor JSON" : undefined;
  }
  const text = await readTextFile(file);
  const value = text.ok ? scanDocument(text.value, { file }).value : undefined;
  const isPolicy = isJsonObject(value) && "version" in value && !("cases" in value) && !("invalid" in value);
  return isPolicy ? "it is a policy" : undefined;
}

function printRun({ file, results }: FileRun): string {
  const failed = results.filter((result) => !result.ok);
  const count = `${results.length} ${results.length === 1 ? "case" : "cases"}`;
  return `${failed.length === 0 ? "ok  " : "FAIL"}  ${file}  ${count}\n${failed.map(printFailedCase).join("")}`;
}

function printFailedCase({ name, line, expected, actual }: CaseResult): string {
  return `      ${line === undefined ? "" : `line ${line}: `}${name}\n        expected  ${describeOutcome(expected)}\n        actual    ${describeOutcome(actual)}\n`;
}

function printReport(results: readonly CaseResult[], failed: number, failures: readonly Failure[]): string {
  const cases = results.map(({ file, name, ok, expected, actual }) => ({ name, ok, expected, actual, file }));
  const errors = failures.length === 0 ? {} : { errors: failures.map(describeError) };
  return printJson(toJson({ passed: results.length - failed, failed, cases, ...errors }));
}
