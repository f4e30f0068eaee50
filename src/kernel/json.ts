/**
 * JSON values as they are judged. A number whose spelling JavaScript prints back unchanged is a `number`; every other
 * one (`1.0`, `12345678901234567890`, `1e3`) is a `JsonNumber` that keeps its spelling, so that no digit is ever lost.
 * Objects inherit nothing: `__proto__` and `constructor` are keys like any other.
 */

/** A number that a double, printed again, would spell differently. */
export class JsonNumber {
  /** The number as it was written, by JSON's own grammar. */
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

export type Json = null | boolean | number | string | JsonNumber | JsonList | JsonObject;
export type JsonList = readonly Json[];
export interface JsonObject {
  readonly [key: string]: Json;
}

export type JsonType = "null" | "boolean" | "number" | "text" | "list" | "object";

export function jsonTypeOf(value: Json): JsonType {
  switch (typeof value) {
    case "string":
      return "text";
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    default:
      if (value === null) return "null";
      if (Array.isArray(value)) return "list";
      return value instanceof JsonNumber ? "number" : "object";
  }
}

export function isJsonNumber(value: Json): value is number | JsonNumber {
  return typeof value === "number" || value instanceof JsonNumber;
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber);
}

export function isJsonList(value: Json | undefined): value is JsonList {
  return Array.isArray(value);
}

/** The own member of that name; undefined where there is none. */
export function readMember(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** A constructor whose objects inherit nothing: as bare as `Object.create(null)`, and filled several times as fast. */
const Bare = function () {} as unknown as new () => Record<string, Json>;
Bare.prototype = Object.freeze(Object.create(null));

/** An empty object that inherits nothing, to be filled by whoever makes it. */
export function createJsonObject(): Record<string, Json> {
  return new Bare();
}

/** Compact JSON text; numbers keep their spelling. */
export function printJson(value: Json): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "boolean":
      return value ? "true" : "false";
    default:
      if (value === null) return "null";
      if (value instanceof JsonNumber) return value.text;
      if (Array.isArray(value)) return `[${value.map(printJson).join(",")}]`;
      return `{${Object.keys(value)
        .map((key) => `${JSON.stringify(key)}:${printJson((value as JsonObject)[key] as Json)}`)
        .join(",")}}`;
  }
}

/** From ordinary JavaScript data (literals, rows) to a value of ours. `undefined` members are left out. */
export function toJson(value: unknown): Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "bigint") return new JsonNumber(String(value));
  if (value instanceof JsonNumber) return value;
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value === "object") {
    const object = createJsonObject();
    for (const [key, member] of Object.entries(value)) if (member !== undefined) object[key] = toJson(member);
    return object;
  }
  throw new TypeError(`not a JSON value: ${typeof value}`);
}
