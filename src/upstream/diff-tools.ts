/**
 * What is different between a tool's accepted definition and the one the server lists now, place by place and judged, for
 * a person who has to say yes or no. Pure; compares values, so that another order of keys or spelling of a number is no
 * difference.
 */
import type { Change, Effect } from "../policy/schema/effect.ts";
import { compareDefinitions } from "./compare-definitions.ts";
import { parseDefinitionText } from "./definition.ts";
import { type DefinitionFinding, listDefinitionFindings } from "./definition-findings.ts";
import type { StoredTool, ToolState } from "./tables.ts";
import { findTwins, type Twin } from "./tool-twins.ts";

/** Differences of one tool that are told one by one; beyond, the last one stands for the rest. */
export const MAX_TOLD_CHANGES = 200;

export interface ToolDifference {
  readonly name: string;
  readonly state: ToolState;
  readonly reason: string;
  readonly acceptedHash: string | undefined;
  readonly pendingHash: string | undefined;
  /** The worst of all changes; undefined where there is nothing to compare. */
  readonly verdict: Effect | undefined;
  readonly changes: readonly Change[];
  /** More changes than were told. */
  readonly isCut: boolean;
  /** What is noticeable in the definition that waits. */
  readonly findings: readonly DefinitionFinding[];
  /** The same tool under another name, or with another server. */
  readonly twin: Twin | undefined;
}

/** Every tool that is not simply accepted. `others`: the tools of other servers, by the server's name. */
export function diffTools(
  tools: readonly StoredTool[],
  others: ReadonlyMap<string, readonly StoredTool[]> = new Map(),
): readonly ToolDifference[] {
  const twins = findTwins(tools, others);
  return tools.filter((tool) => tool.state !== "accepted").map((tool) => diffTool(tool, twins.get(tool.name)));
}

function diffTool(tool: StoredTool, twin: Twin | undefined): ToolDifference {
  const pending = tool.pending && parseDefinitionText(tool.pending.text);
  let changes: readonly Change[] = [];
  let verdict: Effect | undefined;
  if (pending !== undefined) {
    if (tool.accepted === undefined) changes = [{ pointer: "", before: undefined, after: pending, effect: "widens" }];
    else ({ changes, verdict } = compareDefinitions(parseDefinitionText(tool.accepted.text), pending));
  }
  return {
    name: tool.name,
    state: tool.state,
    reason: tool.reason,
    acceptedHash: tool.accepted?.hash,
    pendingHash: tool.pending?.hash,
    verdict,
    changes: changes.slice(0, MAX_TOLD_CHANGES),
    isCut: changes.length > MAX_TOLD_CHANGES,
    findings: pending === undefined ? [] : listDefinitionFindings(pending),
    twin,
  };
}

/** What is noticeable in a tool as it is listed now. */
export function listToolFindings(tool: StoredTool): readonly DefinitionFinding[] {
  const seen = tool.pending ?? tool.accepted;
  return seen === undefined ? [] : listDefinitionFindings(parseDefinitionText(seen.text));
}
