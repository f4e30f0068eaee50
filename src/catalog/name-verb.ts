/**
 * Which word of a tool's name says what it does. Verbs stand first (`get_user`), behind the product's own name
 * (`mail_send_message`), or last (`vault_secret_delete`); a double, such as `order`, is a verb only where no sure one is.
 */
import type { Word } from "./fold-words.ts";
import { type FoundVerb, findVerb, type Verb } from "./verbs.ts";

export interface PlacedVerb extends FoundVerb {
  readonly at: number;
}

/** Words after which another verb begins: `create_or_update`. */
const JOINS: ReadonlySet<string> = new Set(["and", "or", "then"]);
/** Behind these stands what something is for, by, or about, not what is done. */
const TURNS_AWAY: ReadonlySet<string> = new Set([
  "by",
  "for",
  "from",
  "of",
  "with",
  "in",
  "on",
  "to",
  "at",
  "as",
  "via",
  "before",
  "after",
  "into",
]);
const SKIPPED: ReadonlySet<string> = new Set([
  "batch",
  "bulk",
  "mass",
  "multi",
  "multiple",
  "all",
  "auto",
  "async",
  "safe",
  "force",
  "quick",
  "simple",
  "raw",
  "api",
  "tool",
  "mcp",
  "v",
]);

/** The leading verb and those joined to it, in the order of the name; empty where no word is a verb. */
export function findNameVerbs(words: readonly Word[], stated?: Verb): readonly PlacedVerb[] {
  const verbs: PlacedVerb[] = [];
  for (const [at, word] of words.entries()) {
    const found = findVerb(word.text);
    if (found !== undefined && found.form !== "third") verbs.push({ ...found, at });
    else if (found !== undefined && at === 0 && !found.verb.isDouble) verbs.push({ ...found, at });
  }
  const leading = confirm(findLeading(words, verbs), verbs, stated);
  if (leading === undefined) return [];
  const joined = verbs.filter(({ at, verb }) => at > leading.at && JOINS.has(words[at - 1]?.text ?? "") && !verb.isDouble);
  return [leading, ...joined];
}

/** Verbs that are hardly ever nouns. */
const ASKING: ReadonlySet<string> = new Set(["get", "fetch", "retrieve", "describe", "show", "find"]);

/**
 * A product may be called by a verb (`deploy_plan_get`). Where the description leads with another verb of the name, or with
 * one that does the same, that is the verb, unless what leads removes or pays.
 */
function confirm(leading: PlacedVerb | undefined, verbs: readonly PlacedVerb[], stated: Verb | undefined): PlacedVerb | undefined {
  if (leading === undefined || stated === undefined || leading.verb.word === stated.word) return leading;
  const same = verbs.find(({ verb }) => verb.word === stated.word);
  if (stated.isDouble && !leading.verb.isDouble && !(same && same.at < leading.at)) return leading;
  if (same && (leading.verb.act === "read" || same.verb.act !== "read")) return same;
  if (same && ASKING.has(same.verb.word) && (leading.verb.act === "write" || leading.verb.act === "execute")) return same;
  if (leading.verb.act !== "write" && leading.verb.act !== "execute") return leading;
  if (leading.at === 0 && leading.verb.act === "write") return leading;
  const alike = verbs.find(({ verb, form, at }) => at > leading.at && verb.act === stated.act && !verb.isDouble && form === "base");
  return alike ?? same ?? leading;
}

function findLeading(words: readonly Word[], verbs: readonly PlacedVerb[]): PlacedVerb | undefined {
  const start = words.findIndex(({ text }) => !SKIPPED.has(text));
  const isFree = (verb: PlacedVerb): boolean => !TURNS_AWAY.has(words[verb.at - 1]?.text ?? "");
  const sure = verbs.filter((verb) => !verb.verb.isDouble && verb.form === "base" && isFree(verb));
  const first = verbs.find(({ at }) => at === start);
  if (first && !first.verb.isDouble) return first;
  const last = sure.find(({ at }) => at === words.length - 1);
  // A sure verb further on goes before a double that may be the product's name.
  const next = sure.find(({ at }) => at > start);
  if (first && next === undefined) return first;
  const second = sure.find(({ at }) => at === start + 1);
  if (second && last && second !== last) return second;
  return last ?? second ?? next ?? first ?? verbs.find(({ at }) => at === words.length - 1) ?? verbs.find(isFree);
}
