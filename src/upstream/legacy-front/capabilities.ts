/**
 * What each side can do, as the other side is told it: nothing that the bridge could not keep. Capabilities that are not
 * known here are left out, tasks too: the two eras have different ones.
 */
import { createJsonObject, isJsonObject, type Json, type JsonObject, readMember } from "../../kernel/json.ts";
import { isSince, type LegacyRevision } from "../../mcp/revisions.ts";

/** Extensions that are nothing but members of tools, resources and results, which pass as they are. */
const CARRIED_EXTENSIONS = ["io.modelcontextprotocol/ui"] as const;
const EMPTY: JsonObject = Object.freeze(createJsonObject());

/** What a server offers that the front has to act for. */
export interface ServerSide {
  readonly capabilities: JsonObject;
  readonly toolsListChanged: boolean;
  readonly promptsListChanged: boolean;
  readonly resourcesListChanged: boolean;
  readonly subscribe: boolean;
  readonly logging: boolean;
}

function objectAt(object: JsonObject, key: string): JsonObject | undefined {
  const value = readMember(object, key);
  return isJsonObject(value) ? value : undefined;
}

function keepFlags(from: JsonObject, flags: readonly string[]): JsonObject {
  const kept = createJsonObject();
  for (const flag of flags) if (readMember(from, flag) === true) kept[flag] = true;
  return kept;
}

function keepExtensions(from: JsonObject, to: Record<string, Json>): void {
  const extensions = objectAt(from, "extensions");
  if (!extensions) return;
  const kept = createJsonObject();
  for (const id of CARRIED_EXTENSIONS) {
    const settings = objectAt(extensions, id);
    if (settings) kept[id] = settings;
  }
  if (Object.keys(kept).length > 0) to["extensions"] = kept;
}

/** From a `server/discover`. */
export function readServerSide(discovered: JsonObject): ServerSide {
  const said = objectAt(discovered, "capabilities") ?? EMPTY;
  const capabilities = createJsonObject();
  const tools = objectAt(said, "tools");
  const prompts = objectAt(said, "prompts");
  const resources = objectAt(said, "resources");
  if (tools) capabilities["tools"] = keepFlags(tools, ["listChanged"]);
  if (prompts) capabilities["prompts"] = keepFlags(prompts, ["listChanged"]);
  if (resources) capabilities["resources"] = keepFlags(resources, ["subscribe", "listChanged"]);
  for (const key of ["logging", "completions"]) if (objectAt(said, key)) capabilities[key] = EMPTY;
  keepExtensions(said, capabilities);
  return {
    capabilities,
    toolsListChanged: tools?.["listChanged"] === true,
    promptsListChanged: prompts?.["listChanged"] === true,
    resourcesListChanged: resources?.["listChanged"] === true,
    subscribe: resources?.["subscribe"] === true,
    logging: "logging" in capabilities,
  };
}

/** A legacy client's capabilities as a modern server is told them, with every request. */
export function readClientSide(declared: JsonObject, revision: LegacyRevision): JsonObject {
  const told = createJsonObject();
  const isLatest = isSince(revision, "2025-11-25");
  const elicitation = objectAt(declared, "elicitation");
  if (elicitation && isSince(revision, "2025-06-18")) {
    const hasUrl = isLatest && objectAt(elicitation, "url") !== undefined;
    // An empty object is the form alone.
    const hasForm = !isLatest || objectAt(elicitation, "form") !== undefined || objectAt(elicitation, "url") === undefined;
    const modes = createJsonObject();
    if (hasForm) modes["form"] = EMPTY;
    if (hasUrl) modes["url"] = EMPTY;
    told["elicitation"] = modes;
  }
  const sampling = objectAt(declared, "sampling");
  if (sampling) {
    const parts = createJsonObject();
    if (isLatest) for (const part of ["tools", "context"]) if (objectAt(sampling, part)) parts[part] = EMPTY;
    told["sampling"] = parts;
  }
  if (objectAt(declared, "roots")) told["roots"] = EMPTY;
  keepExtensions(declared, told);
  return told;
}
