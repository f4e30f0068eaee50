/** The keywords for strings: lengths in code points, patterns, and formats where they are asserted. */
import { type Json, printJson } from "../../kernel/json.ts";
import { FORMATS } from "./format.ts";
import type { Site } from "./node.ts";
import { isFound } from "./pattern.ts";
import type { Check } from "./run.ts";

/** A count of a schema as a double: those too large for one are beyond any length there is. */
export function readCount(value: Json | undefined): number | undefined {
  return value === undefined ? undefined : Number(printJson(value));
}

export function printCount(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function countCodePoints(text: string): number {
  let count = text.length;
  for (let index = 1; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0xdc00 && unit <= 0xdfff && (text.charCodeAt(index - 1) & 0xfc00) === 0xd800) count--;
  }
  return count;
}

function createMaxLength(max: number): Check {
  const wanted = `has to be at most ${printCount(max, "character", "characters")} long`;
  return (value, run) => {
    if (typeof value !== "string" || value.length <= max) return true;
    run.spendOnText(value);
    return (value.length <= 2 * max && countCodePoints(value) <= max) || run.fail(wanted);
  };
}

function createMinLength(min: number): Check {
  const wanted = min === 1 ? "can't be empty" : `has to be at least ${min} characters long`;
  return (value, run) => {
    if (typeof value !== "string" || value.length >= 2 * min) return true;
    run.spendOnText(value);
    return (value.length >= min && countCodePoints(value) >= min) || run.fail(wanted);
  };
}

export function buildTextChecks(site: Site, checks: Check[]): void {
  const max = readCount(site.read("maxLength"));
  if (max !== undefined) checks.push(createMaxLength(max));
  const min = readCount(site.read("minLength"));
  if (min !== undefined && min > 0) checks.push(createMinLength(min));
  const text = site.read("pattern");
  const pattern = text === undefined ? undefined : site.press(text as string, "pattern");
  if (pattern) {
    checks.push((value, run) => typeof value !== "string" || isFound(pattern, value, run) || run.fail("has to match its schema's pattern"));
  }
  const name = site.strict ? site.read("format") : undefined;
  const format = name === undefined ? undefined : FORMATS.get(name as string);
  if (!format) return;
  const wanted = `has to be ${format.noun}`;
  checks.push((value, run) => {
    if (typeof value !== "string") return true;
    run.spendOnText(value);
    return format.accepts(value) || run.fail(wanted);
  });
}
