/** `server/discover`, made of what a legacy server said to `initialize`. */
import { createJsonObject, isJsonObject, type Json, type JsonObject } from "../../kernel/json.ts";
import { writeResult } from "../../mcp/answers.ts";
import type { MessageId } from "../../mcp/request-id.ts";
import { MODERN_REVISIONS } from "../../mcp/revisions.ts";
import { pickExtensions } from "./open-session.ts";
import type { SessionFacts } from "./session.ts";

/** A legacy server's capabilities without those that can't be bridged. */
function offerCapabilities(capabilities: JsonObject): JsonObject {
  const offered = createJsonObject();
  for (const [key, value] of Object.entries(capabilities)) {
    if (key === "tasks") continue;
    const extensions = key === "extensions" ? pickExtensions(value) : undefined;
    if (extensions) offered[key] = extensions;
    else if (isJsonObject(value)) offered[key] = value;
  }
  return offered;
}

export function writeDiscovery(id: MessageId, facts: SessionFacts): Buffer {
  const members: Record<string, Json> = {
    supportedVersions: [...MODERN_REVISIONS],
    capabilities: offerCapabilities(facts.capabilities),
    ...(facts.instructions === undefined ? {} : { instructions: facts.instructions }),
    ttlMs: 0,
    cacheScope: "private",
  };
  return writeResult(id, members, { era: "modern", serverInfo: facts.serverInfo });
}
