/**
 * Refusals of the wire: a message that does not pass, with the JSON-RPC error and the HTTP status it is answered with.
 * What is told is a fixed sentence; `detail` is for the log alone and holds no text of the message either.
 */
import type { Json, JsonObject } from "../kernel/json.ts";
import type { MessageId } from "./request-id.ts";
import type { Era } from "./revisions.ts";

export const ERROR_CODES = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** Legacy revisions only. */
  resourceNotFound: -32002,
  /** 2025-11-25 only. */
  urlElicitationRequired: -32042,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

export interface Refusal {
  readonly kind: "refusal";
  /** JSON-RPC error code. */
  readonly code: number;
  readonly status: number;
  readonly message: string;
  readonly data?: JsonObject | undefined;
  /** Undefined where the id could not be read safely: it is answered as null. */
  readonly id: MessageId | undefined;
  /** A short fixed word for logs and metrics. */
  readonly detail: string;
}

export function refuse(
  code: number,
  status: number,
  message: string,
  detail: string,
  id: MessageId | undefined,
  data?: JsonObject,
): Refusal {
  return { kind: "refusal", code, status, message, data, id, detail };
}

export function isRefusal(value: object): value is Refusal {
  return "kind" in value && value.kind === "refusal";
}

/**
 * The HTTP status of a JSON-RPC error that answers a request which was read: legacy eras answer in the body alone, the
 * modern one says the errors of its own list by status too.
 */
export function statusOfError(code: number, era: Era): number {
  if (era === "legacy") return 200;
  if (code === ERROR_CODES.methodNotFound) return 404;
  if (code <= ERROR_CODES.headerMismatch && code >= -32099 && code !== ERROR_CODES.urlElicitationRequired) return 400;
  if (code === ERROR_CODES.parse || code === ERROR_CODES.invalidRequest) return 400;
  return 200;
}

/** Params that were read and do not make sense for their method. */
export function refuseParams(id: MessageId | undefined, message: string, detail: string, status = 200): Refusal {
  return refuse(ERROR_CODES.invalidParams, status, message, detail, id);
}

/** A method that is not there in the client's revision, or that is never let through. */
export function refuseMethod(id: MessageId | undefined, era: Era): Refusal {
  const code = ERROR_CODES.methodNotFound;
  return refuse(code, statusOfError(code, era), "Method not found", "unknown_method", id);
}

/** Members as an object without a prototype. */
export function asData(members: Readonly<Record<string, Json>>): JsonObject {
  return Object.assign(Object.create(null), members) as JsonObject;
}
