/**
 * Every denial and its sentence, one function each, so that the gateway, the policy tests and the lists say the same.
 * What is hidden, unknown or not selected is built here alone, and can't be told apart under one default.
 */
import { printAmount } from "../kernel/decimal.ts";
import type { ApprovalAsk, Charge, Denial, LimitSpec, Visibility } from "./decision.ts";
import type { Effect } from "./document.ts";
import { describeWindow } from "./window.ts";

export const RULE_HIDDEN = "(hidden)";
export const RULE_DEFAULT_DENY = "(default deny)";
export const RULE_UNKNOWN_TOOL = "(unknown tool)";
export const RULE_QUARANTINED = "(quarantined)";
export const RULE_INPUT_SCHEMA = "(input schema)";
export const RULE_NO_POLICY = "(no policy)";
export const RULE_URI = "(uri)";
export const RULE_ERROR = "(error)";

/** What an agent is told where neither the rule nor the entry has words of its own. */
export const PLAIN_RULE = "A rule of the policy does not allow this call.";
export const PLAIN_APPROVAL = "A person has to approve this call.";

export type Subject = "Tool" | "Resource" | "Prompt";

/** The one answer for what is hidden, unknown or not selected; only `rule` differs, and only the log is told it. */
export function denyUnseen(subject: Subject, name: string, effect: Effect, rule: string): Denial {
  if (effect === "deny") {
    return { decision: "deny", code: "not_allowed", rule, message: `${subject} "${name}" is not allowed by policy.` };
  }
  return { decision: "deny", code: "unknown_tool", rule, message: `Unknown ${subject.toLowerCase()}: ${name}` };
}

export function denyQuarantined(name: string): Denial {
  const message = `Tool "${name}" is quarantined: its definition has changed and waits for a person.`;
  return { decision: "deny", code: "quarantined", rule: RULE_QUARANTINED, message };
}

/** A denial by `action: deny`, or by the `deny` list of a block. */
export function denyByName(subject: Subject, name: string, rule: string, reason: string | undefined): Denial {
  return { decision: "deny", code: "denied", rule, message: reason || `${subject} "${name}" is denied by policy.` };
}

export function denyByRule(rule: string, message: string, cause: Denial["cause"]): Denial {
  return cause === undefined
    ? { decision: "deny", code: "denied", rule, message }
    : { decision: "deny", code: "denied", rule, message, cause };
}

export function denyArguments(rule: string, message: string): Denial {
  return { decision: "deny", code: "invalid_arguments", rule, message };
}

/** `retryAfterMs` undefined: there is no time at which it would fit. */
export function denyByLimit(charge: Charge | LimitSpec, retryAfterMs: number | undefined): Denial {
  const limit = "limit" in charge ? charge.limit : charge;
  const refused = "limit" in charge ? charge.refused : undefined;
  const denial = { decision: "deny", code: "limit_exceeded", rule: limit.rule } as const;
  if (refused === "amount") {
    return { ...denial, message: "The amount that a limit counts is missing, or is no number of zero or more with at most 9 places." };
  }
  if (refused === "per") {
    return {
      ...denial,
      message: "The value that a limit is counted by is missing, or is no text, whole number or boolean of at most 256 bytes.",
    };
  }
  const window = limit.calendar ? limit.calendar.unit : describeWindow(limit.windowMs);
  const length = /^\d/.test(window) ? `in ${window}` : `per ${window}`;
  if (retryAfterMs === undefined) return { ...denial, message: `This call does not fit the limit of ${printAmount(limit.max)} ${length}.` };
  const message = `The limit of ${printAmount(limit.max)} ${length} is reached. Try again in ${describeWait(retryAfterMs)}.`;
  return { ...denial, message, retryAfterMs };
}

/** A call that a person has to agree to and has not. */
export function denyApproval(ask: ApprovalAsk): Denial {
  const denial: Denial = { decision: "deny", code: "approval_required", rule: ask.rule, message: ask.message };
  return ask.cause === undefined ? denial : { ...denial, cause: ask.cause };
}

export function denyNoPolicy(): Denial {
  return { decision: "deny", code: "no_policy", rule: RULE_NO_POLICY, message: "No policy is attached to this grant." };
}

/** Something that a decision needs can't be had; the call does not pass. */
export function denyUnavailable(rule: string, error?: unknown): Denial {
  const denial: Denial = { decision: "deny", code: "unavailable", rule, message: "This call can't be decided right now. Try again later." };
  return error === undefined ? denial : { ...denial, error };
}

/** Whether what a decision is about shows in a list: what is denied by name shows, what is hidden or not selected does not. */
export function decideListing(denial: Denial | undefined): Visibility {
  return denial === undefined || denial.code === "denied" ? "shown" : "left_out";
}

function describeWait(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  if (seconds < 120) return seconds === 1 ? "1 second" : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} minutes` : `${Math.ceil(minutes / 60)} hours`;
}
