/**
 * JSON-RPC messages as they arrive and leave. One object at a time: batches are refused, ids are echoed as they came,
 * and every error says in words what was wrong without repeating what it read.
 */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}
export type MessageId = string | number;

export interface Message {
  /** Undefined for a notification. */
  readonly id: MessageId | undefined;
  readonly method: string;
  readonly params: JsonObject;
}

/** An HTTP status, and the JSON-RPC message to send with it, if any. */
export interface Reply {
  readonly status: number;
  readonly body?: JsonObject;
}

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;

const MAX_ID_CHARACTERS = 256;
const MAX_METHOD_CHARACTERS = 128;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function createError(status: number, id: MessageId | undefined, code: number, message: string, data?: JsonObject): Reply {
  const error: JsonObject = data === undefined ? { code, message } : { code, message, data };
  return { status, body: { jsonrpc: "2.0", id: id ?? null, error } };
}

export function createResult(id: MessageId, result: JsonObject): Reply {
  return { status: 200, body: { jsonrpc: "2.0", id, result } };
}

export function parseMessage(bytes: Uint8Array): Message | Reply {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return createError(400, undefined, PARSE_ERROR, "The body is not JSON in UTF-8.");
  }
  if (Array.isArray(value)) return createError(400, undefined, INVALID_REQUEST, "Batches are not supported: send one message at a time.");
  if (!isObject(value) || value["jsonrpc"] !== "2.0")
    return createError(400, undefined, INVALID_REQUEST, "The body is not a JSON-RPC 2.0 message.");
  const id = value["id"];
  if (id !== undefined && !isId(id)) {
    return createError(400, undefined, INVALID_REQUEST, "`id` must be a string of at most 256 characters or a whole number.");
  }
  const method = value["method"];
  if (typeof method !== "string" || method === "" || method.length > MAX_METHOD_CHARACTERS) {
    return createError(400, id, INVALID_REQUEST, "`method` must be a string; this server sends no requests, so it expects no responses.");
  }
  const params = value["params"] ?? {};
  if (!isObject(params)) return createError(400, id, INVALID_PARAMS, "`params` must be an object.");
  return { id, method, params };
}

/** Whole numbers past 2^53 would come back as other numbers, so they are not ids here. */
function isId(value: Json): value is MessageId {
  return typeof value === "string" ? value.length <= MAX_ID_CHARACTERS : Number.isSafeInteger(value);
}
