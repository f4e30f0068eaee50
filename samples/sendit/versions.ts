/**
 * Which protocol a message speaks. Revisions up to 2025-11-25 open with `initialize` and name their version in a
 * header; 2026-07-28 says everything in each request, in headers and body, which must agree.
 */
import type { IncomingHttpHeaders } from "node:http";
import { createError, INVALID_PARAMS, isObject, type Message, type Reply } from "./messages.ts";

export const MODERN_VERSION = "2026-07-28";
export const LEGACY_VERSIONS: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26"];

const HEADER_MISMATCH = -32020;
const UNSUPPORTED_VERSION = -32022;
const CLAIM = "io.modelcontextprotocol/";
const SENTINEL = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/;

export type Era = "legacy" | "modern";

export function readEra(message: Message, headers: IncomingHttpHeaders): Era | Reply {
  const header = one(headers["mcp-protocol-version"]);
  const meta = isObject(message.params["_meta"]) ? message.params["_meta"] : {};
  const claim = meta[`${CLAIM}protocolVersion`];
  if (claim === undefined && (header === undefined || LEGACY_VERSIONS.includes(header))) return "legacy";
  const { id, method, params } = message;
  const mismatch = (what: string): Reply => createError(400, id, HEADER_MISMATCH, `${what} is missing or differs between header and body.`);
  if (claim === undefined && header !== MODERN_VERSION) return unsupported(id, header ?? "");
  if (id === undefined) return "modern";
  if (typeof claim !== "string") return createError(400, id, INVALID_PARAMS, `\`_meta\` must name \`${CLAIM}protocolVersion\`.`);
  if (header !== claim) return mismatch("The protocol version");
  if (claim !== MODERN_VERSION) return unsupported(id, claim);
  if (!isObject(meta[`${CLAIM}clientCapabilities`])) {
    return createError(400, id, INVALID_PARAMS, `\`_meta\` must hold \`${CLAIM}clientCapabilities\`.`);
  }
  if (one(headers["mcp-method"]) !== method) return mismatch("The method");
  if (method === "tools/call" && decodeHeader(one(headers["mcp-name"])) !== params["name"]) return mismatch("The tool's name");
  return "modern";
}

function unsupported(id: Message["id"], requested: string): Reply {
  const supported = [MODERN_VERSION, ...LEGACY_VERSIONS];
  return createError(400, id, UNSUPPORTED_VERSION, "This protocol version is not supported.", { supported, requested });
}

function one(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Names that a header can't carry come as `=?base64?…?=`. */
function decodeHeader(value: string | undefined): string | undefined {
  const encoded = value === undefined ? undefined : SENTINEL.exec(value)?.[1];
  return encoded === undefined ? value : Buffer.from(encoded, "base64").toString("utf8");
}
