/**
 * What `policy check` warns of: rules of a valid document that are likely to be open, entries that can't be reached,
 * and, given the server's tools, names that nothing answers to and globs that open what a class would close.
 */
import type { Json } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import type { ToolClass } from "./decision.ts";
import type { AllToolsEntry, PolicyDocument, Rule, ToolEntry } from "./document.ts";
import { lintRule } from "./lint-rule.ts";
import { compareSelectors, isSelector, matchSelector, parseSelector, type Selector } from "./selector.ts";
import { createSelectorIndex, type SelectorIndex } from "./selector-index.ts";
import type { Warn, Warning } from "./warning.ts";

/** A tool of the server, as its definition says. */
export interface LintedTool {
  readonly name: string;
  readonly class?: ToolClass | undefined;
  readonly inputSchema?: Json | undefined;
}

const LISTS = ["require", "deny_if", "approve_if"] as const;
const NEVER_ASKED_BESIDE_DENY = [...LISTS, "limits", "rate_limit", "approval", "validate"] as const;

/** Warnings in the document's order. Without `tools`, what only they can tell is not asked. */
export function lintPolicy(document: PolicyDocument, tools?: readonly LintedTool[]): readonly Warning[] {
  const warnings: Warning[] = [];
  const warn: Warn = (code, pointer, message, tool) => warnings.push({ code, pointer, message, ...(tool === undefined ? {} : { tool }) });
  const entries = Object.entries(document.tools ?? {}).map(([text, entry]) => ({ selector: readSelector(text), entry }));
  const sorted = entries.toSorted((left, right) => compareSelectors(left.selector, right.selector));
  const deciding = createSelectorIndex(sorted.map(({ selector }) => ({ selector, value: selector.text })));
  const hiding = (document.hide ?? []).map(readSelector);
  const hidden = createSelectorIndex(hiding.map((selector) => ({ selector, value: selector.text })));
  const selected = Map.groupBy(
    (tools ?? []).filter((tool) => hidden.find(tool.name, tool.class) === undefined),
    (tool) => deciding.find(tool.name, tool.class),
  );
  if (tools) hiding.forEach((selector, index) => lintName(selector, tools, `/hide/${index}`, warn));
  lintEntry(document.all_tools ?? {}, "/all_tools", document, tools ?? [], warn);
  lintReach(
    sorted.map(({ selector }) => selector),
    hiding,
    hidden,
    warn,
  );
  for (const { selector, entry } of entries) {
    const pointer = pointerOf(selector);
    const tooled = selected.get(selector.text) ?? [];
    if (tools) lintName(selector, tools, pointer, warn);
    if (selector.kind === "glob" && selector.literals > 0) lintGlob(selector.text, entry, tooled, document, warn);
    lintEntry(entry, pointer, document, tooled, warn);
    lintAction(entry, pointer, warn);
  }
  return warnings;
}

function readSelector(text: string): Selector {
  const selector = parseSelector(text);
  return isSelector(selector) ? selector : { kind: "exact", text, name: text };
}

function pointerOf(selector: Selector): string {
  return `/tools/${escapePointer(selector.text)}`;
}

function lintName(selector: Selector, tools: readonly LintedTool[], pointer: string, warn: Warn): void {
  if (tools.some((tool) => matchSelector(selector, tool.name, tool.class))) return;
  const what = selector.kind === "exact" ? "The server has no tool of the name" : "No tool of the server fits";
  warn("unknown_tool", pointer, `${what} \`${selector.text}\`.`);
}

/** Entries that never decide: hidden as a whole, or spelled twice in two ways. */
function lintReach(sorted: readonly Selector[], hiding: readonly Selector[], hidden: SelectorIndex<string>, warn: Warn): void {
  const hidingMeanings = new Map(hiding.map((selector) => [meaningOf(selector), selector.text]));
  const seen = new Map<string, string>();
  for (const selector of sorted) {
    const meaning = meaningOf(selector);
    const cover =
      hidingMeanings.get("glob:*") ?? hidingMeanings.get(meaning) ?? (selector.kind === "exact" ? hidden.find(selector.name) : undefined);
    if (cover !== undefined)
      warn("unreachable", pointerOf(selector), `\`${cover}\` of \`hide\` hides all that \`${selector.text}\` selects.`);
    const twin = seen.get(meaning);
    if (twin !== undefined) warn("unreachable", pointerOf(selector), `\`${twin}\` decides for all that \`${selector.text}\` selects.`);
    else seen.set(meaning, selector.text);
  }
}

/** One text for all spellings of one selector. */
function meaningOf(selector: Selector): string {
  if (selector.kind === "exact") return `name:${selector.name}`;
  return selector.kind === "class" ? `class:${selector.class}` : `glob:${selector.literals === 0 ? "*" : JSON.stringify(selector.pieces)}`;
}

/** A glob goes before a class, so that it may open what the class's entry closes. */
function lintGlob(text: string, entry: ToolEntry, tools: readonly LintedTool[], document: PolicyDocument, warn: Warn): void {
  if (entry.action === "deny") return;
  for (const tool of tools) {
    const ofClass = tool.class === undefined ? undefined : document.tools?.[`@${tool.class}`];
    const instead = ofClass && describeStricter(ofClass, entry);
    if (instead === undefined) continue;
    const message = `\`${text}\` allows \`${tool.name}\`, which \`@${tool.class}\` ${instead}.`;
    warn("glob_over_class", `/tools/${escapePointer(text)}`, message, tool.name);
  }
}

/** What the entry of a class would do that the glob's does not. */
function describeStricter(ofClass: ToolEntry, entry: ToolEntry): string | undefined {
  if (ofClass.action === "deny") return "would deny";
  const asks = ofClass.action === "require_approval" || hasRules(ofClass.approve_if);
  if (asks && entry.action !== "require_approval" && !(ofClass.action !== "require_approval" && hasRules(entry.approve_if))) {
    return "would ask a person about";
  }
  const denies = hasRules(ofClass.require) || hasRules(ofClass.deny_if);
  return denies && !hasRules(entry.require) && !hasRules(entry.deny_if) ? "has rules to deny" : undefined;
}

function hasRules(rules: readonly Rule[] | undefined): boolean {
  return rules !== undefined && rules.length > 0;
}

function lintEntry(entry: AllToolsEntry, pointer: string, document: PolicyDocument, tools: readonly LintedTool[], warn: Warn): void {
  for (const list of LISTS) {
    entry[list]?.forEach((rule, index) => lintRule(rule, `${pointer}/${list}/${index}`, { warn, isRequire: list === "require", tools }));
    if (list !== "require") lintCatchAll(entry[list] ?? [], `${pointer}/${list}`, warn);
  }
  lintLimits(entry, pointer, document, warn);
}

/** A rule without conditions always matches, and so nothing after it is asked. */
function lintCatchAll(rules: readonly Rule[], pointer: string, warn: Warn): void {
  const first = rules.findIndex((rule) => rule.conditions.length === 0);
  if (first === -1) return;
  for (let index = first + 1; index < rules.length; index++) {
    warn("unreachable", `${pointer}/${index}`, `${pointer}/${first} always matches before it.`);
  }
}

function lintAction(entry: ToolEntry, pointer: string, warn: Warn): void {
  if (entry.action === "require_approval" && hasRules(entry.approve_if)) {
    warn("unreachable", `${pointer}/approve_if`, "Beside `action: require_approval`, `approve_if` is never asked.");
  }
  if (entry.action !== "deny") return;
  for (const key of NEVER_ASKED_BESIDE_DENY) {
    if (entry[key] !== undefined) warn("unreachable", `${pointer}/${key}`, `Beside \`action: deny\`, \`${key}\` is never asked.`);
  }
}

function lintLimits(entry: ToolEntry, pointer: string, document: PolicyDocument, warn: Warn): void {
  const beside = [...(entry.limits ?? []), ...(document.all_tools?.limits ?? [])];
  const isSessionOnly = beside.every((limit) => limit.scope === "session");
  const hasWhole = beside.some((limit) => limit.per === undefined);
  entry.limits?.forEach((limit, index) => {
    const at = `${pointer}/limits/${index}`;
    if (limit.scope === "session" && isSessionOnly) {
      warn("session_only_limit", at, "Another session has another count: give a limit of a wider scope beside this one.");
    }
    if (limit.per !== undefined && !hasWhole) {
      warn("per_only_limit", at, "The caller chooses the value of `per`: give a limit without `per` beside this one.");
    }
    if (limit.durable === true) {
      warn(
        "no_effect",
        `${at}/durable`,
        "Without `limits.url` in the configuration every limit is counted in the store, and this says nothing more.",
      );
    }
  });
  if (entry.rate_limit && isSessionOnly) {
    warn(
      "session_only_limit",
      `${pointer}/rate_limit`,
      "Another session has another count: give a limit of a wider scope beside this one.",
    );
  }
}
