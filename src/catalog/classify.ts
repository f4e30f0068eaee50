/**
 * A tool's class, risk and signals from its definition alone: name, title, description, schemas, annotations. Evidence is
 * asked in this order, each step may make the verdict worse and none makes it milder: verbs of the name, the first clause,
 * the argument that chooses an action, raw power in the arguments, annotations. No evidence is Write, never Read. Pure,
 * bounded, and the same for the same definition; words and structures only, no tool and no server is known by name.
 */
import { isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import type { ToolClass } from "../policy/decision.ts";
import { type ActionArgument, findActionArgument, findChangingFlag } from "./action-argument.ts";
import { readClause } from "./clause.ts";
import { type Field, listFields } from "./fields.ts";
import { foldText, MAX_FOLDED_CHARACTERS, splitName, splitText, type Word } from "./fold-words.ts";
import { judgeVerbs, type VerbVerdict } from "./judge-verbs.ts";
import { findNameVerbs } from "./name-verb.ts";
import { findPower, type Power } from "./power.ts";
import { spanOf, spanOfField, spanOfHint } from "./spans.ts";
import { listToolSignals } from "./tool-signals.ts";
import { CLASSIFIER_VERSION, type Confidence, type Feature, type Hints, type Verdict, worstClass } from "./verdict.ts";
import { weighRisk } from "./weigh-risk.ts";

const MAX_NAME_CHARACTERS = 512;
const MAX_FEATURES = 64;
const READ_NOUNS =
  /^(?:list|search|lookup|details?|information|info|statistics|stats|status|overview|documentation|history|summary|forecast|current|latest|data|metadata|research|news)$/;

export function classifyTool(definition: Json): Verdict {
  const tool: JsonObject = isJsonObject(definition) ? definition : {};
  const name = readText(tool, "name").slice(0, MAX_NAME_CHARACTERS);
  const title = readText(tool, "title").slice(0, MAX_NAME_CHARACTERS);
  const description = readText(tool, "description").slice(0, MAX_FOLDED_CHARACTERS);
  const { fields, isCut } = listFields(readMember(tool, "inputSchema"));
  const nameWords = splitName(name);
  const clause = readClause(splitText(description === "" ? title : description));
  const from = description === "" ? "/title" : "/description";
  const said = foldText(description);
  const argumentWords = new Set(fields.flatMap(({ words }) => words.map(({ text }) => text)));
  const nameVerbs = findNameVerbs(nameWords, clause.leading?.verb);
  const verbs = judgeVerbs({ nameWords, nameVerbs, clause, said, argumentWords });
  const features: Feature[] = (verbs?.seen ?? []).map((seen) =>
    seen.from === "name"
      ? { rule: "verb of the name", says: seen.act, ...spanOf("/name", name, seen.word) }
      : { rule: "verb of the first clause", says: seen.act, ...spanOf(from, description === "" ? title : description, seen.word) },
  );

  let act: ToolClass = verbs?.act ?? "write";
  let confidence: Confidence = verbs?.confidence ?? "low";
  if (verbs === undefined) {
    const noun = findReadNoun(nameWords, clause.words);
    if (noun !== undefined) {
      act = "read";
      features.push({
        rule: "noun of an answer",
        says: "read",
        ...spanOf(noun.from === "name" ? "/name" : from, noun.from === "name" ? name : description, noun.word),
      });
    }
  }
  const action = findAction(fields, description, verbs);
  if (action !== undefined) {
    const worst = action.choices.reduce((known, choice) => worstClass(known, choice.act), "read" as ToolClass);
    const isUndecided = verbs === undefined || (verbs.confidence === "low" && !verbs.isConflict) || verbs.seen[0]?.verb?.word === "manage";
    const next = isUndecided ? worst : worstClass(act, worst);
    if (next !== act) confidence = "medium";
    act = next;
    for (const choice of action.choices) features.push(spanOfField("choice of an argument", choice.act, action.field, choice.value));
  }
  const power = findPower({
    fields,
    nameWords,
    clauseWords: clause.words,
    verbs: (verbs?.seen ?? []).map(({ verb, word }) => verb?.word ?? word.text),
    description,
  });
  if (power !== undefined) {
    act = worstClass(act, "execute");
    features.push(describePower(power, from, description));
  }
  if (act === "read") {
    const changed = findChange(fields, verbs);
    if (changed !== undefined) {
      act = changed.act;
      confidence = "low";
      features.push(spanOfField("argument that changes something", changed.act, changed.field, changed.field.key));
    }
  }
  const hints = readHints(tool);
  if (act === "read" && (hints.readOnly === false || (hints.destructive === true && hints.readOnly !== true))) {
    act = "write";
    confidence = "low";
    features.push({
      rule: "annotation",
      says: "write",
      ...spanOfHint(hints.readOnly === false ? "readOnlyHint" : "destructiveHint", hints.readOnly === false ? "false" : "true"),
    });
  }
  const signals = listToolSignals({
    tool,
    name,
    nameWords,
    description,
    said,
    fields,
    isCut,
    act,
    verbs,
    action,
    power,
    hints,
    clauseWords: clause.words,
  });
  return {
    class: act,
    risk: weighRisk(act, signals, hints),
    confidence,
    version: CLASSIFIER_VERSION,
    signals: signals.map(({ name: kind, arguments: named }) => ({ name: kind, arguments: named })),
    features: [...features, ...signals.flatMap(({ features: fired }) => fired)].slice(0, MAX_FEATURES),
    action,
    power,
    fields,
  };
}

function readHints(tool: JsonObject): Hints {
  const annotations = readMember(tool, "annotations");
  const read = (key: string): boolean | undefined => {
    const value = isJsonObject(annotations) ? readMember(annotations, key) : undefined;
    return typeof value === "boolean" ? value : undefined;
  };
  return { readOnly: read("readOnlyHint"), destructive: read("destructiveHint"), openWorld: read("openWorldHint") };
}

function readText(tool: JsonObject, key: string): string {
  const text = readMember(tool, key);
  return typeof text === "string" ? text : "";
}

/** A tool that only names an answer: "current weather", "order history". */
function findReadNoun(
  nameWords: readonly Word[],
  clauseWords: readonly Word[],
): { readonly word: Word; readonly from: "name" | "text" } | undefined {
  // "Refuels …": a verb that the vocabulary does not have.
  const begins = clauseWords[0]?.text ?? "";
  if (/[^su]s$/.test(begins) && !nameWords.some(({ text }) => text === begins)) return undefined;
  const named = nameWords.find(({ text }) => READ_NOUNS.test(text));
  if (named) return { word: named, from: "name" };
  const stated = clauseWords.slice(0, 6).find(({ text }) => READ_NOUNS.test(text));
  return stated && { word: stated, from: "text" };
}

function findAction(fields: readonly Field[], description: string, verbs: VerbVerdict | undefined): ActionArgument | undefined {
  const action = findActionArgument(fields, description);
  if (action === undefined) return undefined;
  const [first] = verbs?.seen ?? [];
  // A list of events that can be filtered by what happened.
  const isFilter =
    first?.verb?.act === "read" &&
    !first.verb.isDouble &&
    /\b(?:filter|only|event|log|audit|history|type of)\b/i.test(action.field.description);
  return isFilter ? undefined : action;
}

const DESTINATIONS =
  /^(?:output|save|destination|dest|download|export|target|local|out)(?:path|file|filepath|filename|dir|directory|folder|folderpath|to)$|^(?:savepath|saveto|outfile|outdir|output)$/;

/** Looking that leaves something behind: a file written where the caller says, a switch that resets. */
function findChange(
  fields: readonly Field[],
  verbs: VerbVerdict | undefined,
): { readonly field: Field; readonly act: ToolClass } | undefined {
  const flag = findChangingFlag(fields);
  if (flag) return flag;
  const saves =
    verbs?.seen.some(
      ({ verb }) => verb?.word === "download" || verb?.word === "export" || verb?.word === "screenshot" || verb?.word === "capture",
    ) === true;
  const place = saves ? fields.find(({ joined }) => DESTINATIONS.test(joined)) : undefined;
  return place && { field: place, act: "write" };
}

function describePower(power: Power, from: string, description: string): Feature {
  if (power.field) return spanOfField(`takes ${power.kind} and runs it`, "execute", power.field, power.field.key);
  const [first, last] = power.words;
  const span: Word = { text: "", start: first?.start ?? 0, end: last?.end ?? 0 };
  return { rule: `runs ${power.kind}`, says: "execute", ...spanOf(from, description, span) };
}
