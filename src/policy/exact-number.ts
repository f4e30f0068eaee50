/** Exact numbers of a document: JSON numbers and decimals in texts. Read the same way wherever they stand. */
import { type Decimal, decimalOf, parseDecimal, scaleAmount } from "../kernel/decimal.ts";
import { isJsonNumber, type Json } from "../kernel/json.ts";

const DECIMAL_TEXT = /^-?(?:0|[1-9][0-9]{0,1000})(?:\.[0-9]{1,1000})?(?:[eE][-+]?[0-9]{1,4})?$/;

/** The decimal of a number or of a decimal text; undefined where the value is neither. */
export function readExactNumber(value: Json): Decimal | undefined {
  if (isJsonNumber(value)) return decimalOf(value);
  return typeof value === "string" && DECIMAL_TEXT.test(value) ? parseDecimal(value) : undefined;
}

/** Billionths of a `max`: above zero, at most nine places; undefined where it is none. */
export function readMax(value: Json): bigint | undefined {
  const decimal = readExactNumber(value);
  const scaled = decimal === undefined ? undefined : scaleAmount(decimal);
  return scaled === undefined || scaled <= 0n ? undefined : scaled;
}
