/** The signals of a whole tool: those of its arguments, those of its words, and those of texts that hide or steer. */
import { isJsonList, isJsonObject, type Json, type JsonObject } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { type FindingKind, listTextFindings } from "../mcp/text-findings.ts";
import type { ToolClass } from "../policy/decision.ts";
import type { ActionArgument } from "./action-argument.ts";
import { listFieldSignals } from "./field-signals.ts";
import type { Field } from "./fields.ts";
import type { Word } from "./fold-words.ts";
import type { VerbVerdict } from "./judge-verbs.ts";
import type { Power } from "./power.ts";
import { findContent } from "./read-content.ts";
import { readSending, SENDING } from "./recipients.ts";
import { SIGNAL_NAMES, type Signal, type SignalName } from "./signals.ts";
import { spanOf, spanOfField } from "./spans.ts";
import type { Feature, Hints } from "./verdict.ts";

/** Arguments at the top from which a tool has many. */
export const MANY_ARGUMENTS = 10;
const MAX_TEXTS = 1_024;
const MAX_TEXT_CHARACTERS: number = 64 * 1024;

export interface FiredSignal extends Signal {
  readonly features: readonly Feature[];
}

export interface SignalQuestion {
  readonly tool: JsonObject;
  readonly name: string;
  readonly nameWords: readonly Word[];
  readonly clauseWords: readonly Word[];
  /** Where the clause stands, and the text that its words are of. */
  readonly from: string;
  readonly stated: string;
  readonly description: string;
  readonly said: string;
  readonly fields: readonly Field[];
  readonly isCut: boolean;
  readonly act: ToolClass;
  readonly verbs: VerbVerdict | undefined;
  readonly action: ActionArgument | undefined;
  readonly power: Power | undefined;
  readonly hints: Hints;
}

const ADMIN =
  /^(?:role|roles|permission|permissions|privilege|privileges|policy|policies|firewall|iam|admin|admins|administrator|acl|acls|entitlement|entitlements|membership|sso|apikey|token|tokens|accesskey)$/;
const PEOPLE = /^(?:user|users|member|members|account|accounts|collaborator|collaborators|team|teams)$/;
const MONEY_NOUNS =
  /^(?:invoice|invoices|payment|payments|refund|refunds|payout|payouts|charge|charges|billing|subscription|subscriptions|transaction|transactions|balance|balances|wallet|price|prices|checkout|bank|loan|payroll|expense|expenses|tax|taxes)$/;
const CODE_NOUNS = /^(?:script|scripts|code|workflow|pipeline|function|lambda|hook|macro|dockerfile|shader|plugin|extension|action)$/;
const BULK = /^(?:bulk|batch|mass|multi|multiple)$/;
const IRREVERSIBLE =
  /\birreversibl\w*|\b(?:cannot|can't|can not) be (?:undone|reversed|recovered|restored)\b|\bpermanently (?:delet|remov|eras|destroy|wip)\w*|\bno undo\b/;

export function listToolSignals(question: SignalQuestion): readonly FiredSignal[] {
  const { fields, act, verbs, power, action, hints, said, nameWords, name, description } = question;
  const fired = new Map<SignalName, { arguments: string[]; features: Feature[] }>();
  const fire = (signal: SignalName, argument?: string, feature?: Feature): void => {
    const known = fired.get(signal) ?? { arguments: [], features: [] };
    fired.set(signal, known);
    if (argument !== undefined && !known.arguments.includes(argument)) known.arguments.push(argument);
    if (feature !== undefined) known.features.push(feature);
  };
  const fireWord = (signal: SignalName, word: Word | undefined): void => {
    if (word) fire(signal, undefined, { rule: "word of the name", says: signal, ...spanOf("/name", name, word) });
  };
  const seen = verbs?.seen ?? [];
  const sending = readSending(
    seen.flatMap(({ verb }) => (verb ? [verb.word] : [])),
    said,
  );
  for (const field of fields) {
    for (const signal of listFieldSignals(field, sending)) {
      if (signal === "bulk_scope" && act === "read") continue;
      fire(signal, field.name, spanOfField("argument", signal, field, field.key));
    }
  }
  if (power) {
    const argument = power.field?.name;
    fire(power.kind === "commands" ? "runs_commands" : "freeform_code", argument);
  }
  const sends = seen.find(({ verb }) => verb !== undefined && SENDING.has(verb.word));
  if (act !== "read" && sends)
    fire("external_send", undefined, {
      rule: "verb",
      says: "external_send",
      ...spanOf(sends.from === "name" ? "/name" : "/description", sends.from === "name" ? name : description, sends.word),
    });
  if (act !== "read") {
    fireWord(
      "admin_privilege",
      nameWords.find(({ text }) => ADMIN.test(text)) ??
        (act === "destructive" || isMembership(seen) ? nameWords.find(({ text }) => PEOPLE.test(text)) : undefined),
    );
    fireWord(
      "bulk_scope",
      nameWords.find(({ text }) => BULK.test(text)),
    );
  }
  if (act === "write")
    fireWord(
      "code_write",
      nameWords.find(({ text }) => CODE_NOUNS.test(text)),
    );
  if (act === "financial") fire("moves_money");
  else
    fireWord(
      "financial_data",
      nameWords.find(({ text }) => MONEY_NOUNS.test(text)),
    );
  if (act === "execute" && !power) fire("started_job");
  if (action && new Set(action.choices.map((choice) => choice.act)).size > 1) fire("two_way", action.field.name);
  const warned = act === "read" ? null : IRREVERSIBLE.exec(said);
  if (act === "read") {
    for (const { signal, argument, word, from } of findContent(question))
      fire(
        signal,
        argument?.name,
        argument
          ? spanOfField("argument of what is read", signal, argument, argument.key)
          : word && {
              rule: "noun of what is read",
              says: signal,
              ...spanOf(from === "name" ? "/name" : question.from, from === "name" ? name : question.stated, word),
            },
      );
  }
  if (warned)
    fire("irreversible", undefined, {
      rule: "warning",
      says: "irreversible",
      ...spanOf("/description", said, { start: warned.index, end: warned.index + warned[0].length }),
    });
  if (verbs?.isReversible === true) fire("reversible_delete");
  if (verbs?.isConflict === true) fire("word_conflict");
  fireHints(act, hints, verbs, fire);
  const top = fields.filter(({ steps }) => steps.length === 1).length;
  if (top >= MANY_ARGUMENTS) fire("many_arguments", `${top} properties`);
  if (question.isCut) fire("not_looked_at");
  fireTexts(question.tool, fire);
  return SIGNAL_NAMES.flatMap((signal) => {
    const known = fired.get(signal);
    return known ? [{ name: signal, ...known }] : [];
  });
}

function isMembership(seen: VerbVerdict["seen"]): boolean {
  return seen.some(
    ({ verb }) =>
      verb !== undefined && ["grant", "promote", "demote", "impersonate", "ban", "kick", "onboard", "offboard"].includes(verb.word),
  );
}

function fireHints(
  act: ToolClass,
  hints: Hints,
  verbs: VerbVerdict | undefined,
  fire: (signal: SignalName, argument?: string) => void,
): void {
  const looksReading = verbs === undefined ? act === "read" : verbs.act === "read";
  if (hints.openWorld === true && act !== "read") fire("external_reach");
  if (hints.destructive === true && hints.readOnly !== true && act !== "destructive") fire("non_additive");
  if (hints.readOnly === true && act !== "read") fire("annotation_conflict", "readOnlyHint");
  if (hints.readOnly === false && looksReading) fire("annotation_conflict", "readOnlyHint");
  if (hints.destructive === true && hints.readOnly === true) fire("annotation_conflict", "destructiveHint");
  if (hints.destructive === false && act === "destructive") fire("annotation_conflict", "destructiveHint");
}

const HIDING: ReadonlySet<FindingKind> = new Set([
  "tag_characters",
  "bidi",
  "invisible",
  "control",
  "terminal_escape",
  "unassigned",
  "confusable",
  "hidden_markup",
]);
const STEERING: ReadonlySet<FindingKind> = new Set([
  "overrides",
  "hides_from_user",
  "orders_model",
  "shouts",
  "takes_context",
  "names_secrets",
  "sends_away",
]);

/** Every text of the definition, wherever it stands: what is seen by a model is looked at. */
function fireTexts(tool: JsonObject, fire: (signal: SignalName, argument?: string, feature?: Feature) => void): void {
  let texts = 0;
  let characters = 0;
  const look = (text: string, pointer: string): void => {
    if (++texts > MAX_TEXTS || characters > MAX_TEXT_CHARACTERS) {
      fire("not_looked_at");
      return;
    }
    characters += text.length;
    for (const { kind, start, end } of listTextFindings(text)) {
      const signal = HIDING.has(kind) ? "hidden_text" : STEERING.has(kind) ? "addresses_model" : undefined;
      if (signal) fire(signal, undefined, { rule: kind, says: signal, ...spanOf(pointer, text, { start, end }) });
    }
  };
  const walk = (value: Json, pointer: string): void => {
    if (texts > MAX_TEXTS) return;
    if (typeof value === "string") look(value, pointer);
    else if (isJsonList(value)) value.forEach((member, index) => walk(member, `${pointer}/${index}`));
    else if (isJsonObject(value)) {
      for (const key of Object.keys(value)) {
        const below = `${pointer}/${escapePointer(key)}`;
        if (!/^[\w$-]{1,64}$/.test(key)) look(key, below);
        walk(value[key] as Json, below);
      }
    }
  };
  walk(tool, "");
}
