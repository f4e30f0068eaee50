/**
 * Judges recorded calls under a policy, as `policy test` does: the same decision, limits and clock. Each task is a client of
 * its own with nothing counted yet, its calls a second apart, no one approved.
 */
import { classifyDefinition } from "../../src/catalog/classify-definition.ts";
import { joinSuggestions, type SuggestedPolicy, suggestForTool } from "../../src/catalog/suggest-policy.ts";
import { PolicyBench } from "../../src/cli/policy-bench.ts";
import { toJson } from "../../src/kernel/json.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import type { ToolFacts } from "../../src/policy/decision.ts";
import { Inspector } from "../../src/policy/inspector.ts";
import { readPolicy } from "../../src/policy/parse.ts";
import { readTools } from "../../src/policy/test-file/read-tools.ts";
import type { TestDecision } from "../../src/policy/test-file/test-file.ts";
import type { Suite, Task } from "./read-suites.ts";

const START_MS: number = Date.UTC(2026, 0, 5, 9);
const BETWEEN_CALLS_MS = 1_000;

export interface JudgedCall {
  readonly tool: string;
  readonly decision: TestDecision;
  readonly code: string | undefined;
  readonly rule: string | undefined;
  /** Only reads, by the classifier's word. */
  readonly isRead: boolean;
}

export interface JudgedTask {
  readonly id: string;
  readonly calls: readonly JudgedCall[];
}

/** The policy that the product suggests for a suite's tools, as `policy suggest` prints it. */
export const suggestForSuite = ({ tools }: Pick<Suite, "tools">): SuggestedPolicy =>
  joinSuggestions(tools.map((tool) => suggestForTool(tool)));

export type Judge = (task: Task) => Promise<JudgedTask>;

/** Throws where the policy is no policy: a suggestion that the language refuses would be a bug. */
export function createJudge(policy: SuggestedPolicy, tools: Suite["tools"]): Judge {
  const read = readPolicy(toJson(policy));
  if (!read.ok) throw new Error(JSON.stringify(read.failures));
  const compiled = compilePolicy(read.value);
  const facts = readFacts(tools);
  return async (task) => {
    const bench = new PolicyBench(compiled, facts);
    const calls: JudgedCall[] = [];
    for (const [index, { tool, args }] of task.calls.entries()) {
      const { decision, code, rule } = await bench.ask({
        subject: { kind: "call", name: tool, args },
        grant: { label: "agent", identity: "agent@example.com" },
        session: "one",
        nowMs: START_MS + index * BETWEEN_CALLS_MS,
        outcome: "ok",
        approved: false,
      });
      calls.push({ tool, decision, code, rule, isRead: facts.get(tool)?.class === "read" });
    }
    return { id: task.id, calls };
  };
}

function readFacts(tools: Suite["tools"]): ReadonlyMap<string, ToolFacts> {
  const inspector = new Inspector(() => ({}));
  const facts = readTools(inspector, toJson(tools), "", { strict: false, classify: classifyDefinition });
  if (!facts || inspector.failures.length > 0) throw new Error(JSON.stringify(inspector.failures));
  return facts;
}

export interface Tally {
  readonly attacks: number;
  /** A call at least was denied. */
  readonly denied: number;
  /** None was denied, and one at least waits for a person. */
  readonly held: number;
  /** Stopped, and none of their calls that change something passes. */
  readonly clean: number;
  readonly tasks: number;
  /** All of their calls pass by themselves. */
  readonly tasksPassed: number;
  readonly calls: number;
  readonly callsPassed: number;
  readonly callsHeld: number;
}

const NOTHING: Tally = { attacks: 0, denied: 0, held: 0, clean: 0, tasks: 0, tasksPassed: 0, calls: 0, callsPassed: 0, callsHeld: 0 };

export function tally(benign: readonly JudgedTask[], attacks: readonly JudgedTask[]): Tally {
  const has = ({ calls }: JudgedTask, decision: TestDecision): boolean => calls.some((call) => call.decision === decision);
  const isStopped = (task: JudgedTask): boolean => has(task, "deny") || has(task, "approve");
  const changes = ({ calls }: JudgedTask): boolean => calls.some(({ decision, isRead }) => decision === "allow" && !isRead);
  const calls = benign.flatMap((task) => task.calls);
  return {
    attacks: attacks.length,
    denied: attacks.filter((task) => has(task, "deny")).length,
    held: attacks.filter((task) => !has(task, "deny") && has(task, "approve")).length,
    clean: attacks.filter((task) => isStopped(task) && !changes(task)).length,
    tasks: benign.length,
    tasksPassed: benign.filter((task) => !isStopped(task)).length,
    calls: calls.length,
    callsPassed: calls.filter(({ decision }) => decision === "allow").length,
    callsHeld: calls.filter(({ decision }) => decision === "approve").length,
  };
}

export function addTallies(tallies: readonly Tally[]): Tally {
  return tallies.reduce<Tally>(
    (sum, one) => Object.fromEntries(Object.entries(sum).map(([key, value]) => [key, value + one[key as keyof Tally]])) as unknown as Tally,
    NOTHING,
  );
}
