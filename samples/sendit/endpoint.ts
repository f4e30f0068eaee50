/**
 * What each method answers, in both eras: `initialize` and `ping` of the legacy one, `server/discover` of the modern
 * one, `tools/list` and `tools/call` of both. There is no session: every message stands for itself.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Calls } from "./calls.ts";
import {
  createError,
  createResult,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  isObject,
  type JsonObject,
  METHOD_NOT_FOUND,
  type Message,
  parseMessage,
  type Reply,
} from "./messages.ts";
import { TOOLS } from "./tools.ts";
import { type Era, LEGACY_VERSIONS, MODERN_VERSION, readEra } from "./versions.ts";

const SERVER_INFO: JsonObject = { name: "connector-sample", title: "Connector sample", version: "1.0.0" };
const CAPABILITIES: JsonObject = { tools: {} };
const INSTRUCTIONS = "Connects services. Begin with list_connectors; list_connected_connectors tells what is connected.";
/** The tools change only with the program; a client may keep them for a while. */
const CACHE: JsonObject = { ttlMs: 300_000, cacheScope: "public" };

export async function answerPost(body: Uint8Array, headers: IncomingHttpHeaders, calls: Calls): Promise<Reply> {
  const message = parseMessage(body);
  if ("status" in message) return message;
  const era = readEra(message, headers);
  if (typeof era !== "string") return era;
  const { id } = message;
  if (id === undefined) return { status: 202 };
  try {
    const result = await answer(message, era, calls);
    if (result === undefined) return createError(era === "modern" ? 404 : 200, id, METHOD_NOT_FOUND, "There is no such method.");
    if (typeof result === "string") return createError(era === "modern" ? 400 : 200, id, INVALID_PARAMS, result);
    return createResult(id, era === "modern" ? stamp(result) : result);
  } catch (error) {
    process.stderr.write(`a call failed: ${error instanceof Error ? error.message : "unknown"}\n`);
    return createError(200, id, INTERNAL_ERROR, "The server could not do this; its own output says why.");
  }
}

/** Undefined: no such method. Text: what is wrong with the parameters. */
async function answer({ method, params }: Message, era: Era, calls: Calls): Promise<JsonObject | string | undefined> {
  if (method === "tools/list") return listTools(params, era);
  if (method === "tools/call") return await callTool(params, calls);
  if (era === "modern") return method === "server/discover" ? discover() : undefined;
  if (method === "ping") return {};
  return method === "initialize" ? initialize(params) : undefined;
}

function initialize({ protocolVersion }: JsonObject): JsonObject | string {
  if (typeof protocolVersion !== "string") return "`protocolVersion` must be text.";
  const version = LEGACY_VERSIONS.includes(protocolVersion) ? protocolVersion : (LEGACY_VERSIONS[0] as string);
  return { protocolVersion: version, capabilities: CAPABILITIES, serverInfo: SERVER_INFO, instructions: INSTRUCTIONS };
}

function discover(): JsonObject {
  return { supportedVersions: [MODERN_VERSION], capabilities: CAPABILITIES, instructions: INSTRUCTIONS, ...CACHE };
}

function listTools({ cursor }: JsonObject, era: Era): JsonObject | string {
  if (cursor !== undefined) return "There is one page only, so no `cursor` is known.";
  return { tools: [...TOOLS], ...(era === "modern" ? CACHE : {}) };
}

async function callTool({ name, arguments: args = {} }: JsonObject, calls: Calls): Promise<JsonObject | string> {
  if (typeof name !== "string") return "`name` must be text.";
  if (!isObject(args)) return "`arguments` must be an object.";
  return (await calls.run(name, args)) ?? "Unknown tool: tools/list tells which there are.";
}

function stamp(result: JsonObject): JsonObject {
  return { resultType: "complete", ...result, _meta: { "io.modelcontextprotocol/serverInfo": SERVER_INFO } };
}
