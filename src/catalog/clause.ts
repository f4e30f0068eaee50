/**
 * What the first clause of a description says is done: its leading verb, behind the phrases that such texts begin with
 * ("this tool allows you to …"), and the verbs that are joined to it in the same form ("creates or deletes …").
 */
import type { ToolClass } from "../policy/decision.ts";
import type { Word } from "./fold-words.ts";
import { type Form, findForeignAct, findVerb, type Verb } from "./verbs.ts";

/** Words of the first clause that are looked at. */
export const MAX_CLAUSE_WORDS = 60;
const MAX_INTRODUCTION_WORDS = 16;

export interface ClauseVerb {
  readonly act: ToolClass;
  readonly verb: Verb | undefined;
  readonly at: number;
}

export interface Clause {
  readonly words: readonly Word[];
  readonly leading: ClauseVerb | undefined;
  readonly joined: readonly ClauseVerb[];
  /** Sure verbs that later sentences begin with, as in "Sends a message and waits." */
  readonly later: readonly LaterVerb[];
}

export interface LaterVerb {
  readonly verb: Verb;
  readonly word: Word;
}

const MAX_LATER_SENTENCES = 4;

function findLater(words: readonly Word[]): LaterVerb[] {
  const later: LaterVerb[] = [];
  let sentences = 0;
  for (let at = 1; at < words.length && sentences < MAX_LATER_SENTENCES; at++) {
    if (words[at - 1]?.text !== ".") continue;
    sentences++;
    const word = words[at] as Word;
    const found = findVerb(word.text);
    if (
      found?.form === "third" &&
      !found.verb.isDouble &&
      found.verb.act !== "read" &&
      !found.verb.isMaking &&
      !OF_INPUT.has(found.verb.word) &&
      !isDenied(words, at)
    )
      later.push({ verb: found.verb, word });
  }
  return later;
}

/** "Changes nothing.", and not "Changes nothing but your settings." */
function isDenied(words: readonly Word[], at: number): boolean {
  return words[at + 1]?.text === "nothing" && ENDS.has(words[at + 2]?.text ?? ".");
}

const list = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/));

/** What a tool does with what it is given: "Accepts a list." */
const OF_INPUT = list("accept apply combine exclude ignore skip");

const ENDS = list(". ! ? \n");
const FILLERS =
  list(`a an the this that these it its tool tools function endpoint operation method command action api request call helper utility use used
  using is are be can could will would may might should must to for you your we i user users agent agents ai client clients model models llm allows
  allow lets let enables enable helps help provides provide offers way ability capability interface wrapper mcp server service please
  when whenever want wants need needs who which and also quickly easily safely securely permanently automatically efficiently directly simply
  optionally immediately asynchronously intelligently programmatically instantly atomically recursively synchronously batch bulk mass
  advanced comprehensive powerful simple fast quick smart new able designed intended purpose task performs perform
  performing conduct conducts carry carries various does do make makes execute_tool attempts attempt try tries helpful useful convenience write_access read_only here
  warning important note danger experimental beta deprecated admin optional`);
const DETERMINERS =
  list(`a an the all one some any this these those your its multiple several many new existing specific given each every current
  single up out for into to from on with detailed full in at of`);
const NOT_OBJECTS =
  list(`time times timestamp timestamps date dates permission permissions operation operations event events request requests access
  button buttons statement statements marker markers flag flags status statuses action actions command commands count counts history log logs
  by at rights scope scopes api apis tool tools endpoint endpoints`);
const JOINS = list("and or then / , & (");

export function readClause(words: readonly Word[]): Clause {
  const from = words.findIndex(({ text }) => !ENDS.has(text) && /\p{L}/u.test(text));
  if (from < 0) return { words: [], leading: undefined, joined: [], later: [] };
  let end = words.findIndex(({ text }, at) => at > from && ENDS.has(text) && at - from > 1);
  if (end < 0) end = words.length;
  const clause = words.slice(from, Math.min(end, from + MAX_CLAUSE_WORDS));
  const leading = findLeading(clause);
  const joined = leading?.verb === undefined ? [] : findJoined(clause, leading);
  return { words: clause, leading, joined, later: findLater(words.slice(from)) };
}

function findLeading(clause: readonly Word[]): ClauseVerb | undefined {
  for (let at = 0; at < Math.min(clause.length, MAX_INTRODUCTION_WORDS); at++) {
    const { text } = clause[at] as Word;
    if (/[^\x00-\x7f]/.test(text) || (at === 0 && findVerb(text) === undefined)) {
      const act = findForeignAct(text);
      if (act) return { act, verb: undefined, at };
    }
    const found = findVerb(text);
    const isIntroduced = at > 0;
    if (
      found &&
      isVerbHere(clause, at, found.verb.isDouble, found.form) &&
      !((isIntroduced || found.verb.word === "help") && isFiller(clause, at))
    )
      return { act: found.verb.act, verb: found.verb, at };
    if (!FILLERS.has(text) && !/^[^\p{L}]/u.test(text)) {
      if (found === undefined && !leadsOn(clause, at)) return undefined;
    }
  }
  return undefined;
}

function isFiller(clause: readonly Word[], at: number): boolean {
  const { text } = clause[at] as Word;
  const next = clause[at + 1]?.text ?? "";
  if (text.startsWith("help") && findVerb(next)?.form === "base") return true;
  return FILLERS.has(text) && (next === "to" || next === "you" || next === "users" || FILLERS.has(next)) && !DETERMINERS.has(next);
}

/** "A comprehensive bird tool to …": nouns may stand between, as long as a verb is announced soon after. */
function leadsOn(clause: readonly Word[], at: number): boolean {
  const ahead = clause.slice(at + 1, at + 7).map(({ text }) => text);
  const announced = ahead.findIndex(
    (text) => text === "to" || text === "that" || text === "which" || text === "for" || text === "used" || text === ":",
  );
  return announced >= 0 && announced < 5 && findVerb(ahead[announced + 1] ?? "") !== undefined;
}

function isVerbHere(clause: readonly Word[], at: number, isDouble: boolean, form: Form): boolean {
  const next = clause[at + 1]?.text ?? "";
  const before = clause[at - 1]?.text ?? "";
  // "A delete tool", "the search endpoint".
  if (before === "a" || before === "an" || before === "the") return false;
  // "Start here", "run this tool first", "set of": spoken to the reader.
  if (next === "here" || (next === "this" && /^(?:tool|first|before|function)$/.test(clause[at + 2]?.text ?? "")) || next === "of")
    return false;
  if (!isDouble) return true;
  if (form === "third") return DETERMINERS.has(next) || before === "" || before === "tool" || before === "that";
  return DETERMINERS.has(next) || JOINS.has(next) || before === "to" || (at === 0 && next !== "of" && next !== "");
}

const OBJECTS = list("a an the all any each every it them its their your this that these those specified existing old new matching one");

/** Nothing but joining words between two verbs. */
function isChain(clause: readonly Word[], from: number, to: number): boolean {
  return clause.slice(from + 1, to).every(({ text }) => JOINS.has(text) || text.endsWith("ly"));
}

function findJoined(clause: readonly Word[], leading: ClauseVerb): ClauseVerb[] {
  const form = findVerb(clause[leading.at]?.text ?? "")?.form;
  const joined: ClauseVerb[] = [];
  for (let at = leading.at + 1; at < clause.length; at++) {
    const before = (clause[at - 1]?.text ?? "").endsWith("ly") ? clause[at - 2] : clause[at - 1];
    if (!JOINS.has(before?.text ?? "")) continue;
    const found = findVerb(clause[at]?.text ?? "");
    const next = clause[at + 1]?.text ?? "";
    if (found === undefined || found.form !== form || (found.verb.isDouble && (!OBJECTS.has(next) || found.verb.act === "read"))) continue;
    if (NOT_OBJECTS.has(next)) continue;
    // A list of verbs from the leading one on, or a verb with an object of its own; else it is as likely a noun.
    const isChained = at - (joined.at(-1)?.at ?? leading.at) <= 3 && isChain(clause, joined.at(-1)?.at ?? leading.at, at);
    if (!isChained && !OBJECTS.has(next)) continue;
    joined.push({ act: found.verb.act, verb: found.verb, at });
  }
  return joined;
}
