/**
 * One answer for what does not exist and for what is hidden: a resource or prompt that the server does not have is
 * answered in our words, so that a client can't tell it from one that the policy hides.
 */
import type { ErrorAnswer } from "../mcp/answer.ts";
import { writeUnknownPrompt, writeUnknownResource } from "../mcp/answers.ts";
import { saysNotFound } from "../mcp/not-found-words.ts";
import { ERROR_CODES } from "../mcp/refusal.ts";
import { readAnswerMember } from "../mcp/relay.ts";
import type { Exchange } from "./exchange.ts";

/** Whether an error of the server's says that what was asked for is not there. */
export function isMissingSubject(exchange: Exchange, answer: ErrorAnswer, bytes: Buffer): boolean {
  const { subject } = exchange;
  if (subject.kind === "resource_read" || subject.kind === "subscribe") {
    if (answer.code === ERROR_CODES.resourceNotFound) return true;
  } else if (subject.kind !== "prompt_get" && subject.kind !== "completion") return false;
  if (answer.code !== ERROR_CODES.invalidParams && answer.code !== ERROR_CODES.internal) return false;
  const words = readAnswerMember(answer, bytes, "message");
  return typeof words === "string" && saysNotFound(words);
}

export function writeNotFound(exchange: Exchange): Buffer {
  const { subject, request, claim, shown } = exchange;
  if (subject.kind === "prompt_get") return writeUnknownPrompt(request.id, shown ?? subject.name);
  if (subject.kind === "completion" && subject.prompt !== undefined) return writeUnknownPrompt(request.id, shown ?? subject.prompt);
  const uri = shown ?? ("uri" in subject ? (subject.uri ?? "") : "");
  return writeUnknownResource(request.id, uri, claim.era);
}
