/**
 * One text for one JSON value: keys in code-point order, numbers as exact decimals, texts untouched. Two values have
 * the same canonical text exactly when they are equal as JSON values, so it serves for equality and for digests.
 */
import { canonicalDecimal, decimalOf } from "./decimal.ts";
import { type Json, JsonNumber, type JsonObject } from "./json.ts";

/** Order of two texts by code points (not by UTF-16 units, which differ beyond the basic plane). */
export function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) {
      const aHigh = a >= 0xd800 && a <= 0xdfff;
      const bHigh = b >= 0xd800 && b <= 0xdfff;
      if (aHigh !== bHigh) return aHigh ? 1 : -1;
      return a - b;
    }
  }
  return left.length - right.length;
}

export function printCanonicalJson(value: Json): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "number":
      return Number.isSafeInteger(value) ? (value === 0 ? "0" : String(value)) : printNumber(value);
    default:
      if (value === null) return "null";
      if (value instanceof JsonNumber) return printNumber(value);
      if (Array.isArray(value)) return `[${value.map(printCanonicalJson).join(",")}]`;
      return printObject(value as JsonObject);
  }
}

function printObject(value: JsonObject): string {
  const keys = Object.keys(value);
  if (keys.length > 1) keys.sort(compareCodePoints);
  let text = "";
  for (const key of keys) text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${printCanonicalJson(value[key] as Json)}`;
  return `{${text}}`;
}

function printNumber(value: number | JsonNumber): string {
  const decimal = decimalOf(value);
  return decimal === undefined ? String(value) : canonicalDecimal(decimal);
}
