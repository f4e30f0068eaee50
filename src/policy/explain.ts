/**
 * Why a call is decided as it is: every question in its order with what was found, from the very functions that decide.
 * Stops where the decision stopped; of rules it tells each condition too.
 */
import { printAmount } from "../kernel/decimal.ts";
import type { PlannedPolicy } from "./compile.ts";
import { decideCall, type Trace } from "./decide.ts";
import type { CallContext, Decision, ToolCall } from "./decision.ts";
import type { RulePlan } from "./plan.ts";
import { describeTruth, type Truth } from "./truth.ts";
import { describeWindow } from "./window.ts";

export interface ExplainedStep {
  /** The number of the step in the order of decision. */
  readonly step: number;
  readonly question: string;
  /** The place in the document that was asked, or the rule id in parentheses. */
  readonly rule?: string;
  readonly answer: string;
  /** Of a rule: what each condition came to. */
  readonly conditions?: readonly ("true" | "false" | "missing" | "wrong_type")[];
}

export interface Explanation {
  readonly steps: readonly ExplainedStep[];
  readonly decision: Decision;
}

const QUESTIONS = {
  4: "Is the tool hidden?",
  5: "Is it selected, or is the default allow?",
  6: "Does the server advertise the tool, unchanged?",
  7: "Is its action deny?",
  8: "Do the arguments fit?",
} as const;

/** Decides the call and tells how. Counters and people are not asked: steps 10 and 11 say what would be. */
export function explainCall(policy: PlannedPolicy, call: ToolCall, context: CallContext): Explanation {
  const steps: ExplainedStep[] = [];
  const listRule = (step: number, rule: RulePlan, truth: Truth, matches: boolean): void => {
    const isRequire = /\/require\/\d+$/.test(rule.rule);
    const question = step === 11 ? "Does a person have to agree?" : isRequire ? "Is the requirement met?" : "Does the rule match?";
    const conditions = rule.conditions.map((judge) => describeTruth(judge(call, context)));
    const name = rule.name === undefined ? "" : ` (${rule.name})`;
    steps.push({ step, question, rule: rule.rule, answer: `${matches ? "yes" : "no"}: ${describeTruth(truth)}${name}`, conditions });
  };
  const trace: Trace = {
    onStep(step, rule, answer) {
      steps.push({ step, question: QUESTIONS[step], ...(rule === undefined ? {} : { rule }), answer });
    },
    onRule: listRule,
    onCharge({ limit, amount, per, refused }) {
      const window = limit.calendar ? `calendar ${limit.calendar.unit}` : describeWindow(limit.windowMs);
      const split = per === undefined ? "" : `, split by ${per}`;
      const answer = refused
        ? `no: the ${refused === "amount" ? "amount" : "value to split by"} can't be counted`
        : `charges ${printAmount(amount)} of ${printAmount(limit.max)} for each ${limit.scope} and ${window}${split}`;
      steps.push({ step: 10, question: "Is the limit able to take this call?", rule: limit.rule, answer });
    },
    onAsk(ask) {
      const who = `${ask.quorum} of ${ask.approvers.join(", ")}`;
      steps.push({ step: 11, question: "Who has to agree?", rule: ask.rule, answer: who });
    },
  };
  const decision = decideCall(policy.plan, call, context, trace);
  return { steps, decision };
}
