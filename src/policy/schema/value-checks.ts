/** The keywords for values of any type: `type`, `enum`, `const`. Equality is that of JSON values, numbers exactly. */
import { printCanonicalJson } from "../../kernel/canonical-json.ts";
import { decimalOf, isIntegral } from "../../kernel/decimal.ts";
import { isJsonList, type Json, JsonNumber } from "../../kernel/json.ts";
import type { Site } from "./node.ts";
import type { Check } from "./run.ts";

const BITS: Readonly<Record<string, number>> = { null: 1, boolean: 2, number: 4, string: 8, array: 16, object: 32, integer: 64 };
const NOUNS: Readonly<Record<string, string>> = {
  null: "null",
  boolean: "a boolean",
  number: "a number",
  string: "a string",
  array: "an array",
  object: "an object",
  integer: "an integer",
};

function bitOf(value: Json): number {
  switch (typeof value) {
    case "string":
      return 8;
    case "number":
      return 4;
    case "boolean":
      return 2;
    default:
      if (value === null) return 1;
      if (Array.isArray(value)) return 16;
      return value instanceof JsonNumber ? 4 : 32;
  }
}

/** Whether a value is a whole number, however it is spelled: `1.0` and `1e2` are. */
export function isWhole(value: Json): boolean {
  if (typeof value === "number") return Number.isInteger(value);
  if (!(value instanceof JsonNumber)) return false;
  const decimal = decimalOf(value);
  return decimal !== undefined && isIntegral(decimal);
}

/** `a`, `a or b`, `a, b or c`. */
export function joinOr(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function buildType(type: Json, checks: Check[]): void {
  const names = (isJsonList(type) ? type : [type]) as readonly string[];
  const mask = names.reduce((bits, name) => bits | (BITS[name] as number), 0);
  const takesWhole = (mask & 64) !== 0;
  const nouns = names.map((name) => NOUNS[name] as string);
  const wanted = `has to be ${joinOr(nouns)}`;
  checks.push((value, run) => (bitOf(value) & mask) !== 0 || (takesWhole && isWhole(value)) || run.fail(wanted, nouns));
}

/** A test of membership whose cost does not grow with the list. */
function createMembership(values: readonly Json[]): Check {
  const texts = new Set<string>();
  const others = new Set<string>();
  let composite = false;
  for (const value of values) {
    if (typeof value === "string") texts.add(value);
    else others.add(printCanonicalJson(value));
    composite ||= (bitOf(value) & 48) !== 0;
  }
  return (value, run) => {
    if (typeof value === "string") return texts.has(value);
    if ((bitOf(value) & 48) !== 0) {
      if (!composite) return false;
      run.spendOnWhole(value);
    }
    return others.has(printCanonicalJson(value));
  };
}

export function buildValueChecks(site: Site, checks: Check[]): void {
  const type = site.read("type");
  if (type !== undefined) buildType(type, checks);
  const list = site.read("enum");
  if (list !== undefined) {
    const isListed = createMembership(list as readonly Json[]);
    checks.push((value, run, seen) => isListed(value, run, seen) || run.fail("has to be one of the values that its schema lists"));
  }
  const fixed = site.read("const");
  if (fixed !== undefined) {
    const isFixed = createMembership([fixed]);
    checks.push((value, run, seen) => isFixed(value, run, seen) || run.fail("has to be the one value that its schema names"));
  }
}
