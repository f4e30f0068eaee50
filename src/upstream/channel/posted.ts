/**
 * What is to be written to a server on standard streams: one message as the gateway wrote it, with the id and the
 * progress token that are the writer's own put out of the way. Both get a number that is unique in that process, so that
 * nobody's answer or progress can be taken for another's. `arguments` stay the bytes that they were.
 */
import { type Json, type JsonObject, readMember } from "../../kernel/json.ts";
import { DEFAULT_ANSWER_LIMIT_BYTES } from "../../mcp/answer.ts";
import { type Message, type Notification, type Request, readMessage } from "../../mcp/message.ts";
import { META, readMeta } from "../../mcp/meta.ts";
import { isRefusal } from "../../mcp/refusal.ts";
import type { MessageId } from "../../mcp/request-id.ts";
import { writeRelayed } from "../../mcp/rewrite.ts";

/** How our own writers begin a request. Whatever begins otherwise is read whole. */
const HEAD = /^\{"jsonrpc":"2\.0","id":(0|[1-9]\d{0,14}|"[0-9A-Za-z-]{1,64}"),"method":"([A-Za-z/_]{1,64})"(?=[,}])/;
const HEAD_BYTES = 192;

export interface PostedRequest {
  readonly kind: "request";
  readonly id: MessageId;
  readonly method: string;
  readonly body: Buffer;
  /** The length of the head that is replaced; undefined: the message is written anew. */
  readonly headBytes: number | undefined;
}

export type Posted =
  | PostedRequest
  | { readonly kind: "notification"; readonly message: Notification; readonly body: Buffer }
  | { readonly kind: "response"; readonly body: Buffer };

/** Undefined: it is no message. */
export function readPosted(body: Buffer): Posted | undefined {
  const head = HEAD.exec(body.toString("latin1", 0, HEAD_BYTES));
  if (head) {
    const [whole, raw, method] = head as unknown as [string, string, string];
    const value = raw.startsWith('"') ? raw.slice(1, -1) : Number(raw);
    return { kind: "request", id: { raw, value }, method, body, headBytes: whole.length };
  }
  const message = readWhole(body);
  if (message === undefined) return undefined;
  if (message.kind === "notification") return { kind: "notification", message, body };
  if (message.kind === "response") return { kind: "response", body };
  return { kind: "request", id: message.id, method: message.method, body, headBytes: undefined };
}

/** The params of a request, where a step needs them; undefined where it has none or can't be read. */
export function readPostedParams(posted: PostedRequest): JsonObject | undefined {
  return readRequest(posted)?.params;
}

export interface Written {
  readonly bytes: Buffer;
  /** The progress token that the number stands for. */
  readonly token: Json | undefined;
}

/** The request under that number; undefined: it can't be read. */
export function writeNumbered(posted: PostedRequest, number: number, keepsToken = false): Written | undefined {
  const { body, headBytes } = posted;
  if (headBytes !== undefined && (keepsToken || !body.includes(META.progressToken)))
    return { bytes: replaceHead(posted, headBytes, number), token: undefined };
  const request = readRequest(posted);
  if (request === undefined) return undefined;
  const meta = readMeta(request);
  const token = keepsToken ? undefined : meta && readMember(meta, META.progressToken);
  if (token === undefined && headBytes !== undefined) return { bytes: replaceHead(posted, headBytes, number), token };
  // All of `_meta` is named, for what speaks of this very hop goes along too.
  const kept = token === undefined ? meta : { ...meta, [META.progressToken]: number };
  return { bytes: writeRelayed(request, { id: number, ...(kept ? { meta: kept } : {}) }), token };
}

function replaceHead({ body, method }: PostedRequest, headBytes: number, number: number): Buffer {
  const head = `{"jsonrpc":"2.0","id":${number},"method":"${method}"`;
  const bytes = Buffer.allocUnsafe(head.length + body.length - headBytes);
  bytes.write(head, "latin1");
  body.copy(bytes, head.length, headBytes);
  return bytes;
}

/** One message of a server's, whole; undefined where it is not strict. */
export function readWhole(bytes: Buffer): Message | undefined {
  const message = readMessage(bytes, { bodyLimitBytes: DEFAULT_ANSWER_LIMIT_BYTES });
  return isRefusal(message) ? undefined : message;
}

function readRequest(posted: PostedRequest): Request | undefined {
  const message = readWhole(posted.body);
  return message?.kind === "request" ? message : undefined;
}
