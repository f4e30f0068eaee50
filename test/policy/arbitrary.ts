/** Arbitrary documents, calls and conditions over a small world, in which rules and calls often meet. */
import * as fc from "fast-check";
import { type Json, JsonNumber } from "../../src/kernel/json.ts";
import { TOOL_CLASSES, type ToolCall, type ToolFacts } from "../../src/policy/decision.ts";

export const NAMES = ["get_a", "get_b", "put_a", "wipe", "a*"] as const;

const number: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(0, 1, 2, 0.1, -1),
  fc.constantFrom("1.0", "-0", "2e0", "0.10", "9007199254740993", "0.0000000001").map((text) => new JsonNumber(text)),
);
const scalar: fc.Arbitrary<Json> = fc.oneof(number, fc.constantFrom<Json>("", "a", "ab", "1", null, true, false));

/** Values as they stand in arguments and in conditions. */
export const value: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 3, arbitrary: scalar },
    { weight: 1, arbitrary: fc.array(tie("value"), { maxLength: 3 }) },
    { weight: 1, arbitrary: object(tie("value")) },
  ),
})).value;

function object(member: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  return fc
    .dictionary(fc.constantFrom("a", "b", "c d"), member, { maxKeys: 3 })
    .map((entries) => Object.assign(Object.create(null), entries) as Json);
}

export const args: fc.Arbitrary<Json> = object(value);

export type Step = string | number | "[*]";

/** A condition with its path taken apart, for whoever reads it in another way. */
export type Plain =
  | { readonly steps: readonly Step[]; readonly op: string; readonly value: Json; readonly missing: boolean }
  | { readonly any: readonly Plain[] }
  | { readonly not: Plain };

const steps = fc.array(fc.oneof(fc.constantFrom<Step>("a", "b", "c d"), fc.constantFrom<Step>(0, 1, "[*]")), { maxLength: 3 });

const operand: fc.Arbitrary<{ op: string; value: Json }> = fc.oneof(
  fc.record({ op: fc.constantFrom("eq", "neq", "contains", "not_contains"), value }),
  fc.record({ op: fc.constantFrom("in", "not_in"), value: fc.array(value, { maxLength: 3 }) }),
  fc.record({ op: fc.constantFrom("lt", "lte", "gt", "gte"), value: fc.oneof(number, fc.constantFrom<Json>("1", "0.1")) }),
  fc.record({ op: fc.constantFrom("starts_with", "ends_with"), value: fc.constantFrom<Json>("", "a") }),
  fc.record({ op: fc.constantFrom("regex", "not_regex"), value: fc.constantFrom<Json>("^a", "b$") }),
  fc.record({ op: fc.constant("exists"), value: fc.boolean() as fc.Arbitrary<Json> }),
  fc.record({ op: fc.constantFrom("length_lte", "length_gte"), value: fc.constantFrom<Json>(0, 1, 2) }),
);

export function plain(allowsMissing: boolean): fc.Arbitrary<Plain> {
  return fc.letrec<{ condition: Plain }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      {
        weight: 4,
        arbitrary: fc
          .tuple(steps, operand, fc.boolean())
          .map(([path, right, missing]): Plain => ({ steps: path, ...right, missing: missing && allowsMissing })),
      },
      { weight: 1, arbitrary: fc.array(tie("condition"), { minLength: 1, maxLength: 3 }).map((any): Plain => ({ any })) },
      { weight: 1, arbitrary: tie("condition").map((not): Plain => ({ not })) },
    ),
  })).condition;
}

/** The condition as a document says it. */
export function writeCondition(condition: Plain): Json {
  if ("any" in condition) return { any: condition.any.map(writeCondition) };
  if ("not" in condition) return { not: writeCondition(condition.not) };
  const path = condition.steps.map((step) =>
    typeof step === "number" ? `[${step}]` : step === "[*]" ? step : /^\w+$/.test(step) ? `.${step}` : `["${step}"]`,
  );
  const written = { path: `args${path.join("")}`, op: condition.op, value: condition.value };
  return condition.missing ? { ...written, missing: "match" } : written;
}

const sentence = fc.constantFrom("No.", "Not today.");

export function rule(list: "require" | "deny_if" | "approve_if"): fc.Arbitrary<Json> {
  const conditions = fc.array(plain(list !== "require").map(writeCondition), { minLength: list === "require" ? 1 : 0, maxLength: 2 });
  return fc.record({ conditions, name: fc.constant("n"), on_deny: sentence }, { requiredKeys: ["conditions"] }) as fc.Arbitrary<Json>;
}

/** Without `counter`, so that limits never disagree. */
export const limit: fc.Arbitrary<Json> = fc.record(
  {
    window: fc.constantFrom<Json>("minute", "hour", 60, "90m"),
    max: fc.constantFrom<Json>(1, "2.5", new JsonNumber("1e2")),
    scope: fc.constantFrom("grant", "session", "identity", "server", "organisation"),
    add: fc.constantFrom("args.a", 'args["b"]'),
    per: fc.constantFrom("args.b", "args.a"),
    durable: fc.boolean(),
    count: fc.constantFrom("attempts", "successes"),
  },
  { requiredKeys: ["window", "max"] },
) as fc.Arbitrary<Json>;

const approval = fc.record(
  {
    quorum: fc.constantFrom(1, 2),
    expires: fc.constantFrom<Json>("1h", 60),
    hold: fc.constantFrom<Json>("0s", 10),
    approvers: fc.constant(["role:admin"]),
  },
  { requiredKeys: [] },
);

const shared = {
  require: fc.array(rule("require"), { maxLength: 2 }),
  deny_if: fc.array(rule("deny_if"), { maxLength: 2 }),
  approve_if: fc.array(rule("approve_if"), { maxLength: 1 }),
  limits: fc.array(limit, { maxLength: 2 }),
  approval,
};

const entry = fc.record(
  {
    ...shared,
    action: fc.constantFrom("allow", "allow", "deny", "require_approval"),
    reason: sentence,
    rate_limit: fc.record({ max: fc.constantFrom(1, 2), window: fc.constantFrom<Json>("minute", 10) }),
    validate: fc.record(
      {
        required_args: fc.subarray(["a", "b"]),
        unknown_args: fc.constantFrom("allow", "deny"),
        schema: fc.constantFrom<Json>({}, { maxProperties: 2 }),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

export const selector: fc.Arbitrary<string> = fc.constantFrom(
  "get_a",
  "get_*",
  "*_a",
  "put_a",
  "*",
  "**",
  "a\\*",
  "a*",
  "@read",
  "@destructive",
  "w*p*",
);
const uri = fc.constantFrom("docs://*", "docs://a", "*", "docs://*/b", "\\*");
const block = fc.record(
  { default: fc.constantFrom("allow", "deny"), allow: fc.uniqueArray(uri), deny: fc.uniqueArray(uri), hide: fc.uniqueArray(uri) },
  { requiredKeys: [] },
);

/** A document as a value, valid by construction. */
export const documentValue: fc.Arbitrary<Json> = fc.record(
  {
    version: fc.constant("1"),
    default: fc.constantFrom("allow", "deny"),
    $schema: fc.constant("https://example.com/s.json"),
    description: sentence,
    timezone: fc.constantFrom("UTC", "Asia/Kolkata"),
    hide: fc.uniqueArray(selector, { maxLength: 1 }),
    all_tools: fc.record(shared, { requiredKeys: [] }),
    tools: fc.dictionary(selector, entry, { maxKeys: 5 }),
    resources: block,
    prompts: block,
  },
  { requiredKeys: ["version", "default", "tools"] },
) as fc.Arbitrary<Json>;

const facts: fc.Arbitrary<ToolFacts | null | undefined> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      name: fc.constant(""),
      class: fc.constantFrom(undefined, ...TOOL_CLASSES),
      quarantined: fc.constantFrom(false, false, false, true),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom(null, undefined) },
);

export const toolCall: fc.Arbitrary<ToolCall> = fc
  .record({ name: fc.constantFrom(...NAMES), args, tool: facts })
  .map((call) => (call.tool ? { ...call, tool: { ...call.tool, name: call.name } } : call));
