/**
 * Whether a keyword's value has the shape that its draft asks for, told as faults with their place below the keyword.
 * Subschemas are not looked into: each is judged where it is compiled.
 */
import { assertNever } from "../../kernel/assert.ts";
import { decimalOf, isIntegral } from "../../kernel/decimal.ts";
import { isJsonList, isJsonNumber, isJsonObject, type Json, type JsonNumber } from "../../kernel/json.ts";
import { escapePointer } from "../../kernel/strict-json.ts";
import type { Shape } from "./dialect.ts";

interface ShapeFault {
  /** JSON Pointer below the keyword; empty: the value itself. */
  readonly below: string;
  readonly message: string;
}

const TYPE_NAMES: readonly string[] = ["null", "boolean", "object", "array", "number", "string", "integer"];

const ANCHOR = /^[A-Za-z_][-A-Za-z0-9._]*$/;
const NAMES_WANTED = "has to be a list of strings";

function isCount(value: Json): boolean {
  if (!isJsonNumber(value)) return false;
  const decimal = decimalOf(value);
  return decimal !== undefined && !decimal.negative && isIntegral(decimal);
}

function isComparable(value: Json): value is number | JsonNumber {
  return isJsonNumber(value) && decimalOf(value) !== undefined;
}

function isDivisor(value: Json): boolean {
  if (!isJsonNumber(value)) return false;
  const decimal = decimalOf(value);
  return decimal !== undefined && !decimal.negative && decimal.digits !== "";
}

function listNameFaults(value: Json, below: string, strict: boolean): ShapeFault[] {
  if (!isJsonList(value)) return [{ below, message: NAMES_WANTED }];
  const faults: ShapeFault[] = [];
  const known = new Set<Json>();
  value.forEach((name, index) => {
    if (typeof name !== "string") faults.push({ below: `${below}/${index}`, message: "has to be a string" });
    else if (strict && known.has(name)) faults.push({ below: `${below}/${index}`, message: "stands twice in its list" });
    known.add(name);
  });
  return faults;
}

function listTypeFaults(value: Json, strict: boolean): ShapeFault[] {
  const wanted = `has to be one of ${TYPE_NAMES.join(", ")}`;
  if (typeof value === "string") return TYPE_NAMES.includes(value) ? [] : [{ below: "", message: wanted }];
  if (!isJsonList(value) || value.length === 0) return [{ below: "", message: `${wanted}, or a list of them` }];
  const faults: ShapeFault[] = [];
  value.forEach((name, index) => {
    if (typeof name !== "string" || !TYPE_NAMES.includes(name)) faults.push({ below: `/${index}`, message: wanted });
    else if (strict && value.indexOf(name) < index) faults.push({ below: `/${index}`, message: "stands twice in its list" });
  });
  return faults;
}

function listMapFaults(value: Json, wanted: string, judge: (member: Json, below: string) => ShapeFault[]): ShapeFault[] {
  if (!isJsonObject(value)) return [{ below: "", message: `has to be an object of ${wanted}` }];
  return Object.keys(value).flatMap((key) => judge(value[key] as Json, `/${escapePointer(key)}`));
}

function one(sound: boolean, message: string): ShapeFault[] {
  return sound ? [] : [{ below: "", message }];
}

/** Everything that is wrong with a keyword's value; `strict` also refuses repeated names, which change nothing. */
export function listShapeFaults(shape: Shape, value: Json, strict: boolean): ShapeFault[] {
  switch (shape) {
    case "any":
      return [];
    case "schema":
      return one(isJsonObject(value) || typeof value === "boolean", "has to be a schema: an object, `true` or `false`");
    case "text":
    case "format":
    case "reference":
    case "pattern":
      return one(typeof value === "string", "has to be a string");
    case "anchor":
      return one(typeof value === "string" && ANCHOR.test(value), "has to be a name of letters, digits, `-`, `.` and `_`");
    case "flag":
      return one(typeof value === "boolean", "has to be true or false");
    case "bound":
      return one(typeof value === "boolean" || isComparable(value), "has to be a number");
    case "limit":
      return one(isComparable(value), "has to be a number");
    case "divisor":
      return one(isDivisor(value), "has to be a number above zero");
    case "count":
      return one(isCount(value), "has to be a whole number, zero or more");
    case "list":
      return one(isJsonList(value), "has to be a list");
    case "types":
      return listTypeFaults(value, strict);
    case "names":
      return listNameFaults(value, "", strict);
    case "schemas":
      return one(isJsonList(value) && value.length > 0, "has to be a list of at least one schema");
    case "schemaOrSchemas":
      return one(isJsonList(value) || isJsonObject(value) || typeof value === "boolean", "has to be a schema or a list of schemas");
    case "schemaMap":
    case "patternMap":
      return listMapFaults(value, "schemas", () => []);
    case "booleanMap":
      return listMapFaults(value, "booleans", (member, below) =>
        typeof member === "boolean" ? [] : [{ below, message: "has to be true or false" }],
      );
    case "nameLists":
      return listMapFaults(value, "lists of strings", (member, below) => listNameFaults(member, below, strict));
    case "dependencies":
      return listMapFaults(value, "schemas or lists of strings", (member, below) =>
        isJsonList(member) ? listNameFaults(member, below, strict) : [],
      );
    default:
      return assertNever(shape, "shape of a keyword");
  }
}
