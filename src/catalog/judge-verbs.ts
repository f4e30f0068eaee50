/**
 * What the verbs of a name and of a first clause say together. A sure verb of the name goes first; the clause decides
 * between doubles and may make it worse, never milder. Where they disagree, that is told.
 */
import type { ToolClass } from "../policy/decision.ts";
import type { Clause, ClauseVerb } from "./clause.ts";
import type { Word } from "./fold-words.ts";
import { carriesTransfer, findMovement, type MoneyContext, turnsToMoney } from "./money.ts";
import type { PlacedVerb } from "./name-verb.ts";
import type { Verb } from "./verbs.ts";
import { CLASS_RANK, type Confidence, worstClass } from "./verdict.ts";

export interface VerbSeen {
  readonly act: ToolClass;
  readonly verb: Verb | undefined;
  readonly word: Word;
  readonly from: "name" | "description";
}

export interface VerbVerdict {
  readonly act: ToolClass;
  readonly confidence: Confidence;
  readonly seen: readonly VerbSeen[];
  readonly isConflict: boolean;
  readonly isReversible: boolean;
}

const ANSWER_NOUNS =
  /^(?:history|status|info|information|details?|logs?|data|summary|stats|statistics|count|schema|report|metrics|overview|results?)$/;
const ANSWERS: ReadonlySet<string> = new Set(
  "search searches query queries lookup analysis check checks scan calculation request comparison similarity full semantic vector web advanced retrieval aggregation diagnostic diagnostics detector validation inspection health".split(
    " ",
  ),
);
/** What is resolved by looking it up, rather than by dealing with it. */
const FOUND: ReadonlySet<string> = new Set(
  "id ids name names library address addresses domain dns path paths url urls uri reference references handle hostname package symbol symbols ens identifier username version link links location did".split(
    " ",
  ),
);
/** What is tested by looking whether it is there and right. */
const TRIED: ReadonlySet<string> = new Set(
  "connection connections connectivity access auth authentication credentials login key whether if that regex regexp pattern validity reachability configuration config settings hypothesis".split(
    " ",
  ),
);
/** Parts of a work that are taken out of it: that is editing. */
const EDITED: ReadonlySet<string> = new Set(
  "background backgrounds watermark watermarks noise silence whitespace accents punctuation stopwords duplicates emoji emojis blemish".split(
    " ",
  ),
);
const SOFT: ReadonlySet<string> = new Set("archive trash disable deactivate hide move unpublish".split(" "));
const SAYS_SOFT =
  /\bsoft[ -]delet|\b(?:can|may) (?:later )?be (?:restored|recovered|undone)\b|\bto (?:the )?(?:trash|recycle bin)\b|\brecoverable\b/;
const SAYS_HARD = /\bpermanent|\birreversibl|\b(?:cannot|can't|can not|not) be (?:undone|restored|recovered|reversed)\b/;

export interface VerbQuestion {
  readonly nameWords: readonly Word[];
  readonly nameVerbs: readonly PlacedVerb[];
  readonly clause: Clause;
  /** The whole description, folded. */
  readonly said: string;
  readonly argumentWords: ReadonlySet<string>;
}

export function judgeVerbs(question: VerbQuestion): VerbVerdict | undefined {
  const { nameWords, nameVerbs, clause, argumentWords } = question;
  const money: MoneyContext = { words: [...nameWords, ...clause.words], argumentWords };
  const named = nameVerbs.map((placed): VerbSeen => {
    const act = actOf(placed.verb, placed.at, nameWords, money);
    return { act, verb: placed.verb, word: nameWords[placed.at] as Word, from: "name" };
  });
  const stated = [clause.leading, ...clause.joined].flatMap((found): VerbSeen[] => (found ? [stateVerb(found, clause, money)] : []));
  const later = clause.later.map(({ verb, word }): VerbSeen => ({ act: verb.act, verb, word, from: "description" }));
  const [name] = named;
  const [first, ...more] = stated;
  // What a later sentence does counts where it would be overlooked.
  const joined = [...more, ...later.filter(({ act }) => name?.act !== "destructive" && act !== "destructive")];
  const seen = [...named, ...stated, ...later];
  const settle = (act: ToolClass, confidence: Confidence, isConflict = false, isReversible = false): VerbVerdict => {
    // A further verb of either can only make it worse.
    const isSure = name?.act === "write" && name.verb?.isDouble === false;
    const others = [...named.slice(1), ...joined].filter((other) => !(isSure && other.act === "execute" && other.from === "description"));
    const worst = others.reduce((known, other) => worstClass(known, other.act), act);
    return { act: worst, confidence, seen, isConflict, isReversible };
  };
  if (name === undefined && first === undefined) return undefined;
  if (name === undefined) return settle((first as VerbSeen).act, (first as VerbSeen).verb?.isDouble === true ? "low" : "medium");
  // Asking for money moves none.
  if (name.act === "financial" && name.verb?.act === "write" && asksForMoney(clause.words)) return settle("write", "low");
  if (name.act === "destructive" && isSoft(question, stated))
    return { act: "write", confidence: "medium", seen, isConflict: false, isReversible: true };
  if (first === undefined) return settle(name.act, name.verb?.isDouble === true ? "low" : "medium");
  // The name is nothing but the verb: what it is done to stands in the clause.
  if (nameWords.length === 1 && name.verb !== undefined && name.verb.word === first.verb?.word) return settle(first.act, "high");
  if (name.act === first.act) return settle(name.act, "high");
  if (name.verb?.isDouble === true && name.act !== "financial" && first.verb?.isDouble !== true) {
    const onlyAnswers = name.act === "read" && (isAnswering(first, clause) || PRODUCES.has(first.verb?.word ?? ""));
    return settle(onlyAnswers ? "read" : first.act, onlyAnswers ? "low" : "medium");
  }
  const isAnswer = (nameVerbs[0]?.at ?? 0) > 0 && ANSWER_NOUNS.test(nameWords.at(-1)?.text ?? "");
  return settleConflict(name, first, clause, isAnswer, settle);
}

function asksForMoney(words: readonly Word[]): boolean {
  return words.some(
    ({ text }, at) =>
      (text === "payment" && /^(?:request|link|page)s?$/.test(words[at + 1]?.text ?? "")) || /^(?:receiving|accepting)$/.test(text),
  );
}

function settleConflict(
  name: VerbSeen,
  first: VerbSeen,
  clause: Clause,
  isAnswer: boolean,
  settle: (act: ToolClass, confidence: Confidence, isConflict?: boolean) => VerbVerdict,
): VerbVerdict {
  // "commit_history: Gets …": the name is of a thing that can be looked at.
  const isThing = isAnswer && first.act === "read" && first.verb?.isDouble === false && (name.act === "write" || name.act === "execute");
  if (isThing) return settle("read", "low");
  if (CLASS_RANK[first.act] < CLASS_RANK[name.act])
    return settle(name.act, first.act === "read" ? "low" : "medium", first.act === "read" && name.verb?.isMaking !== true);
  if (first.act === "destructive" || first.act === "financial") return settle(first.act, "medium", name.act === "read");
  if (name.act !== "read") return settle(name.act, "medium");
  // "Get …: Generates a list of …" and "Search …: Executes a search" still only answer.
  if (first.verb === undefined || first.verb.isMaking || first.verb.isDouble) return settle("read", "medium");
  if (isAnswering(first, clause)) return settle("read", "medium");
  return settle("write", "low", true);
}

/** "Executes a search": what is run is a question. */
function isAnswering(first: VerbSeen, clause: Clause): boolean {
  const at = clause.leading?.at ?? 0;
  return (
    (first.verb?.word === "run" || first.verb?.word === "execute") &&
    clause.words.slice(at + 1, at + 6).some(({ text }) => ANSWERS.has(text))
  );
}

const PRODUCES: ReadonlySet<string> = new Set(["generate", "produce"]);

function stateVerb({ act, verb, at }: ClauseVerb, clause: Clause, money: MoneyContext): VerbSeen {
  return { act: verb ? actOf(verb, at, clause.words, money) : act, verb, word: clause.words[at] as Word, from: "description" };
}

function actOf(verb: Verb, at: number, words: readonly Word[], money: MoneyContext): ToolClass {
  if (verb.word === "resolve" && words.slice(at + 1, at + 5).some(({ text }) => FOUND.has(text))) return "read";
  const object = words.slice(at + 1, at + 5);
  if (verb.word === "add" && object.some(({ text }) => /^(?:numbers?|integers?|vectors?|matri(?:x|ces))$/.test(text))) return "read";
  if (verb.word === "test" && object.some(({ text }) => TRIED.has(text))) return "read";
  if (verb.word === "report" && object.some(({ text }) => /^(?:errors?|bugs?|issues?|abuse|problems?|spam)$/.test(text))) return "write";
  if (verb.act === "financial") return "financial";
  if (verb.act === "destructive") {
    const near = words.slice(at + 1, at + 4);
    if (near.some(({ text }) => EDITED.has(text))) return "write";
    if (verb.word === "drop" && words[at - 2]?.text.startsWith("drag") === true) return "write";
  }
  if (verb.act !== "read" && (findMovement(words, at, verb.word) || carriesTransfer(words, at, verb.word, money))) return "financial";
  if (turnsToMoney(verb.word, money)) return "financial";
  return verb.word === "withdraw" ? "destructive" : verb.act;
}

/** A removal that can be taken back, by its own words. */
function isSoft({ clause, said }: VerbQuestion, stated: readonly VerbSeen[]): boolean {
  if (SAYS_HARD.test(said)) return false;
  if (stated.some(({ act, verb }) => act === "destructive" && verb?.word !== "remove"))
    return SAYS_SOFT.test(said) && !/\bor delete/.test(said);
  return SAYS_SOFT.test(said) || (clause.leading?.verb !== undefined && SOFT.has(clause.leading.verb.word));
}
