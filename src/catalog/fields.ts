/**
 * The arguments that an input schema names, flattened: `to`, `media[].url`. Local references are followed, nothing is
 * fetched; depth and number are bounded, and what lies beyond is told as not looked at.
 */
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { splitName, type Word } from "./fold-words.ts";

export const MAX_FIELDS = 512;
export const MAX_FIELD_DEPTH = 8;
const MAX_VISITS = 4_096;
const MAX_ENUM = 64;
const MAX_DESCRIPTION_CHARACTERS = 2_048;

/** A step from `arguments` down to a value: a key, or every element of a list. */
export type FieldStep = string | typeof EACH;
export const EACH: unique symbol = Symbol("each");

export interface Field {
  readonly key: string;
  readonly steps: readonly FieldStep[];
  /** As people read it: `media[].url`. */
  readonly name: string;
  /** JSON Pointer of the property in the definition. */
  readonly pointer: string;
  readonly words: readonly Word[];
  /** The key as one folded word: `api_key` and `apiKey` are `apikey`. */
  readonly joined: string;
  readonly types: ReadonlySet<string>;
  readonly format: string | undefined;
  readonly description: string;
  readonly choices: readonly string[];
  readonly isRequired: boolean;
  readonly isWriteOnly: boolean;
  readonly hasMaxItems: boolean;
}

export interface FieldList {
  readonly fields: readonly Field[];
  /** Some of the schema was not looked at. */
  readonly isCut: boolean;
}

export function listFields(schema: Json | undefined): FieldList {
  const fields: Field[] = [];
  if (!isJsonObject(schema)) return { fields, isCut: false };
  const root = schema;
  const seen = new Set<string>();
  let visits = 0;
  let isCut = false;

  const visit = (node: Json | undefined, pointer: string, steps: readonly FieldStep[], depth: number): void => {
    if (!isJsonObject(node)) return;
    if (++visits > MAX_VISITS || depth > MAX_FIELD_DEPTH) {
      isCut = true;
      return;
    }
    const target = readMember(node, "$ref");
    if (typeof target === "string") visit(resolveLocal(root, target), pointer, steps, depth + 1);
    for (const key of ["allOf", "anyOf", "oneOf"]) {
      const parts = readMember(node, key);
      if (isJsonList(parts)) parts.forEach((part, index) => visit(part, `${pointer}/${key}/${index}`, steps, depth + 1));
    }
    const items = readMember(node, "items");
    if (isJsonObject(items)) visit(items, `${pointer}/items`, [...steps, EACH], depth + 1);
    const properties = readMember(node, "properties");
    if (!isJsonObject(properties)) return;
    const required = readMember(node, "required");
    for (const key of Object.keys(properties)) {
      const below = `${pointer}/properties/${escapePointer(key)}`;
      const path = [...steps, key];
      const name = nameSteps(path);
      const member = properties[key];
      if (!seen.has(name)) {
        if (fields.length >= MAX_FIELDS) {
          isCut = true;
          return;
        }
        seen.add(name);
        fields.push(
          readField(root, member, { key, steps: path, name, pointer: below, isRequired: isJsonList(required) && required.includes(key) }),
        );
      }
      visit(member, below, path, depth + 1);
    }
  };
  visit(schema, "/inputSchema", [], 0);
  return { fields, isCut };
}

type FieldPlace = Pick<Field, "key" | "steps" | "name" | "pointer" | "isRequired">;

function readField(root: JsonObject, member: Json | undefined, place: FieldPlace): Field {
  const whole = isJsonObject(member) ? member : undefined;
  const target = whole && readMember(whole, "$ref");
  const referred = typeof target === "string" ? resolveLocal(root, target) : undefined;
  const parts = [whole, referred, ...listAlternatives(whole)].filter((part): part is JsonObject => isJsonObject(part));
  const types = new Set<string>();
  const choices = new Set<string>();
  for (const part of parts) {
    for (const type of asTexts(readMember(part, "type"))) types.add(type);
    for (const choice of asTexts(readMember(part, "enum")).slice(0, MAX_ENUM)) choices.add(choice);
    const only = readMember(part, "const");
    if (typeof only === "string" && choices.size < MAX_ENUM) choices.add(only);
    const items = readMember(part, "items");
    if (isJsonObject(items)) for (const choice of asTexts(readMember(items, "enum")).slice(0, MAX_ENUM)) choices.add(choice);
  }
  const words = splitName(place.key);
  return {
    ...place,
    words,
    joined: words.map(({ text }) => text).join(""),
    types,
    format: firstText(parts, "format"),
    description: firstText(parts, "description")?.slice(0, MAX_DESCRIPTION_CHARACTERS) ?? "",
    choices: [...choices],
    isWriteOnly: parts.some((part) => readMember(part, "writeOnly") === true),
    hasMaxItems: parts.some((part) => readMember(part, "maxItems") !== undefined),
  };
}

function listAlternatives(node: JsonObject | undefined): readonly (Json | undefined)[] {
  if (node === undefined) return [];
  return ["anyOf", "oneOf", "allOf"].flatMap((key) => {
    const parts = readMember(node, key);
    return isJsonList(parts) ? parts.slice(0, MAX_ENUM) : [];
  });
}

function firstText(parts: readonly JsonObject[], key: string): string | undefined {
  for (const part of parts) {
    const text = readMember(part, key);
    if (typeof text === "string") return text;
  }
  return undefined;
}

function asTexts(value: Json | undefined): string[] {
  if (typeof value === "string") return [value];
  return isJsonList(value) ? value.filter((member) => typeof member === "string") : [];
}

function resolveLocal(root: JsonObject, target: string): Json | undefined {
  if (!target.startsWith("#/")) return undefined;
  let node: Json | undefined = root;
  for (const part of target.slice(2).split("/").slice(0, MAX_FIELD_DEPTH)) {
    if (!isJsonObject(node)) return undefined;
    node = readMember(node, part.replaceAll("~1", "/").replaceAll("~0", "~"));
  }
  return node;
}

export function nameSteps(steps: readonly FieldStep[]): string {
  let name = "";
  for (const step of steps) name += step === EACH ? "[]" : `${name === "" ? "" : "."}${step}`;
  return name;
}
