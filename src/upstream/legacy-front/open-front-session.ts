/**
 * `initialize` before a server that knows none: what it would have said is made up from its `server/discover`, asked for
 * this owner, and a session of the front's own is opened for what the client said of itself.
 */
import { isJsonObject, type JsonObject, readMember } from "../../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../kernel/strict-json.ts";
import { writeError, writeRefusal, writeResult } from "../../mcp/answers.ts";
import type { Request } from "../../mcp/message.ts";
import { META } from "../../mcp/meta.ts";
import { asData, ERROR_CODES, isRefusal } from "../../mcp/refusal.ts";
import { chooseLegacyRevision, LATEST_MODERN, type LegacyRevision } from "../../mcp/revisions.ts";
import { type Initialize, readInitialize } from "../../mcp/subject.ts";
import type { HttpUpstream, OpenExchange } from "../http-upstream.ts";
import { readClientSide, readServerSide, type ServerSide } from "./capabilities.ts";
import type { FrontReply } from "./front-reply.ts";
import type { FrontSession } from "./front-session.ts";
import { writeOwnRequest } from "./modern-request.ts";
import { askModernServer, type ServerAnswer } from "./server-answer.ts";

/** Before it HTTP was another transport. */
const OLDEST_REVISION: LegacyRevision = "2025-03-26";
const UNUSABLE = "The server could not be opened: it does not say what it can do in revision 2026-07-28.";

export interface OpeningOptions {
  readonly upstream: HttpUpstream;
  readonly owner: string | undefined;
  readonly clientInfo: JsonObject;
  readonly discoverWaitMs: number;
  readonly onDropped: (reason: string) => void;
  /** Opens the session; its id goes with the answer. */
  readonly createSession: (speaker: FrontSession["speaker"], revision: LegacyRevision, server: ServerSide) => FrontSession;
}

export function openFrontSession(request: Request, reply: FrontReply, options: OpeningOptions): OpenExchange | undefined {
  const said = readInitialize(request);
  if (isRefusal(said)) {
    reply.json(200, writeRefusal(said));
    return undefined;
  }
  const chosen = chooseLegacyRevision(said.protocolVersion);
  const revision = chosen < OLDEST_REVISION ? OLDEST_REVISION : chosen;
  const { upstream, owner, clientInfo, discoverWaitMs, onDropped } = options;
  const speaker = { clientInfo, capabilities: readClientSide((said as Initialize).capabilities, revision), logLevel: undefined };
  const written = writeOwnRequest("server/discover", undefined, speaker);
  const giveUp = (): void => {
    if (reply.isEnded) return;
    reply.fault({ reason: "answer_timeout", sent: "unknown", detail: "the server did not say in time what it can do" });
    open.cancel();
  };
  const timer = setTimeout(giveUp, discoverWaitMs);
  timer.unref();
  const take = (answer: ServerAnswer): void => {
    clearTimeout(timer);
    if (reply.isEnded) return;
    if (answer.kind === "fault") return reply.fault(answer.fault);
    if (answer.kind === "status") return reply.bare(answer.status === 404 ? 502 : answer.status);
    const discovered = answer.kind === "result" ? readDiscovered(answer) : undefined;
    if (!discovered) return reply.finish(writeError(request.id, ERROR_CODES.internal, UNUSABLE));
    const server = readServerSide(discovered);
    const session = options.createSession(speaker, revision, server);
    reply.json(200, writeOpening(request, revision, server, discovered), { "mcp-session-id": session.id });
  };
  const open = askModernServer(
    upstream,
    { method: "POST", body: written.body, headers: written.headers, owner },
    { id: written.id, onNotification: () => true, onAnswer: take, onDropped },
  );
  return open;
}

function readDiscovered(answer: Extract<ServerAnswer, { kind: "result" }>): JsonObject | undefined {
  const { start, end } = answer.answer.result;
  const parsed = parseStrictJson(answer.bytes.toString("utf8", start, end));
  if (isJsonFault(parsed) || !isJsonObject(parsed.value)) return undefined;
  const versions = readMember(parsed.value, "supportedVersions");
  const type = answer.answer.resultType;
  if (type !== undefined && type !== "complete") return undefined;
  return Array.isArray(versions) && versions.includes(LATEST_MODERN) ? parsed.value : undefined;
}

function writeOpening(request: Request, revision: LegacyRevision, server: ServerSide, discovered: JsonObject): Buffer {
  const meta = readMember(discovered, "_meta");
  const named = (isJsonObject(meta) ? readMember(meta, META.serverInfo) : undefined) ?? readMember(discovered, "serverInfo");
  const isNamed = isJsonObject(named) && typeof named["name"] === "string" && typeof named["version"] === "string";
  const instructions = readMember(discovered, "instructions");
  const members = {
    protocolVersion: revision,
    capabilities: server.capabilities,
    serverInfo: isNamed ? named : asData({ name: "server", version: "0" }),
    ...(typeof instructions === "string" ? { instructions } : {}),
  };
  return writeResult(request.id, members, { era: "legacy" });
}
