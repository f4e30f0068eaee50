/**
 * What the gateway itself answers: JSON-RPC errors, denials that an agent can act on, approvals that wait. Era-correct,
 * under the client's own id, and never with a word of an upstream's address or credential.
 */
import { createJsonObject, type Json, type JsonObject, printJson } from "../kernel/json.ts";
import { META } from "./meta.ts";
import { asData, ERROR_CODES, type Refusal } from "./refusal.ts";
import type { MessageId } from "./request-id.ts";
import type { Era } from "./revisions.ts";

const DECISION_KEY = "sallyport/decision";
const APPROVAL_KEY = "sallyport/approval";
export const DENIED_PREFIX = "[POLICY DENIED]";

/** A denial as the agent is told it: what is not for the agent has been left out before. */
export interface ToldDenial {
  readonly id: string;
  readonly code: string;
  readonly rule?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Without the prefix. */
  readonly message: string;
}

export interface PendingApproval {
  readonly approval: string;
  /** ISO 8601. */
  readonly expiresAt: string;
  readonly url?: string | undefined;
  readonly message: string;
}

/** How results towards one client look. */
export interface Face {
  readonly era: Era;
  /** What the gateway calls itself; stamped on modern results. */
  readonly serverInfo?: JsonObject | undefined;
}

function write(id: MessageId | undefined, member: "result" | "error", value: Json): Buffer {
  return Buffer.from(`{"jsonrpc":"2.0","id":${id?.raw ?? "null"},"${member}":${printJson(value)}}`, "utf8");
}

/** A JSON-RPC error. Where the id could not be read it is null. */
export function writeError(id: MessageId | undefined, code: number, message: string, data?: Json): Buffer {
  return write(id, "error", asData(data === undefined ? { code, message } : { code, message, data }));
}

export function writeRefusal(refusal: Refusal): Buffer {
  return writeError(refusal.id, refusal.code, refusal.message, refusal.data);
}

/** A result of the gateway's own, with what the era wants said of every result. */
export function writeResult(id: MessageId, members: Readonly<Record<string, Json>>, face: Face): Buffer {
  const result = createJsonObject();
  if (face.era === "modern") result["resultType"] = "complete";
  Object.assign(result, members);
  if (face.era === "modern" && face.serverInfo) {
    result["_meta"] = asData({ ...(members["_meta"] as JsonObject | undefined), [META.serverInfo]: face.serverInfo });
  }
  return write(id, "result", result);
}

function textResult(text: string, isError: boolean): Record<string, Json> {
  const members: Record<string, Json> = { content: [asData({ type: "text", text })] };
  if (isError) members["isError"] = true;
  return members;
}

function decisionOf(denial: ToldDenial): JsonObject {
  const { id, code, rule, retryAfterMs } = denial;
  return asData({ id, code, ...(rule === undefined ? {} : { rule }), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}

/** A denied `tools/call`: an ordinary result, so that the agent can act on it. */
export function writeDeniedCall(id: MessageId, denial: ToldDenial, face: Face): Buffer {
  const members = textResult(`${DENIED_PREFIX} ${denial.message}`, true);
  members["_meta"] = asData({ [DECISION_KEY]: decisionOf(denial) });
  return writeResult(id, members, face);
}

/** A denied prompt, resource, subscription or completion: an error that carries the decision. */
export function writeDeniedRequest(id: MessageId, denial: ToldDenial): Buffer {
  const data = asData({ [DECISION_KEY]: decisionOf(denial) });
  return writeError(id, ERROR_CODES.invalidParams, `${DENIED_PREFIX} ${denial.message}`, data);
}

/** A call that waits for people: a result, not an error. */
export function writePendingCall(id: MessageId, pending: PendingApproval, face: Face): Buffer {
  const { approval, expiresAt, url } = pending;
  const members = textResult(pending.message, false);
  const told = { status: "pending", approval, expiresAt, ...(url === undefined ? {} : { url }) };
  members["_meta"] = asData({ [APPROVAL_KEY]: asData(told) });
  return writeResult(id, members, face);
}

/** A call that failed on the way: told as the tool's own failure. */
export function writeFailedCall(id: MessageId, text: string, face: Face): Buffer {
  return writeResult(id, textResult(text, true), face);
}

/** What a tool that does not exist answers, and a hidden one under `default: allow`. */
export function writeUnknownTool(id: MessageId, name: string): Buffer {
  return writeError(id, ERROR_CODES.invalidParams, `Unknown tool: ${name}`);
}

export function writeUnknownPrompt(id: MessageId, name: string): Buffer {
  return writeError(id, ERROR_CODES.invalidParams, `Unknown prompt: ${name}`);
}

/** What a resource that does not exist answers in the client's era. */
export function writeUnknownResource(id: MessageId, uri: string, era: Era): Buffer {
  const code = era === "modern" ? ERROR_CODES.invalidParams : ERROR_CODES.resourceNotFound;
  return writeError(id, code, "Resource not found", asData({ uri }));
}

/** The opaque answer to anything that went wrong inside. */
export function writeInternalError(id: MessageId | undefined): Buffer {
  return writeError(id, ERROR_CODES.internal, "Internal error");
}
