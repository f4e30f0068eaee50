/**
 * Rules that an argument asks for: hosts, folders, recipients, amounts, commands, kinds of SQL. What only a person can know
 * is left to be filled in, as a list of nothing, so that the rule refuses every value until someone does. An optional
 * argument may stay away.
 */
import { revealText } from "../kernel/reveal-text.ts";
import { EACH, type Field, type FieldStep } from "./fields.ts";
import { foldText } from "./fold-words.ts";
import type { SignalName } from "./signals.ts";
import type { Verdict } from "./verdict.ts";

export interface SuggestedCondition {
  readonly path: string;
  readonly op: string;
  readonly value: unknown;
}

export interface SuggestedRule {
  readonly name: string;
  readonly conditions: readonly (SuggestedCondition | { readonly any: readonly SuggestedCondition[] })[];
  readonly on_deny: string;
}

/** What a rule was suggested for. */
export interface ArgumentRule {
  readonly argument: string;
  readonly signal: SignalName;
  readonly rule: SuggestedRule;
  /** Refuses every value until someone fills it in. */
  readonly isToFill: boolean;
}

/** Rules of one tool; the first arguments are the ones that matter. */
export const MAX_SUGGESTED_RULES = 32;
const MAX_NAME_CHARACTERS = 80;
const MAX_PATH_CHARACTERS = 1_024;
const PLAIN_KEY = /^[^.[\]"*\\\s\p{Cc}]+$/u;

interface Form {
  readonly fill: string;
  readonly none: string;
  /** One of these has to take the value. */
  readonly ops: readonly string[];
}

const HOSTS: Form = { fill: "the hosts", none: "No host is", ops: ["host_in"] };
/** Addresses as people write them: what has no scheme is no URL to the language, so that it is compared as a whole. */
const PAGES: Form = { fill: "the hosts, and the whole of addresses without a scheme,", none: "No host is", ops: ["host_in", "in"] };
const HOST_NAMES: Form = { fill: "the hosts", none: "No host is", ops: ["in"] };
const FOLDERS: Form = { fill: "the folders", none: "No folder is", ops: ["path_under"] };
/** A domain where everybody may have an address bounds nobody. */
const ADDRESSES: Form = {
  fill: "the mail domains, and whole addresses at public ones,",
  none: "No recipient is",
  ops: ["email_domain_in", "in"],
};
const RECIPIENTS: Form = { fill: "the recipients", none: "No recipient is", ops: ["in"] };
const COMMANDS: Form = { fill: "the commands", none: "No command is", ops: ["shell_commands_in"] };
const VERBS: Form = { fill: "the kinds of SQL (`select` reads)", none: "No kind of SQL is", ops: ["sql_verbs_in"] };

/** What makes a name more than one: separators, also encoded or full-width ones, drives, home folders, dots; what begins with a dot is hidden. */
const NO_NAME = "[/\\\\\\p{Cc}\\x{FF0F}\\x{FF3C}\\x{2044}\\x{2215}]|%(?:2[eEfF5]|5[cC]|00)|^[A-Za-z]:|^[\\s.~]|^$";

export function suggestRules(verdict: Verdict): readonly ArgumentRule[] {
  const { power } = verdict;
  const rules: ArgumentRule[] = [];
  // A payment that does not say how much, or to whom, is one without a bound.
  const isMoney = verdict.class === "financial";
  for (const field of verdict.fields) {
    if (rules.length >= MAX_SUGGESTED_RULES) break;
    const signals = verdict.signals.flatMap(({ name, arguments: named }) => (named.includes(field.name) ? [name] : []));
    const isPowered = power?.field?.name === field.name;
    if (isPowered && power.kind === "commands") add(rules, field, "runs_commands", COMMANDS);
    else if (isPowered && power.kind === "sql") add(rules, field, "freeform_code", VERBS);
    else if (signals.includes("arbitrary_url")) add(rules, field, "arbitrary_url", chooseHostForm(field));
    else if (signals.includes("filesystem_path") && isFileName(field)) addName(rules, field);
    else if (signals.includes("filesystem_path") && !isRelative(field)) add(rules, field, "filesystem_path", FOLDERS);
    else if (signals.includes("recipient_param") && verdict.class !== "read")
      add(rules, field, "recipient_param", isMail(field) ? ADDRESSES : RECIPIENTS, isMoney && field.steps.length === 1);
    else if (signals.includes("money_amount") && verdict.class !== "read") addAmount(rules, field, isMoney);
  }
  return rules;
}

function add(rules: ArgumentRule[], field: Field, signal: SignalName, { fill, none, ops }: Form, mustStand = false): void {
  const path = pathOf(field);
  const each = path === undefined ? [] : ops.map((op): SuggestedCondition => ({ path, op, value: [] }));
  const asked = each.length > 1 ? [{ any: each }] : each;
  rules.push(createRule(field, signal, `fill in ${fill} of`, `${none} allowed yet`, asked, mustStand));
}

/** A name of a file: nothing to be filled in, and nothing that leads out of the folder which the tool chooses. */
function addName(rules: ArgumentRule[], field: Field): void {
  const path = pathOf(field);
  const shown = showName(field);
  if (path === undefined) return add(rules, field, "filesystem_path", FOLDERS);
  const asked: SuggestedCondition = { path, op: "not_regex", value: NO_NAME };
  rules.push({
    argument: field.name,
    signal: "filesystem_path",
    isToFill: false,
    rule: {
      name: `no folder in ${shown}`,
      conditions: holdWhere(field, [asked], false),
      on_deny: `\`${shown}\` has to be a name, without a folder.`,
    },
  });
}

function pathOf(field: Field): string | undefined {
  return printArgumentPath(field.types.has("array") ? [...field.steps, EACH] : field.steps);
}

/** A text is no amount to the language: what has one is left to the approval. */
function addAmount(rules: ArgumentRule[], field: Field, mustStand: boolean): void {
  if (field.types.has("string") || field.types.has("array")) return;
  const path = printArgumentPath(field.steps);
  // Above zero and at most zero: nothing, until the second number is filled in.
  const asked =
    path === undefined
      ? []
      : [
          { path, op: "gt", value: 0 },
          { path, op: "lte", value: 0 },
        ];
  rules.push(createRule(field, "money_amount", "fill in the largest value of", "No amount is allowed yet", asked, mustStand));
}

function createRule(
  field: Field,
  signal: SignalName,
  fill: string,
  none: string,
  asked: readonly Asked[],
  mustStand: boolean,
): ArgumentRule {
  const shown = showName(field);
  // A path that the language can't take is one that never holds.
  const conditions: readonly Asked[] = asked.length === 0 ? [{ path: "args", op: "in", value: [] }] : asked;
  return {
    argument: field.name,
    signal,
    isToFill: true,
    rule: {
      name: `${fill} ${shown}`,
      conditions: holdWhere(field, conditions, mustStand),
      on_deny: `${none} for \`${shown}\`: the policy has not been filled in.`,
    },
  };
}

type Asked = SuggestedRule["conditions"][number];

/** The conditions as they are, or, of an argument that may stay away, only where it does not. */
function holdWhere(field: Field, conditions: readonly Asked[], mustStand: boolean): readonly Asked[] {
  if (mustStand || (field.isRequired && field.steps.length === 1)) return conditions;
  return conditions.map((asked) => ({ any: [mayStayAway(field), ...("any" in asked ? asked.any : [asked])] }));
}

const showName = (field: Field): string => revealText(field.name).slice(0, MAX_NAME_CHARACTERS);

/** Absent, by the list or object that would hold it. */
function mayStayAway({ steps }: Field): SuggestedCondition {
  const each = steps.indexOf(EACH);
  return { path: printArgumentPath(each < 0 ? steps : steps.slice(0, each)) ?? "args", op: "exists", value: false };
}

export function printArgumentPath(steps: readonly FieldStep[]): string | undefined {
  const path = `args${steps.map((step) => (step === EACH ? "[*]" : PLAIN_KEY.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`)).join("")}`;
  return path.length <= MAX_PATH_CHARACTERS ? path : undefined;
}

/** A path inside of something that is not this machine. */
function isRelative({ description }: Field): boolean {
  return (
    /\b(?:relative|repository|repo|bucket|vault|in the project|of the url|endpoint)\b/i.test(description) &&
    !/\babsolute\b/i.test(description)
  );
}

function isMail({ joined, format, description }: Field): boolean {
  return (
    format === "email" ||
    format === "idn-email" ||
    joined.includes("email") ||
    /\be-?mail/i.test(description) ||
    /^(?:cc|bcc|attendees|invitees)$/.test(joined)
  );
}

/** A name by its own word, unless what is said of it speaks of a path. */
function isFileName({ joined, description }: Field): boolean {
  if (!/filenames?$/.test(joined)) return false;
  const said = foldText(description);
  if (/\b(?:without|not|no|never)\b.{0,30}\b(?:paths?|separators?|folders?|director(?:y|ies))\b/.test(said)) return true;
  return !/\bpaths?\b|\bfolders?\b|\bdirector(?:y|ies)\b|\babsolute\b|(?:^|[\s'"`(])[~.\w]*\/\w/.test(said);
}

function chooseHostForm({ joined, format, description }: Field): Form {
  const said = foldText(description);
  if (/^(?:host|hostname)$/.test(joined)) return /\burls?\b|https?:/.test(said) ? PAGES : HOST_NAMES;
  if (format === "uri" || format === "url") return HOSTS;
  if (/\b(?:e\.?g\.?|examples?|such as|like)\W{1,4}(?:www\.)?[a-z0-9-]{1,63}\.[a-z]{2,12}\b/.test(said)) return PAGES;
  if (/https?:\/\/|\b(?:scheme|protocol|absolute|fully[ -]qualified|(?:full|complete) ur[il])\b/.test(said)) return HOSTS;
  return /\b(?:web ?)?(?:sites?|pages?)\b|\bdomains?\b/.test(said) || /^(?:web)?(?:site|page)(?:url)?$|^links?$/.test(joined)
    ? PAGES
    : HOSTS;
}
