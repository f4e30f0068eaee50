/**
 * Step *inspect*: what may be handed on of an answer, and how the exchange came out. Results pass as the bytes they came
 * in, under the client's id; lists are filtered by the function that decides calls; what holds a credential of the
 * server's is replaced; errors of the other hop are put into our own words.
 */
import type { ErrorAnswer } from "../mcp/answer.ts";
import { writeError, writeFailedCall, writeRefusal } from "../mcp/answers.ts";
import { ERROR_CODES, statusOfError } from "../mcp/refusal.ts";
import { writeAnswer, writeEditedResult } from "../mcp/relay.ts";
import type { Arrival, ArrivalFault } from "./answer-relay.ts";
import type { Desk } from "./desk.ts";
import { planModernEdits } from "./edit-modern.ts";
import type { Exchange } from "./exchange.ts";
import { filterList } from "./inspect-list.ts";
import { inspectOpening } from "./inspect-opening.ts";
import { isMissingSubject, writeNotFound } from "./not-found.ts";
import type { Outcome } from "./record.ts";
import { sealRound } from "./rounds.ts";
import { refuseSession } from "./route.ts";

export interface Inspected {
  readonly outcome: Outcome;
  readonly status: number;
  readonly message: Buffer;
  readonly code?: string | undefined;
  /** The answer ends this round and not the call: nothing is settled yet. */
  readonly goesOn?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export async function inspect(desk: Desk, exchange: Exchange, arrival: Arrival): Promise<Inspected> {
  if (arrival.kind === "accepted") return inspectFault(exchange, "not_mcp", "unknown");
  if (arrival.kind === "fault") return inspectUnbridged(exchange) ?? inspectFault(exchange, arrival.code, arrival.sent);
  const { bytes, answer } = arrival;
  const found = exchange.endpoint.scan?.finds(bytes) ?? false;
  if (answer.kind === "error") {
    if (found) return { ...withhold(exchange), outcome: "rpc_error" };
    return inspectError(exchange, bytes, answer);
  }
  const outcome = answer.isError ? "tool_error" : "ok";
  if (found) return { ...withhold(exchange), outcome };
  if (answer.resultType === "input_required") return await sealRound(desk, exchange, bytes, answer);
  switch (exchange.subject.kind) {
    case "tool_list":
    case "prompt_list":
    case "resource_list":
    case "template_list":
      return await filterList(desk, exchange, bytes, answer);
    default:
      break;
  }
  const { method } = exchange.request;
  if (method === "initialize" || method === "server/discover") return inspectOpening(desk, exchange, bytes, answer);
  if (exchange.claim.era === "modern" && answer.resultType !== undefined && answer.resultType !== "complete") {
    return inspectFault(exchange, "invalid_answer", "unknown");
  }
  if (exchange.claim.era === "modern") {
    const edits = planModernEdits(desk, exchange, answer, bytes);
    if (edits) return { outcome, status: 200, message: writeEditedResult(exchange.request.id, answer, bytes, edits) };
  }
  return { outcome, status: 200, message: writeAnswer(exchange.request.id, answer, bytes) };
}

function inspectError(exchange: Exchange, bytes: Buffer, answer: ErrorAnswer): Inspected {
  const { era } = exchange.claim;
  const { code } = answer;
  const unbridged = inspectUnbridged(exchange);
  if (unbridged) return unbridged;
  if (isMissingSubject(exchange, answer, bytes)) {
    const message = writeNotFound(exchange);
    return { outcome: "rpc_error", status: 200, message };
  }
  // These two speak of the hop between the gateway and the server; the client did nothing wrong.
  if (code === ERROR_CODES.headerMismatch || code === ERROR_CODES.unsupportedVersion) {
    const words = "The server and the gateway do not speak the same revision of the protocol; bridging between eras is not there yet.";
    return {
      outcome: "rpc_error",
      status: 200,
      code: "upstream_unsupported",
      message: writeError(exchange.request.id, ERROR_CODES.internal, words),
    };
  }
  return { outcome: "rpc_error", status: statusOfError(code, era), message: writeAnswer(exchange.request.id, answer, bytes) };
}

/** A legacy client's `initialize` that a server of the modern era alone did not take. */
function inspectUnbridged(exchange: Exchange): Inspected | undefined {
  const { request, claim, endpoint } = exchange;
  if (request.method !== "initialize" || claim.era !== "legacy" || endpoint.tools.era !== "modern") return undefined;
  const words = "This server speaks protocol 2026-07-28 only, and the gateway does not bridge between eras yet.";
  return {
    outcome: "rpc_error",
    status: 200,
    code: "upstream_unsupported",
    message: writeError(request.id, ERROR_CODES.invalidRequest, words),
  };
}

function withhold(exchange: Exchange): Omit<Inspected, "outcome"> {
  const words = "The answer was withheld: it held a credential of the server's.";
  return { status: 200, code: "credential_withheld", message: writeUnavailable(exchange, words) };
}

const FAULT_WORDS: Partial<Record<ArrivalFault, string>> = {
  login_required: "The server asks the gateway to log in; its credential has to be renewed by whoever runs the gateway.",
  login_unavailable: "The gateway can't renew its credential for the server now; try again later.",
  answer_timeout: "The server did not answer in time; what it did is not known.",
  too_large: "The server's answer is larger than the gateway hands on.",
  invalid_answer: "The server's answer is not strict JSON-RPC, so it was not handed on.",
  not_mcp: "The server did not answer in the protocol.",
  encoding: "The server did not answer in the protocol.",
  redirect: "The server did not answer in the protocol.",
  no_answer: "The server closed its answer before it was whole; what it did is not known.",
  broken: "The connection to the server broke; what it did is not known.",
  cancelled: "The call was cancelled.",
};

/** An answer where there was none: it names neither address nor cause in detail, only what the agent can act upon. */
export function inspectFault(exchange: Exchange, fault: ArrivalFault, sent: "not_sent" | "unknown"): Inspected {
  if (fault === "not_found" && exchange.session?.ended) {
    const refusal = refuseSession(exchange.request);
    return { outcome: sent, status: refusal.status, code: "unknown_session", message: writeRefusal(refusal) };
  }
  const needsPerson = fault === "login_required" || fault === "insufficient_scope";
  const hint = needsPerson ? exchange.endpoint.login?.words(fault) : undefined;
  const words = hint ?? FAULT_WORDS[fault] ?? "The server can't be reached now.";
  return { outcome: sent, status: 200, code: fault, message: writeUnavailable(exchange, words) };
}

/** A tool's call gets a result that the agent can read; every other request an error. */
function writeUnavailable(exchange: Exchange, words: string): Buffer {
  const { request, subject, claim } = exchange;
  if (subject.kind === "tool_call") return writeFailedCall(request.id, words, { era: claim.era });
  return writeError(request.id, ERROR_CODES.internal, words);
}
