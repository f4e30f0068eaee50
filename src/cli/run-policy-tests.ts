/**
 * Runs policy test files: reads each with the policy that it names, asks its cases in order, and holds every answer
 * against what is expected. A file that can't be run is a failure, not a failed case.
 */
import path from "node:path";
import { classifyDefinition } from "../catalog/classify-definition.ts";
import { type Failure, fail, type Result, succeed } from "../kernel/failure.ts";
import { printJson, toJson } from "../kernel/json.ts";
import { compilePolicy, type PlannedPolicy } from "../policy/compile.ts";
import { loadOperators } from "../policy/operators/registry.ts";
import { parsePolicy, readPolicy } from "../policy/parse.ts";
import { parseTestFile } from "../policy/test-file/read-test-file.ts";
import {
  type Expectation,
  type InvalidCase,
  TEST_CLOCK_START_MS,
  type TestCase,
  type TestFile,
  type TestGrant,
} from "../policy/test-file/test-file.ts";
import { type Answer, PolicyBench } from "./policy-bench.ts";

/** A file's text, or why it can't be had. */
export type ReadText = (file: string) => Promise<Result<string>>;

export interface CaseResult {
  readonly file: string;
  readonly line: number | undefined;
  readonly name: string;
  readonly ok: boolean;
  readonly expected: unknown;
  readonly actual: unknown;
}

export interface FileRun {
  readonly file: string;
  readonly results: readonly CaseResult[];
}

export async function runPolicyTestFile(file: string, readText: ReadText): Promise<Result<FileRun>> {
  await loadOperators();
  const text = await readText(file);
  if (!text.ok) return text;
  const parsed = parseTestFile(text.value, { file, classify: classifyDefinition });
  if (!parsed.ok) return parsed;
  const policy = await loadPolicy(parsed.value, file, readText);
  if (!policy.ok) return policy;
  const results = policy.value === undefined ? [] : await runCases(file, parsed.value, policy.value);
  return succeed({ file, results: [...results, ...parsed.value.invalid.map((invalid) => runInvalid(file, invalid))] });
}

async function loadPolicy({ policy }: TestFile, file: string, readText: ReadText): Promise<Result<PlannedPolicy | undefined>> {
  if (policy === undefined) return succeed(undefined);
  if ("document" in policy) return succeed(compilePolicy(policy.document));
  const named = path.resolve(path.dirname(file), policy.path);
  const text = await readText(named);
  if (!text.ok)
    return fail(
      ...text.failures.map(
        (failure): Failure => ({
          ...failure,
          message: `\`${policy.path}\`: ${failure.message}`,
          at: policy.at,
        }),
      ),
    );
  const shown = path.join(path.dirname(file), policy.path);
  const parsed = parsePolicy(text.value, { file: path.isAbsolute(policy.path) ? named : shown });
  return parsed.ok ? succeed(compilePolicy(parsed.value)) : parsed;
}

async function runCases(file: string, test: TestFile, policy: PlannedPolicy): Promise<CaseResult[]> {
  const bench = new PolicyBench(policy, test.tools);
  const results: CaseResult[] = [];
  let nowMs = TEST_CLOCK_START_MS;
  for (const one of test.cases) {
    nowMs = one.atMs ?? nowMs;
    const { ok, actual } = await runCase(bench, one, test, nowMs);
    results.push({ file, line: one.at.line, name: one.name, ok, expected: one.expect.written, actual });
  }
  return results;
}

/** Every repetition is asked, whatever came of the one before; the first that is not as expected is told. */
async function runCase(bench: PolicyBench, one: TestCase, test: TestFile, nowMs: number): Promise<{ ok: boolean; actual: Answer }> {
  const asking = {
    subject: one.subject,
    grant: mergeGrants(test.grant, one.grant),
    session: one.session ?? test.session,
    nowMs,
    outcome: one.outcome,
    approved: one.approved,
  };
  let told: { ok: boolean; actual: Answer } | undefined;
  for (let count = 0; count < one.repeat; count++) {
    const actual = await bench.ask(asking);
    if (told?.ok === false) continue;
    told = { ok: await meets(actual, one.expect, bench), actual };
  }
  return told as { ok: boolean; actual: Answer };
}

function mergeGrants(file: TestGrant, one: TestGrant): TestGrant {
  return { ...file, ...one };
}

async function meets(actual: Answer, expect: Expectation, bench: PolicyBench): Promise<boolean> {
  for (const key of ["decision", "code", "rule", "message", "cause"] as const) {
    if (expect[key] !== undefined && expect[key] !== actual[key]) return false;
  }
  const { retryAfterMs: wanted } = expect;
  const told = actual.retryAfterMs;
  if (wanted === undefined) return true;
  if (wanted === false || told === undefined) return wanted === false && told === undefined;
  return wanted === true ? await bench.isRightWait(told) : told >= wanted.min && told <= wanted.max;
}

function runInvalid(file: string, { name, document, pointers, at }: InvalidCase): CaseResult {
  const read = typeof document === "string" ? parsePolicy(document) : readPolicy(document);
  const found = new Set(read.ok ? [] : read.failures.map((failure) => failure.at?.pointer ?? ""));
  const ok = !read.ok && pointers.every((pointer) => found.has(pointer));
  const actual = { decision: read.ok ? "accepted" : "refused", pointers: [...found] };
  return { file, line: at.line, name, ok, expected: { decision: "refused", pointers }, actual };
}

/** One line of what was expected or came of it. */
export function describeOutcome(outcome: unknown): string {
  return printJson(toJson(outcome));
}
