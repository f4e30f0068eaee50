/**
 * The operators of conditions that compare values as they are; those that read a text as something (hosts, paths, SQL)
 * live in `operators/` and are joined here. Compiles an operator and its value into one judge of one found value.
 */
import { printCanonicalJson } from "../kernel/canonical-json.ts";
import { canonicalDecimal, compareDecimals, type Decimal, decimalOf, isIntegral } from "../kernel/decimal.ts";
import { isJsonList, isJsonNumber, isJsonObject, type Json, jsonTypeOf } from "../kernel/json.ts";
import type { Operator } from "./document.ts";
import { readExactNumber } from "./exact-number.ts";
import { compilePattern } from "./operators/pattern.ts";
import { compileTextOperator } from "./operators/registry.ts";
import type { OperatorFault } from "./operators/text-operator.ts";
import { MISSING, TRUE, type Truth, truthOf, turn, WRONG } from "./truth.ts";

/**
 * Judges what stands at a path; undefined: nothing does. `every` says how the parts of one text count together.
 */
export type JudgeValue = (value: Json | undefined, every: boolean) => Truth;

export type CompiledOperator = { readonly judge: JudgeValue } | { readonly faults: readonly OperatorFault[] };

const OPPOSITES = new Map<Operator, Operator>([
  ["neq", "eq"],
  ["not_in", "in"],
  ["not_regex", "regex"],
  ["not_contains", "contains"],
]);

/** The operator that an operator is the opposite of; undefined for those that are none. */
export function oppositeOf(op: Operator): Operator | undefined {
  return OPPOSITES.get(op);
}

/** Compiles an operator with its value. The faults' pointers are relative to the condition. */
export function compileOperator(op: Operator, value: Json, allow?: Json): CompiledOperator {
  switch (op) {
    case "neq":
    case "not_in":
    case "not_regex":
    case "not_contains": {
      const opposite = compileOperator(OPPOSITES.get(op) as Operator, value);
      if ("faults" in opposite) return opposite;
      const { judge } = opposite;
      return { judge: (found, every) => turn(judge(found, every)) };
    }
    case "eq":
      return judgePresent(compileEqual(value));
    case "in":
      return isJsonList(value) ? judgePresent(compileMember(value)) : fault("`in` and `not_in` take a list.");
    case "lt":
    case "lte":
    case "gt":
    case "gte":
      return compileOrder(op, value);
    case "regex":
      return compileRegex(value);
    case "contains":
      return judgePresent(compileContains(value));
    case "starts_with":
    case "ends_with": {
      if (typeof value !== "string") return fault(`\`${op}\` takes a text.`);
      if (op === "starts_with") return judgeText((text) => text.startsWith(value));
      return judgeText((text) => text.endsWith(value));
    }
    case "exists":
      if (typeof value !== "boolean") return fault("`exists` takes true or false.");
      return { judge: (found) => truthOf((found !== undefined && found !== null) === value) };
    case "length_lte":
    case "length_gte":
      return compileLength(op, value);
    default:
      return compileText(op, value, allow);
  }
}

function fault(message: string): CompiledOperator {
  return { faults: [{ pointer: "/value", message }] };
}

function judgePresent(judge: (value: Json) => Truth): CompiledOperator {
  return { judge: (found) => (found === undefined ? MISSING : judge(found)) };
}

function judgeText(holds: (text: string) => boolean): CompiledOperator {
  return judgePresent((found) => (typeof found === "string" ? truthOf(holds(found)) : WRONG));
}

function compileEqual(value: Json): (found: Json) => Truth {
  if (value === null || typeof value === "string" || typeof value === "boolean") return (found) => truthOf(found === value);
  const type = jsonTypeOf(value);
  const text = printCanonicalJson(value);
  return (found) => truthOf(jsonTypeOf(found) === type && printCanonicalJson(found) === text);
}

function compileMember(values: readonly Json[]): (found: Json) => Truth {
  const texts = new Set(values.filter((value) => typeof value === "string"));
  const others = new Set(values.filter((value) => typeof value !== "string").map(printCanonicalJson));
  return (found) => truthOf(typeof found === "string" ? texts.has(found) : others.size > 0 && others.has(printCanonicalJson(found)));
}

const HOLDS_ORDER = {
  lt: (order: number) => order < 0,
  lte: (order: number) => order <= 0,
  gt: (order: number) => order > 0,
  gte: (order: number) => order >= 0,
} as const;

function compileOrder(op: "lt" | "lte" | "gt" | "gte", value: Json): CompiledOperator {
  const bound = readExactNumber(value);
  if (!bound) return fault(`\`${op}\` takes a number, or a decimal number in a text.`);
  const holds = HOLDS_ORDER[op];
  // Two safe whole numbers compare as doubles exactly; everything else digit by digit.
  const whole = typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
  return judgePresent((found) => {
    if (!isJsonNumber(found)) return WRONG;
    if (whole !== undefined && typeof found === "number" && Number.isSafeInteger(found)) return truthOf(holds(found - whole));
    const decimal: Decimal | undefined = decimalOf(found);
    return decimal === undefined ? WRONG : truthOf(holds(compareDecimals(decimal, bound)));
  });
}

function compileRegex(value: Json): CompiledOperator {
  if (typeof value !== "string") return fault("`regex` and `not_regex` take a pattern in a text.");
  const pattern = compilePattern(value);
  if ("fault" in pattern) return fault(pattern.fault);
  return judgeText((text) => pattern.find(text));
}

function compileContains(value: Json): (found: Json) => Truth {
  const isEqual = compileEqual(value);
  return (found) => {
    if (typeof found === "string") return typeof value === "string" ? truthOf(found.includes(value)) : WRONG;
    if (!isJsonList(found)) return WRONG;
    return truthOf(found.some((element) => isEqual(element) === TRUE));
  };
}

function compileLength(op: "length_lte" | "length_gte", value: Json): CompiledOperator {
  const bound = isJsonNumber(value) ? decimalOf(value) : undefined;
  if (!bound || !isIntegral(bound)) return fault(`\`${op}\` takes a whole number.`);
  // No length comes near the largest safe integer, so that a rounded bound compares as the exact one does.
  const count = Number(canonicalDecimal(bound));
  return judgePresent((found) => {
    const length = lengthOf(found);
    return length === undefined ? WRONG : truthOf(op === "length_lte" ? length <= count : length >= count);
  });
}

function lengthOf(value: Json): number | undefined {
  if (typeof value === "string") {
    let length = value.length;
    for (let at = 0; at < value.length; at++) if ((value.charCodeAt(at) & 0xfc00) === 0xd800) length--;
    return length;
  }
  if (isJsonList(value)) return value.length;
  return isJsonObject(value) ? Object.keys(value).length : undefined;
}

function compileText(op: Operator, value: Json, allow: Json | undefined): CompiledOperator {
  const compiled = compileTextOperator(op, value, allow);
  if ("faults" in compiled) return compiled;
  const { operator } = compiled;
  return {
    judge: (found, every) => {
      if (found === undefined) return MISSING;
      const parts = typeof found === "string" ? operator.judge(found) : undefined;
      // A text of no parts at all would say nothing that could be judged.
      if (parts === undefined || parts.length === 0) return WRONG;
      return truthOf(every ? parts.every(Boolean) : parts.some(Boolean));
    },
  };
}
