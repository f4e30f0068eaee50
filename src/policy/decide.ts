/**
 * Steps 4 to 9 for one call, and what steps 10 and 11 need: the first denial wins. One road for calls, lists and
 * explanations; a trace only listens. An error inside a step is a denial, never a pass.
 */
import { compareCodePoints } from "../kernel/canonical-json.ts";
import { isJsonObject, type JsonObject } from "../kernel/json.ts";
import { judgeConditions } from "./condition.ts";
import type { ApprovalAsk, CallContext, Charge, Decision, Denial, Permission, ToolCall, ToolFacts, Visibility } from "./decision.ts";
import type { ApprovalPlan, EntryPlan, PolicyPlan, RulePlan, ValidationPlan } from "./plan.ts";
import {
  denyArguments,
  denyByName,
  denyByRule,
  denyQuarantined,
  denyUnavailable,
  denyUnseen,
  PLAIN_APPROVAL,
  PLAIN_RULE,
  RULE_DEFAULT_DENY,
  RULE_ERROR,
  RULE_HIDDEN,
  RULE_INPUT_SCHEMA,
  RULE_UNKNOWN_TOOL,
} from "./refusal.ts";
import { causeOf, TRUE, type Truth, WRONG } from "./truth.ts";

/** A longer name is no tool's: it is answered as an unknown one, before anything looks at it. */
export const MAX_TOOL_NAME_CHARACTERS = 1024;
const MAX_TOLD_NAME_CHARACTERS = 64;
const MAX_TOLD_NAMES = 8;

/** Listens to what a decision asks, in order. `answer` is what was found; `rule` names the place in the document. */
export interface Trace {
  onStep(step: 4 | 5 | 6 | 7 | 8, rule: string | undefined, answer: string): void;
  onRule(step: 9 | 11, rule: RulePlan, truth: Truth, matches: boolean): void;
  onCharge(charge: Charge): void;
  onAsk(ask: ApprovalAsk): void;
}

const PERMIT: Permission = Object.freeze({ decision: "permit", charges: Object.freeze([]), approval: undefined });
const NO_CHARGES: readonly Charge[] = PERMIT.charges;

export function decideCall(plan: PolicyPlan, call: ToolCall, context: CallContext, trace?: Trace): Decision {
  try {
    return judgeCall(plan, call, context, trace);
  } catch (error) {
    return denyUnavailable(RULE_ERROR, error);
  }
}

/** Of a tool on the server's list. */
export function decideVisibility(plan: PolicyPlan, tool: ToolFacts): Visibility {
  const found = findEntry(plan, tool.name, tool, undefined);
  return "decision" in found || tool.quarantined === true ? "left_out" : "shown";
}

function judgeCall(plan: PolicyPlan, call: ToolCall, context: CallContext, trace: Trace | undefined): Decision {
  const { tool, name } = call;
  const entry = findEntry(plan, name, tool, trace);
  if ("decision" in entry) return entry;
  if (tool === null) return denyUnseen("Tool", name, plan.document.default, RULE_UNKNOWN_TOOL);
  if (tool?.quarantined === true) return denyQuarantined(name);
  trace?.onStep(7, `${entry.pointer}/action`, entry.action);
  if (entry.action === "deny") return denyByName("Tool", name, `${entry.pointer}/action`, entry.reason);
  const { args } = call;
  if (!isJsonObject(args)) return denyArguments(RULE_INPUT_SCHEMA, "The arguments have to be an object.");
  return checkArguments(entry, args, tool, trace) ?? judgeRules(entry, call, context, trace) ?? permit(entry, args, call, context, trace);
}

/** Steps 4 and 5: hidden, selected, default; the same for calls and lists. */
function findEntry(plan: PolicyPlan, name: string, tool: ToolFacts | null | undefined, trace: Trace | undefined): EntryPlan | Denial {
  const effect = plan.document.default;
  if (name.length > MAX_TOOL_NAME_CHARACTERS) return denyUnseen("Tool", name, effect, RULE_UNKNOWN_TOOL);
  const toolClass = tool?.class;
  const hidden = plan.hide.find(name, toolClass);
  trace?.onStep(4, undefined, hidden === undefined ? "not hidden" : `hidden by ${hidden}`);
  if (hidden !== undefined) return denyUnseen("Tool", name, effect, RULE_HIDDEN);
  const entry = plan.entries.find(name, toolClass);
  trace?.onStep(5, entry?.pointer, entry === undefined ? `default ${effect}` : `selected by ${entry.selector}`);
  if (entry === undefined && effect === "deny") return denyUnseen("Tool", name, effect, RULE_DEFAULT_DENY);
  trace?.onStep(6, undefined, tool === undefined ? "not asked" : tool === null ? "unknown" : tool.quarantined ? "quarantined" : "known");
  return entry ?? plan.unselected;
}

/** Step 8. */
function checkArguments(entry: EntryPlan, args: JsonObject, tool: ToolFacts | undefined, trace: Trace | undefined): Denial | undefined {
  const misfit = tool?.inputSchema?.check(args);
  trace?.onStep(8, RULE_INPUT_SCHEMA, misfit ?? (tool?.inputSchema ? "the arguments fit" : "not asked"));
  if (misfit !== undefined) return denyArguments(RULE_INPUT_SCHEMA, `The arguments do not fit the tool: ${misfit}`);
  const { validation } = entry;
  if (!validation) return undefined;
  const fault = findArgumentFault(validation, args, tool);
  trace?.onStep(8, validation.rule, fault ?? "the arguments fit");
  return fault === undefined ? undefined : denyArguments(validation.rule, fault);
}

function findArgumentFault(validation: ValidationPlan, args: JsonObject, tool: ToolFacts | undefined): string | undefined {
  const missing = validation.requiredArgs.filter((name) => !Object.hasOwn(args, name));
  if (missing.length > 0) return `Required and missing: ${tellNames(missing)}.`;
  if (validation.deniesUnknown) {
    const known = tool?.inputSchema?.properties;
    const unknown = Object.keys(args).filter((name) => !validation.known.has(name) && !known?.has(name));
    // In one order, whatever the order of the arguments.
    if (unknown.length > 0) return `Not known: ${tellNames(unknown.sort(compareCodePoints))}.`;
  }
  const misfit = validation.schema?.check(args);
  return misfit === undefined ? undefined : `The arguments do not fit the policy: ${misfit}`;
}

function tellNames(names: readonly string[]): string {
  const told = names.slice(0, MAX_TOLD_NAMES).map((name) => `\`${name.slice(0, MAX_TOLD_NAME_CHARACTERS)}\``);
  const more = names.length - told.length;
  return `${names.length === 1 ? "argument" : "arguments"} ${told.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Step 9: the four lists, each in the document's order. */
function judgeRules(entry: EntryPlan, call: ToolCall, context: CallContext, trace: Trace | undefined): Denial | undefined {
  for (const rules of entry.requires) {
    for (const rule of rules) {
      const truth = judgeConditions(rule.conditions, call, context);
      trace?.onRule(9, rule, truth, truth === TRUE);
      if (truth !== TRUE) return denyByRule(rule.rule, rule.onDeny || entry.reason || PLAIN_RULE, causeOf(truth));
    }
  }
  for (const rules of entry.denies) {
    for (const rule of rules) {
      const truth = judgeConditions(rule.conditions, call, context);
      trace?.onRule(9, rule, truth, matches(truth));
      if (matches(truth)) return denyByRule(rule.rule, rule.onDeny || entry.reason || PLAIN_RULE, causeOf(truth));
    }
  }
  return undefined;
}

/** The strict reading of `deny_if` and `approve_if`: what is of the wrong type matches, what is missing does not. */
function matches(truth: Truth): boolean {
  return truth === TRUE || truth === WRONG;
}

function permit(entry: EntryPlan, args: JsonObject, call: ToolCall, context: CallContext, trace: Trace | undefined): Permission {
  const charges = listCharges(entry, args, call.name);
  if (trace) for (const charge of charges) trace.onCharge(charge);
  const approval = findApproval(entry, call, context, trace);
  if (approval) trace?.onAsk(approval);
  return charges === NO_CHARGES && approval === undefined ? PERMIT : { decision: "permit", charges, approval };
}

/** In the order of step 10: the tool's limits, its rate limit, those of all tools. */
function listCharges(entry: EntryPlan, args: JsonObject, toolName: string): readonly Charge[] {
  const { limits, findRateLimit, sharedLimits } = entry;
  if (limits.length === 0 && findRateLimit === undefined && sharedLimits.length === 0) return NO_CHARGES;
  const charges: Charge[] = [];
  for (const limit of limits) charges.push(limit.charge(args));
  if (findRateLimit) charges.push(findRateLimit(toolName).charge(args));
  for (const limit of sharedLimits) charges.push(limit.charge(args));
  return charges;
}

/** Step 11's question: the action, then the rules of all tools, then the tool's. */
function findApproval(entry: EntryPlan, call: ToolCall, context: CallContext, trace: Trace | undefined): ApprovalAsk | undefined {
  if (entry.action === "require_approval") return ask(`${entry.pointer}/action`, entry.reason || PLAIN_APPROVAL, entry.approval, TRUE);
  const [shared, own] = entry.approves;
  const asked = findAsking(shared, call, context, trace) ?? findAsking(own, call, context, trace);
  if (!asked) return undefined;
  const { rule, truth } = asked;
  const terms = shared.includes(rule) ? entry.sharedApproval : entry.approval;
  return ask(rule.rule, rule.onDeny || entry.reason || PLAIN_APPROVAL, terms, truth);
}

function findAsking(
  rules: readonly RulePlan[],
  call: ToolCall,
  context: CallContext,
  trace: Trace | undefined,
): { readonly rule: RulePlan; readonly truth: Truth } | undefined {
  for (const rule of rules) {
    const truth = judgeConditions(rule.conditions, call, context);
    trace?.onRule(11, rule, truth, matches(truth));
    if (matches(truth)) return { rule, truth };
  }
  return undefined;
}

function ask(rule: string, message: string, terms: ApprovalPlan, truth: Truth): ApprovalAsk {
  const found = { rule, message, ...terms };
  return truth === WRONG ? { ...found, cause: "wrong_type" } : found;
}
