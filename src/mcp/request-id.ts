/**
 * Ids of JSON-RPC requests and progress tokens: a bounded text or an integer in the safe range. The spelling is kept,
 * so that an id is echoed as it came (`1.0`, `"\u0061"`); two spellings of one value are still the same id.
 */
import { compareDecimals, decimalOf, isIntegral, parseDecimal } from "../kernel/decimal.ts";
import { type Json, JsonNumber } from "../kernel/json.ts";

export const MAX_ID_CHARACTERS = 256;

export interface MessageId {
  /** The id as it was written, in JSON. */
  readonly raw: string;
  readonly value: string | number;
}

const MAX_SAFE = parseDecimal(String(Number.MAX_SAFE_INTEGER));
const MIN_SAFE = parseDecimal(String(Number.MIN_SAFE_INTEGER));

/** The id of a value and its spelling; undefined where the value may not be one. */
export function readId(value: Json | undefined, raw: string): MessageId | undefined {
  if (raw.length > MAX_ID_CHARACTERS * 6 + 2) return undefined;
  if (typeof value === "string") return value.length <= MAX_ID_CHARACTERS ? { raw, value } : undefined;
  if (typeof value === "number") return Number.isSafeInteger(value) ? { raw, value } : undefined;
  if (!(value instanceof JsonNumber) || !MAX_SAFE || !MIN_SAFE) return undefined;
  const decimal = decimalOf(value);
  if (!decimal || !isIntegral(decimal)) return undefined;
  if (compareDecimals(decimal, MAX_SAFE) > 0 || compareDecimals(decimal, MIN_SAFE) < 0) return undefined;
  // `-0` and `0` are one id.
  return { raw, value: Number(value.text) + 0 };
}

/** An id of our own making. */
export function createMessageId(value: string | number): MessageId {
  return { raw: JSON.stringify(value), value };
}

/** One text for each id, with its type: the number 1 and the text "1" are two. For maps of what is in flight. */
export function keyOfId(id: { readonly value: string | number }): string {
  return typeof id.value === "number" ? `n${id.value}` : `t${id.value}`;
}
