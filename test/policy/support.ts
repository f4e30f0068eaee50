/** Short ways to a compiled policy, a call and its decision, for the tests of this room. */
import { formatFailure, type Result } from "../../src/kernel/failure.ts";
import { type Json, type JsonObject, toJson } from "../../src/kernel/json.ts";
import { compilePolicy, type PlannedPolicy } from "../../src/policy/compile.ts";
import type { CallContext, Decision, ToolCall, ToolFacts } from "../../src/policy/decision.ts";
import type { PolicyDocument } from "../../src/policy/document.ts";
import { readPolicy } from "../../src/policy/parse.ts";

/** 2026-01-05, a Monday, 09:00 UTC. */
export const MONDAY_MS: number = Date.UTC(2026, 0, 5, 9);

export const CONTEXT: CallContext = {
  grant: { label: "desk-1", identity: "dana@example.com", tags: { team: "support" } },
  session: { id: "s1" },
  client: { name: "probe", version: "1.0" },
  server: { name: "shop" },
  nowMs: MONDAY_MS,
};

export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.failures.map(formatFailure).join("\n"));
  return result.value;
}

/** A document from its members beside `version`; `default` is deny unless said. */
export function read(members: Record<string, unknown>): PolicyDocument {
  return unwrap(readPolicy(toJson({ version: "1", default: "deny", ...members })));
}

export function compile(members: Record<string, unknown>): PlannedPolicy {
  return compilePolicy(read(members));
}

/** The pointers of the errors of a document, sorted. */
export function faultsOf(members: Record<string, unknown>): string[] {
  return pointersOf(readPolicy(toJson({ version: "1", default: "deny", ...members })));
}

export function pointersOf(result: Result<unknown>): string[] {
  return result.ok ? [] : result.failures.map((failure) => failure.at?.pointer ?? "(none)").toSorted();
}

export function call(name: string, args: unknown = {}, tool?: ToolFacts | null): ToolCall {
  return { name, args: toJson(args), tool };
}

/** `allow`, `ask <rule>`, or `<code> <rule>`. */
export function brief(decision: Decision): string {
  if (decision.decision === "deny") return `${decision.code} ${decision.rule}`;
  return decision.approval ? `ask ${decision.approval.rule}` : "allow";
}

/** How one rule of the tool `x` judges these arguments, in brief. */
export function judge(
  list: "require" | "deny_if" | "approve_if",
  conditions: unknown[],
  args: unknown,
  context: CallContext = CONTEXT,
): string {
  const policy = compile({ tools: { x: { [list]: [{ conditions }] } } });
  return brief(policy.decideCall(call("x", args), context));
}

/** Whether a condition holds under `require`, and whether it matches under `deny_if`. */
export function judgeBoth(condition: unknown, args: unknown): { readonly met: boolean; readonly matched: boolean } {
  return {
    met: judge("require", [condition], args) === "allow",
    matched: judge("deny_if", [condition], args) !== "allow",
  };
}

/** Objects of JSON with their keys the other way round, all the way down. */
export function reverseKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map(reverseKeys);
  if (typeof value !== "object" || value === null || !("constructor" in value || Object.getPrototypeOf(value) === null)) return value;
  if (Object.getPrototypeOf(value) !== null) return value;
  const object = value as JsonObject;
  const reversed = Object.create(null) as Record<string, Json>;
  for (const key of Object.keys(object).reverse()) reversed[key] = reverseKeys(object[key] as Json);
  return reversed;
}
