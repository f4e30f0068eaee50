/**
 * Asks an operator as a table of tests does: one sign for each part (`y` in the list, `n` not), `?` for unjudgeable.
 */

import type { Json } from "../../../src/kernel/json.ts";
import { compileTextOperator } from "../../../src/policy/operators/registry.ts";
import type { TextOperator } from "../../../src/policy/operators/text-operator.ts";

export function compileOperator(op: string, value: Json, allow?: Json): TextOperator {
  const compiled = compileTextOperator(op, value, allow);
  if ("faults" in compiled) throw new Error(compiled.faults.map((fault) => `${fault.pointer}: ${fault.message}`).join("\n"));
  return compiled.operator;
}

export function judge(op: string, value: Json, text: string, allow?: Json): string {
  const parts = compileOperator(op, value, allow).judge(text);
  return parts === undefined ? "?" : parts.map((part) => (part ? "y" : "n")).join("");
}

/** The pointers of what is wrong, in the order they are told; empty where nothing is. */
export function listFaults(op: string, value: Json, allow?: Json): string[] {
  const compiled = compileTextOperator(op, value, allow);
  return "faults" in compiled ? compiled.faults.map((fault) => fault.pointer) : [];
}

const MAX_NAME_LENGTH = 60;

/** Rows of one text each, named by how the text begins. */
export function nameRows(texts: readonly string[]): [name: string, text: string][] {
  return texts.map((text) => [JSON.stringify(text.slice(0, MAX_NAME_LENGTH)), text]);
}
