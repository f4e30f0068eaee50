/**
 * Which era a message belongs to, and whether its headers say what its body says. A request is modern exactly when its
 * `_meta` names a protocol version; headers never decide that, they only have to agree. No silent fall back.
 */
import { isJsonObject, type Json, type JsonObject } from "../kernel/json.ts";
import { decodeHeaderValue, type McpHeaders } from "./headers.ts";
import type { Notification, Request } from "./message.ts";
import { isLogLevel, type LogLevel, META, readMeta } from "./meta.ts";
import { asData, ERROR_CODES, type Refusal, refuse, refuseParams } from "./refusal.ts";
import type { MessageId } from "./request-id.ts";
import { isLegacyRevision, isModernRevision, type LegacyRevision, MODERN_REVISIONS, type ModernRevision, REVISIONS } from "./revisions.ts";

export interface ModernClaim {
  readonly era: "modern";
  readonly revision: ModernRevision;
  readonly clientCapabilities: JsonObject;
  /** Said by the client of itself; never a ground for a decision of ours. */
  readonly clientInfo: JsonObject | undefined;
  readonly logLevel: LogLevel | undefined;
}

export interface LegacyClaim {
  readonly era: "legacy";
  /** From the header; undefined where the session, or the assumed revision, has to say. */
  readonly revision: LegacyRevision | undefined;
}

export type EraClaim = ModernClaim | LegacyClaim;

/** Where `Mcp-Name` comes from, for the methods that have one. */
const NAME_SOURCES: ReadonlyMap<string, string> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
  ["tasks/get", "taskId"],
  ["tasks/update", "taskId"],
  ["tasks/cancel", "taskId"],
]);

const NO_CAPABILITIES: JsonObject = Object.freeze(asData({}));

/** The value that `Mcp-Name` mirrors; undefined where the method has none or the body does not hold it. */
export function readMirroredName(method: string, params: JsonObject | undefined): string | undefined {
  const member = NAME_SOURCES.get(method);
  const value = member === undefined ? undefined : params?.[member];
  return typeof value === "string" ? value : undefined;
}

export function refuseHeader(id: MessageId | undefined, header: string, fault: "missing" | "mismatch" | "malformed" | "repeated"): Refusal {
  const said = {
    missing: `the ${header} header is missing`,
    mismatch: `the ${header} header does not match the body`,
    malformed: `the ${header} header is malformed`,
    repeated: `the ${header} header is given more than once`,
  };
  return refuse(ERROR_CODES.headerMismatch, 400, `Header mismatch: ${said[fault]}`, `header_${fault}`, id);
}

function refuseVersion(id: MessageId | undefined, requested: string, supported: readonly string[]): Refusal {
  const data = asData({ supported: [...supported], requested });
  return refuse(ERROR_CODES.unsupportedVersion, 400, "Unsupported protocol version", "unsupported_version", id, data);
}

function refuseEnvelope(id: MessageId | undefined, key: string, fault: "missing" | "malformed"): Refusal {
  return refuseParams(id, `Invalid params: \`${key}\` in \`_meta\` is ${fault}`, `envelope_${fault}`, 400);
}

function isImplementation(value: Json): value is JsonObject {
  return isJsonObject(value) && typeof value["name"] === "string" && typeof value["version"] === "string";
}

/**
 * Finds the era of a request or notification and holds its headers against it. `headers` is undefined on transports
 * that have none (stdio).
 */
export function readEra(message: Request | Notification, headers: McpHeaders | undefined): EraClaim | Refusal {
  const meta = readMeta(message);
  const id = message.kind === "request" ? message.id : undefined;
  if (meta && Object.hasOwn(meta, META.protocolVersion)) return readModern(message, meta, id, headers);
  return readUnclaimed(message, meta, id, headers);
}

function readUnclaimed(
  message: Request | Notification,
  meta: JsonObject | undefined,
  id: MessageId | undefined,
  headers: McpHeaders | undefined,
): EraClaim | Refusal {
  const version = headers?.version;
  if (version === undefined) return { era: "legacy", revision: undefined };
  if (headers?.repeated.has("mcp-protocol-version")) return refuseHeader(id, "MCP-Protocol-Version", "repeated");
  if (isLegacyRevision(version)) return { era: "legacy", revision: version };
  if (!isModernRevision(version)) return refuseVersion(id, version, REVISIONS);
  if (message.kind === "notification") {
    // Notifications carry no claim of their own: here the header is all there is.
    const fault = checkMethodHeader(message, id, headers as McpHeaders, false);
    if (fault) return fault;
    return { era: "modern", revision: version, clientCapabilities: NO_CAPABILITIES, clientInfo: undefined, logLevel: undefined };
  }
  if (message.method === "initialize") return refuseHeader(id, "MCP-Protocol-Version", "mismatch");
  return refuseEnvelope(id, meta ? META.protocolVersion : "_meta", "missing");
}

function readModern(
  message: Request | Notification,
  meta: JsonObject,
  id: MessageId | undefined,
  headers: McpHeaders | undefined,
): EraClaim | Refusal {
  const revision = meta[META.protocolVersion];
  const capabilities = meta[META.clientCapabilities];
  const clientInfo = meta[META.clientInfo];
  const logLevel = meta[META.logLevel];
  if (typeof revision !== "string") return refuseEnvelope(id, META.protocolVersion, "malformed");
  if (capabilities === undefined && message.kind === "request") return refuseEnvelope(id, META.clientCapabilities, "missing");
  if (capabilities !== undefined && !isJsonObject(capabilities)) return refuseEnvelope(id, META.clientCapabilities, "malformed");
  if (clientInfo !== undefined && !isImplementation(clientInfo)) return refuseEnvelope(id, META.clientInfo, "malformed");
  if (logLevel !== undefined && !isLogLevel(logLevel)) return refuseEnvelope(id, META.logLevel, "malformed");
  if (headers) {
    const fault = checkVersionHeader(message, revision, id, headers);
    if (fault) return fault;
  }
  // The legacy revisions are spoken, but not this way: what `server/discover` lists is what can be named in `_meta`.
  if (!isModernRevision(revision)) return refuseVersion(id, revision, MODERN_REVISIONS);
  if (headers) {
    const fault = checkMethodHeader(message, id, headers, message.kind === "request") ?? checkNameHeader(message, id, headers);
    if (fault) return fault;
  }
  return { era: "modern", revision, clientCapabilities: capabilities ?? NO_CAPABILITIES, clientInfo, logLevel };
}

function checkVersionHeader(
  message: Request | Notification,
  revision: string,
  id: MessageId | undefined,
  headers: McpHeaders,
): Refusal | undefined {
  if (headers.repeated.has("mcp-protocol-version")) return refuseHeader(id, "MCP-Protocol-Version", "repeated");
  if (headers.version === undefined) {
    return message.kind === "request" ? refuseHeader(id, "MCP-Protocol-Version", "missing") : undefined;
  }
  return headers.version === revision ? undefined : refuseHeader(id, "MCP-Protocol-Version", "mismatch");
}

function checkMethodHeader(
  message: Request | Notification,
  id: MessageId | undefined,
  headers: McpHeaders,
  required: boolean,
): Refusal | undefined {
  if (headers.repeated.has("mcp-method")) return refuseHeader(id, "Mcp-Method", "repeated");
  if (headers.method === undefined) return required ? refuseHeader(id, "Mcp-Method", "missing") : undefined;
  return headers.method === message.method ? undefined : refuseHeader(id, "Mcp-Method", "mismatch");
}

function checkNameHeader(message: Request | Notification, id: MessageId | undefined, headers: McpHeaders): Refusal | undefined {
  if (!NAME_SOURCES.has(message.method)) return undefined;
  const name = readMirroredName(message.method, message.params);
  if (headers.repeated.has("mcp-name")) return refuseHeader(id, "Mcp-Name", "repeated");
  if (headers.name === undefined) return name === undefined ? undefined : refuseHeader(id, "Mcp-Name", "missing");
  const decoded = decodeHeaderValue(headers.name);
  if (decoded === undefined) return refuseHeader(id, "Mcp-Name", "malformed");
  return decoded === name ? undefined : refuseHeader(id, "Mcp-Name", "mismatch");
}
