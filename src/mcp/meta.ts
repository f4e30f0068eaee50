/**
 * `_meta` of requests: which keys the protocol reserves, what of a client's may reach a server, and what the gateway
 * says of itself there. The default is nothing: only trace and progress keys pass, and those a server's entry lists.
 */
import { isJsonObject, type Json, type JsonObject, printJson } from "../kernel/json.ts";
import type { Notification, Request } from "./message.ts";
import { type MessageId, readId } from "./request-id.ts";

export const META = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
  progressToken: "progressToken",
} as const;

export const TRACE_KEYS = ["traceparent", "tracestate", "baggage"] as const;

/** These speak of one hop and are never passed on, whatever an entry lists. */
const HOP_KEYS: ReadonlySet<string> = new Set([
  META.protocolVersion,
  META.clientCapabilities,
  META.clientInfo,
  META.logLevel,
  META.serverInfo,
  META.subscriptionId,
]);

/** Whether something in there speaks of one hop alone. */
export function hasHopKey(meta: JsonObject): boolean {
  for (const key of Object.keys(meta)) if (HOP_KEYS.has(key)) return true;
  return false;
}

export const LOG_LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export function isLogLevel(value: Json | undefined): value is LogLevel {
  return typeof value === "string" && (LOG_LEVELS as readonly string[]).includes(value);
}

/** The `_meta` of a request or notification; undefined where it has none. */
export function readMeta(message: Request | Notification): JsonObject | undefined {
  const meta = message.params?.["_meta"];
  return isJsonObject(meta) ? meta : undefined;
}

/** The progress token of a request, in its own spelling. */
export function readProgressToken(message: Request): MessageId | undefined {
  const token = readMeta(message)?.[META.progressToken];
  return token === undefined ? undefined : readId(token, printJson(token));
}

/** What the gateway says of itself to a modern server. */
export interface ClientEnvelope {
  readonly protocolVersion: string;
  readonly clientCapabilities: JsonObject;
  readonly clientInfo: JsonObject;
  readonly logLevel?: LogLevel | undefined;
}

export interface MetaRewrite {
  /** Further keys of the client's that this server may see. */
  readonly extraKeys?: readonly string[] | undefined;
  /** In place of the client's token, as JSON; null: none is sent; left out: the client's own. */
  readonly progressToken?: string | number | null | undefined;
  /** Set for a modern server. */
  readonly envelope?: ClientEnvelope | undefined;
}

function addMember(text: string, key: string, raw: string): string {
  return `${text}${text === "" ? "" : ","}${JSON.stringify(key)}:${raw}`;
}

/** The `_meta` to send to a server, as JSON text; undefined where nothing is left to say. */
export function printForwardedMeta(meta: JsonObject | undefined, rewrite: MetaRewrite): string | undefined {
  let text = "";
  const { envelope, progressToken, extraKeys } = rewrite;
  if (envelope) {
    text = addMember(text, META.protocolVersion, JSON.stringify(envelope.protocolVersion));
    text = addMember(text, META.clientInfo, printJson(envelope.clientInfo));
    text = addMember(text, META.clientCapabilities, printJson(envelope.clientCapabilities));
    if (envelope.logLevel !== undefined) text = addMember(text, META.logLevel, JSON.stringify(envelope.logLevel));
  }
  const own = meta?.[META.progressToken];
  if (progressToken === undefined ? own !== undefined : progressToken !== null && own !== undefined) {
    text = addMember(text, META.progressToken, progressToken === undefined ? printJson(own as Json) : JSON.stringify(progressToken));
  }
  if (meta) {
    for (const key of TRACE_KEYS) {
      const value = meta[key];
      if (typeof value === "string") text = addMember(text, key, JSON.stringify(value));
    }
    if (extraKeys) {
      for (const key of new Set(extraKeys)) {
        const value = meta[key];
        if (value === undefined || key === META.progressToken || HOP_KEYS.has(key)) continue;
        if (!(TRACE_KEYS as readonly string[]).includes(key)) text = addMember(text, key, printJson(value));
      }
    }
  }
  return text === "" ? undefined : `{${text}}`;
}

/**
 * The `_meta` of what a server said, for a client: all of it but what speaks of the server's own hop, with `set` put in
 * or in place. Undefined where nothing is left.
 */
export function printRelayedMeta(meta: JsonObject | undefined, set: Readonly<Record<string, Json>> = {}): string | undefined {
  let text = "";
  if (meta) {
    for (const key of Object.keys(meta)) {
      if (!HOP_KEYS.has(key) && !Object.hasOwn(set, key)) text = addMember(text, key, printJson(meta[key] as Json));
    }
  }
  for (const [key, value] of Object.entries(set)) text = addMember(text, key, printJson(value));
  return text === "" ? undefined : `{${text}}`;
}
