/**
 * Step *reply* for what was stopped: the agent is told what it can act upon and no more. What is hidden, unknown or not
 * selected reads alike; the rule of most denials stands in the log alone.
 */

import { createId } from "../kernel/id.ts";
import { type ToldDenial, writeDeniedCall, writeDeniedRequest, writeError, writeFailedCall, writeUnknownTool } from "../mcp/answers.ts";
import { ERROR_CODES } from "../mcp/refusal.ts";
import type { Denial, DenialCode } from "../policy/decision.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import { writeNotFound } from "./not-found.ts";

const RULE_TOLD: ReadonlySet<DenialCode> = new Set(["denied", "invalid_arguments", "limit_exceeded", "approval_required"]);
/** JSON-RPC code of an exchange whose grant was revoked under way; outside of the reserved range. */
export const GONE_CODE = -31_401;
export const GONE_WORDS = "The grant is no longer valid.";

function tell(exchange: Exchange, denial: Denial): ToldDenial {
  return {
    id: exchange.id,
    code: denial.code,
    rule: RULE_TOLD.has(denial.code) ? denial.rule : undefined,
    retryAfterMs: denial.code === "limit_exceeded" ? denial.retryAfterMs : undefined,
    message: denial.message,
  };
}

export function writeDenial(exchange: Exchange, denial: Denial): Buffer {
  const { request, subject, claim, endpoint } = exchange;
  if (denial.code === "unavailable" && endpoint.login?.isMissing()) {
    // Its tools are not known yet, because nobody has signed in: that is what to act upon.
    const words = endpoint.login.words("login_required");
    if (subject.kind === "tool_call") return writeFailedCall(request.id, words, { era: claim.era });
    return writeError(request.id, ERROR_CODES.internal, words);
  }
  if (subject.kind === "tool_call") {
    if (denial.code === "unknown_tool") return writeUnknownTool(request.id, exchange.shown ?? subject.name);
    return writeDeniedCall(request.id, tell(exchange, denial), { era: claim.era });
  }
  // What a prompt or resource that is not there answers, a hidden and an unselected one answers too.
  if (denial.code === "unknown_tool" || denial.code === "not_allowed") return writeNotFound(exchange);
  return writeDeniedRequest(request.id, tell(exchange, denial));
}

export function writeGone(exchange: Exchange): Buffer {
  return writeError(exchange.request.id, GONE_CODE, GONE_WORDS);
}

export function createExchangeId(desk: Desk): string {
  return createId(desk.clock.now());
}
