/** A tool's difference for people, place by place, and as JSON. Nothing of a server's text is printed that can't be seen. */
import { type Json, printJson } from "../kernel/json.ts";
import { revealText } from "../kernel/reveal-text.ts";
import type { Change } from "../policy/schema/effect.ts";
import { describeFinding } from "../upstream/definition-findings.ts";
import type { ToolDifference } from "../upstream/diff-tools.ts";
import type { StoredTool } from "../upstream/tables.ts";

export const STATE_WORDS: Readonly<Record<StoredTool["state"], string>> = {
  accepted: "accepted",
  changed: "quarantined: changed since it was accepted",
  new: "quarantined: new",
  missing: "no longer listed",
  duplicate: "quarantined: listed twice",
  unusable: "quarantined: unusable",
};

/** Of a long text that changed in one place, so much is shown around it. */
const CONTEXT_CHARACTERS = 60;
const WHOLE_CHARACTERS = 240;

export function printDifference(difference: ToolDifference): string {
  const { name, state, reason, verdict, changes, isCut, findings, twin } = difference;
  const judged = verdict === undefined ? "" : `, ${verdict}`;
  const lines = [`${revealText(name)}: ${STATE_WORDS[state]}${judged}${reason === "" ? "" : ` (${revealText(reason)})`}`];
  if (twin) {
    const where = twin.server === undefined ? "" : ` of \`${twin.server}\``;
    const words = twin.direction === "from" ? "it is like one that is gone" : "one like it is there";
    lines.push(`  ${words}: \`${revealText(twin.name)}\`${where}`);
  }
  for (const change of changes) lines.push(...printChange(change, state === "new"));
  if (isCut) lines.push("  … and more");
  for (const finding of findings) lines.push(`  noticed ${describeFinding(finding)}`);
  return `${lines.join("\n")}\n`;
}

function printChange(change: Change, isNew: boolean): string[] {
  const { pointer, effect, note } = change;
  const [before, after] = shorten(change.before, change.after);
  const lines = isNew ? [] : [`  ${effect} ${pointer === "" ? "/" : revealText(pointer)}${note === undefined ? "" : ` (${note})`}`];
  if (before !== undefined) lines.push(`  - ${before}`);
  if (after !== undefined) lines.push(`  + ${after}`);
  return lines;
}

/** Both values as texts; of two long texts that differ in one place, that place. */
function shorten(before: Json | undefined, after: Json | undefined): [string | undefined, string | undefined] {
  const print = (value: Json | undefined): string | undefined => (value === undefined ? undefined : revealText(printJson(value)));
  if (typeof before !== "string" || typeof after !== "string" || Math.max(before.length, after.length) < WHOLE_CHARACTERS) {
    return [print(before), print(after)];
  }
  const shortest = Math.min(before.length, after.length);
  let start = 0;
  while (start < shortest && before[start] === after[start]) start++;
  let end = 0;
  while (end < shortest - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const from = start > CONTEXT_CHARACTERS ? start - CONTEXT_CHARACTERS : 0;
  const until = end > CONTEXT_CHARACTERS ? end - CONTEXT_CHARACTERS : 0;
  const cut = (text: string): string =>
    (from > 0 ? "…" : "") + revealText(JSON.stringify(text.slice(from, text.length - until))) + (until > 0 ? "…" : "");
  return [cut(before), cut(after)];
}

export function printDifferenceJson(difference: ToolDifference): string {
  const { name, state, reason, verdict, changes, isCut, findings, twin, acceptedHash, pendingHash } = difference;
  const members: Record<string, string | undefined> = {
    name: JSON.stringify(name),
    state: JSON.stringify(state),
    reason: reason === "" ? undefined : JSON.stringify(reason),
    verdict: verdict && JSON.stringify(verdict),
    acceptedHash: acceptedHash && JSON.stringify(acceptedHash),
    pendingHash: pendingHash && JSON.stringify(pendingHash),
    changes: `[${changes.map(printChangeJson).join(",")}]`,
    more: isCut ? "true" : undefined,
    twin: twin && JSON.stringify(twin),
    noticed: findings.length > 0 ? JSON.stringify(findings) : undefined,
  };
  return printMembers(members);
}

/** By hand, since values keep the spelling that the server gave them. */
function printChangeJson({ pointer, before, after, effect, note }: Change): string {
  return printMembers({
    pointer: JSON.stringify(pointer),
    effect: JSON.stringify(effect),
    note: note === undefined ? undefined : JSON.stringify(note),
    before: before === undefined ? "null" : printJson(before),
    after: after === undefined ? "null" : printJson(after),
  });
}

function printMembers(members: Readonly<Record<string, string | undefined>>): string {
  const present = Object.entries(members).filter(([, text]) => text !== undefined);
  return `{${present.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(",")}}`;
}
