/**
 * The JSON Schema of the configuration file, for editors, printed from the same description as the check at the start.
 * Where a number may stand, a reference to a variable may too. The schema lets pass some texts that the check refuses
 * (addresses, times), and never the other way round.
 */
import { CONFIG_SHAPE } from "./config-shape.ts";
import type { ObjectShape, Shape } from "./shape.ts";

type Schema = Record<string, unknown>;

const REFERENCE_PATTERN = "\\$\\{";
const LINE_CHARACTERS = 140;
const SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema";

/** The text of `schema/config.schema.json`. */
export function printConfigSchema(): string {
  const schema = { $schema: SCHEMA_ID, title: "Sallyport configuration", ...describeShape(CONFIG_SHAPE) };
  return `${print(schema, "", 0)}\n`;
}

/** In the project's own form, which keeps short lists on one line; `before` is what stands on the line already. */
function print(value: unknown, indent: string, before: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const line = `[${value.map((item) => JSON.stringify(item)).join(", ")}]`;
    const short = value.every((item) => typeof item !== "object") && before + line.length < LINE_CHARACTERS;
    return short ? line : `[\n${value.map((item) => deeper + print(item, deeper, deeper.length)).join(",\n")}\n${indent}]`;
  }
  const members = Object.entries(value).map(([key, member]) => {
    const start = `${deeper}${JSON.stringify(key)}: `;
    return start + print(member, deeper, start.length);
  });
  return members.length === 0 ? "{}" : `{\n${members.join(",\n")}\n${indent}}`;
}

function describeShape(shape: Shape): Schema {
  const { description } = shape;
  switch (shape.kind) {
    case "document":
      return { description, $ref: "policy.schema.json" };
    case "text":
      if (shape.choices) return { description, anyOf: [{ enum: shape.choices }, { type: "string", pattern: REFERENCE_PATTERN }] };
      if (shape.pattern === undefined) return { description, type: "string" };
      return { description, type: "string", pattern: `${shape.pattern}|${REFERENCE_PATTERN}` };
    case "integer":
      return {
        description,
        anyOf: [
          { type: "integer", minimum: shape.min, maximum: shape.max },
          { type: "string", pattern: REFERENCE_PATTERN },
        ],
      };
    case "list":
      return { description, type: "array", items: describeShape(shape.items), maxItems: shape.max };
    case "map": {
      const names = shape.names.pattern === undefined ? {} : { propertyNames: { pattern: shape.names.pattern } };
      return { description, type: "object", ...names, additionalProperties: describeShape(shape.values), maxProperties: shape.max };
    }
    case "toggle":
      return { description, anyOf: [{ const: true }, describeObject(shape.object)] };
    default:
      return describeObject(shape);
  }
}

function describeObject(shape: ObjectShape): Schema {
  const properties = Object.fromEntries(Object.entries(shape.keys).map(([key, member]) => [key, describeShape(member)]));
  const required = shape.required === undefined ? {} : { required: shape.required };
  const choice = shape.oneOf === undefined ? {} : { oneOf: describeChoice(shape.oneOf) };
  return { description: shape.description, type: "object", properties, additionalProperties: false, ...required, ...choice };
}

function describeChoice(oneOf: NonNullable<ObjectShape["oneOf"]>): Schema[] {
  return Object.entries(oneOf).map(([lead, own]) => {
    const others = Object.entries(oneOf)
      .filter(([other]) => other !== lead)
      .flatMap(([other, companions]) => [other, ...companions.filter((key) => !own.includes(key))]);
    return { required: [lead], not: { anyOf: others.map((key) => ({ required: [key] })) } };
  });
}
