/** What the tests of this room share: schemas and values are written as JSON text, so that every spelling is kept. */
import type { Json, JsonObject } from "../../../src/kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../../src/kernel/strict-json.ts";
import { compileInputSchema } from "../../../src/policy/schema/input-schema.ts";
import { compilePolicySchema } from "../../../src/policy/schema/policy-schema.ts";

/** One schema with values that fit it and values that don't, all as JSON text. */
export interface Row {
  readonly about: string;
  readonly schema: string;
  readonly good?: readonly string[];
  readonly bad?: readonly string[];
}

export function readJson(text: string): Json {
  const parsed = parseStrictJson(text);
  if (isJsonFault(parsed)) throw new Error(`${parsed.message} in ${text}`);
  return parsed.value;
}

/** Puts `$schema` into a schema that is an object. */
export function declare(schema: Json, uri: string): Json {
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.assign(Object.create(null) as Record<string, Json>, { $schema: uri }, schema as JsonObject);
}

export type Judge = (value: Json) => string | undefined;

export function judgeByInput(schema: Json): Judge {
  const prepared = compileInputSchema(schema);
  if ("unusable" in prepared) throw new Error(`unusable: ${prepared.unusable}`);
  return (value) => prepared.schema.check(value as JsonObject);
}

export function judgeByPolicy(schema: Json): Judge {
  const prepared = compilePolicySchema(schema);
  if ("faults" in prepared) throw new Error(prepared.faults.map((fault) => `${fault.pointer}: ${fault.message}`).join("\n"));
  return prepared.check;
}

/** The values of a row that are judged otherwise than the row says. */
export function listSurprises(row: Row, judge: Judge): string[] {
  const surprises: string[] = [];
  for (const text of row.good ?? []) {
    const told = judge(readJson(text));
    if (told !== undefined) surprises.push(`${text} should fit: ${told}`);
  }
  for (const text of row.bad ?? []) if (judge(readJson(text)) === undefined) surprises.push(`${text} should not fit`);
  return surprises;
}

export const URI_2020 = "https://json-schema.org/draft/2020-12/schema";
export const URI_2019 = "https://json-schema.org/draft/2019-09/schema";
export const URI_07 = "http://json-schema.org/draft-07/schema#";
export const URI_06 = "http://json-schema.org/draft-06/schema#";
export const URI_04 = "http://json-schema.org/draft-04/schema#";
