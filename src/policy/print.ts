/**
 * A document as JSON text: the language's keys in the language's order, selectors and free values in code-point order,
 * so that equal documents have one text. Parsing it gives the document again. Its hash names a revision.
 */
import { createHash } from "node:crypto";
import { compareCodePoints, printCanonicalJson } from "../kernel/canonical-json.ts";
import { isJsonList, isJsonObject, type Json, type JsonObject, printJson } from "../kernel/json.ts";
import type { PolicyDocument } from "./document.ts";
import { MAX_DOCUMENT_DEPTH, MAX_JSON_CHARACTERS } from "./read-document.ts";

/** The language's keys, in the order in which they are printed wherever they stand as keys of the language. */
const KEY_ORDER: readonly string[] = [
  "$schema",
  "version",
  "default",
  "description",
  "timezone",
  "hide",
  "all_tools",
  "tools",
  "resources",
  "prompts",
  "action",
  "reason",
  "name",
  "path",
  "op",
  "value",
  "missing",
  "require",
  "deny_if",
  "approve_if",
  "any",
  "not",
  "conditions",
  "on_deny",
  "counter",
  "window",
  "max",
  "scope",
  "add",
  "per",
  "align",
  "count",
  "durable",
  "limits",
  "rate_limit",
  "quorum",
  "expires",
  "hold",
  "approvers",
  "approval",
  "required_args",
  "unknown_args",
  "schema",
  "validate",
  "allow",
  "deny",
];
const PLACE_OF_KEY: ReadonlyMap<string, number> = new Map(KEY_ORDER.map((key, place) => [key, place]));
/** Keys below which the language has no keys: values, schemas, and the selectors of `tools`. */
const FREE_KEYS = new Set(["value", "schema"]);
const INLINE_CHARACTERS = 100;
/** Compact characters of a document up to which it is printed with indents. */
const MAX_INDENTED_CHARACTERS: number = 512 * 1024;

/** Prints a document for people and for storage, with a line break at its end; without blanks where they would make it long. */
export function printPolicy(document: PolicyDocument): string {
  const value = document as unknown as Json;
  const text = isShorter(value, MAX_INDENTED_CHARACTERS) ? printValue(value, "", "language") : undefined;
  return `${text !== undefined && text.length < MAX_JSON_CHARACTERS ? text : printValue(value, undefined, "language")}\n`;
}

/** Whether a value's compact JSON is shorter than so many characters, and no deeper than a document may be. */
export function isShorter(value: Json, characters: number): boolean {
  return measure(value, characters, 0) > 0;
}

/** What is left of `room` after the value's compact JSON; zero or less: it does not fit. */
function measure(value: Json, room: number, depth: number): number {
  if (room <= 0 || (typeof value === "string" && value.length >= room)) return 0;
  if (!isJsonList(value) && !isJsonObject(value)) return room - printJson(value).length;
  if (depth >= MAX_DOCUMENT_DEPTH) return 0;
  let left = room - 2;
  if (isJsonList(value)) {
    for (const element of value) left = measure(element, left - 1, depth + 1);
  } else {
    for (const [key, member] of Object.entries(value)) left = measure(member, measure(key, left - 2, depth), depth + 1);
  }
  return left;
}

/** SHA-256, in hex, of the document's canonical JSON: one for all spellings and orders of keys of one document. */
export function hashPolicy(document: PolicyDocument): string {
  return createHash("sha256")
    .update(printCanonicalJson(document as unknown as Json))
    .digest("hex");
}

type Keys = "language" | "selectors" | "free";

/** `indent` undefined: compact. */
function printValue(value: Json, indent: string | undefined, keys: Keys): string {
  if (!isJsonList(value) && !isJsonObject(value)) return printJson(value);
  const deeper = indent === undefined ? undefined : `${indent}  `;
  if (isJsonList(value)) {
    const parts = value.map((element) => printValue(element, deeper, keys));
    return joinParts("[", parts, "]", indent);
  }
  const colon = indent === undefined ? ":" : ": ";
  const parts = sortKeys(value, keys).map((key) => {
    const printed = printValue(value[key] as Json, deeper, keysBelow(keys, key));
    return JSON.stringify(key) + colon + printed;
  });
  return joinParts("{", parts, "}", indent);
}

function keysBelow(keys: Keys, key: string): Keys {
  if (keys === "selectors") return "language";
  if (keys === "free" || FREE_KEYS.has(key)) return "free";
  return key === "tools" ? "selectors" : "language";
}

function joinParts(open: string, parts: readonly string[], close: string, indent: string | undefined): string {
  if (parts.length === 0 || indent === undefined) return open + parts.join(",") + close;
  const inline = parts.join(", ");
  const blank = open === "{" ? " " : "";
  if (indent.length + inline.length <= INLINE_CHARACTERS && !inline.includes("\n")) return `${open}${blank}${inline}${blank}${close}`;
  return `${open}\n${parts.map((part) => `${indent}  ${part}`).join(",\n")}\n${indent}${close}`;
}

function sortKeys(object: JsonObject, keys: Keys): string[] {
  const names = Object.keys(object);
  if (keys !== "language") return names.sort(compareCodePoints);
  return names.sort((left, right) => (PLACE_OF_KEY.get(left) ?? 0) - (PLACE_OF_KEY.get(right) ?? 0));
}
