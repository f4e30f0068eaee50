/** A tool's definition as pages show it: its words, and its arguments as a table. Everything is a stranger's text. */
import { escapeUnseen } from "../../catalog/store/write-catalogue.ts";
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../kernel/strict-json.ts";

export interface ShownArgument {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly description: string;
}

export interface ShownDefinition {
  readonly value: JsonObject;
  readonly title: string | undefined;
  readonly description: string;
  readonly arguments: readonly ShownArgument[];
}

export function readDefinition(text: string): ShownDefinition {
  const parsed = parseStrictJson(text);
  const value = !isJsonFault(parsed) && isJsonObject(parsed.value) ? parsed.value : {};
  const schema = readMember(value, "inputSchema");
  return {
    value,
    title: readText(value, "title"),
    description: readText(value, "description") ?? "",
    arguments: isJsonObject(schema) ? listArguments(schema) : [],
  };
}

function listArguments(schema: JsonObject): ShownArgument[] {
  const properties = readMember(schema, "properties");
  const required = readMember(schema, "required");
  if (!isJsonObject(properties)) return [];
  const names = new Set(isJsonList(required) ? required : []);
  return Object.entries(properties).map(([name, property]) => ({
    name,
    type: isJsonObject(property) ? tellType(property) : "anything",
    isRequired: names.has(name),
    description: isJsonObject(property) ? (readText(property, "description") ?? "") : "",
  }));
}

function tellType(property: JsonObject): string {
  const type = readMember(property, "type");
  if (typeof type === "string") return type;
  if (isJsonList(type)) return type.filter((part) => typeof part === "string").join(" or ");
  return Object.hasOwn(property, "enum") ? "one of a list" : "anything";
}

/** Arguments that the schema takes for the first ones: something to change and to try. */
export function sampleArguments({ value }: ShownDefinition): string {
  const schema = readMember(value, "inputSchema");
  if (!isJsonObject(schema)) return "{}";
  const properties = readMember(schema, "properties");
  const required = readMember(schema, "required");
  if (!isJsonObject(properties) || !isJsonList(required)) return "{}";
  const names = required.filter((name) => typeof name === "string").slice(0, MAX_SAMPLED);
  return escapeUnseen(JSON.stringify(Object.fromEntries(names.map((name) => [name, sample(readMember(properties, name))])), null, 2));
}

const MAX_SAMPLED = 12;

function sample(property: Json | undefined): unknown {
  if (!isJsonObject(property)) return "text";
  const choices = readMember(property, "enum");
  const [first] = isJsonList(choices) ? choices : [];
  if (typeof first === "string" || typeof first === "number" || typeof first === "boolean") return first;
  switch (readMember(property, "type")) {
    case "number":
    case "integer":
      return 1;
    case "boolean":
      return true;
    case "array":
      return [];
    case "object":
      return {};
    default:
      return "text";
  }
}

function readText(object: JsonObject, key: string): string | undefined {
  const text = readMember(object, key);
  return typeof text === "string" ? text : undefined;
}
