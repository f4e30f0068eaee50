/**
 * A request of the front as a modern server takes it: a new id and envelope around the very bytes of what the client
 * wrote, and the headers that mirror them, made anew.
 */
import { isJsonObject, type Json, type JsonObject } from "../../kernel/json.ts";
import { readMirroredName } from "../../mcp/era.ts";
import type { Request } from "../../mcp/message.ts";
import { type ClientEnvelope, type LogLevel, printForwardedMeta, readMeta } from "../../mcp/meta.ts";
import { createRequestHeaders, type ParamDeclaration } from "../../mcp/param-headers.ts";
import { asData } from "../../mcp/refusal.ts";
import { LATEST_MODERN } from "../../mcp/revisions.ts";
import { writeForwarded } from "../../mcp/rewrite.ts";

export interface ModernRequest {
  readonly id: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** What is said of the client with every request. */
export interface Speaker {
  readonly clientInfo: JsonObject;
  readonly capabilities: JsonObject;
  readonly logLevel: LogLevel | undefined;
}

const BASE_HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

let nextId = 1;

function createOwnId(): string {
  return `front-${nextId++}`;
}

function envelopeOf(speaker: Speaker): ClientEnvelope {
  return {
    protocolVersion: LATEST_MODERN,
    clientInfo: speaker.clientInfo,
    clientCapabilities: speaker.capabilities,
    logLevel: speaker.logLevel,
  };
}

/** What the client answered, and the server's own state, on every sending but the first. */
export interface RoundMembers {
  readonly inputResponses?: JsonObject | undefined;
  readonly requestState?: string | undefined;
}

/** A client's request. `declarations`: see `ParamDeclaration`; of a tool alone. */
export function writeModernRequest(
  request: Request,
  speaker: Speaker,
  declarations: readonly ParamDeclaration[],
  round: RoundMembers = {},
): ModernRequest {
  const id = createOwnId();
  const set: Record<string, Json> = {};
  if (round.inputResponses !== undefined) set["inputResponses"] = round.inputResponses;
  if (round.requestState !== undefined) set["requestState"] = round.requestState;
  // What a server may see of the client's `_meta` was chosen before it came here.
  const extraKeys = Object.keys(readMeta(request) ?? {});
  const body = writeForwarded(request, { id, set, meta: { envelope: envelopeOf(speaker), extraKeys } });
  const args = request.params?.["arguments"];
  const mirrored = {
    revision: LATEST_MODERN,
    method: request.method,
    name: readMirroredName(request.method, request.params),
    args: isJsonObject(args) ? args : undefined,
    declarations,
  };
  return { id, body, headers: { ...BASE_HEADERS, ...createRequestHeaders(mirrored) } };
}

/** A request of the front's own. */
export function writeOwnRequest(method: string, params: string | undefined, speaker: Speaker): ModernRequest {
  const id = createOwnId();
  const meta = printForwardedMeta(undefined, { envelope: envelopeOf({ ...speaker, logLevel: undefined }) }) as string;
  const members = params === undefined ? "" : `${params},`;
  const body = Buffer.from(`{"jsonrpc":"2.0","id":"${id}","method":"${method}","params":{${members}"_meta":${meta}}}`, "utf8");
  const headers = { ...BASE_HEADERS, ...createRequestHeaders({ revision: LATEST_MODERN, method, name: undefined }) };
  return { id, body, headers };
}

/** The filter of a listen as a member of its params. */
export function printFilter(flags: readonly string[], uris: readonly string[]): string {
  const members: Record<string, Json> = {};
  for (const flag of flags) members[flag] = true;
  if (uris.length > 0) members["resourceSubscriptions"] = uris;
  return `"notifications":${JSON.stringify(asData(members))}`;
}
