/**
 * Step *inspect*: what may be handed on of an answer, and how the exchange came out. Results pass as the bytes they came
 * in, under the client's id; lists are filtered by the function that decides calls; what holds a credential of the
 * server's is replaced; errors of the other hop are put into our own words.
 */
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import type { ErrorAnswer } from "../mcp/answer.ts";
import { writeError, writeFailedCall, writeRefusal } from "../mcp/answers.ts";
import { asData, ERROR_CODES, statusOfError } from "../mcp/refusal.ts";
import { readAnswerMember, writeAnswer, writeEditedResult } from "../mcp/relay.ts";
import type { Arrival, ArrivalFault } from "./answer-relay.ts";
import { ASK_KINDS, ASK_WORDS, type AskFault, judgeAsk, MAX_OPEN_ASKS } from "./asks.ts";
import type { Desk } from "./desk.ts";
import { planModernEdits } from "./edit-modern.ts";
import type { Exchange } from "./exchange.ts";
import { filterList } from "./inspect-list.ts";
import { inspectOpening } from "./inspect-opening.ts";
import { isMissingSubject, writeNotFound } from "./not-found.ts";
import { planPlainResult } from "./pair-structured.ts";
import type { Outcome } from "./record.ts";
import { holdsOtherTypes } from "./result-caps.ts";
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
  /** For the record. */
  readonly detail?: JsonObject | undefined;
}

export function inspect(desk: Desk, exchange: Exchange, arrival: Arrival): Inspected | Promise<Inspected> {
  if (arrival.kind === "accepted") return inspectFault(exchange, "not_mcp", "unknown");
  if (arrival.kind === "fault") return inspectFault(exchange, arrival.code, arrival.sent);
  const { bytes, answer } = arrival;
  const found = exchange.endpoint.scan?.finds(bytes) ?? false;
  if (answer.kind === "error") {
    if (found) return { ...withhold(exchange), outcome: "rpc_error" };
    return inspectError(exchange, bytes, answer);
  }
  const outcome = answer.isError ? "tool_error" : "ok";
  if (found) return { ...withhold(exchange), outcome };
  if (answer.resultType === "input_required") return sealRound(desk, exchange, bytes, answer);
  switch (exchange.subject.kind) {
    case "tool_list":
    case "prompt_list":
    case "resource_list":
    case "template_list":
      return filterList(desk, exchange, bytes, answer);
    default:
      break;
  }
  if (holdsOtherTypes(exchange, answer, bytes)) {
    const words = "The answer was withheld: it held content of a type that this server may not return.";
    return { outcome, status: 200, code: "content_withheld", message: writeUnavailable(exchange, words) };
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
  const plain = exchange.claim.era === "legacy" && exchange.subject.kind === "tool_call" ? planPlainResult(answer, bytes) : undefined;
  if (plain) return { outcome, status: 200, message: writeEditedResult(exchange.request.id, answer, bytes, plain) };
  return { outcome, status: 200, message: writeAnswer(exchange.request.id, answer, bytes) };
}

function inspectError(exchange: Exchange, bytes: Buffer, answer: ErrorAnswer): Inspected {
  const { era } = exchange.claim;
  const { code } = answer;
  if (isMissingSubject(exchange, answer, bytes)) {
    const message = writeNotFound(exchange);
    return { outcome: "rpc_error", status: 200, message };
  }
  if (code === ERROR_CODES.missingCapability && exchange.endpoint.asks.kinds.size < ASK_KINDS.length) {
    return refuseAsking(exchange, "ask_closed");
  }
  if (code === ERROR_CODES.urlElicitationRequired) return inspectPages(exchange, bytes, answer);
  // These two speak of the hop between the gateway and the server; the client did nothing wrong.
  if (code === ERROR_CODES.headerMismatch || code === ERROR_CODES.unsupportedVersion) {
    const words = "The server and the gateway do not speak the same revision of the protocol.";
    return {
      outcome: "rpc_error",
      status: 200,
      code: "upstream_unsupported",
      message: writeError(exchange.request.id, ERROR_CODES.internal, words),
    };
  }
  return { outcome: "rpc_error", status: statusOfError(code, era), message: writeAnswer(exchange.request.id, answer, bytes) };
}

function refuseAsking(exchange: Exchange, fault: AskFault): Inspected {
  const words = `The server needs to ask the client for something. ${ASK_WORDS[fault]}`;
  return { outcome: "rpc_error", status: 200, code: fault, message: writeUnavailable(exchange, words) };
}

/** An error that sends a person to pages: they are questions as any other, and labelled as such. */
function inspectPages(exchange: Exchange, bytes: Buffer, answer: ErrorAnswer): Inspected {
  const data = readAnswerMember(answer, bytes, "data");
  const pages = isJsonObject(data) ? readMember(data, "elicitations") : undefined;
  const message = readAnswerMember(answer, bytes, "message");
  if (!isJsonObject(data) || !isJsonList(pages) || pages.length > MAX_OPEN_ASKS || typeof message !== "string")
    return refuseAsking(exchange, "ask_unreadable");
  const labelled: Json[] = [];
  for (const page of pages) {
    const judged = judgeAsk(exchange.endpoint.asks, "elicitation", isJsonObject(page) ? page : undefined);
    if ("fault" in judged) return refuseAsking(exchange, judged.fault);
    labelled.push(judged.params);
  }
  const told = writeError(exchange.request.id, answer.code, message, asData({ ...data, elicitations: labelled }));
  return { outcome: "rpc_error", status: 200, code: "input_required", message: told };
}

function withhold(exchange: Exchange): Omit<Inspected, "outcome"> {
  const words = "The answer was withheld: it held a credential of the server's.";
  return { status: 200, code: "credential_withheld", message: writeUnavailable(exchange, words) };
}

const FAULT_WORDS: Partial<Record<ArrivalFault, string>> = {
  login_required: "The server asks the gateway to log in; its credential has to be renewed by whoever runs the gateway.",
  login_unavailable: "The gateway can't renew its credential for the server now; try again later.",
  answer_timeout: "The server did not answer in time; what it did is not known.",
  too_deep: "The server's answer is nested deeper than the gateway hands on.",
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
export function writeUnavailable(exchange: Exchange, words: string): Buffer {
  const { request, subject, claim } = exchange;
  if (subject.kind === "tool_call") return writeFailedCall(request.id, words, { era: claim.era });
  return writeError(request.id, ERROR_CODES.internal, words);
}
