/**
 * A tool that is gone and one that is new, which are the same under another name or with another server: the same schemas
 * and hints, and nearly the same description. Told to people as a hint; what is new stays quarantined all the same. Pure.
 */

import { printCanonicalJson } from "../kernel/canonical-json.ts";
import { createJsonObject, isJsonObject, type Json, readMember } from "../kernel/json.ts";
import { parseDefinitionText } from "./definition.ts";
import type { StoredTool } from "./tables.ts";

export interface Twin {
  /** `from`: this one is new and was that one. `to`: this one is gone and is now that one. */
  readonly direction: "from" | "to";
  readonly name: string;
  /** Undefined: the same server's. */
  readonly server: string | undefined;
}

/** How many of the words of two descriptions have to be in both. */
const NEAR = 0.7;
/** Tools of one shape that are held against each other. */
const MAX_CANDIDATES = 64;
const MAX_COMPARED_WORDS = 2_000;

interface Profile {
  readonly name: string;
  readonly server: string | undefined;
  /** Everything of the definition but name and words. */
  readonly shape: string;
  /** Schemas without arguments are alike by chance. */
  readonly isTelling: boolean;
  readonly words: ReadonlySet<string>;
}

export function findTwins(tools: readonly StoredTool[], others: ReadonlyMap<string, readonly StoredTool[]>): ReadonlyMap<string, Twin> {
  const gone = tools.filter((tool) => tool.state === "missing").map((tool) => describeTool(tool, undefined));
  const fresh = tools.filter(isNew).map((tool) => describeTool(tool, undefined));
  const twins = new Map<string, Twin>();
  if (gone.length === 0 && fresh.length === 0) return twins;
  const taken = new Set<Profile>();
  pair(gone, group(fresh), taken, (left, right) => {
    twins.set(left.name, { direction: "to", name: right.name, server: undefined });
    twins.set(right.name, { direction: "from", name: left.name, server: undefined });
  });
  const elsewhere = [...others].flatMap(([server, list]) => list.map((tool) => ({ tool, server })));
  const here = elsewhere.filter(({ tool }) => tool.state !== "missing").map(({ tool, server }) => describeTool(tool, server));
  const left = elsewhere.filter(({ tool }) => tool.state === "missing").map(({ tool, server }) => describeTool(tool, server));
  const single = (profile: Profile): boolean => !twins.has(profile.name);
  pair(
    gone.filter(single),
    group(here),
    taken,
    (one, other) => void twins.set(one.name, { direction: "to", name: other.name, server: other.server }),
  );
  pair(
    fresh.filter(single),
    group(left),
    taken,
    (one, other) => void twins.set(one.name, { direction: "from", name: other.name, server: other.server }),
  );
  return twins;
}

function isNew(tool: StoredTool): boolean {
  return tool.accepted === undefined && tool.pending !== undefined && tool.state === "new";
}

function group(profiles: readonly Profile[]): ReadonlyMap<string, readonly Profile[]> {
  return Map.groupBy(profiles, ({ shape }) => shape);
}

function pair(
  profiles: readonly Profile[],
  candidates: ReadonlyMap<string, readonly Profile[]>,
  taken: Set<Profile>,
  join: (one: Profile, other: Profile) => void,
): void {
  for (const one of profiles) {
    const near = (candidates.get(one.shape) ?? []).slice(0, MAX_CANDIDATES).filter((other) => !taken.has(other));
    const scored = near.map((other) => ({ other, nearness: compareProfiles(one, other) })).filter(({ nearness }) => nearness >= NEAR);
    const best = scored.sort((left, right) => right.nearness - left.nearness)[0];
    if (best === undefined) continue;
    taken.add(best.other);
    join(one, best.other);
  }
}

/** From 0 to 1. Without words, schemas that say something have to do, or the very name. */
function compareProfiles(left: Profile, right: Profile): number {
  if (left.words.size === 0 && right.words.size === 0) return left.isTelling || left.name === right.name ? 1 : 0;
  const shared = [...left.words].filter((word) => right.words.has(word)).length;
  return shared / (left.words.size + right.words.size - shared);
}

function describeTool(tool: StoredTool, server: string | undefined): Profile {
  const text = (tool.pending ?? tool.accepted)?.text;
  const definition = text === undefined ? createJsonObject() : parseDefinitionText(text);
  const rest = createJsonObject();
  const words = new Set<string>();
  let isTelling = false;
  if (isJsonObject(definition)) {
    for (const key of ["inputSchema", "outputSchema", "annotations"]) {
      const value = readMember(definition, key);
      if (value !== undefined) rest[key] = value;
    }
    const schema = readMember(definition, "inputSchema");
    const properties = isJsonObject(schema) ? readMember(schema, "properties") : undefined;
    isTelling = isJsonObject(properties) && Object.keys(properties).length > 0;
    for (const word of listWords(readMember(definition, "description"))) words.add(word);
  }
  // Its own name says nothing about what it is.
  for (const word of listWords(tool.name)) words.delete(word);
  return { name: tool.name, server, shape: printCanonicalJson(rest), isTelling, words };
}

function listWords(value: Json | undefined): string[] {
  return typeof value === "string" ? (value.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, MAX_COMPARED_WORDS) : [];
}
