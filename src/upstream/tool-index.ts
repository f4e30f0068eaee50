/**
 * What a server's tools are to a decision, built once per change of the snapshot: each name with its facts, its compiled
 * input schema and the hash it is accepted under. Frozen in effect; a change makes a new one.
 */
import type { ParamDeclaration } from "../mcp/param-headers.ts";
import type { ToolClass, ToolFacts } from "../policy/decision.ts";
import type { Readable } from "../store/read-rows.ts";
import { readStoredDefinition, type ToolDefinition } from "./definition.ts";
import { compareList } from "./observe-list.ts";
import { readStoredServer, type StoredServer, type StoredTool, type ToolState } from "./tables.ts";

export interface IndexedTool {
  readonly state: ToolState;
  /** Of the accepted definition; undefined where none is accepted. */
  readonly definitionHash: string | undefined;
  /** `null`: to every grant the name is an unknown one (never accepted, or no longer listed). */
  readonly facts: ToolFacts | null;
  readonly classifierVersion: string | undefined;
  /** Of the accepted definition: arguments that a modern request mirrors into headers. */
  readonly paramHeaders: readonly ParamDeclaration[];
}

export interface ToolIndex {
  readonly serverId: string;
  /** While it is false every call answers `unavailable`. */
  readonly hasAcceptedList: boolean;
  readonly tools: ReadonlyMap<string, IndexedTool>;
  /** Every tool that may be called has a class, so that a policy may select by class. */
  readonly isClassified: boolean;
  /** The facts of a name as a decision takes them: `null` for one that is not there. */
  findFacts(name: string): ToolFacts | null;
  /** Whether this list would change the snapshot: nothing needs to be written while it does not. */
  wouldChange(definitions: readonly ToolDefinition[], complete: boolean, mode: "accept" | "review"): boolean;
}

/** Stands in entries in the place of a classifier's version, where the class is a person's. */
export const SET_BY_HAND = "hand";

/** Classes that the configuration sets by hand, tool → class; they overrule the snapshot's. */
export type ClassesByHand = Readonly<Record<string, ToolClass>>;

export async function loadToolIndex(source: Readable, serverId: string, classes: ClassesByHand = {}): Promise<ToolIndex> {
  return buildToolIndex(serverId, await readStoredServer(source, serverId), classes);
}

export function buildToolIndex(serverId: string, stored: StoredServer, classes: ClassesByHand = {}): ToolIndex {
  const tools = new Map<string, IndexedTool>();
  for (const tool of stored.tools) tools.set(tool.name, indexTool(tool, classes));
  const callable = [...tools.values()].filter((tool) => tool.state === "accepted");
  return {
    serverId,
    hasAcceptedList: stored.acceptedAtMs !== undefined,
    tools,
    isClassified: callable.every((tool) => tool.facts?.class !== undefined),
    findFacts: (name) => tools.get(name)?.facts ?? null,
    wouldChange(definitions, complete, mode) {
      const { isFirst, changes, withdrawn } = compareList(stored, definitions, { complete, mode, nowMs: 0 });
      return isFirst || changes.length > 0 || withdrawn.length > 0;
    },
  };
}

function indexTool(tool: StoredTool, classes: ClassesByHand): IndexedTool {
  const definition = tool.accepted === undefined ? undefined : readStoredDefinition(tool.name, tool.accepted);
  return {
    state: tool.state,
    definitionHash: tool.accepted?.hash,
    facts: factsOf(tool, definition, classes),
    classifierVersion: Object.hasOwn(classes, tool.name) ? SET_BY_HAND : tool.classifierVersion,
    paramHeaders: definition?.prepared.paramHeaders ?? [],
  };
}

function factsOf(tool: StoredTool, definition: ToolDefinition | undefined, classes: ClassesByHand): ToolFacts | null {
  if (tool.state === "missing") return null;
  const byHand = Object.hasOwn(classes, tool.name) ? classes[tool.name] : undefined;
  const known = { name: tool.name, class: byHand ?? (tool.class as ToolClass | undefined), risk: tool.risk };
  if (definition === undefined) return tool.isKnown ? { ...known, quarantined: true } : null;
  const { prepared } = definition;
  // A definition that was accepted and can no longer be used (a newer version reads more strictly) stays closed.
  const quarantined = tool.state !== "accepted" || prepared.unusable !== undefined;
  return { ...known, annotations: prepared.annotations, inputSchema: prepared.inputSchema, ...(quarantined ? { quarantined } : {}) };
}
