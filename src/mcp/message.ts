/**
 * Bytes → one JSON-RPC message, or a refusal. Strict and whole: valid UTF-8 without a mark, one object, no duplicate
 * key at any depth, no key that another parser could take for one of the protocol's. The text and the spans of its
 * members stay with the message, so that what is sent on is a slice of what was judged.
 */
import { isUtf8 } from "node:buffer";
import { createJsonObject, isJsonObject, type Json, type JsonObject, printJson } from "../kernel/json.ts";
import { SpanNode } from "../kernel/json-spans.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import { ENVELOPE_KEYS, FILTER_KEYS, isVariant, type KeyTable, META_KEYS, PARAM_KEYS, REFERENCE_KEYS } from "./fold.ts";
import { ERROR_CODES, type Refusal, refuse } from "./refusal.ts";
import { type MessageId, readId } from "./request-id.ts";

export const DEFAULT_BODY_LIMIT_BYTES: number = 4 * 1024 * 1024;
export const MAX_METHOD_CHARACTERS = 128;

export interface MessageLimits {
  readonly bodyLimitBytes: number;
  readonly maxDepth?: number;
}

/** The text a message was read from, and where its members and those of its `params` stand. */
export interface Source {
  readonly text: string;
  readonly spans: SpanNode;
}

export interface Request {
  readonly kind: "request";
  readonly id: MessageId;
  readonly method: string;
  readonly params: JsonObject | undefined;
  readonly source: Source;
}

export interface Notification {
  readonly kind: "notification";
  readonly method: string;
  readonly params: JsonObject | undefined;
  readonly source: Source;
}

/** An answer to a request of ours, from the side that reads slowly: exactly one of `result` and `error` is set. */
export interface Response {
  readonly kind: "response";
  readonly id: MessageId;
  readonly result: JsonObject | undefined;
  readonly error: JsonObject | undefined;
  readonly source: Source;
}

export type Message = Request | Notification | Response;

/** Keys of nested objects that are judged or acted upon, besides `params` itself. */
const NESTED: readonly (readonly [member: string, table: KeyTable])[] = [
  ["_meta", META_KEYS],
  ["ref", REFERENCE_KEYS],
  ["argument", REFERENCE_KEYS],
  ["notifications", FILTER_KEYS],
];

const INVALID = "Invalid Request";

function refuseParse(detail: string): Refusal {
  return refuse(ERROR_CODES.parse, 400, "Parse error: the body is not one strict JSON object", detail, undefined);
}

function refuseRequest(message: string, detail: string, id?: MessageId): Refusal {
  return refuse(ERROR_CODES.invalidRequest, 400, `${INVALID}: ${message}`, detail, id);
}

/** The first byte that is not JSON's white space. */
function firstByte(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) return byte;
  }
  return -1;
}

function hasVariant(object: JsonObject, table: KeyTable): boolean {
  for (const key of Object.keys(object)) if (isVariant(table, key)) return true;
  return false;
}

function refuseParamsShape(params: Json | undefined, id: MessageId | undefined): Refusal | undefined {
  if (params === undefined) return undefined;
  if (!isJsonObject(params)) return refuseRequest("`params` must be an object", "params_type", id);
  if (hasVariant(params, PARAM_KEYS)) return refuseRequest("a key is not spelled as the protocol spells it", "key_variant", id);
  for (const [member, table] of NESTED) {
    const value = params[member];
    if (isJsonObject(value) && hasVariant(value, table)) {
      return refuseRequest("a key is not spelled as the protocol spells it", "key_variant", id);
    }
  }
  const meta = params["_meta"];
  if (meta === undefined) return undefined;
  if (!isJsonObject(meta)) return refuseRequest("`_meta` must be an object", "meta_type", id);
  const token = meta["progressToken"];
  if (token !== undefined && readId(token, "") === undefined) {
    return refuseRequest("`progressToken` must be a text or an integer", "progress_token", id);
  }
  return undefined;
}

/** Reads one message. Of what is refused nothing is told but the kind of fault, and the id where it is beyond doubt. */
export function readMessage(bytes: Uint8Array, limits: MessageLimits): Message | Refusal {
  if (bytes.length > limits.bodyLimitBytes) {
    return refuse(ERROR_CODES.invalidRequest, 413, `${INVALID}: the message is too large`, "too_large", undefined);
  }
  const first = firstByte(bytes);
  if (first === 91) return refuseRequest("a batch is not accepted", "batch");
  if (first !== 123) return refuseParse("not_an_object");
  if (!isUtf8(bytes)) return refuseParse("not_utf8");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const parsed = parseStrictJson(text, limits.maxDepth === undefined ? { spanDepth: 2 } : { spanDepth: 2, maxDepth: limits.maxDepth });
  if (isJsonFault(parsed)) return refuseParse(parsed.message);
  return readEnvelope(parsed.value as JsonObject, { text, spans: parsed.spans });
}

function readEnvelope(value: JsonObject, source: Source): Message | Refusal {
  if (hasVariant(value, ENVELOPE_KEYS)) return refuseRequest("a key is not spelled as the protocol spells it", "key_variant");
  const { id: idValue, method, params } = value;
  const hasId = idValue !== undefined;
  const span = hasId ? source.spans.member("id") : undefined;
  const id = span ? readId(idValue, source.text.slice(span.start, span.end)) : undefined;
  if (value["jsonrpc"] !== "2.0") return refuseRequest('`jsonrpc` must be "2.0"', "jsonrpc", id);
  if (hasId && !id) return refuseRequest("`id` must be a text or an integer", "id");
  const answers = value["result"] !== undefined || value["error"] !== undefined;
  if (method === undefined) return answers ? readResponse(value, id, source) : refuseRequest("`method` is missing", "no_method", id);
  if (answers) return refuseRequest("a request holds no `result` or `error`", "mixed", id);
  if (typeof method !== "string" || method === "" || method.length > MAX_METHOD_CHARACTERS) {
    return refuseRequest("`method` must be a text", "method", id);
  }
  const refused = refuseParamsShape(params, id);
  if (refused) return refused;
  if (id) return { kind: "request", id, method, params: params as JsonObject | undefined, source };
  return { kind: "notification", method, params: params as JsonObject | undefined, source };
}

function readResponse(value: JsonObject, id: MessageId | undefined, source: Source): Response | Refusal {
  const { result, error } = value;
  if (!id) return refuseRequest("an answer needs an `id`", "no_id");
  if (value["params"] !== undefined) return refuseRequest("an answer holds no `params`", "mixed", id);
  if (result !== undefined && error !== undefined) return refuseRequest("an answer holds `result` or `error`, not both", "mixed", id);
  if (error === undefined) {
    if (!isJsonObject(result)) return refuseRequest("`result` must be an object", "result_type", id);
    return { kind: "response", id, result, error: undefined, source };
  }
  if (!isJsonObject(error) || !Number.isInteger(error["code"]) || typeof error["message"] !== "string") {
    return refuseRequest("`error` must hold a code and a message", "error_type", id);
  }
  return { kind: "response", id, result: undefined, error, source };
}

/**
 * The same request with one member of its `params` in other words, or without it: its text stands behind what came, every
 * other member stays the slice that it was. Values and text remain one.
 */
export function withParam(request: Request, key: string, value: Json | undefined): Request {
  const { source } = request;
  const { text } = source;
  const params = Object.assign(createJsonObject(), request.params);
  const inParams = source.spans.member("params")?.without(key) ?? new SpanNode("params", text.length, text.length);
  const spans = source.spans.without("params");
  spans.add(inParams);
  if (value === undefined) {
    delete params[key];
    return { ...request, params, source: { text, spans } };
  }
  const raw = printJson(value);
  const span = new SpanNode(key, text.length, text.length);
  span.end = span.start + raw.length;
  inParams.add(span);
  params[key] = value;
  return { ...request, params, source: { text: text + raw, spans } };
}

/** The raw text of a member, by JSON Pointer (`/params/arguments`); undefined where it is absent. */
export function sliceOf(source: Source, pointer: string): string | undefined {
  const span = source.spans.get(pointer);
  return span && source.text.slice(span.start, span.end);
}
