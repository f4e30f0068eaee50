/**
 * A person's word on quarantined tools: what they now are becomes what they are accepted as, and what is no longer listed
 * is forgotten. A name that is listed twice, or that can't be used, is not accepted by anyone.
 */
import { bumpGeneration } from "../store/generation.ts";
import type { Batch } from "../store/store.ts";
import { readStoredDefinition } from "./definition.ts";
import { acceptDefinition, type ClassifyTool } from "./observe-list.ts";
import { readStoredServer, removeStoredServer, removeStoredTool, type StoredTool, writeAcceptance, writeStoredTool } from "./tables.ts";

export interface AcceptOptions {
  /** Who accepts, for the snapshot and the log. */
  readonly by: string;
  readonly nowMs: number;
  readonly classify?: ClassifyTool | undefined;
  /** Accept only what was looked at: the pending hash of each name. */
  readonly hashes?: Readonly<Record<string, string>> | undefined;
}

export interface Acceptance {
  readonly accepted: readonly string[];
  /** Missing ones, forgotten. */
  readonly removed: readonly string[];
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}

/** `all`: every tool that can be accepted, and every missing one forgotten. */
export async function acceptTools(
  batch: Batch,
  serverId: string,
  names: readonly string[] | "all",
  options: AcceptOptions,
): Promise<Acceptance> {
  const stored = await readStoredServer(batch, serverId);
  const byName = new Map(stored.tools.map((tool) => [tool.name, tool]));
  const accepted: string[] = [];
  const removed: string[] = [];
  const refused: { name: string; reason: string }[] = [];
  for (const name of names === "all" ? byName.keys() : new Set(names)) {
    const tool = byName.get(name);
    const reason = tool === undefined ? "the server lists no such tool" : findObstacle(tool, options);
    if (tool === undefined || reason !== undefined) {
      refused.push({ name, reason: reason as string });
    } else if (tool.state === "missing") {
      await removeStoredTool(batch, serverId, name);
      removed.push(name);
    } else if (tool.pending !== undefined) {
      const next = acceptDefinition(tool, readStoredDefinition(name, tool.pending), options.by, options);
      await writeStoredTool(batch, serverId, next, options.nowMs);
      accepted.push(name);
    }
  }
  const isFirst = stored.acceptedAtMs === undefined && accepted.length > 0;
  if (isFirst) await writeAcceptance(batch, serverId, options.nowMs);
  if (accepted.length > 0 || removed.length > 0) await bumpGeneration(batch);
  return { accepted, removed, refused };
}

function findObstacle(tool: StoredTool, options: AcceptOptions): string | undefined {
  if (tool.state === "duplicate" || tool.state === "unusable") return tool.reason;
  const looked = options.hashes?.[tool.name];
  if (looked !== undefined && tool.pending !== undefined && tool.pending.hash !== looked)
    return "it has changed again since it was looked at";
  return undefined;
}

/** Forgets a server's snapshot: its next whole list is a first list. */
export async function forgetServer(batch: Batch, serverId: string): Promise<void> {
  await removeStoredServer(batch, serverId);
  await bumpGeneration(batch);
}
