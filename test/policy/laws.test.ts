import * as fc from "fast-check";
import { expect, test } from "vitest";
import { printCanonicalJson } from "../../src/kernel/canonical-json.ts";
import { compareDecimals, type Decimal, decimalOf, parseDecimal } from "../../src/kernel/decimal.ts";
import { type Json, JsonNumber, type JsonObject, toJson } from "../../src/kernel/json.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import type { Decision } from "../../src/policy/decision.ts";
import { explainCall } from "../../src/policy/explain.ts";
import { lintPolicy } from "../../src/policy/lint.ts";
import { parsePolicy, readPolicy } from "../../src/policy/parse.ts";
import { hashPolicy, printPolicy } from "../../src/policy/print.ts";
import { args, documentValue, limit, type Plain, plain, rule, selector, toolCall, writeCondition } from "./arbitrary.ts";
import { CONTEXT, call, compile, reverseKeys, unwrap } from "./support.ts";

type Three = "true" | "false" | "missing" | "wrong";
const MARK = Symbol("wrong");

/** Conditions read once more, straight from the contract's sentences, with none of the room's code. */
function judgePlainly(condition: Plain, found: Json, every: boolean): Three {
  if ("any" in condition) return joinAny(condition.any.map((part) => judgePlainly(part, found, every)));
  if ("not" in condition) {
    const inner = judgePlainly(condition.not, found, !every);
    return inner === "true" ? "false" : inner === "false" ? "true" : inner;
  }
  const parts = followPlainly(found, condition.steps).map((part): Three => {
    const truth = comparePlainly(condition.op, condition.value, part);
    return truth === "missing" && condition.missing ? "wrong" : truth;
  });
  return every ? joinEvery(parts) : joinAny(parts);
}

function joinAny(parts: readonly Three[]): Three {
  return (["true", "wrong", "missing"] as const).find((truth) => parts.includes(truth)) ?? "false";
}

function joinEvery(parts: readonly Three[]): Three {
  return (["false", "wrong", "missing"] as const).find((truth) => parts.includes(truth)) ?? "true";
}

type Part = Json | undefined | typeof MARK;

function followPlainly(start: Json, path: readonly (string | number)[]): Part[] {
  let parts: Part[] = [start];
  for (const step of path) {
    parts = parts.flatMap((part): Part[] => {
      if (part === undefined || part === null) return [undefined];
      if (part === MARK || part instanceof JsonNumber || typeof part !== "object") return [MARK];
      if (Array.isArray(part)) return step === "[*]" ? (part as Json[]) : typeof step === "number" ? [part[step]] : [MARK];
      return step === "[*]" || typeof step === "number" ? [MARK] : [(part as JsonObject)[step]];
    });
  }
  return parts;
}

function comparePlainly(op: string, value: Json, found: Part): Three {
  if (found === MARK) return "wrong";
  const say = (holds: boolean): Three => (holds ? "true" : "false");
  if (op === "exists") return say((found !== undefined && found !== null) === value);
  if (found === undefined) return "missing";
  const flip: Record<string, string> = { neq: "eq", not_in: "in", not_regex: "regex", not_contains: "contains" };
  const opposite = flip[op];
  if (opposite !== undefined) {
    const truth = comparePlainly(opposite, value, found);
    return truth === "true" ? "false" : truth === "false" ? "true" : truth;
  }
  const equals = (left: Json, right: Json) => printCanonicalJson(left) === printCanonicalJson(right);
  const isNumber = typeof found === "number" || found instanceof JsonNumber;
  switch (op) {
    case "eq":
      return say(equals(found, value));
    case "in":
      return say((value as Json[]).some((each) => equals(found, each)));
    case "lt":
    case "lte":
    case "gt":
    case "gte": {
      if (!isNumber) return "wrong";
      const bound = (typeof value === "string" ? parseDecimal(value) : decimalOf(value as number | JsonNumber)) as Decimal;
      const order = compareDecimals(decimalOf(found as number | JsonNumber) as Decimal, bound);
      return say({ lt: order < 0, lte: order <= 0, gt: order > 0, gte: order >= 0 }[op]);
    }
    case "contains":
      if (Array.isArray(found)) return say((found as Json[]).some((each) => equals(each, value)));
      return typeof found === "string" && typeof value === "string" ? say(found.includes(value)) : "wrong";
    case "length_lte":
    case "length_gte": {
      if (found === null || isNumber || typeof found === "boolean") return "wrong";
      const length = typeof found === "string" ? [...found].length : Object.keys(found).length;
      return say(op === "length_lte" ? length <= (value as number) : length >= (value as number));
    }
    default: {
      if (typeof found !== "string") return "wrong";
      const text = value as string;
      return say(
        op === "starts_with" ? found.startsWith(text) : op === "ends_with" ? found.endsWith(text) : new RegExp(text, "u").test(found),
      );
    }
  }
}

test("conditions mean what the plain reading says they mean", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(plain(true), { minLength: 1, maxLength: 2 }),
      fc.array(args, { minLength: 1, maxLength: 4 }),
      (isRequire, conditions, calls) => {
        const list = isRequire ? "require" : "deny_if";
        const judged = isRequire ? conditions.map(dropMissing) : conditions;
        const policy = compile({ tools: { x: { [list]: [{ conditions: judged.map(writeCondition) }] } } });
        for (const found of calls) {
          const truth = joinEvery(judged.map((condition) => judgePlainly(condition, found, isRequire)));
          const decision = policy.decideCall({ name: "x", args: found, tool: undefined }, CONTEXT);
          const passes = isRequire ? truth === "true" : truth === "false" || truth === "missing";
          const cause = { true: undefined, false: undefined, missing: "missing", wrong: "wrong_type" }[truth];
          expect([decision.decision, "cause" in decision ? decision.cause : undefined]).toEqual(
            passes ? ["permit", undefined] : ["deny", cause],
          );
          seen.set(truth, (seen.get(truth) ?? 0) + 1);
        }
      },
    ),
    { numRuns: 300 },
  );
  // Every truth was met.
  for (const truth of ["true", "false", "missing", "wrong"]) expect(seen.get(truth) ?? 0).toBeGreaterThan(0);
});

function dropMissing(condition: Plain): Plain {
  if ("any" in condition) return { any: condition.any.map(dropMissing) };
  return "not" in condition ? { not: dropMissing(condition.not) } : { ...condition, missing: false };
}

/** A decision as text, for comparing. */
function show(decision: Decision): string {
  return JSON.stringify(decision, (_key, member: unknown) => (typeof member === "bigint" ? `${member}n` : member));
}

test("every valid document parses, compiles, and decides without an error", () => {
  const codes = new Set<string>();
  fc.assert(
    fc.property(documentValue, fc.array(toolCall, { minLength: 1, maxLength: 6 }), (value, calls) => {
      const policy = compilePolicy(unwrap(readPolicy(toJson(value))));
      lintPolicy(policy.plan.document, [{ name: "get_a", class: "read" }]);
      for (const each of calls) {
        const decision = policy.decideCall(each, CONTEXT);
        codes.add(decision.decision === "deny" ? decision.code : decision.approval ? "ask" : "permit");
        expect(decision).not.toMatchObject({ code: "unavailable" });
        expect(show(policy.decideCall(each, CONTEXT))).toBe(show(decision));
        expect(show(explainCall(policy, each, CONTEXT).decision)).toBe(show(decision));
      }
    }),
    { numRuns: 120 },
  );
  expect([...codes].toSorted()).toEqual(["ask", "denied", "invalid_arguments", "not_allowed", "permit", "quarantined", "unknown_tool"]);
});

test("parsing what was printed gives the document again, whatever the order of its keys", () => {
  fc.assert(
    fc.property(documentValue, (value) => {
      const document = unwrap(readPolicy(toJson(value)));
      const text = printPolicy(document);
      expect(unwrap(parsePolicy(text))).toEqual(document);
      expect(printPolicy(unwrap(parsePolicy(text)))).toBe(text);
      const reversed = unwrap(readPolicy(reverseKeys(toJson(value))));
      expect(printPolicy(reversed)).toBe(text);
      expect(hashPolicy(reversed)).toBe(hashPolicy(document));
      expect(unwrap(parsePolicy(text, { format: "yaml" }))).toEqual(document);
    }),
    { numRuns: 40 },
  );
});

test("the order of keys never matters to a decision, a list or a count", () => {
  fc.assert(
    fc.property(documentValue, fc.array(toolCall, { minLength: 1, maxLength: 6 }), (value, calls) => {
      const one = compilePolicy(unwrap(readPolicy(toJson(value))));
      const other = compilePolicy(unwrap(readPolicy(reverseKeys(toJson(value)))));
      for (const each of calls) {
        const turned = { ...each, args: reverseKeys(each.args) };
        expect(show(other.decideCall(turned, CONTEXT))).toBe(show(one.decideCall(each, CONTEXT)));
        const tool = each.tool ?? { name: each.name };
        expect(other.decideVisibility(tool)).toBe(one.decideVisibility(tool));
      }
      expect(other.limits.map(({ key }) => key).toSorted()).toEqual(one.limits.map(({ key }) => key).toSorted());
      for (const uri of ["docs://a", "docs://x/b", "*"]) expect(other.decideResource(uri)).toEqual(one.decideResource(uri));
    }),
    { numRuns: 100 },
  );
});

/** 0 denied, 1 asks, 2 allowed. */
function rank(decision: Decision): number {
  return decision.decision === "deny" ? 0 : decision.approval ? 1 : 2;
}

test("a deny_if, a require or a limit more on an entry that stands, or a hide more, never allows more", () => {
  const addition = fc.oneof(
    fc.record({ list: fc.constantFrom("require"), value: rule("require"), first: fc.boolean() }),
    fc.record({ list: fc.constantFrom("deny_if"), value: rule("deny_if"), first: fc.boolean() }),
    fc.record({ list: fc.constantFrom("limits"), value: limit, first: fc.constant(false) }),
    fc.record({ list: fc.constantFrom("hide"), value: selector as fc.Arbitrary<Json>, first: fc.boolean() }),
  );
  let stricter = 0;
  fc.assert(
    fc.property(
      documentValue,
      addition,
      fc.nat(),
      fc.array(toolCall, { minLength: 1, maxLength: 6 }),
      (value, { list, value: added, first }, at, calls) => {
        const base = toJson(value) as Record<string, Json>;
        const more = toJson(value) as Record<string, Json>;
        const places = [...(base.all_tools ? ["all_tools"] : []), ...Object.keys(base.tools as JsonObject)];
        const place = list === "hide" ? undefined : places[at % Math.max(1, places.length)];
        if (list !== "hide" && place === undefined) return;
        const owner = (
          place === undefined ? more : place === "all_tools" && more.all_tools ? more.all_tools : (more.tools as JsonObject)[place]
        ) as Record<string, Json>;
        const before = (owner[list] ?? []) as Json[];
        if (list === "hide" && before.includes(added)) return;
        owner[list] = first ? [added, ...before] : [...before, added];
        const one = compilePolicy(unwrap(readPolicy(base)));
        const other = compilePolicy(unwrap(readPolicy(more)));
        for (const each of calls) {
          const was = one.decideCall(each, CONTEXT);
          const is = other.decideCall(each, CONTEXT);
          expect(rank(is)).toBeLessThanOrEqual(rank(was));
          if (rank(is) < rank(was)) stricter++;
          const tool = each.tool ?? { name: each.name };
          expect([one, other].map((policy) => policy.decideVisibility(tool))).not.toEqual(["left_out", "shown"]);
          if (is.decision !== "permit" || was.decision !== "permit") continue;
          // Every count that was charged is charged still, with the same amount and the same max.
          const charges = (decision: typeof is) =>
            decision.charges.map(({ limit: spec, amount, per, refused }) =>
              [spec.key, String(spec.max), String(amount), per, refused].join(),
            );
          expect(charges(is)).toEqual(expect.arrayContaining(charges(was)));
        }
      },
    ),
    { numRuns: 120 },
  );
  expect(stricter).toBeGreaterThan(0);
});

test("list and call agree: what is left out can't be called, what may be called is shown", () => {
  fc.assert(
    fc.property(documentValue, fc.array(toolCall, { minLength: 1, maxLength: 6 }), (value, calls) => {
      const policy = compilePolicy(unwrap(readPolicy(toJson(value))));
      for (const each of calls) {
        if (!each.tool) continue;
        const decision = policy.decideCall(each, CONTEXT);
        const isShown = policy.decideVisibility(each.tool) === "shown";
        expect(isShown).toBe(decision.decision === "permit" || ["denied", "invalid_arguments"].includes(decision.code));
      }
    }),
    { numRuns: 100 },
  );
});

test("under one default, hidden, unknown and not selected can't be told apart", () => {
  const told = (members: Record<string, unknown>, tool: null | { name: string }) => {
    const { rule: _, ...rest } = compile(members).decideCall({ ...call("x"), tool }, CONTEXT) as { rule: string };
    return JSON.stringify(rest);
  };
  for (const effect of ["allow", "deny"]) {
    const hidden = told({ default: effect, hide: ["x"] }, { name: "x" });
    expect(told({ default: effect, hide: ["x"] }, null)).toBe(hidden);
    expect(told({ default: effect, tools: { x: {} } }, null)).toBe(hidden);
    expect(told({ default: effect }, null)).toBe(hidden);
  }
  expect(told({ default: "deny" }, { name: "x" })).toBe(told({ default: "deny" }, null));
});
