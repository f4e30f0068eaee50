/**
 * A document turned into what a decision asks, in the order it asks: indexes of selectors, rules as functions, limits
 * as charges. Everything that can be worked out before a call is worked out here, once; nothing here can fail.
 */
import { assert } from "../kernel/assert.ts";
import { BoundedMap } from "../kernel/bounded-map.ts";
import type { Json } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { compileConditions, type JudgeCall } from "./condition.ts";
import type { LimitSpec } from "./decision.ts";
import type { AllToolsEntry, ApprovalTerms, Effect, PolicyDocument, Rule, SelectionBlock, ToolEntry, Validation } from "./document.ts";
import { type ChargedLimit, compileLimits, compileRateLimit } from "./limit.ts";
import { compilePolicySchema } from "./schema/policy-schema.ts";
import { compareSelectors, isSelector, parseSelector, type Selector } from "./selector.ts";
import { createSelectorIndex, type SelectorIndex } from "./selector-index.ts";
import { parseDuration } from "./window.ts";
import { createZone, type Zone } from "./zone.ts";

/** Tools of one entry whose `rate_limit` is kept ready. */
const MAX_READY_RATE_LIMITS = 1024;

export const DEFAULT_QUORUM = 1;
export const DEFAULT_EXPIRES = "30m";
export const DEFAULT_HOLD = "25s";
export const DEFAULT_APPROVERS: readonly string[] = Object.freeze(["role:admin"]);

export interface PolicyPlan {
  readonly document: PolicyDocument;
  readonly hide: SelectorIndex<string>;
  readonly entries: SelectorIndex<EntryPlan>;
  /** What a tool that no entry selects meets under `default: allow`. */
  readonly unselected: EntryPlan;
  readonly resources: BlockPlan;
  readonly prompts: BlockPlan;
  readonly zone: Zone;
  readonly limits: readonly LimitSpec[];
  readonly selectsByClass: boolean;
  readonly canAsk: boolean;
}

export interface EntryPlan {
  /** Undefined for what no entry selects. */
  readonly selector: string | undefined;
  readonly pointer: string;
  readonly action: "allow" | "deny" | "require_approval";
  readonly reason: string | undefined;
  readonly validation: ValidationPlan | undefined;
  /** The four lists of step 9, in its order. */
  readonly requires: readonly [readonly RulePlan[], readonly RulePlan[]];
  readonly denies: readonly [readonly RulePlan[], readonly RulePlan[]];
  /** The tool's limits, before its rate limit and those of all tools. */
  readonly limits: readonly ChargedLimit[];
  readonly findRateLimit: ((toolName: string) => ChargedLimit) | undefined;
  readonly sharedLimits: readonly ChargedLimit[];
  readonly approves: readonly [readonly RulePlan[], readonly RulePlan[]];
  /** Of `action` and the tool's own `approve_if`, and of that of all tools. */
  readonly approval: ApprovalPlan;
  readonly sharedApproval: ApprovalPlan;
}

export interface RulePlan {
  /** The rule id: its pointer. */
  readonly rule: string;
  readonly name: string | undefined;
  readonly onDeny: string | undefined;
  readonly conditions: readonly JudgeCall[];
}

export interface ApprovalPlan {
  readonly quorum: number;
  readonly expiresMs: number;
  readonly holdMs: number;
  readonly approvers: readonly string[];
}

export interface ValidationPlan {
  readonly rule: string;
  readonly requiredArgs: readonly string[];
  readonly deniesUnknown: boolean;
  /** Known beside the `properties` of the tool's own schema. */
  readonly known: ReadonlySet<string>;
  readonly schema: { check(args: Json): string | undefined } | undefined;
}

export interface BlockPlan {
  readonly default: Effect;
  readonly hide: SelectorIndex<true>;
  /** The place in the `deny` list. */
  readonly deny: SelectorIndex<number>;
  readonly allow: SelectorIndex<true>;
  readonly selectors: { readonly hide: readonly Selector[]; readonly deny: readonly Selector[]; readonly allow: readonly Selector[] };
}

/** Works out the plan of a document that parsed. */
export function compilePlan(document: PolicyDocument): PolicyPlan {
  const timezone = document.timezone ?? "UTC";
  const compiler = new EntryCompiler(document.all_tools ?? {}, timezone);
  const entries = Object.entries(document.tools ?? {}).map(([text, entry]) => ({ selector: readSelector(text), entry }));
  entries.sort((left, right) => compareSelectors(left.selector, right.selector));
  const hide = (document.hide ?? []).map((text) => ({ selector: readSelector(text), value: text }));
  const planned = entries.map(({ selector, entry }) => ({ selector, value: compiler.compile(selector.text, entry) }));
  return {
    document,
    hide: createSelectorIndex(hide),
    entries: createSelectorIndex(planned),
    unselected: compiler.compile(undefined, {}),
    resources: compileBlock(document.resources, document.default),
    prompts: compileBlock(document.prompts, document.default),
    zone: compiler.zone,
    limits: Object.freeze([...compiler.sharedLimits.map((limit) => limit.spec), ...compiler.ownLimits]),
    selectsByClass: [...hide, ...entries].some(({ selector }) => selector.kind === "class"),
    canAsk: compiler.canAsk,
  };
}

class EntryCompiler {
  readonly zone: Zone;
  readonly sharedLimits: readonly ChargedLimit[];
  readonly ownLimits: LimitSpec[] = [];
  canAsk: boolean;
  readonly #timezone: string;
  readonly #all: AllToolsEntry;
  readonly #shared: Record<"require" | "deny_if" | "approve_if", readonly RulePlan[]>;

  constructor(all: AllToolsEntry, timezone: string) {
    this.#all = all;
    this.#timezone = timezone;
    this.zone = createZone(timezone);
    this.sharedLimits = compileLimits(all.limits ?? [], ["all_tools"], "/all_tools/limits", timezone);
    this.#shared = {
      require: this.#compileRules(all, "require", "/all_tools"),
      deny_if: this.#compileRules(all, "deny_if", "/all_tools"),
      approve_if: this.#compileRules(all, "approve_if", "/all_tools"),
    };
    this.canAsk = this.#shared.approve_if.length > 0;
  }

  compile(selector: string | undefined, entry: ToolEntry): EntryPlan {
    const pointer = selector === undefined ? "/tools" : `/tools/${escapePointer(selector)}`;
    const limits = compileLimits(entry.limits ?? [], ["tools", selector ?? ""], `${pointer}/limits`, this.#timezone);
    this.ownLimits.push(...limits.map((limit) => limit.spec));
    const approves = this.#compileRules(entry, "approve_if", pointer);
    if (approves.length > 0 || entry.action === "require_approval") this.canAsk = true;
    return {
      selector,
      pointer,
      action: entry.action ?? "allow",
      reason: entry.reason,
      validation: entry.validate && compileValidation(entry.validate, `${pointer}/validate`),
      requires: [this.#shared.require, this.#compileRules(entry, "require", pointer)],
      denies: [this.#shared.deny_if, this.#compileRules(entry, "deny_if", pointer)],
      limits,
      findRateLimit: this.#compileRate(entry, selector ?? "", pointer),
      sharedLimits: this.sharedLimits,
      approves: [this.#shared.approve_if, approves],
      approval: compileApproval(entry.approval),
      sharedApproval: compileApproval(entry.approval ?? this.#all.approval),
    };
  }

  #compileRate(entry: ToolEntry, selector: string, pointer: string): EntryPlan["findRateLimit"] {
    const rate = entry.rate_limit;
    if (!rate) return undefined;
    const parsed = readSelector(selector);
    if (parsed.kind === "exact") {
      const limit = compileRateLimit(rate, selector, parsed.name, pointer);
      this.ownLimits.push(limit.spec);
      return () => limit;
    }
    this.ownLimits.push(compileRateLimit(rate, selector, "", pointer).spec);
    const ready = new BoundedMap<string, ChargedLimit>(MAX_READY_RATE_LIMITS);
    return (toolName) => {
      let limit = ready.get(toolName);
      if (!limit) {
        limit = compileRateLimit(rate, selector, toolName, pointer);
        ready.set(toolName, limit);
      }
      return limit;
    };
  }

  #compileRules(entry: AllToolsEntry, list: "require" | "deny_if" | "approve_if", pointer: string): readonly RulePlan[] {
    const rules: readonly Rule[] = entry[list] ?? [];
    return rules.map((rule, index) => ({
      rule: `${pointer}/${list}/${index}`,
      name: rule.name,
      onDeny: rule.on_deny,
      conditions: compileConditions(rule.conditions, list === "require", this.zone),
    }));
  }
}

function readSelector(text: string): Selector {
  const selector = parseSelector(text);
  assert(isSelector(selector), "a parsed document has selectors");
  return selector;
}

function compileApproval(terms: ApprovalTerms = {}): ApprovalPlan {
  const expiresMs = parseDuration(terms.expires ?? DEFAULT_EXPIRES);
  const holdMs = parseDuration(terms.hold ?? DEFAULT_HOLD);
  assert(expiresMs !== undefined && holdMs !== undefined, "parsed terms of approval have durations");
  return { quorum: terms.quorum ?? DEFAULT_QUORUM, expiresMs, holdMs, approvers: terms.approvers ?? DEFAULT_APPROVERS };
}

function compileValidation(validation: Validation, rule: string): ValidationPlan {
  const { schema, required_args: requiredArgs = [] } = validation;
  const compiled = schema === undefined ? undefined : compilePolicySchema(schema);
  assert(compiled === undefined || "check" in compiled, "a parsed schema compiles");
  return {
    rule,
    requiredArgs,
    deniesUnknown: validation.unknown_args === "deny",
    known: new Set([...requiredArgs, ...(compiled?.properties ?? [])]),
    schema: compiled,
  };
}

function compileBlock(block: SelectionBlock | undefined, documentDefault: Effect): BlockPlan {
  const hide = (block?.hide ?? []).map(readSelector);
  const deny = (block?.deny ?? []).map(readSelector);
  const allow = (block?.allow ?? []).map(readSelector);
  return {
    default: block?.default ?? documentDefault,
    hide: createSelectorIndex(hide.map((selector) => ({ selector, value: true as const }))),
    deny: createSelectorIndex(deny.map((selector, value) => ({ selector, value }))),
    allow: createSelectorIndex(allow.map((selector) => ({ selector, value: true as const }))),
    selectors: { hide, deny, allow },
  };
}
