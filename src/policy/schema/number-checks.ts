/** The keywords for numbers. All of them compare exact decimals; doubles are only used where they can't be wrong. */
import { compareDecimals, type Decimal, decimalOf } from "../../kernel/decimal.ts";
import { isJsonNumber, type JsonNumber, printJson } from "../../kernel/json.ts";
import type { Site } from "./node.ts";
import type { Check } from "./run.ts";

const MAX_SHOWN_CHARACTERS = 32;
const DIGITS_PER_STEP = 16;

function show(value: number | JsonNumber): string {
  const text = printJson(value);
  return text.length > MAX_SHOWN_CHARACTERS ? "the number in its schema" : text;
}

function createBound(bound: number | JsonNumber, admits: (order: number) => boolean, words: string): Check {
  const exact = decimalOf(bound) as Decimal;
  const wanted = `has to be ${words} ${show(bound)}`;
  return (value, run) => {
    if (!isJsonNumber(value)) return true;
    // Two doubles that print as they were written are in the order of what was written.
    if (typeof value === "number" && typeof bound === "number") {
      return admits(value < bound ? -1 : value > bound ? 1 : 0) || run.fail(wanted);
    }
    run.spend(1);
    const decimal = decimalOf(value);
    return (decimal !== undefined && admits(compareDecimals(decimal, exact))) || run.fail(wanted);
  };
}

/** Whether one decimal is a whole multiple of another, by whole numbers of their common unit. */
function isMultiple(value: Decimal, divisor: Decimal): boolean {
  if (value.digits === "") return true;
  const valueUnit = value.exponent - value.digits.length;
  const divisorUnit = divisor.exponent - divisor.digits.length;
  const unit = Math.min(valueUnit, divisorUnit);
  const whole = BigInt(value.digits) * 10n ** BigInt(valueUnit - unit);
  return whole % (BigInt(divisor.digits) * 10n ** BigInt(divisorUnit - unit)) === 0n;
}

function createMultipleOf(divisor: number | JsonNumber): Check {
  const exact = decimalOf(divisor) as Decimal;
  const whole = Number.isSafeInteger(divisor) ? (divisor as number) : undefined;
  const wanted = `has to be a multiple of ${show(divisor)}`;
  return (value, run) => {
    if (!isJsonNumber(value)) return true;
    if (whole !== undefined && Number.isSafeInteger(value)) return (value as number) % whole === 0 || run.fail(wanted);
    const decimal = decimalOf(value);
    if (decimal === undefined) return run.fail(wanted);
    const spread = Math.abs(decimal.exponent - exact.exponent) + decimal.digits.length + exact.digits.length;
    run.spend(1 + Math.floor(spread / DIGITS_PER_STEP));
    return isMultiple(decimal, exact) || run.fail(wanted);
  };
}

export function buildNumberChecks(site: Site, checks: Check[]): void {
  const bound = (keyword: string, admits: (order: number) => boolean, words: string): void => {
    const limit = site.read(keyword);
    if (limit !== undefined && isJsonNumber(limit)) checks.push(createBound(limit, admits, words));
  };
  // In draft-04 the exclusive bounds are flags that sharpen the others.
  if (site.read("exclusiveMinimum") === true) bound("minimum", (order) => order > 0, "above");
  else bound("minimum", (order) => order >= 0, "at least");
  if (site.read("exclusiveMaximum") === true) bound("maximum", (order) => order < 0, "below");
  else bound("maximum", (order) => order <= 0, "at most");
  bound("exclusiveMinimum", (order) => order > 0, "above");
  bound("exclusiveMaximum", (order) => order < 0, "below");
  const divisor = site.read("multipleOf");
  if (divisor !== undefined) checks.push(createMultipleOf(divisor as number | JsonNumber));
}
