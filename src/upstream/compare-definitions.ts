/**
 * What a tool's changed definition means: each change at its place, with what it does, and one word for all of them. The
 * schemas are judged by what fits them, the server's hints by what they claim, texts by nothing; whatever else a
 * definition holds is unclear. Pure.
 */
import { printCanonicalJson } from "../kernel/canonical-json.ts";
import { createJsonObject, isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { compareSchemas } from "../policy/schema/compare-schemas.ts";
import { type Change, type Effect, worstOf } from "../policy/schema/effect.ts";

export interface DefinitionComparison {
  readonly changes: readonly Change[];
  /** The worst of them; undefined where nothing differs. */
  readonly verdict: Effect | undefined;
}

/** What people or a model read, and nothing acts upon. */
const TEXTS: ReadonlySet<string> = new Set(["title", "description", "icons"]);

/** The hints of the protocol: the value that claims to be harmless. Left out, the other one is meant. */
const CAREFUL: ReadonlyMap<string, boolean> = new Map([
  ["readOnlyHint", true],
  ["destructiveHint", false],
  ["idempotentHint", true],
  ["openWorldHint", false],
]);

export function compareDefinitions(before: Json, after: Json): DefinitionComparison {
  const changes: Change[] = [];
  const [left, right] = [openObject(before), openObject(after)];
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const [was, is] = [readMember(left, key), readMember(right, key)];
    if (isSame(was, is)) continue;
    const pointer = `/${escapePointer(key)}`;
    if (key === "inputSchema") changes.push(...compareSchemas(was, is, pointer));
    else if (key === "outputSchema") changes.push(...compareSchemas(was, is, pointer).map(speakOfResults));
    else if (key === "annotations") changes.push(...compareHints(openObject(was), openObject(is), pointer));
    else listLeaves(was, is, pointer, TEXTS.has(key) ? "rewords" : "unclear", changes);
  }
  return { changes, verdict: worstOf(changes) };
}

/** Of what is not understood, at least the places. */
function listLeaves(was: Json | undefined, is: Json | undefined, pointer: string, effect: Effect, changes: Change[]): void {
  if (isSame(was, is)) return;
  if (isJsonObject(was) && isJsonObject(is)) {
    for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
      listLeaves(readMember(was, key), readMember(is, key), `${pointer}/${escapePointer(key)}`, effect, changes);
    }
  } else if (isJsonList(was) && isJsonList(is) && was.length === is.length) {
    for (const [index, member] of was.entries()) listLeaves(member, is[index], `${pointer}/${index}`, effect, changes);
  } else changes.push({ pointer, before: was, after: is, effect });
}

function openObject(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : createJsonObject();
}

function isSame(was: Json | undefined, is: Json | undefined): boolean {
  return was !== undefined && is !== undefined && printCanonicalJson(was) === printCanonicalJson(is);
}

/** What a result may be says less than what is asked for: its members are no arguments. */
function speakOfResults(change: Change): Change {
  return { ...change, note: change.effect === "rewords" ? undefined : "of its results" };
}

function compareHints(before: JsonObject, after: JsonObject, pointer: string): Change[] {
  const changes: Change[] = [];
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is] = [readMember(before, key), readMember(after, key)];
    if (isSame(was, is)) continue;
    changes.push({ pointer: `${pointer}/${escapePointer(key)}`, before: was, after: is, ...judgeHint(key, was, is) });
  }
  return changes;
}

/** A claim to do less is only a claim, and a policy that goes by it would let more pass. */
function judgeHint(key: string, was: Json | undefined, is: Json | undefined): Pick<Change, "effect" | "note"> {
  if (key === "title") return { effect: "rewords" };
  const careful = CAREFUL.get(key);
  if (careful === undefined) return { effect: "unclear" };
  if (was === careful) return { effect: "widens", note: "it no longer claims to be harmless in this" };
  if (is === careful) return { effect: "unclear", note: "it claims to be more harmless than before" };
  return { effect: "unclear", note: "a policy can tell a hint that is left out from one that is given" };
}
