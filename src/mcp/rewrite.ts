/**
 * The bytes that go on: a new envelope with the gateway's own id around slices of what was judged. `arguments` stays as
 * it was written; `_meta` is made anew; members that only the gateway may send are left out unless it asks for them.
 */
import { assert } from "../kernel/assert.ts";
import { type Json, type JsonObject, printJson } from "../kernel/json.ts";
import type { Message, Notification, Request, Source } from "./message.ts";
import { META, type MetaRewrite, printForwardedMeta, printRelayedMeta, readMeta } from "./meta.ts";
import type { MessageId } from "./request-id.ts";

/** Members of `params` that continue a call or make a task of it. They go on only when they are named. */
export const HELD_MEMBERS = ["requestState", "inputResponses", "task"] as const;
export type HeldMember = (typeof HELD_MEMBERS)[number];

export interface RequestRewrite {
  /** The gateway's own id on that connection. */
  readonly id: string | number;
  /** Members of `params` to put in or in place: a tool's own name, an upstream's cursor. */
  readonly set?: Readonly<Record<string, Json>> | undefined;
  readonly omit?: readonly string[] | undefined;
  /** Those of `HELD_MEMBERS` that go on as the client wrote them. */
  readonly keep?: readonly HeldMember[] | undefined;
  readonly meta?: MetaRewrite | undefined;
}

export interface RelayRewrite {
  /** The gateway's own id towards the client; for requests alone. */
  readonly id?: string | number | undefined;
  readonly set?: Readonly<Record<string, Json>> | undefined;
  /** Keys of `_meta` to put in or in place, such as the client's own subscription id. */
  readonly meta?: Readonly<Record<string, Json>> | undefined;
}

const NOTHING: Readonly<Record<string, Json>> = Object.freeze({});

function isHeld(key: string): key is HeldMember {
  return key === "requestState" || key === "inputResponses" || key === "task";
}

function sliceMember(source: Source, key: string): string {
  const span = source.spans.member("params")?.member(key);
  assert(span, "a member of params has a span");
  return source.text.slice(span.start, span.end);
}

function printParams(
  message: Request | Notification,
  set: Readonly<Record<string, Json>>,
  isLeftOut: (key: string) => boolean,
  meta: string | undefined,
): string | undefined {
  let text = "";
  const { params } = message;
  if (params) {
    for (const key of Object.keys(params)) {
      if (key === "_meta" || Object.hasOwn(set, key) || isLeftOut(key)) continue;
      text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${sliceMember(message.source, key)}`;
    }
  }
  for (const key of Object.keys(set)) text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${printJson(set[key] as Json)}`;
  if (meta !== undefined) text += `${text === "" ? "" : ","}"_meta":${meta}`;
  return text === "" && !params ? undefined : `{${text}}`;
}

/** A client's request, for a server. */
export function writeForwarded(request: Request, rewrite: RequestRewrite): Buffer {
  const { set = NOTHING, omit, keep } = rewrite;
  const isLeftOut = (key: string): boolean => (isHeld(key) && !keep?.includes(key)) || (omit?.includes(key) ?? false);
  const params = printParams(request, set, isLeftOut, printForwardedMeta(readMeta(request), rewrite.meta ?? {}));
  const head = `{"jsonrpc":"2.0","id":${JSON.stringify(rewrite.id)},"method":${JSON.stringify(request.method)}`;
  return Buffer.from(params === undefined ? `${head}}` : `${head},"params":${params}}`, "utf8");
}

/** A server's request or notification for a client, or a client's notification for a server. */
export function writeRelayed(message: Request | Notification, rewrite: RelayRewrite = {}): Buffer {
  assert((message.kind === "request") === (rewrite.id !== undefined), "a request is relayed under a new id");
  const meta = printRelayedMeta(readMeta(message), rewrite.meta);
  const params = printParams(message, rewrite.set ?? NOTHING, () => false, meta);
  const id = rewrite.id === undefined ? "" : `"id":${JSON.stringify(rewrite.id)},`;
  const head = `{"jsonrpc":"2.0",${id}"method":${JSON.stringify(message.method)}`;
  return Buffer.from(params === undefined ? `${head}}` : `${head},"params":${params}}`, "utf8");
}

/**
 * A server's request as it stands among a modern result's `inputRequests`: method and params, without the members that
 * `omit` names. Nobody reports progress on it, so it carries no token.
 */
export function printInputRequest(request: Request, omit: readonly string[] = []): string {
  const { [META.progressToken]: _, ...rest } = readMeta(request) ?? {};
  const params = printParams(request, NOTHING, (key) => omit.includes(key), printRelayedMeta(rest));
  const head = `{"method":${JSON.stringify(request.method)}`;
  return params === undefined ? `${head}}` : `${head},"params":${params}}`;
}

/** A client's answer to a server's request: the server's own id, the slice of `result` or `error`. */
export function writeRelayedResponse(response: Extract<Message, { kind: "response" }>, id: MessageId): Buffer {
  const member = response.result === undefined ? "error" : "result";
  const span = response.source.spans.member(member);
  assert(span, "an answer has a result or an error");
  const raw = response.source.text.slice(span.start, span.end);
  return Buffer.from(`{"jsonrpc":"2.0","id":${id.raw},"${member}":${raw}}`, "utf8");
}

/** A request of the gateway's own. */
export function writeRequest(id: string | number, method: string, params?: JsonObject): Buffer {
  const head = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":${JSON.stringify(method)}`;
  return Buffer.from(params === undefined ? `${head}}` : `${head},"params":${printJson(params)}}`, "utf8");
}

/** A notification of the gateway's own. */
export function writeNotification(method: string, params?: JsonObject): Buffer {
  const head = `{"jsonrpc":"2.0","method":${JSON.stringify(method)}`;
  return Buffer.from(params === undefined ? `${head}}` : `${head},"params":${printJson(params)}}`, "utf8");
}
