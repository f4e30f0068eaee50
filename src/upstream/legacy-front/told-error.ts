/**
 * Errors of a modern server as a legacy client may have them: what speaks of the hop between the gateway and the server
 * is put into words, what is not there is told in the old code, everything else passes byte for byte.
 */
import { isJsonObject, type JsonObject, readMember } from "../../kernel/json.ts";
import type { ErrorAnswer } from "../../mcp/answer.ts";
import { writeError, writeFailedCall, writeUnknownResource } from "../../mcp/answers.ts";
import type { Request } from "../../mcp/message.ts";
import { saysNotFound } from "../../mcp/not-found-words.ts";
import { ERROR_CODES } from "../../mcp/refusal.ts";
import { readAnswerMember, writeAnswer } from "../../mcp/relay.ts";

const NAMED_CAPABILITIES = ["elicitation", "sampling", "roots"] as const;

/** An end that the agent can read: a call's own failure, an error of every other request. */
export function writeEnd(request: Request, words: string): Buffer {
  if (request.method === "tools/call") return writeFailedCall(request.id, words, { era: "legacy" });
  return writeError(request.id, ERROR_CODES.internal, words);
}

export function writeToldError(request: Request, answer: ErrorAnswer, bytes: Buffer): Buffer {
  switch (answer.code) {
    case ERROR_CODES.missingCapability:
      return writeEnd(request, describeMissing(readAnswerMember(answer, bytes, "data") as JsonObject | undefined));
    case ERROR_CODES.headerMismatch:
    case ERROR_CODES.unsupportedVersion:
      return writeError(request.id, ERROR_CODES.internal, "The server did not take the request as the gateway put it.");
    case ERROR_CODES.invalidParams:
      return writeMissing(request, answer, bytes) ?? writeAnswer(request.id, answer, bytes);
    default:
      return writeAnswer(request.id, answer, bytes);
  }
}

function describeMissing(data: JsonObject | undefined): string {
  const required = isJsonObject(data) ? readMember(data, "requiredCapabilities") : undefined;
  const named = isJsonObject(required) ? NAMED_CAPABILITIES.filter((name) => Object.hasOwn(required, name)) : [];
  return named.length === 0
    ? "The server needs a client that can do more than this one."
    : `The server needs a client with the capability: ${named.join(", ")}.`;
}

/** The modern era has no code of its own for what is not there. */
function writeMissing(request: Request, answer: ErrorAnswer, bytes: Buffer): Buffer | undefined {
  const uri = request.params?.["uri"];
  if (request.method !== "resources/read" || typeof uri !== "string") return undefined;
  const data = readAnswerMember(answer, bytes, "data");
  const names = isJsonObject(data) && readMember(data, "uri") === uri;
  const words = readAnswerMember(answer, bytes, "message");
  return names || (typeof words === "string" && saysNotFound(words)) ? writeUnknownResource(request.id, uri, "legacy") : undefined;
}
