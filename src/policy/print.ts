/**
 * A document as JSON text: the language's keys in the language's order, selectors and free values in code-point order,
 * so that equal documents have one text. Parsing it gives the document again. Its hash names a revision.
 */
import { createHash } from "node:crypto";
import { compareCodePoints, printCanonicalJson } from "../kernel/canonical-json.ts";
import { isJsonList, isJsonObject, type Json, type JsonObject, printJson } from "../kernel/json.ts";
import type { PolicyDocument } from "./document.ts";

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

/** Prints a document for people and for storage, with a line break at its end. */
export function printPolicy(document: PolicyDocument): string {
  return `${printValue(document as unknown as Json, "", "language")}\n`;
}

/** SHA-256, in hex, of the document's canonical JSON: one for all spellings and orders of keys of one document. */
export function hashPolicy(document: PolicyDocument): string {
  return createHash("sha256")
    .update(printCanonicalJson(document as unknown as Json))
    .digest("hex");
}

type Keys = "language" | "selectors" | "free";

function printValue(value: Json, indent: string, keys: Keys): string {
  if (!isJsonList(value) && !isJsonObject(value)) return printJson(value);
  const deeper = `${indent}  `;
  if (isJsonList(value))
    return joinParts(
      "[",
      value.map((element) => printValue(element, deeper, keys)),
      "]",
      indent,
    );
  const parts = sortKeys(value, keys).map((key) => {
    const below: Keys = keys === "free" || FREE_KEYS.has(key) ? "free" : keys === "language" && key === "tools" ? "selectors" : "language";
    return `${JSON.stringify(key)}: ${printValue(value[key] as Json, deeper, keys === "selectors" ? "language" : below)}`;
  });
  return joinParts("{", parts, "}", indent);
}

function joinParts(open: string, parts: readonly string[], close: string, indent: string): string {
  if (parts.length === 0) return open + close;
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
