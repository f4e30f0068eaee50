/**
 * Keywords that hold plain values, compared: is the new bound, list or type tighter, looser, neither? Each answer holds of
 * that keyword alone, whatever stands beside it. What has not the shape that its draft asks for is unclear.
 */
import { printCanonicalJson } from "../../kernel/canonical-json.ts";
import { compareDecimals, type Decimal, decimalOf } from "../../kernel/decimal.ts";
import { isJsonList, isJsonNumber, type Json } from "../../kernel/json.ts";
import type { Effect } from "./effect.ts";

type Compare = (before: Json | undefined, after: Json | undefined) => Effect;

/** Keywords that say something to people alone. */
export const WORDS: ReadonlySet<string> = new Set(["title", "description", "$comment", "examples", "deprecated"]);

/** Keywords that the gateway does not check and a server may act upon. */
export const SERVERS_OWN: ReadonlyMap<string, string> = new Map([
  ["default", "what happens where it is left out is another"],
  ["format", "a server may read it in another way"],
  ["contentEncoding", "a server may read it in another way"],
  ["contentMediaType", "a server may read it in another way"],
]);

/** Two sets: grown, shrunk, or neither; undefined where they are equal. */
export function compareSets(before: ReadonlySet<string>, after: ReadonlySet<string>): "grown" | "shrunk" | "other" | undefined {
  const gained = [...after].some((entry) => !before.has(entry));
  const lost = [...before].some((entry) => !after.has(entry));
  if (gained && lost) return "other";
  return gained ? "grown" : lost ? "shrunk" : undefined;
}

/** A keyword that constrains by being there: put in it narrows, taken away it widens. */
function presence(both: (before: Json, after: Json) => Effect): Compare {
  return (before, after) => {
    if (before === undefined) return "narrows";
    if (after === undefined) return "widens";
    return both(before, after);
  };
}

function readDecimal(value: Json): Decimal | undefined {
  return isJsonNumber(value) ? decimalOf(value) : undefined;
}

/** `raised`: what a higher value does. */
function bound(raised: "narrows" | "widens"): Compare {
  const lowered = raised === "narrows" ? "widens" : "narrows";
  return presence((before, after) => {
    // The exclusive bounds of the oldest drafts are flags that sharpen the others.
    if (typeof before === "boolean" && typeof after === "boolean") return after ? "narrows" : "widens";
    const [left, right] = [readDecimal(before), readDecimal(after)];
    if (left === undefined || right === undefined) return "unclear";
    return compareDecimals(right, left) > 0 ? raised : lowered;
  });
}

const flag: Compare = (before, after) => {
  if (![before, after].every((value) => value === undefined || typeof value === "boolean")) return "unclear";
  return after === true ? "narrows" : "widens";
};

function readTypes(value: Json): ReadonlySet<string> | undefined {
  const names = typeof value === "string" ? [value] : value;
  return isJsonList(names) && names.every((name) => typeof name === "string") ? new Set(names as readonly string[]) : undefined;
}

function isCovered(types: ReadonlySet<string>, by: ReadonlySet<string>): boolean {
  return [...types].every((name) => by.has(name) || (name === "integer" && by.has("number")));
}

const type = presence((before, after) => {
  const [left, right] = [readTypes(before), readTypes(after)];
  if (left === undefined || right === undefined) return "unclear";
  const narrower = isCovered(right, left);
  if (narrower === isCovered(left, right)) return narrower ? "rewords" : "breaks";
  return narrower ? "narrows" : "widens";
});

const listed = presence((before, after) => {
  if (!isJsonList(before) || !isJsonList(after)) return "unclear";
  const way = compareSets(new Set(before.map(printCanonicalJson)), new Set(after.map(printCanonicalJson)));
  if (way === undefined) return "rewords";
  return way === "grown" ? "widens" : way === "shrunk" ? "narrows" : "breaks";
});

/** Names that have to be there: more of them narrow. */
export const compareNames: Compare = (before = [], after = []) => {
  if (![before, after].every((value) => isJsonList(value) && value.every((name) => typeof name === "string"))) return "unclear";
  const way = compareSets(new Set(before as readonly string[]), new Set(after as readonly string[]));
  if (way === undefined) return "rewords";
  return way === "grown" ? "narrows" : way === "shrunk" ? "widens" : "breaks";
};

const divisor = presence((before, after) => {
  if (!Number.isSafeInteger(before) || !Number.isSafeInteger(after) || Number(before) <= 0 || Number(after) <= 0) return "unclear";
  if (Number(after) % Number(before) === 0) return "narrows";
  return Number(before) % Number(after) === 0 ? "widens" : "breaks";
});

export const PLAIN_KEYWORDS: ReadonlyMap<string, Compare> = new Map<string, Compare>([
  ["type", type],
  ["enum", listed],
  ["const", presence(() => "breaks")],
  ["pattern", presence(() => "unclear")],
  ["multipleOf", divisor],
  ["required", compareNames],
  ["uniqueItems", flag],
  ...["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"].map((name) => [name, bound("narrows")] as const),
  ...["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"].map(
    (name) => [name, bound("widens")] as const,
  ),
  // Left out it is one.
  ["minContains", (before, after) => bound("narrows")(before ?? 1, after ?? 1)],
]);
