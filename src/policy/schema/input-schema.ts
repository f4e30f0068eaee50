/**
 * A tool's own `inputSchema`, a stranger's document: read in the draft that it names (2020-12 where it names none),
 * with `format` and unknown keywords as annotations. What RE2 can't take is left out and told; what can't be relied on
 * at all is unusable, with the reason.
 */
import { isJsonObject, type Json, readMember } from "../../kernel/json.ts";
import type { InputSchema } from "../decision.ts";
import { compileSchema, type SchemaFault } from "./compile-schema.ts";
import { findDialect } from "./dialect.ts";
import { quote } from "./quote.ts";

export type PreparedInputSchema = { readonly schema: InputSchema; readonly findings: string[] } | { readonly unusable: string };

function printFault(fault: SchemaFault): string {
  return fault.pointer === "" ? fault.message : `${fault.message} (at ${quote(fault.pointer)})`;
}

export function compileInputSchema(schema: Json): PreparedInputSchema {
  const named = isJsonObject(schema) ? readMember(schema, "$schema") : undefined;
  if (named !== undefined && typeof named !== "string") return { unusable: "`$schema` has to be a string" };
  const dialect = findDialect(named);
  if (!dialect) return { unusable: `\`$schema\` names ${quote(named ?? "")}, which is no draft of JSON Schema that is known here` };
  const compiled = compileSchema(schema, { dialect, strict: false });
  const [fault] = compiled.faults;
  if (fault) return { unusable: printFault(fault) };
  return {
    schema: { check: compiled.check, properties: compiled.properties },
    findings: compiled.leftOut.map((left) => `a pattern is left out of the check: ${printFault(left)}`),
  };
}
