/** One rule of the older form → what it adds to the entry of its tool: a denial, requirements, limits, a question to a person. */
import { isJsonList, type Json, type JsonObject, readMember, toJson } from "../../kernel/json.ts";
import { readOptional } from "../inspector.ts";
import { MAX_NAME_CHARACTERS, MAX_SENTENCE_CHARACTERS } from "../parse-rule.ts";
import { MAX_OLDER_CONDITIONS, readConditions } from "./import-condition.ts";
import {
  OLDER_ACTIONS,
  OLDER_RULE_KEYS,
  OLDER_STATE_KEYS,
  OLDER_WINDOWS,
  parseOlderDuration,
  parseRate,
  pathOfCounter,
  readArgsPath,
  readWholePart,
} from "./older-form.ts";
import type { Remarks } from "./remarks.ts";

/** What the rules of one tool come to. */
export interface EntryDraft {
  /** Set by a rule that denies every call. */
  denied: { readonly reason: string | undefined } | undefined;
  /** Set by a rule that asks a person about every call. */
  asked: { readonly reason: string | undefined } | undefined;
  readonly require: DraftedRule[];
  readonly denyIf: DraftedRule[];
  readonly approveIf: DraftedRule[];
  readonly limits: { readonly limit: Json; readonly origin: string }[];
  /** Seconds after which approvals expire, of each rule that asks; undefined: the rule does not say. */
  readonly expires: (number | undefined)[];
}

export interface DraftedRule {
  readonly name: string | undefined;
  readonly conditions: readonly Json[];
  readonly onDeny: string | undefined;
  readonly origin: string;
}

export function createEntryDraft(): EntryDraft {
  return { denied: undefined, asked: undefined, require: [], denyIf: [], approveIf: [], limits: [], expires: [] };
}

const OWN_SENTENCES = "Limits have sentences of their own here; `on_deny` of a limit is left out.";
const COUNTED_BY_GRANT = "Counts are for each grant; `scope: server` would make one count of all grants.";
const WHOLE_AMOUNTS = "Amounts are counted exactly here, fractions too.";
const SPEND = "`spend` bounds what a server charges for its calls; a limit here counts calls or an argument.";

interface RuleContext {
  readonly remarks: Remarks;
  /** The tool's name as the older document has it. */
  readonly tool: string;
  readonly entry: EntryDraft;
  readonly defaultTimeout: number | undefined;
}

interface ReadRule {
  readonly rule: JsonObject;
  readonly pointer: string;
  readonly name: string | undefined;
  readonly onDeny: string | undefined;
  readonly conditions: readonly Json[];
}

export function importRule(context: RuleContext, value: Json, pointer: string): void {
  const { remarks } = context;
  const { inspector } = remarks;
  const rule = typeof value === "object" && value !== null && !isJsonList(value) ? (value as JsonObject) : undefined;
  if (!rule) return inspector.fault(pointer, "A rule has to be an object.");
  loseUnknownKeys(remarks, rule, pointer);
  const text = (key: string, bound: number): string | undefined =>
    readOptional(rule, key, pointer, (member, at) => (member === null ? undefined : inspector.readText(member, at, `\`${key}\``, bound))) ||
    undefined;
  const conditions = readOptional(rule, "conditions", pointer, (list, at) =>
    list === null ? undefined : inspector.readList(list, at, "`conditions`", MAX_OLDER_CONDITIONS),
  );
  const read: ReadRule = {
    rule,
    pointer,
    name: text("name", MAX_NAME_CHARACTERS),
    onDeny: text("on_deny", MAX_SENTENCE_CHARACTERS),
    conditions: conditions ?? [],
  };
  const action = readOptional(rule, "action", pointer, (word, at) => inspector.readChoice(word, at, OLDER_ACTIONS));
  if (action === undefined && Object.hasOwn(rule, "action")) return;
  if (Object.hasOwn(rule, "spend")) remarks.lose(`${pointer}/spend`, SPEND, { key: true });
  if (action !== "require_approval" && Object.hasOwn(rule, "approval_timeout")) {
    remarks.note(`${pointer}/approval_timeout`, "`approval_timeout` without `action: require_approval` has no effect and is left out.");
  }
  if (action === "deny") importDenial(context, read);
  else if (action === "require_approval") importQuestion(context, read);
  else importEvaluation(context, read);
}

function loseUnknownKeys(remarks: Remarks, rule: JsonObject, pointer: string): void {
  for (const key of Object.keys(rule)) {
    if (OLDER_RULE_KEYS.includes(key)) continue;
    const message =
      key === "idempotency_window"
        ? "A repeated call is a call like any other here: `idempotency_window` has no equal."
        : `The key \`${key}\` is not known here.`;
    remarks.lose(`${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, message, { key: true });
  }
}

function importDenial({ remarks, entry }: RuleContext, { rule, pointer, conditions, onDeny }: ReadRule): void {
  if (conditions.length > 0) remarks.fault(`${pointer}/conditions`, "A rule that denies takes no conditions: it denies every call.");
  if (Object.hasOwn(rule, "rate_limit")) remarks.fault(`${pointer}/rate_limit`, "A rule that denies takes no `rate_limit`.");
  if (Object.hasOwn(rule, "state")) remarks.note(`${pointer}/state`, "A rule that denies counts nothing: its `state` is left out.");
  entry.denied ??= { reason: onDeny };
}

function importQuestion({ remarks, entry, defaultTimeout }: RuleContext, { rule, pointer, name, onDeny, conditions }: ReadRule): void {
  for (const key of ["rate_limit", "state"]) {
    if (Object.hasOwn(rule, key)) {
      remarks.lose(`${pointer}/${key}`, `A rule that asks a person counts nothing here: its \`${key}\` has no equal.`, { key: true });
    }
  }
  const { onArguments } = readConditions(remarks, conditions, `${pointer}/conditions`, undefined);
  if (conditions.length > 0 && onArguments.length === 0) return;
  entry.expires.push(readTimeout(remarks, rule, pointer) ?? defaultTimeout);
  if (conditions.length === 0) entry.asked ??= { reason: onDeny };
  else entry.approveIf.push({ name, conditions: onArguments, onDeny, origin: pointer });
}

function readTimeout(remarks: Remarks, rule: JsonObject, pointer: string): number | undefined {
  return readOptional(rule, "approval_timeout", pointer, (text, at) => readOlderDuration(remarks, text, at));
}

export function readOlderDuration(remarks: Remarks, value: Json, pointer: string): number | undefined {
  const seconds = typeof value === "string" ? parseOlderDuration(value) : undefined;
  return seconds ?? remarks.fault(pointer, "This has to be a duration of a second or more, such as `30m` or `1h30m`.");
}

function importEvaluation(context: RuleContext, read: ReadRule): void {
  const { remarks, entry, tool } = context;
  const { rule, pointer, name, onDeny, conditions } = read;
  const hasState = readMember(rule, "state") !== undefined && rule.state !== null;
  if (Object.hasOwn(rule, "rate_limit")) {
    if (conditions.length > 0 || hasState) {
      remarks.fault(`${pointer}/rate_limit`, "`rate_limit` stands alone: make the conditions and the `state` a rule of their own.");
    } else importRate(context, read);
    return;
  }
  if (conditions.length === 0) {
    if (!Object.hasOwn(rule, "spend")) remarks.fault(`${pointer}/conditions`, "A rule that evaluates needs conditions.");
    return;
  }
  const state = hasState ? readState(remarks, rule.state as Json, `${pointer}/state`) : undefined;
  const counterPath = state === undefined ? undefined : pathOfCounter(tool, state.counter);
  const { onArguments, bounds } = readConditions(remarks, conditions, `${pointer}/conditions`, counterPath);
  if (onArguments.length > 0) entry.require.push({ name, conditions: onArguments, onDeny, origin: pointer });
  if (!state) return;
  const [bound, ...more] = bounds;
  if (bound === undefined) remarks.lose(`${pointer}/state`, "No condition of the rule bounds this counter, so it counts nothing.");
  else
    addLimit(
      context,
      read,
      state,
      [bound, ...more].reduce((least, each) => (each < least ? each : least)),
    );
}

function importRate({ remarks, entry }: RuleContext, { rule, pointer, onDeny }: ReadRule): void {
  const text = readMember(rule, "rate_limit") as Json;
  const rate = typeof text === "string" ? parseRate(text) : undefined;
  if (!rate) return remarks.fault(`${pointer}/rate_limit`, `A rate is written as \`5/hour\`, with one of ${OLDER_WINDOWS.join(", ")}.`);
  const { window, max } = rate;
  entry.limits.push({ limit: toJson({ window, max: numberOf(max), align: "calendar", count: "successes" }), origin: pointer });
  tellOfLimit(remarks, pointer, onDeny);
}

interface ReadState {
  readonly counter: string;
  readonly window: (typeof OLDER_WINDOWS)[number];
  readonly increment: bigint;
  /** A path of this language. */
  readonly add: string | undefined;
}

function readState(remarks: Remarks, value: Json, pointer: string): ReadState | undefined {
  const { inspector } = remarks;
  const state = inspector.readObject(value, pointer, "`state`", OLDER_STATE_KEYS, ["counter", "window"]);
  if (!state) return undefined;
  const counter = readOptional(state, "counter", pointer, (text, at) => inspector.readText(text, at, "`counter`", MAX_NAME_CHARACTERS));
  const window = readOptional(state, "window", pointer, (word, at) => inspector.readChoice(word, at, OLDER_WINDOWS));
  const increment = readOptional(state, "increment", pointer, (number, at) => {
    const whole = readWholePart(number);
    return whole !== undefined && whole >= 0n ? whole : remarks.fault(at, "`increment` has to be a whole number, zero or more.");
  });
  const add = readOptional(state, "increment_from", pointer, (path, at) => {
    const read = typeof path === "string" && path !== "" ? readArgsPath(path) : undefined;
    return path === "" ? undefined : (read ?? remarks.fault(at, "`increment_from` has to be a path that begins with `args.`."));
  });
  if (counter === undefined || window === undefined) return undefined;
  return { counter, window, increment: increment === undefined || increment === 0n ? 1n : increment, add };
}

function addLimit({ remarks, entry }: RuleContext, { pointer, name, onDeny }: ReadRule, state: ReadState, bound: bigint): void {
  const { window, add, increment } = state;
  const max = add === undefined && bound > 0n ? bound / increment : bound;
  if (max <= 0n) {
    remarks.note(pointer, "Its counter has no room for a single call: the rule becomes one that denies every call.");
    entry.denyIf.push({ name, conditions: [], onDeny, origin: pointer });
    return;
  }
  const counted = add === undefined ? {} : { add };
  entry.limits.push({ limit: toJson({ window, max: numberOf(max), ...counted, align: "calendar", count: "successes" }), origin: pointer });
  if (add !== undefined) remarks.noteOnce(`${pointer}/state/increment_from`, WHOLE_AMOUNTS);
  tellOfLimit(remarks, pointer, onDeny);
}

/** A number that JSON prints as it is, where a double can hold it. */
function numberOf(whole: bigint): number | bigint {
  return whole <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(whole) : whole;
}

function tellOfLimit(remarks: Remarks, pointer: string, onDeny: string | undefined): void {
  remarks.noteOnce(pointer, COUNTED_BY_GRANT);
  if (onDeny !== undefined) remarks.noteOnce(`${pointer}/on_deny`, OWN_SENTENCES);
}
