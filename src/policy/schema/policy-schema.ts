/**
 * A policy's own `validate.schema`: JSON Schema 2020-12 and nothing else. Whatever would silently protect nothing (an
 * unknown keyword, another draft, an unusable pattern, an unknown format) is a fault, and all are told at once.
 */
import { isJsonObject, type Json, readMember } from "../../kernel/json.ts";
import { compileSchema, type SchemaFault } from "./compile-schema.ts";
import { DIALECT_2020_12, isDialect2020 } from "./dialect.ts";

export type PreparedPolicySchema =
  | { readonly check: (args: Json) => string | undefined; readonly properties: ReadonlySet<string> }
  | { readonly faults: SchemaFault[] };

export function compilePolicySchema(schema: Json): PreparedPolicySchema {
  const named = isJsonObject(schema) ? readMember(schema, "$schema") : undefined;
  const faults: SchemaFault[] = [];
  if (typeof named === "string" && !isDialect2020(named)) {
    faults.push({ pointer: "/$schema", message: "only JSON Schema 2020-12 is read here: `https://json-schema.org/draft/2020-12/schema`" });
  }
  const compiled = compileSchema(schema, { dialect: DIALECT_2020_12, strict: true });
  faults.push(...compiled.faults);
  return faults.length > 0 ? { faults } : { check: compiled.check, properties: compiled.properties };
}
