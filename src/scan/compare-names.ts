/**
 * Names of tools that one client sees side by side: the same name from two servers, names that people or models take for
 * each other, and texts that name another server's tool. Pure; time grows with the names, not with their pairs.
 */
import { splitName } from "../catalog/fold-words.ts";
import { findVerb } from "../catalog/verbs.ts";
import type { ToolRisk } from "../catalog/verdict.ts";

export interface NamedTool {
  readonly server: string;
  readonly name: string;
  readonly description: string;
}

export interface NameFinding {
  readonly rule: "shadowed-name" | "look-alike-name" | "names-other-tool";
  readonly level: ToolRisk;
  readonly tool: NamedTool;
  readonly other: NamedTool;
  readonly how: string;
}

/** Findings of one comparison; a set of servers that gives more has said enough. */
export const MAX_NAME_FINDINGS = 200;
/** Shorter names are near each other by chance. */
const MIN_NEAR_CHARACTERS = 7;
/** Longer ones are none that anybody confuses by a letter. */
const MAX_NEAR_CHARACTERS = 64;
const MAX_LOOKED_CHARACTERS = 8 * 1024;
const DISTINCTIVE = /^[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)+$|^[a-z]+(?:[A-Z][a-z0-9]+)+$/;

export function compareNames(tools: readonly NamedTool[]): NameFinding[] {
  const findings: NameFinding[] = [];
  const told = new Set<string>();
  const tell = (rule: NameFinding["rule"], level: ToolRisk, tool: NamedTool, other: NamedTool, how: string): void => {
    if (tool.server === other.server || findings.length >= MAX_NAME_FINDINGS) return;
    const ends = [`${tool.server}\0${tool.name}`, `${other.server}\0${other.name}`];
    const key = rule === "names-other-tool" ? `${rule} ${ends.join("\0\0")}` : ends.sort().join("\0\0");
    if (told.has(key)) return;
    told.add(key);
    findings.push({ rule, level, tool, other, how });
  };
  pairUp(
    tools,
    ({ name }) => [name],
    (tool, other) => tell("shadowed-name", "medium", tool, other, "is the same name"),
  );
  pairUp(
    tools,
    ({ name }) => [
      splitName(name)
        .map(({ text }) => text)
        .join(""),
    ],
    (tool, other) => {
      const isPlain = [tool, other].every(({ name }) => /^[\x20-\x7e]*$/.test(name));
      if (tool.name !== other.name) {
        const how = isPlain ? "differs in case and separators alone" : "differs in letters that look alike or can't be seen";
        tell("look-alike-name", isPlain ? "medium" : "high", tool, other, how);
      }
    },
  );
  pairUp(
    tools,
    ({ name }) => listDeletions(name),
    (tool, other) => {
      if (isNear(tool.name, other.name)) tell("look-alike-name", "medium", tool, other, "differs in one letter");
    },
  );
  findMentions(tools, (tool, other) => tell("names-other-tool", "medium", tool, other, "is named in its text"));
  return findings;
}

/** Acts on each tool and the first one of another server that shares a key with it. */
function pairUp(
  tools: readonly NamedTool[],
  keysOf: (tool: NamedTool) => readonly string[],
  act: (tool: NamedTool, other: NamedTool) => void,
): void {
  const known = new Map<string, Map<string, NamedTool>>();
  for (const tool of tools) {
    for (const key of keysOf(tool)) {
      if (key === "") continue;
      const others = known.get(key) ?? new Map<string, NamedTool>();
      for (const other of others.values()) act(tool, other);
      others.set(tool.server, others.get(tool.server) ?? tool);
      known.set(key, others);
    }
  }
}

/** Two names that share one of these are at most a letter, or two that changed places, apart. */
function listDeletions(name: string): string[] {
  if (name.length < MIN_NEAR_CHARACTERS || name.length > MAX_NEAR_CHARACTERS) return [];
  return [name, ...new Set(Array.from({ length: name.length }, (_, at) => name.slice(0, at) + name.slice(at + 1)))];
}

function isNear(left: string, right: string): boolean {
  if (left === right || Math.abs(left.length - right.length) > 1 || !isOneEdit(left, right)) return false;
  const [a, b] = [left, right].map((name) => splitName(name).map(({ text }) => text)) as [string[], string[]];
  if (a.length !== b.length) return true;
  const at = a.findIndex((word, index) => word !== b[index]);
  const [one, other] = [a[at] ?? "", b[at] ?? ""];
  // Plurals, counted names and opposite verbs are how names are made.
  if (`${one}s` === other || `${other}s` === one) return false;
  if (/\d/.test(one) || /\d/.test(other) || one.length < 4 || other.length < 4) return false;
  return findVerb(one) === undefined || findVerb(other) === undefined;
}

function isOneEdit(left: string, right: string): boolean {
  let start = 0;
  while (start < left.length && left[start] === right[start]) start++;
  const [a, b] = [left.slice(start), right.slice(start)];
  if (a.slice(1) === b || a === b.slice(1) || a.slice(1) === b.slice(1)) return true;
  return a.length === b.length && a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2);
}

function findMentions(tools: readonly NamedTool[], act: (tool: NamedTool, other: NamedTool) => void): void {
  const byName = new Map<string, NamedTool[]>();
  for (const tool of tools) {
    if (!DISTINCTIVE.test(tool.name)) continue;
    const known = byName.get(tool.name) ?? [];
    known.push(tool);
    byName.set(tool.name, known);
  }
  for (const tool of tools) {
    for (const [word] of tool.description.slice(0, MAX_LOOKED_CHARACTERS).matchAll(/[A-Za-z0-9_-]{4,64}/g)) {
      const named = byName.get(word);
      // A server that has such a tool itself speaks of its own.
      if (named === undefined || named.some(({ server }) => server === tool.server)) continue;
      act(tool, named[0] as NamedTool);
    }
  }
}
