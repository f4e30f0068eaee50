/**
 * What `policy check` warns of: rules of a valid document that are likely to be open, and names that nothing answers
 * to. Never changes a decision; each warning has the pointer of what it is about.
 */
import { isJsonObject, type Json, readMember } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { oppositeOf } from "./comparison.ts";
import type { ToolClass } from "./decision.ts";
import {
  type AllToolsEntry,
  type Comparison,
  type Condition,
  isAnyOf,
  isComparison,
  type Limit,
  type PolicyDocument,
  type ToolEntry,
} from "./document.ts";
import { listWrappers } from "./operators/shell-commands.ts";
import { isPath, parsePath } from "./path.ts";
import { compareSelectors, isSelector, matchSelector, parseSelector, rankSelector, type Selector } from "./selector.ts";
import { parseWindow } from "./window.ts";

export type WarningCode =
  | "open_when_missing"
  | "unanchored_regex"
  | "session_only_limit"
  | "per_only_limit"
  | "claimed_by_other_side"
  | "wrapper_command"
  | "glob_over_class"
  | "unknown_tool"
  | "unreachable"
  | "no_effect";

export interface Warning {
  readonly code: WarningCode;
  readonly pointer: string;
  readonly message: string;
  /** The tool that the warning is about, where it is about one. */
  readonly tool?: string;
}

/** A tool of the server, as its definition says. */
export interface LintedTool {
  readonly name: string;
  readonly class?: ToolClass | undefined;
  readonly inputSchema?: Json | undefined;
}

type RuleList = "require" | "deny_if" | "approve_if";
const LISTS: readonly RuleList[] = ["require", "deny_if", "approve_if"];

/** Warnings in the document's order; with the server's tools, those that only the tools can tell. */
export function lintPolicy(document: PolicyDocument, tools?: readonly LintedTool[]): readonly Warning[] {
  const linter = new Linter(document, tools);
  linter.lintSelectors();
  linter.lintEntry(document.all_tools ?? {}, "/all_tools", tools ?? []);
  for (const [text, entry] of Object.entries(document.tools ?? {})) {
    linter.lintEntry(entry, `/tools/${escapePointer(text)}`, linter.listSelected(text));
  }
  return linter.warnings;
}

class Linter {
  readonly warnings: Warning[] = [];
  readonly #document: PolicyDocument;
  readonly #tools: readonly LintedTool[] | undefined;
  readonly #selectors: readonly Selector[];
  readonly #selected: ReadonlyMap<string, readonly LintedTool[]>;

  constructor(document: PolicyDocument, tools: readonly LintedTool[] | undefined) {
    this.#document = document;
    this.#tools = tools;
    this.#selectors = Object.keys(document.tools ?? {})
      .map((text) => parseSelector(text))
      .filter(isSelector)
      .sort(compareSelectors);
    const selected = new Map<string, LintedTool[]>();
    for (const tool of tools ?? []) {
      const selector = this.#selectors.find((candidate) => matchSelector(candidate, tool.name, tool.class));
      if (selector) selected.set(selector.text, [...(selected.get(selector.text) ?? []), tool]);
    }
    this.#selected = selected;
  }

  /** The tools for which the entry of that selector decides. */
  listSelected(text: string): readonly LintedTool[] {
    return this.#selected.get(text) ?? [];
  }

  warn(code: WarningCode, pointer: string, message: string, tool?: string): void {
    this.warnings.push(tool === undefined ? { code, pointer, message } : { code, pointer, message, tool });
  }

  lintSelectors(): void {
    const { hide = [] } = this.#document;
    const hiding = hide.map((text) => parseSelector(text)).filter(isSelector);
    hide.forEach((text, index) => this.#lintName(text, `/hide/${index}`));
    for (const [text, entry] of Object.entries(this.#document.tools ?? {})) {
      const pointer = `/tools/${escapePointer(text)}`;
      const selector = parseSelector(text);
      if (!isSelector(selector)) continue;
      this.#lintName(text, pointer);
      const cover = hiding.find((hider) => coversSelector(hider, selector));
      if (cover) this.warn("unreachable", pointer, `\`${cover.text}\` of \`hide\` hides all that \`${text}\` selects.`);
      const twin = this.#selectors.find(
        (other) => other.text !== text && compareSelectors(other, selector) < 0 && coversSelector(other, selector),
      );
      if (twin) this.warn("unreachable", pointer, `\`${twin.text}\` decides for all that \`${text}\` selects.`);
      if (selector.kind === "glob" && rankSelector(selector) === 1 && entry.action !== "deny")
        this.#lintGlob(selector.text, entry, pointer);
    }
  }

  #lintName(text: string, pointer: string): void {
    const selector = parseSelector(text);
    if (!this.#tools || !isSelector(selector)) return;
    if (this.#tools.some((tool) => matchSelector(selector, tool.name, tool.class))) return;
    const what = selector.kind === "exact" ? "The server has no tool of the name" : "No tool of the server fits";
    this.warn("unknown_tool", pointer, `${what} \`${text}\`.`);
  }

  /** A glob goes before a class: it may allow what the class entry would deny or ask for. */
  #lintGlob(text: string, entry: ToolEntry, pointer: string): void {
    for (const tool of this.listSelected(text)) {
      const ofClass = tool.class === undefined ? undefined : this.#document.tools?.[`@${tool.class}`];
      const action = ofClass?.action ?? "allow";
      const asks = action === "require_approval" || (ofClass?.approve_if?.length ?? 0) > 0;
      const opens = action === "deny" || (asks && entry.action !== "require_approval");
      if (!opens) continue;
      const instead = action === "deny" ? "would deny it" : "would ask a person";
      this.warn("glob_over_class", pointer, `\`${text}\` allows \`${tool.name}\`, and \`@${tool.class}\` ${instead}.`, tool.name);
    }
  }

  lintEntry(entry: AllToolsEntry, pointer: string, tools: readonly LintedTool[]): void {
    for (const list of LISTS) {
      entry[list]?.forEach((rule, index) => {
        rule.conditions.forEach((condition, place) => {
          this.#lintCondition(condition, `${pointer}/${list}/${index}/conditions/${place}`, { list, negated: false, tools });
        });
      });
    }
    this.#lintLimits(entry, pointer);
    this.#lintAction(entry, pointer);
  }

  /** What stands beside `action: deny` is never asked. */
  #lintAction(entry: ToolEntry, pointer: string): void {
    if (entry.action !== "deny") return;
    for (const key of [...LISTS, "limits", "rate_limit", "approval", "validate"] as const) {
      if (entry[key] !== undefined) this.warn("unreachable", `${pointer}/${key}`, `Beside \`action: deny\`, \`${key}\` is never asked.`);
    }
  }

  #lintLimits(entry: ToolEntry, pointer: string): void {
    const limits = [...(entry.limits ?? []), ...(this.#document.all_tools?.limits ?? [])];
    entry.limits?.forEach((limit, index) => {
      const at = `${pointer}/limits/${index}`;
      if (limit.scope === "session" && limits.every((other) => other.scope === "session")) {
        this.warn("session_only_limit", at, "The agent can open another session: give a limit of scope `grant` beside this one.");
      }
      if (limit.per !== undefined && !limits.some((other) => other.per === undefined && isBeside(limit, other))) {
        this.warn("per_only_limit", at, "The agent chooses the value of `per`: give a limit without `per` beside this one.");
      }
    });
    if (entry.rate_limit && limits.every((other) => other.scope === "session")) {
      this.warn(
        "session_only_limit",
        `${pointer}/rate_limit`,
        "A rate limit counts each session by itself, and the agent can open another one.",
      );
    }
  }

  #lintCondition(
    condition: Condition,
    pointer: string,
    place: { readonly list: RuleList; readonly negated: boolean; readonly tools: readonly LintedTool[] },
  ): void {
    if (isAnyOf(condition)) {
      condition.any.forEach((part, index) => this.#lintCondition(part, `${pointer}/any/${index}`, place));
    } else if (!isComparison(condition)) this.#lintCondition(condition.not, `${pointer}/not`, { ...place, negated: true });
    else if (place.list === "require") this.#lintRequirement(condition, pointer);
    else this.#lintMatch(condition, pointer, place);
    if (isComparison(condition)) this.#lintValue(condition, pointer);
  }

  #lintRequirement(condition: Comparison, pointer: string): void {
    const { path, op, value } = condition;
    if (op === "regex" && typeof value === "string" && !(value.startsWith("^") || value.startsWith("\\A"))) {
      this.warn("unanchored_regex", `${pointer}/value`, "The pattern is found anywhere in the text: anchor it with `^…$`.");
    } else if (op === "regex" && typeof value === "string" && !/(?:\$|\\z)$/.test(value)) {
      this.warn("unanchored_regex", `${pointer}/value`, "The pattern has no end: anchor it with `^…$`.");
    }
    if (/^(?:client\.|session\.id|tool\.annotations)/.test(path)) {
      this.warn("claimed_by_other_side", `${pointer}/path`, `\`${path}\` is what the other side says of itself.`);
    }
  }

  #lintMatch(condition: Comparison, pointer: string, place: { readonly negated: boolean; readonly tools: readonly LintedTool[] }): void {
    const { path, op, missing } = condition;
    if (missing === "match") {
      if (op === "exists") this.warn("no_effect", `${pointer}/missing`, "`exists` judges absence by itself.");
      return;
    }
    if (op === "exists" || (oppositeOf(op) === undefined && !place.negated)) return;
    const tool = place.tools.find((candidate) => hasDefault(candidate.inputSchema, path));
    const why = tool ? ` \`${tool.name}\` has a default for it.` : "";
    this.warn("open_when_missing", pointer, `Leaving \`${path}\` out is a way around this rule: say \`missing: match\`.${why}`, tool?.name);
  }

  #lintValue(condition: Comparison, pointer: string): void {
    if (condition.op !== "shell_commands_in") return;
    const wrappers = listWrappers(condition.value);
    if (wrappers.length === 0) return;
    const named = wrappers.map((wrapper) => `\`${wrapper}\``).join(", ");
    this.warn("wrapper_command", `${pointer}/value`, `These run other commands, which are not looked at: ${named}.`);
  }
}

/** Whether a limit bounds what another leaves open: the same amounts over a window and scope as wide. */
function isBeside(limit: Limit, other: Limit): boolean {
  return other.add === limit.add && (parseWindow(other.window) ?? 0) >= 1;
}

/** Whether the schema of a tool has a `default` at an argument's path. */
function hasDefault(schema: Json | undefined, text: string): boolean {
  const path = parsePath(text);
  if (!isPath(path) || path.root !== "args") return false;
  let at = schema;
  for (const step of path.steps) {
    const below = typeof step === "string" ? "properties" : "items";
    const parent: Json | undefined = isJsonObject(at) ? readMember(at, below) : undefined;
    at = typeof step !== "string" ? parent : isJsonObject(parent) ? readMember(parent, step) : undefined;
  }
  return isJsonObject(at) && Object.hasOwn(at, "default");
}

/** Whether, as far as can be proved simply, all that `inner` selects is selected by `outer` too. */
function coversSelector(outer: Selector, inner: Selector): boolean {
  if (outer.kind === "class") return inner.kind === "class" && inner.class === outer.class;
  if (outer.kind === "exact") return inner.kind === "exact" && inner.name === outer.name;
  if (outer.literals === 0) return true;
  if (inner.kind === "exact") return matchSelector(outer, inner.name, undefined);
  return inner.kind === "glob" && outer.pieces.join("*") === inner.pieces.join("*");
}
