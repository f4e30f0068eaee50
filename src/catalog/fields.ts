/**
 * The arguments that an input schema names, flattened: `to`, `media[].url`. Local references are followed, nothing is
 * fetched; depth and number are bounded, and what lies beyond is told as not looked at.
 */
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { foldText, splitName, type Word } from "./fold-words.ts";

export const MAX_FIELDS = 512;
export const MAX_FIELD_DEPTH = 8;
const MAX_VISITS = 4_096;
const MAX_ENUM = 64;
const MAX_DESCRIPTION_CHARACTERS = 2_048;
/** Of a key, and of one of its values. */
const MAX_KEY_CHARACTERS = 256;
/** Of all keys, values and descriptions together, as they are folded: reading costs time in proportion to it. */
export const MAX_SCHEMA_CHARACTERS: number = 128 * 1024;

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
  /** The description, folded. */
  readonly said: string;
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
  let characters = 0;
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
        if (fields.length >= MAX_FIELDS || characters >= MAX_SCHEMA_CHARACTERS) {
          isCut = true;
          return;
        }
        seen.add(name);
        const place = { key, steps: path, name, pointer: below, isRequired: isJsonList(required) && required.includes(key) };
        const read = readField(root, member, place);
        fields.push(read.field);
        characters += read.characters;
        isCut ||= read.isCut;
      }
      visit(member, below, path, depth + 1);
    }
  };
  visit(schema, "/inputSchema", [], 0);
  return { fields, isCut };
}

type FieldPlace = Pick<Field, "key" | "steps" | "name" | "pointer" | "isRequired">;

interface ReadField {
  readonly field: Field;
  /** Of the texts that were read. */
  readonly characters: number;
  readonly isCut: boolean;
}

function readField(root: JsonObject, member: Json | undefined, place: FieldPlace): ReadField {
  const whole = isJsonObject(member) ? member : undefined;
  const target = whole && readMember(whole, "$ref");
  const referred = typeof target === "string" ? resolveLocal(root, target) : undefined;
  const parts = [whole, referred, ...listAlternatives(whole)].filter((part): part is JsonObject => isJsonObject(part));
  const types = new Set<string>();
  const choices = new Set<string>();
  let isCut = place.key.length > MAX_KEY_CHARACTERS;
  const choose = (found: readonly string[]): void => {
    for (const choice of found) {
      if (choices.size >= MAX_ENUM || choice.length > MAX_KEY_CHARACTERS) isCut = true;
      if (choices.size >= MAX_ENUM) return;
      choices.add(choice.slice(0, MAX_KEY_CHARACTERS));
    }
  };
  for (const part of parts) {
    for (const type of asTexts(readMember(part, "type"))) types.add(type);
    choose(asTexts(readMember(part, "enum")));
    const only = readMember(part, "const");
    if (typeof only === "string") choose([only]);
    const items = readMember(part, "items");
    if (isJsonObject(items)) choose(asTexts(readMember(items, "enum")));
  }
  const words = splitName(place.key.slice(0, MAX_KEY_CHARACTERS));
  const description = firstText(parts, "description")?.slice(0, MAX_DESCRIPTION_CHARACTERS) ?? "";
  const field = {
    ...place,
    words,
    joined: words.map(({ text }) => text).join(""),
    types,
    format: firstText(parts, "format"),
    description,
    said: foldText(description),
    choices: [...choices],
    isWriteOnly: parts.some((part) => readMember(part, "writeOnly") === true),
    hasMaxItems: parts.some((part) => readMember(part, "maxItems") !== undefined),
  };
  const characters = field.choices.reduce((sum, choice) => sum + choice.length, field.joined.length + field.said.length);
  return { field, characters, isCut };
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
