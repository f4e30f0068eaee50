/**
 * Holds a server's list of tools against its snapshot. The first whole list is accepted, unless the server says `review`;
 * from then on a changed or new tool is quarantined, one that is listed twice too, and one that is no longer listed is
 * missing. What goes back to its accepted definition is accepted again. Nothing is written where nothing differs.
 */
import { bumpGeneration } from "../store/generation.ts";
import type { Batch } from "../store/store.ts";
import type { ToolDefinition } from "./definition.ts";
import {
  readStoredServer,
  removeStoredTool,
  type StoredDefinition,
  type StoredServer,
  type StoredTool,
  type ToolState,
  writeAcceptance,
  writeStoredTool,
} from "./tables.ts";

export interface ListOptions {
  /** Every page was seen. Only then a tool can be missing, and a first list be accepted. */
  readonly complete: boolean;
  /** `review`: the first list waits for a person too. */
  readonly mode: "accept" | "review";
  readonly nowMs: number;
  readonly classify?: ClassifyTool | undefined;
}

/** What a classifier says of a definition. */
export type ClassifyTool = (definition: ToolDefinition) => ToolClassification | undefined;

export interface ToolClassification {
  readonly class: string;
  readonly risk: string;
  readonly version: string;
}

/** What this list changed in the snapshot: names by what they became. */
export interface Observation {
  /** This list was the first, and is now the accepted one. */
  readonly isFirst: boolean;
  readonly accepted: readonly string[];
  readonly changed: readonly string[];
  readonly added: readonly string[];
  readonly missing: readonly string[];
  readonly duplicate: readonly string[];
  readonly unusable: readonly string[];
  /** New ones that went away before anyone accepted them. */
  readonly withdrawn: readonly string[];
  /** The snapshot is another one than before. */
  readonly wrote: boolean;
}

/** What a list makes of a snapshot, without touching anything. */
export interface ListComparison {
  readonly isFirst: boolean;
  readonly changes: readonly StoredTool[];
  readonly withdrawn: readonly string[];
}

export async function observeList(
  batch: Batch,
  serverId: string,
  definitions: readonly ToolDefinition[],
  options: ListOptions,
): Promise<Observation> {
  const stored = await readStoredServer(batch, serverId);
  const { isFirst, changes, withdrawn } = compareList(stored, definitions, options);
  if (isFirst) await writeAcceptance(batch, serverId, options.nowMs);
  for (const tool of changes) await writeStoredTool(batch, serverId, tool, options.nowMs);
  for (const name of withdrawn) await removeStoredTool(batch, serverId, name);
  const wrote = isFirst || changes.length > 0 || withdrawn.length > 0;
  if (wrote) await bumpGeneration(batch);
  const namesOf = (state: ToolState): string[] => changes.filter((tool) => tool.state === state).map((tool) => tool.name);
  return {
    isFirst,
    accepted: namesOf("accepted"),
    changed: namesOf("changed"),
    added: namesOf("new"),
    missing: namesOf("missing"),
    duplicate: namesOf("duplicate"),
    unusable: namesOf("unusable"),
    withdrawn,
    wrote,
  };
}

/** Pure: the same list and snapshot make the same changes. */
export function compareList(stored: StoredServer, definitions: readonly ToolDefinition[], options: ListOptions): ListComparison {
  const isFirst = stored.acceptedAtMs === undefined && options.complete && options.mode === "accept";
  const before = new Map(stored.tools.map((tool) => [tool.name, tool]));
  const listed = new Map<string, ToolDefinition>();
  const twice = new Set<string>();
  for (const definition of definitions) {
    if (listed.has(definition.name)) twice.add(definition.name);
    else listed.set(definition.name, definition);
  }
  const changes: StoredTool[] = [];
  for (const definition of listed.values()) {
    const old = before.get(definition.name);
    // Of a part of the list nobody can tell that the name stands in it only once.
    if (old?.state === "duplicate" && !options.complete && !twice.has(definition.name)) continue;
    const isTwice = twice.has(definition.name);
    if (old !== undefined && !isFirst && isUnchanged(old, definition, isTwice)) continue;
    changes.push(judge(old, definition, isTwice, isFirst, options));
  }
  const withdrawn: string[] = [];
  if (options.complete) {
    for (const old of stored.tools) {
      if (listed.has(old.name)) continue;
      if (old.accepted === undefined) withdrawn.push(old.name);
      else if (old.state !== "missing") changes.push({ ...old, state: "missing", reason: "", pending: undefined });
    }
  }
  return { isFirst, changes, withdrawn };
}

/** By text first: the hash takes time. */
function isSame(stored: StoredDefinition | undefined, definition: ToolDefinition): boolean {
  return stored !== undefined && (stored.text === definition.text || stored.hash === definition.hash);
}

function isUnchanged(old: StoredTool, definition: ToolDefinition, isTwice: boolean): boolean {
  if (isTwice) return old.state === "duplicate";
  if (old.state === "accepted") return isSame(old.accepted, definition);
  return old.state !== "duplicate" && isSame(old.pending, definition);
}

function judge(
  old: StoredTool | undefined,
  definition: ToolDefinition,
  isTwice: boolean,
  isFirst: boolean,
  options: ListOptions,
): StoredTool {
  const tool = { ...(old ?? createTool(definition.name)) };
  const isKnown = tool.isKnown || isFirst;
  if (isTwice) return { ...tool, isKnown, state: "duplicate", reason: "the server lists the name twice", pending: undefined };
  const { unusable, findings } = definition.prepared;
  const seen = { text: definition.text, hash: definition.hash };
  if (unusable !== undefined) return { ...tool, isKnown, state: "unusable", reason: unusable, pending: seen, findings };
  if (isSame(tool.accepted, definition)) return { ...tool, isKnown, state: "accepted", reason: "", pending: undefined, findings };
  if (isFirst) return acceptDefinition(tool, definition, "first list", options);
  return { ...tool, isKnown, state: tool.accepted === undefined ? "new" : "changed", reason: "", pending: seen, findings };
}

/** The tool with what is pending as its accepted definition. */
export function acceptDefinition(
  tool: StoredTool,
  definition: ToolDefinition,
  by: string,
  options: Pick<ListOptions, "nowMs" | "classify">,
): StoredTool {
  const classification = options.classify?.(definition);
  return {
    name: tool.name,
    state: "accepted",
    reason: "",
    accepted: { text: definition.text, hash: definition.hash },
    pending: undefined,
    class: classification?.class,
    risk: classification?.risk,
    classifierVersion: classification?.version,
    acceptedAtMs: options.nowMs,
    acceptedBy: by,
    isKnown: true,
    findings: definition.prepared.findings,
  };
}

function createTool(name: string): StoredTool {
  return {
    name,
    state: "new",
    reason: "",
    accepted: undefined,
    pending: undefined,
    class: undefined,
    risk: undefined,
    classifierVersion: undefined,
    acceptedAtMs: undefined,
    acceptedBy: undefined,
    isKnown: false,
    findings: [],
  };
}
