/**
 * Classes of tools that another classifier's version set, or none: read again from the accepted definitions. What has
 * become worse, or has no class yet, is taken by itself; what has become milder waits for a person. Never on the way of a
 * call: at the opening of a data folder, and by command.
 */
import { TOOL_CLASSES, TOOL_RISKS } from "../policy/decision.ts";
import { bumpGeneration } from "../store/generation.ts";
import type { Readable } from "../store/read-rows.ts";
import type { Batch } from "../store/store.ts";
import { readStoredDefinition } from "./definition.ts";
import type { ClassifyTool, ToolClassification } from "./observe-list.ts";
import { hasOtherClassifier, listStoredServers, readStoredServer, type StoredTool, writeStoredTool } from "./tables.ts";

export interface Reclassification {
  readonly name: string;
  readonly before: { readonly class: string | undefined; readonly risk: string | undefined };
  readonly after: ToolClassification;
  /** Class or risk would be milder than it was. */
  readonly isLower: boolean;
}

/** What this classifier says otherwise than the snapshot does. Tools of its own version are not asked again. */
export function listReclassifications(tools: readonly StoredTool[], classify: ClassifyTool, version: string): readonly Reclassification[] {
  return tools.flatMap((tool) => {
    if (tool.accepted === undefined || tool.classifierVersion === version) return [];
    const after = classify(readStoredDefinition(tool.name, tool.accepted));
    if (after === undefined) return [];
    const isLower =
      tool.class !== undefined &&
      (rank(TOOL_CLASSES, after.class) < rank(TOOL_CLASSES, tool.class) || rank(TOOL_RISKS, after.risk) < rank(TOOL_RISKS, tool.risk));
    return [{ name: tool.name, before: { class: tool.class, risk: tool.risk }, after, isLower }];
  });
}

function rank(order: readonly string[], word: string | undefined): number {
  return word === undefined ? -1 : order.indexOf(word);
}

/** Whether there is anything to raise: looked at without a writer's lock, and next to nothing where all are current. */
export async function canRaiseClasses(source: Readable, classify: ClassifyTool, version: string): Promise<boolean> {
  if (!(await hasOtherClassifier(source, version))) return false;
  for (const serverId of await listStoredServers(source)) {
    const { tools } = await readStoredServer(source, serverId);
    if (listReclassifications(tools, classify, version).some(({ isLower }) => !isLower)) return true;
  }
  return false;
}

/** Takes what is new or worse, for every server of the store. */
export async function raiseClasses(batch: Batch, classify: ClassifyTool, version: string, nowMs: number): Promise<number> {
  let raised = 0;
  for (const serverId of await listStoredServers(batch)) {
    const { tools } = await readStoredServer(batch, serverId);
    const changes = listReclassifications(tools, classify, version).filter(({ isLower }) => !isLower);
    raised += await takeReclassifications(batch, serverId, tools, changes, nowMs);
  }
  return raised;
}

export async function takeReclassifications(
  batch: Batch,
  serverId: string,
  tools: readonly StoredTool[],
  changes: readonly Reclassification[],
  nowMs: number,
): Promise<number> {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  for (const { name, after } of changes) {
    const tool = byName.get(name) as StoredTool;
    await writeStoredTool(batch, serverId, { ...tool, class: after.class, risk: after.risk, classifierVersion: after.version }, nowMs);
  }
  if (changes.length > 0) await bumpGeneration(batch);
  return changes.length;
}
