/**
 * What is different between a tool's accepted definition and the one the server lists now, field by field, for a person
 * who has to say yes or no. Pure; compares values, so that another order of keys or spelling of a number is no difference.
 */
import { printCanonicalJson } from "../kernel/canonical-json.ts";
import { isJsonList, isJsonObject, type Json, readMember } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { parseDefinitionText } from "./definition.ts";
import type { StoredTool, ToolState } from "./tables.ts";

/** Differences of one tool that are told one by one; beyond, the last one stands for the rest. */
export const MAX_TOLD_CHANGES = 200;

export interface FieldChange {
  /** JSON Pointer into the definition. */
  readonly pointer: string;
  /** Undefined: it was not there. */
  readonly before: Json | undefined;
  /** Undefined: it is gone. */
  readonly after: Json | undefined;
}

export interface ToolDifference {
  readonly name: string;
  readonly state: ToolState;
  readonly reason: string;
  readonly acceptedHash: string | undefined;
  readonly pendingHash: string | undefined;
  readonly changes: readonly FieldChange[];
  /** More changes than were told. */
  readonly isCut: boolean;
}

/** Every tool that is not simply accepted. */
export function diffTools(tools: readonly StoredTool[]): readonly ToolDifference[] {
  return tools.filter((tool) => tool.state !== "accepted").map(diffTool);
}

function diffTool(tool: StoredTool): ToolDifference {
  const changes: FieldChange[] = [];
  if (tool.pending !== undefined) {
    const before = tool.accepted === undefined ? undefined : parseDefinitionText(tool.accepted.text);
    collectChanges(before, parseDefinitionText(tool.pending.text), "", changes);
  }
  return {
    name: tool.name,
    state: tool.state,
    reason: tool.reason,
    acceptedHash: tool.accepted?.hash,
    pendingHash: tool.pending?.hash,
    changes: changes.slice(0, MAX_TOLD_CHANGES),
    isCut: changes.length > MAX_TOLD_CHANGES,
  };
}

function collectChanges(before: Json | undefined, after: Json | undefined, pointer: string, changes: FieldChange[]): void {
  if (changes.length > MAX_TOLD_CHANGES) return;
  if (isJsonObject(before) && isJsonObject(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      collectChanges(readMember(before, key), readMember(after, key), `${pointer}/${escapePointer(key)}`, changes);
    }
    return;
  }
  if (isJsonList(before) && isJsonList(after) && before.length === after.length) {
    for (let index = 0; index < before.length; index++) collectChanges(before[index], after[index], `${pointer}/${index}`, changes);
    return;
  }
  if (before !== undefined && after !== undefined && printCanonicalJson(before) === printCanonicalJson(after)) return;
  changes.push({ pointer, before, after });
}
