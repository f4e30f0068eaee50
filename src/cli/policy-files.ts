/** Reading the files that commands are given: text, policies and lists of tools, or failures in words. */
import { readFile } from "node:fs/promises";
import { classifyDefinition } from "../catalog/classify-definition.ts";
import { fail, type Result, succeed } from "../kernel/failure.ts";
import { isJsonList, isJsonObject, type JsonObject, readMember } from "../kernel/json.ts";
import { compilePolicy, type PlannedPolicy } from "../policy/compile.ts";
import type { ToolFacts } from "../policy/decision.ts";
import { Inspector } from "../policy/inspector.ts";
import type { LintedTool } from "../policy/lint.ts";
import { loadOperators } from "../policy/operators/registry.ts";
import { parsePolicy } from "../policy/parse.ts";
import { readDocument } from "../policy/read-document.ts";
import { findToolList, readTools } from "../policy/test-file/read-tools.ts";

export const MAX_FILE_BYTES: number = 16 * 1024 * 1024;

export async function readTextFile(file: string): Promise<Result<string>> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > MAX_FILE_BYTES) return fail({ code: "usage", message: "The file is too long to be read.", at: { file } });
    return succeed(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    return fail({ code: "not_found", message: describeReadFault(error), at: { file } });
  }
}

function describeReadFault(error: unknown): string {
  const code = (error as { readonly code?: unknown }).code;
  if (code === "ENOENT") return "There is no such file.";
  if (code === "EISDIR") return "This is a folder, not a file.";
  if (code === "EACCES" || code === "EPERM") return "The file may not be read.";
  return error instanceof TypeError ? "The file is not UTF-8 text." : "The file can't be read.";
}

export async function readPolicyFile(file: string): Promise<Result<PlannedPolicy>> {
  await loadOperators();
  const text = await readTextFile(file);
  if (!text.ok) return text;
  const parsed = parsePolicy(text.value, { file });
  return parsed.ok ? succeed(compilePolicy(parsed.value)) : parsed;
}

export interface ToolFile {
  readonly facts: ReadonlyMap<string, ToolFacts>;
  readonly linted: readonly LintedTool[];
}

/** A list of tools as a server gives it: the list, `{ "tools": […] }`, or a whole answer to `tools/list`. */
export async function readToolFile(file: string): Promise<Result<ToolFile>> {
  const read = await readToolList(file);
  return read.ok ? succeed(read.value) : read;
}

/** The same with the definitions themselves. */
export async function readToolList(file: string): Promise<Result<ToolFile & { readonly definitions: readonly JsonObject[] }>> {
  const text = await readTextFile(file);
  if (!text.ok) return text;
  const read = readDocument(text.value, { file });
  if (!read.ok) return read;
  const { value, place } = read.value;
  const inspector = new Inspector((pointer, { key }) => place(pointer, key === true ? "key" : "value"));
  const { list, pointer } = findToolList(value);
  const facts = readTools(inspector, list, pointer, { strict: false, classify: classifyDefinition });
  if (!facts || inspector.failures.length > 0) return fail(...inspector.failures);
  const linted = (isJsonList(list) ? list : []).flatMap((tool) => {
    const name = isJsonObject(tool) ? readMember(tool, "name") : undefined;
    const known = typeof name === "string" ? facts.get(name) : undefined;
    return known && isJsonObject(tool) ? [{ name: known.name, class: known.class, inputSchema: readMember(tool, "inputSchema") }] : [];
  });
  return succeed({ facts, linted, definitions: isJsonList(list) ? list.filter((tool) => isJsonObject(tool)) : [] });
}
