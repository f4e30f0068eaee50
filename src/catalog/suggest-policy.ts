/**
 * The policy that a tool's verdict asks for, and the one of a whole server: reading is allowed and counted, writing is
 * counted and its arguments bound, running is slow and asked about where a text says what runs, money waits for a person,
 * removal is hidden. Every suggestion is a document that the language takes; none is an open door.
 */
import { type JsonObject, readMember } from "../kernel/json.ts";
import type { ToolClass } from "../policy/decision.ts";
import { classifyTool } from "./classify.ts";
import { type ArgumentRule, printArgumentPath, suggestRules } from "./suggest-rules.ts";
import type { Verdict } from "./verdict.ts";

/** Calls a minute, for each grant. */
export const CALLS_A_MINUTE: Readonly<Record<Exclude<ToolClass, "destructive">, number>> = {
  read: 60,
  write: 30,
  execute: 10,
  financial: 10,
};
const MAX_COUNTER_CHARACTERS = 128;

export interface SuggestedEntry {
  readonly action?: "require_approval";
  readonly reason?: string;
  readonly require?: readonly ArgumentRule["rule"][];
  readonly limits?: readonly { readonly counter?: string; readonly window: "minute"; readonly max: number; readonly scope: "grant" }[];
}

export interface ToolSuggestion {
  readonly name: string;
  readonly verdict: Verdict;
  /** The name as a selector: its stars and backslashes are its own. */
  readonly selector: string;
  readonly isHidden: boolean;
  /** What to put where it is hidden, for whoever opens it. */
  readonly entry: SuggestedEntry;
  readonly rules: readonly ArgumentRule[];
}

export interface SuggestedPolicy {
  readonly version: "1";
  readonly default: "deny";
  readonly hide?: readonly string[];
  readonly tools: Readonly<Record<string, SuggestedEntry>>;
}

export function suggestForTool(definition: JsonObject, byHand?: ToolClass): ToolSuggestion {
  const read = classifyTool(definition);
  const verdict = byHand === undefined ? read : { ...read, class: byHand };
  const named = readMember(definition, "name");
  const name = typeof named === "string" ? named : "";
  const isHidden = verdict.class === "destructive";
  const rules = suggestRules(verdict);
  return { name, verdict, selector: escapeSelector(name), isHidden, entry: suggestEntry(name, verdict, rules), rules };
}

function suggestEntry(name: string, verdict: Verdict, rules: readonly ArgumentRule[]): SuggestedEntry {
  const harmless = verdict.class === "destructive" ? suggestHarmlessChoices(verdict) : undefined;
  const require = [...(harmless ? [harmless] : []), ...rules.map(({ rule }) => rule)];
  const asks =
    verdict.class === "financial" ||
    (verdict.class === "destructive" && !harmless) ||
    (verdict.power?.kind === "code" && verdict.class === "execute");
  const counter = `${name}_rate`;
  const max = CALLS_A_MINUTE[verdict.class === "destructive" ? "execute" : verdict.class];
  return {
    ...(asks ? { action: "require_approval" as const } : {}),
    ...(require.length > 0 ? { require } : {}),
    limits: [{ ...(counter.length <= MAX_COUNTER_CHARACTERS ? { counter } : {}), window: "minute", max, scope: "grant" }],
  };
}

/** Of a tool of several actions, those that remove nothing. */
function suggestHarmlessChoices({ action }: Verdict): ArgumentRule["rule"] | undefined {
  const path = action && printArgumentPath(action.field.steps);
  const values = action?.choices.filter(({ act }) => act === "read" || act === "write").map(({ value }) => value) ?? [];
  if (path === undefined || values.length === 0) return undefined;
  return { name: "actions that remove nothing", conditions: [{ path, op: "in", value: values }], on_deny: "This action is not allowed." };
}

/** One document for all tools; a name that is listed twice is quarantined by the gateway and has no entry. */
export function joinSuggestions(suggestions: readonly ToolSuggestion[]): SuggestedPolicy {
  const names = new Map<string, number>();
  for (const { name } of suggestions) names.set(name, (names.get(name) ?? 0) + 1);
  const usable = suggestions.filter(({ name }) => name !== "" && names.get(name) === 1);
  const hide = usable.filter(({ isHidden }) => isHidden).map(({ selector }) => selector);
  const tools: Record<string, SuggestedEntry> = Object.create(null) as Record<string, SuggestedEntry>;
  for (const { isHidden, selector, entry } of usable) if (!isHidden) tools[selector] = entry;
  return { version: "1", default: "deny", ...(hide.length > 0 ? { hide } : {}), tools };
}

function escapeSelector(name: string): string {
  return name.replaceAll("\\", "\\\\").replaceAll("*", "\\*").replace(/^@/, "\\@");
}
