/**
 * Opens a session with a legacy server under our own name: `initialize`, `initialized`. What the client declared for one
 * request is what the server is told for the session.
 */
import { createJsonObject, isJsonObject, type Json, type JsonObject, printJson, readMember, toJson } from "../../kernel/json.ts";
import { asData } from "../../mcp/refusal.ts";
import { isLegacyRevision, LATEST_LEGACY } from "../../mcp/revisions.ts";
import { askServer, type ServerAnswer } from "../ask-server.ts";
import type { HttpUpstream, UpstreamFault } from "../http-upstream.ts";
import { readResult } from "../server-session.ts";
import { POST_HEADERS, type SessionFacts } from "./session.ts";
import { tellServer } from "./tell-server.ts";

export interface ClientName {
  readonly name: string;
  readonly version: string;
}

export type OpenedSession =
  | { readonly kind: "opened"; readonly facts: SessionFacts }
  | { readonly kind: "fault"; readonly fault: UpstreamFault }
  /** Refused by status: the credential, or the server's health. */
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "refused" };

/** The extensions whose generations can't be translated into each other. */
const UNBRIDGED_EXTENSIONS: ReadonlySet<string> = new Set(["io.modelcontextprotocol/tasks"]);
const SESSION_ID = /^[\x21-\x7e]{1,1024}$/;

/** Extensions of either side without those that can't be bridged. */
export function pickExtensions(extensions: Json | undefined): JsonObject | undefined {
  if (!isJsonObject(extensions)) return undefined;
  return asData(Object.fromEntries(Object.entries(extensions).filter(([id]) => !UNBRIDGED_EXTENSIONS.has(id))));
}

/** A modern client's capabilities in the words of the legacy era; what can't be bridged is left out. */
export function declareCapabilities(capabilities: JsonObject): JsonObject {
  const declared = createJsonObject();
  const { elicitation, sampling, roots } = capabilities;
  if (isJsonObject(elicitation)) declared["elicitation"] = elicitation;
  if (isJsonObject(sampling)) declared["sampling"] = sampling;
  // No modern client says that its roots have changed.
  if (isJsonObject(roots)) declared["roots"] = createJsonObject();
  const extensions = pickExtensions(capabilities["extensions"]);
  if (extensions && Object.keys(extensions).length > 0) declared["extensions"] = extensions;
  return declared;
}

export async function openLegacySession(
  upstream: HttpUpstream,
  clientInfo: ClientName,
  declared: JsonObject,
  timeoutMs: number,
): Promise<OpenedSession> {
  const signal = AbortSignal.timeout(timeoutMs);
  const id = "front-0";
  const params = { protocolVersion: LATEST_LEGACY, capabilities: declared, clientInfo };
  const body = printJson(toJson({ jsonrpc: "2.0", id, method: "initialize", params }));
  const answer = await askServer(upstream, { method: "POST", body, id, headers: POST_HEADERS, signal });
  const facts = readOpening(answer, declared);
  if (facts.kind !== "opened") return facts;
  const headers: Record<string, string> = { ...POST_HEADERS, "mcp-protocol-version": facts.facts.revision };
  if (facts.facts.id !== undefined) headers["mcp-session-id"] = facts.facts.id;
  const initialized = printJson(toJson({ jsonrpc: "2.0", method: "notifications/initialized" }));
  const status = await tellServer(upstream, { body: initialized, headers, timeoutMs });
  if (status === undefined)
    return { kind: "fault", fault: { reason: "broken", sent: "not_sent", detail: "the session could not be opened" } };
  return facts;
}

function readOpening(answer: ServerAnswer, declared: JsonObject): OpenedSession {
  if (answer.kind === "fault") return { kind: "fault", fault: answer.fault };
  if (answer.kind !== "result") return answer.status >= 400 ? { kind: "status", status: answer.status } : { kind: "refused" };
  const result = readResult(answer);
  const revision = result && readMember(result, "protocolVersion");
  const id = answer.headers["mcp-session-id"];
  if (!result || typeof revision !== "string" || !isLegacyRevision(revision)) return { kind: "refused" };
  if (id !== undefined && (typeof id !== "string" || !SESSION_ID.test(id))) return { kind: "refused" };
  const capabilities = readMember(result, "capabilities");
  const instructions = readMember(result, "instructions");
  const facts: SessionFacts = {
    id,
    revision,
    capabilities: isJsonObject(capabilities) ? capabilities : createJsonObject(),
    instructions: typeof instructions === "string" ? instructions : undefined,
    serverInfo: nameServer(readMember(result, "serverInfo")),
    declared,
  };
  return { kind: "opened", facts };
}

/** Name and version alone: they are stamped on every result. */
function nameServer(serverInfo: Json | undefined): JsonObject {
  const said = isJsonObject(serverInfo) ? serverInfo : createJsonObject();
  const { name, version } = said;
  return asData({ name: typeof name === "string" ? name : "unknown", version: typeof version === "string" ? version : "unknown" });
}
