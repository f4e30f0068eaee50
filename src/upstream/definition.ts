/**
 * One tool as a server defines it, prepared for judging: its compiled input schema, its annotations, and why it can't be
 * used where it can't. The server's spelling is kept, for it is what a list shows; what costs time is done when asked for.
 */
import { assert } from "../kernel/assert.ts";
import { isJsonObject, type Json, type JsonObject, printJson, readMember } from "../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import type { ListItem } from "../mcp/lists.ts";
import { flagName, type NameFlag } from "../mcp/names.ts";
import { type ParamDeclaration, readParamDeclarations } from "../mcp/param-headers.ts";
import type { InputSchema } from "../policy/decision.ts";
import { compileInputSchema } from "../policy/schema/input-schema.ts";
import type { StoredDefinition } from "./tables.ts";

export const MAX_FINDINGS = 32;

/** What is known of a definition once it was looked into. */
export interface PreparedDefinition {
  readonly annotations: JsonObject | undefined;
  readonly inputSchema: InputSchema | undefined;
  /** Arguments that a modern request mirrors into headers. */
  readonly paramHeaders: readonly ParamDeclaration[];
  /** Why the tool can't be used at all. */
  readonly unusable: string | undefined;
  /** What was noticed and does not keep it from being used. */
  readonly findings: readonly string[];
}

export class ToolDefinition {
  readonly name: string;
  /** As the server spelled it. */
  readonly text: string;
  readonly value: Json;
  readonly #fault: string | undefined;
  readonly #readHash: () => string;
  #prepared: PreparedDefinition | undefined;

  constructor(name: string, text: string, value: Json, readHash: () => string, fault?: string) {
    this.name = name;
    this.text = text;
    this.value = value;
    this.#readHash = readHash;
    this.#fault = fault;
  }

  /** Over the value of the whole definition, whatever its spelling. */
  get hash(): string {
    return this.#readHash();
  }

  get prepared(): PreparedDefinition {
    return (this.#prepared ??= prepare(this.name, this.value, this.#fault));
  }
}

/** The tools of a page or of all pages. An item without a name can neither be called nor kept track of. */
export function readDefinitions(items: readonly ListItem[]): readonly ToolDefinition[] {
  return items
    .filter((item) => item.key !== "")
    .map((item) => {
      // The text of a faulty item could be read in two ways; what is kept of it is one.
      const text = item.fault === undefined ? item.raw : printJson(item.value);
      return new ToolDefinition(item.key, text, item.value, () => item.hash, item.fault);
    });
}

export function readStoredDefinition(name: string, stored: StoredDefinition): ToolDefinition {
  return new ToolDefinition(name, stored.text, parseDefinitionText(stored.text), () => stored.hash);
}

export function parseDefinitionText(text: string): Json {
  const parsed = parseStrictJson(text);
  assert(!isJsonFault(parsed), "a stored definition is not JSON");
  return parsed.value;
}

const UNSEEN_FLAGS: ReadonlySet<NameFlag> = new Set(["empty", "too_long", "control", "bidi", "invisible"]);

function findNameFault(flags: readonly NameFlag[]): string | undefined {
  const unseen = flags.find((flag) => UNSEEN_FLAGS.has(flag));
  if (unseen !== undefined) return `the name is not one that a person can tell from others (${unseen})`;
  // Either alone is an ordinary name in another alphabet.
  return flags.includes("mixed_script") && flags.includes("confusable") ? "the name mixes letters that look alike" : undefined;
}

function prepare(name: string, value: Json, fault: string | undefined): PreparedDefinition {
  const annotations = isJsonObject(value) ? readMember(value, "annotations") : undefined;
  const known = { annotations: isJsonObject(annotations) ? annotations : undefined, inputSchema: undefined, paramHeaders: [] };
  const flags = flagName(name);
  const unusable = fault ?? findNameFault(flags);
  if (unusable !== undefined || !isJsonObject(value)) return { ...known, unusable: unusable ?? "the item is not an object", findings: [] };
  const findings = flags.map((flag) => `the name is unusual (${flag})`);
  const schema = readMember(value, "inputSchema");
  if (schema === undefined) return { ...known, unusable: undefined, findings: [...findings, "the tool has no `inputSchema`"] };
  const declared = readParamDeclarations(schema);
  if (!declared.ok) return { ...known, unusable: declared.reason, findings };
  const compiled = compileInputSchema(schema);
  if ("unusable" in compiled) return { ...known, unusable: compiled.unusable, findings };
  return {
    annotations: known.annotations,
    inputSchema: compiled.schema,
    paramHeaders: declared.declarations,
    unusable: undefined,
    findings: [...findings, ...compiled.findings].slice(0, MAX_FINDINGS),
  };
}
