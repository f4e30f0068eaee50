/**
 * Holds a value against its shape and reports everything that does not fit, each at its pointer: unknown keys, missing
 * keys (at their own), wrong types, wrong values. Values are never quoted, since any of them may be a secret. Gives the
 * parts that fit, so that references can still be judged beside other errors.
 */
import { createJsonObject, isJsonList, isJsonObject, type Json, jsonTypeOf } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import type { ObjectShape, Shape, TextShape } from "./shape.ts";

/** `which`: whether the key or the value at the pointer is at fault. */
export type Report = (pointer: string, message: string, hint?: string, which?: "key" | "value") => void;

export interface ShapeContext {
  readonly report: Report;
  /** Whether a variable was read into the text at that pointer: it may then stand for a number. */
  isExpanded(pointer: string): boolean;
  /** Whether one was read into anything at or below the pointer: what is said of it then quotes nothing. */
  holdsExpanded(pointer: string): boolean;
}

/** Longest key that is quoted in full. */
const MAX_QUOTED_KEY_CHARACTERS = 64;
const MAX_SUGGESTION_DISTANCE = 2;

/** The value as far as it fits; undefined where nothing of it does. */
export function checkShape(value: Json, shape: Shape, pointer: string, context: ShapeContext): Json | undefined {
  const { report } = context;
  switch (shape.kind) {
    case "document":
      return value;
    case "text": {
      if (typeof value !== "string") return reportType(value, "a text", pointer, report);
      const fault = checkText(value, shape);
      if (fault === undefined) return value;
      report(pointer, fault);
      return undefined;
    }
    case "integer": {
      const number = typeof value === "string" && context.isExpanded(pointer) && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
      if (typeof number !== "number" || !Number.isInteger(number)) return reportType(value, "a whole number", pointer, report);
      if (number >= shape.min && number <= shape.max) return number;
      report(pointer, `This number must be ${shape.min} to ${shape.max}.`);
      return undefined;
    }
    case "list": {
      if (!isJsonList(value)) return reportType(value, "a list", pointer, report);
      if (value.length > shape.max) report(pointer, `This list may hold at most ${shape.max} entries.`);
      return value
        .slice(0, shape.max)
        .map((item, index) => checkShape(item, shape.items, `${pointer}/${index}`, context))
        .filter((item) => item !== undefined);
    }
    case "map": {
      if (!isJsonObject(value)) return reportType(value, "an object", pointer, report);
      const keys = Object.keys(value);
      if (keys.length > shape.max) report(pointer, `At most ${shape.max} entries may stand here.`);
      const object = createJsonObject();
      for (const key of keys.slice(0, shape.max)) {
        const below = `${pointer}/${escapePointer(key)}`;
        const fault = checkText(key, shape.names);
        if (fault !== undefined) report(below, `The name ${quoteKey(key)} can't be used. ${fault}`, undefined, "key");
        const member = checkShape(value[key] as Json, shape.values, below, context);
        if (member !== undefined) object[key] = member;
      }
      return object;
    }
    case "toggle":
      if (value === true) return value;
      if (!isJsonObject(value)) return reportType(value, "`true` or an object", pointer, report);
      return checkObject(value, shape.object, pointer, context);
    default:
      if (!isJsonObject(value)) return reportType(value, "an object", pointer, report);
      return checkObject(value, shape, pointer, context);
  }
}

function checkObject(value: Record<string, Json>, shape: ObjectShape, pointer: string, context: ShapeContext): Json {
  const object = createJsonObject();
  for (const key of Object.keys(value)) {
    const below = `${pointer}/${escapePointer(key)}`;
    const member = Object.hasOwn(shape.keys, key) ? shape.keys[key] : undefined;
    if (member === undefined) context.report(below, `The key ${quoteKey(key)} is not known here.`, suggestKey(key, shape), "key");
    else {
      const checked = checkShape(value[key] as Json, member, below, context);
      if (checked !== undefined) object[key] = checked;
    }
  }
  for (const key of shape.required ?? []) {
    if (!Object.hasOwn(value, key)) context.report(`${pointer}/${key}`, `The key \`${key}\` is missing.`);
  }
  if (shape.oneOf) checkChoice(value, shape.oneOf, pointer, context.report);
  return object;
}

function checkChoice(value: Record<string, Json>, oneOf: NonNullable<ObjectShape["oneOf"]>, pointer: string, report: Report): void {
  const leads = Object.keys(oneOf);
  const present = leads.filter((lead) => Object.hasOwn(value, lead));
  const words = leads.map((lead) => `\`${lead}\``).join(" or ");
  const [first, ...others] = present;
  if (first === undefined) {
    report(`${pointer}/${leads[0]}`, `One of the keys ${words} is missing.`);
    return;
  }
  for (const other of others) report(`${pointer}/${other}`, `Only one of the keys ${words} may stand here.`, undefined, "key");
  if (others.length > 0) return;
  for (const [lead, companions] of Object.entries(oneOf)) {
    if (lead === first) continue;
    for (const key of companions) {
      if (Object.hasOwn(value, key) && !oneOf[first]?.includes(key)) {
        report(`${pointer}/${key}`, `The key \`${key}\` goes with \`${lead}\`, not with \`${first}\`.`, undefined, "key");
      }
    }
  }
}

function checkText(text: string, shape: TextShape): string | undefined {
  if (shape.choices && !shape.choices.includes(text)) return `This must be ${shape.choices.map((choice) => `\`${choice}\``).join(" or ")}.`;
  return shape.check?.(text);
}

function reportType(value: Json, wanted: string, pointer: string, report: Report): undefined {
  const kind = jsonTypeOf(value);
  const found = kind === "null" ? "nothing" : kind === "boolean" ? "a boolean" : kind === "object" ? "an object" : `a ${kind}`;
  report(pointer, `This must be ${wanted}, and is ${found}.`);
  return undefined;
}

function quoteKey(key: string): string {
  const shown = key.length > MAX_QUOTED_KEY_CHARACTERS ? `${key.slice(0, MAX_QUOTED_KEY_CHARACTERS)}…` : key;
  return `\`${shown.replace(/\p{C}/gu, "?")}\``;
}

function suggestKey(key: string, shape: ObjectShape): string {
  const known = Object.keys(shape.keys);
  const distances = known.map((name) => measureDistance(key.toLowerCase(), name.toLowerCase()));
  const least = Math.min(...distances);
  const near = least <= MAX_SUGGESTION_DISTANCE ? known.filter((_, index) => distances[index] === least) : [];
  if (near.length > 0) return `Did you mean ${near.map((name) => `\`${name}\``).join(" or ")}?`;
  return `Known here: ${known.map((name) => `\`${name}\``).join(", ")}.`;
}

/** Edits between two texts, or a number above every bound where their lengths are too far apart. */
function measureDistance(left: string, right: string): number {
  if (Math.abs(left.length - right.length) > MAX_SUGGESTION_DISTANCE) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const cost = left[i - 1] === right[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + cost));
    }
    row = next;
  }
  return row[right.length] as number;
}
