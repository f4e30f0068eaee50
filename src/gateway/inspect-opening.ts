/**
 * The answers that open a conversation, `initialize` and `server/discover`: the gateway names itself, and what it does
 * not let through is not advertised. A session of the upstream's becomes one of ours.
 */
import { createJsonObject, isJsonObject, type Json, type JsonObject, printJson, readMember } from "../kernel/json.ts";
import type { ResultAnswer } from "../mcp/answer.ts";
import { asData } from "../mcp/refusal.ts";
import { readAnswerMember, writeEditedResult } from "../mcp/relay.ts";
import { isLegacyRevision, isModernRevision, type Revision } from "../mcp/revisions.ts";
import { type AskRules, isAskKind } from "./asks.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import { type Inspected, inspectFault } from "./inspect.ts";

const UNBRIDGED_EXTENSIONS: ReadonlySet<string> = new Set(["io.modelcontextprotocol/tasks"]);

/** Capabilities, either side's, without those that the gateway does not let through; a client's without what the server may not ask. */
export function restrictCapabilities(capabilities: Json | undefined, asks?: AskRules): JsonObject {
  const kept = createJsonObject();
  if (!isJsonObject(capabilities)) return kept;
  for (const [key, value] of Object.entries(capabilities)) {
    if (key === "tasks" || (asks && isAskKind(key) && !asks.kinds.has(key))) continue;
    kept[key] = key === "extensions" && isJsonObject(value) ? withoutExtensions(value) : value;
  }
  return kept;
}

function withoutExtensions(extensions: JsonObject): JsonObject {
  return asData(Object.fromEntries(Object.entries(extensions).filter(([id]) => !UNBRIDGED_EXTENSIONS.has(id))));
}

export function serverInfoOf(desk: Desk, exchange: Exchange): JsonObject {
  return asData({ name: exchange.endpoint.name, version: desk.version });
}

/**
 * A server may answer in a newer revision than the client asked for. What the newer legacy revisions added is for those
 * who look for it, so the client is spoken to in its own.
 */
function versionForClient({ request }: Exchange, version: Revision): Revision {
  const requested = request.params && readMember(request.params, "protocolVersion");
  return typeof requested === "string" && isLegacyRevision(requested) && requested < version ? requested : version;
}

export function inspectOpening(desk: Desk, exchange: Exchange, bytes: Buffer, answer: ResultAnswer): Inspected {
  const capabilities = printJson(restrictCapabilities(readAnswerMember(answer, bytes, "capabilities")));
  if (exchange.request.method === "initialize") {
    const version = readAnswerMember(answer, bytes, "protocolVersion");
    if (typeof version !== "string" || !isLegacyRevision(version)) {
      return { ...inspectFault(exchange, "not_mcp", "unknown"), code: "upstream_unsupported" };
    }
    exchange.upstreamVersion = version;
    const protocolVersion = JSON.stringify(versionForClient(exchange, version));
    const set = { protocolVersion, capabilities, serverInfo: printJson(serverInfoOf(desk, exchange)) };
    return { outcome: "ok", status: 200, message: writeEditedResult(exchange.request.id, answer, bytes, { set }) };
  }
  const versions = readAnswerMember(answer, bytes, "supportedVersions");
  const spoken = Array.isArray(versions) ? versions.filter((version) => typeof version === "string" && isModernRevision(version)) : [];
  if (spoken.length === 0) return { ...inspectFault(exchange, "not_mcp", "unknown"), code: "upstream_unsupported" };
  const set: Record<string, string> = { capabilities, supportedVersions: printJson(spoken), cacheScope: '"private"' };
  if (answer.members.has("serverInfo")) set["serverInfo"] = printJson(serverInfoOf(desk, exchange));
  const meta = readAnswerMember(answer, bytes, "_meta");
  if (isJsonObject(meta)) {
    set["_meta"] = printJson(asData({ ...meta, "io.modelcontextprotocol/serverInfo": serverInfoOf(desk, exchange) }));
  }
  return { outcome: "ok", status: 200, message: writeEditedResult(exchange.request.id, answer, bytes, { set }) };
}
