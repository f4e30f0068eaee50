/**
 * Exact decimals. Comparison works on digit strings, so that no spelling of a JSON number is ever rounded; amounts are
 * whole numbers of billionths (bigint), with up to nine places.
 */
import { JsonNumber } from "./json.ts";

export const AMOUNT_PLACES = 9;
const AMOUNT_SCALE = 10n ** BigInt(AMOUNT_PLACES);
/** Amounts beyond this many whole digits are refused: no currency or counter has them, and sums stay small. */
export const MAX_AMOUNT_WHOLE_DIGITS = 30;
/** Beyond these bounds a number is not compared at all. JSON's doubles end at an exponent of 308. */
const MAX_DIGITS = 1100;
const MAX_EXPONENT = 2200;

/** sign · 0.digits · 10^exponent; `digits` has no zeros at either end and is empty for zero. */
export interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

const SPELLING = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,6}))?$/;

/** Parses a decimal by JSON's grammar (leading zeros aside); undefined where it is none or beyond the bounds. */
export function parseDecimal(spelling: string): Decimal | undefined {
  const match = SPELLING.exec(spelling);
  if (!match) return undefined;
  const [, sign, whole, fraction = "", exponentText = "0"] = match as unknown as [string, string, string, string?, string?];
  const all = whole + fraction;
  let first = 0;
  while (first < all.length && all.charCodeAt(first) === 48) first++;
  let end = all.length;
  while (end > first && all.charCodeAt(end - 1) === 48) end--;
  const digits = all.slice(first, end);
  if (digits === "") return { negative: false, digits: "", exponent: 0 };
  const exponent = whole.length - first + Number(exponentText);
  if (digits.length > MAX_DIGITS || Math.abs(exponent) > MAX_EXPONENT) return undefined;
  return { negative: sign === "-", digits, exponent };
}

/** -1, 0 or 1. */
export function compareDecimals(left: Decimal, right: Decimal): -1 | 0 | 1 {
  const leftSign = left.digits === "" ? 0 : left.negative ? -1 : 1;
  const rightSign = right.digits === "" ? 0 : right.negative ? -1 : 1;
  if (leftSign !== rightSign) return leftSign < rightSign ? -1 : 1;
  if (leftSign === 0) return 0;
  let order: number;
  if (left.exponent !== right.exponent) order = left.exponent < right.exponent ? -1 : 1;
  else order = left.digits === right.digits ? 0 : left.digits < right.digits ? -1 : 1;
  return (order * leftSign || 0) as -1 | 0 | 1;
}

/** The exact decimal of a judged JSON number; undefined beyond the bounds. */
export function decimalOf(value: number | JsonNumber): Decimal | undefined {
  return parseDecimal(value instanceof JsonNumber ? value.text : String(value));
}

/** One spelling for each value: plain digits, no exponent, no trailing zeros, `-0` as `0`. For digests and equality. */
export function canonicalDecimal(value: Decimal): string {
  const { digits, exponent } = value;
  if (digits === "") return "0";
  const sign = value.negative ? "-" : "";
  if (exponent <= 0) return `${sign}0.${"0".repeat(-exponent)}${digits}`;
  if (exponent >= digits.length) return sign + digits + "0".repeat(exponent - digits.length);
  return `${sign}${digits.slice(0, exponent)}.${digits.slice(exponent)}`;
}

export function isIntegral(value: Decimal): boolean {
  return value.exponent >= value.digits.length;
}

/** Billionths of a decimal; undefined where it has more than nine places or too many digits. Never rounds. */
export function scaleAmount(value: Decimal): bigint | undefined {
  if (value.digits === "") return 0n;
  const places = value.digits.length - value.exponent;
  if (places > AMOUNT_PLACES || value.exponent > MAX_AMOUNT_WHOLE_DIGITS) return undefined;
  const scaled = BigInt(value.digits) * 10n ** BigInt(AMOUNT_PLACES - places);
  return value.negative ? -scaled : scaled;
}

/** Whole units of an amount, for a count of calls. */
export function amountOfCount(count: number): bigint {
  return BigInt(count) * AMOUNT_SCALE;
}

/** Billionths, printed as a plain decimal. */
export function printAmount(scaled: bigint): string {
  if (scaled % AMOUNT_SCALE === 0n) return String(scaled / AMOUNT_SCALE);
  const negative = scaled < 0n;
  const text = String(negative ? -scaled : scaled).padStart(AMOUNT_PLACES + 1, "0");
  const fraction = text.slice(-AMOUNT_PLACES).replace(/0+$/, "");
  return `${negative ? "-" : ""}${text.slice(0, -AMOUNT_PLACES)}${fraction === "" ? "" : `.${fraction}`}`;
}
