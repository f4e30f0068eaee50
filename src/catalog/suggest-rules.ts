/**
 * Rules that an argument asks for: hosts, folders, recipients, amounts, commands, kinds of SQL. What only a person can know
 * is left to be filled in, as a list of nothing, so that the rule refuses every value until someone does. An optional
 * argument may stay away.
 */
import { revealText } from "../kernel/reveal-text.ts";
import { listFieldSignals } from "./field-signals.ts";
import { EACH, type Field, type FieldStep } from "./fields.ts";
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
}

/** Rules of one tool; the first arguments are the ones that matter. */
export const MAX_SUGGESTED_RULES = 32;
const MAX_NAME_CHARACTERS = 80;
const MAX_PATH_CHARACTERS = 1_024;
const PLAIN_KEY = /^[^.[\]"*\\\s\p{Cc}]+$/u;

interface Form {
  readonly fill: string;
  readonly none: string;
  readonly op: string;
}

const HOSTS: Form = { fill: "the hosts", none: "No host is", op: "host_in" };
const FOLDERS: Form = { fill: "the folders", none: "No folder is", op: "path_under" };
const DOMAINS: Form = { fill: "the mail domains", none: "No recipient is", op: "email_domain_in" };
const RECIPIENTS: Form = { fill: "the recipients", none: "No recipient is", op: "in" };
const COMMANDS: Form = { fill: "the commands", none: "No command is", op: "shell_commands_in" };
const VERBS: Form = { fill: "the kinds of SQL (`select` reads)", none: "No kind of SQL is", op: "sql_verbs_in" };

export function suggestRules(verdict: Verdict): readonly ArgumentRule[] {
  const { power } = verdict;
  const rules: ArgumentRule[] = [];
  // A payment that does not say how much, or to whom, is one without a bound.
  const isMoney = verdict.class === "financial";
  for (const field of verdict.fields) {
    if (rules.length >= MAX_SUGGESTED_RULES) break;
    const signals = listFieldSignals(field);
    const isPowered = power?.field?.name === field.name;
    if (isPowered && power.kind === "commands") add(rules, field, "runs_commands", COMMANDS);
    else if (isPowered && power.kind === "sql") add(rules, field, "freeform_code", VERBS);
    else if (signals.includes("arbitrary_url")) add(rules, field, "arbitrary_url", HOSTS);
    else if (signals.includes("filesystem_path") && !isRelative(field)) add(rules, field, "filesystem_path", FOLDERS);
    else if (signals.includes("recipient_param") && verdict.class !== "read")
      add(rules, field, "recipient_param", isMail(field) ? DOMAINS : RECIPIENTS, isMoney && field.steps.length === 1);
    else if (signals.includes("money_amount") && verdict.class !== "read") addAmount(rules, field, isMoney);
  }
  return rules;
}

function add(rules: ArgumentRule[], field: Field, signal: SignalName, { fill, none, op }: Form, mustStand = false): void {
  const path = printArgumentPath(field.types.has("array") ? [...field.steps, EACH] : field.steps);
  const asked = path === undefined ? undefined : { path, op, value: [] };
  rules.push(createRule(field, signal, `fill in ${fill}`, `${none} allowed yet`, asked === undefined ? [] : [asked], mustStand));
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
  rules.push(createRule(field, "money_amount", "fill in the largest value", "No amount is allowed yet", asked, mustStand));
}

function createRule(
  field: Field,
  signal: SignalName,
  fill: string,
  none: string,
  asked: readonly SuggestedCondition[],
  mustStand: boolean,
): ArgumentRule {
  const shown = revealText(field.name).slice(0, MAX_NAME_CHARACTERS);
  // A path that the language can't take is one that never holds.
  const conditions = asked.length === 0 ? [{ path: "args", op: "in", value: [] }] : asked;
  const held =
    mustStand || (field.isRequired && field.steps.length === 1)
      ? conditions
      : conditions.map((condition) => ({ any: [mayStayAway(field), condition] }));
  return {
    argument: field.name,
    signal,
    rule: { name: `${fill} of ${shown}`, conditions: held, on_deny: `${none} for \`${shown}\`: the policy has not been filled in.` },
  };
}

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
