/**
 * Our own conversation with one server over HTTP, in the era it speaks. A modern request goes first; only an answer that
 * a legacy server gives leads to `initialize`, never a refused credential, a failing server or silence. The verdict
 * carries its date, because a stale legacy one would hide an upgrade for ever.
 */
import { type Failure, fail, type Result, succeed } from "../kernel/failure.ts";
import { isJsonList, isJsonObject, type Json, type JsonObject, printJson, readMember, toJson } from "../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import { META } from "../mcp/meta.ts";
import { createRequestHeaders } from "../mcp/param-headers.ts";
import { ERROR_CODES } from "../mcp/refusal.ts";
import { type Era, isLegacyRevision, LATEST_LEGACY, LATEST_MODERN, type Revision } from "../mcp/revisions.ts";
import { askServer, type ServerAnswer } from "./ask-server.ts";
import type { HttpUpstream } from "./http-upstream.ts";

/** After this a legacy verdict is asked for again. */
export const LEGACY_VERDICT_MS: number = 60 * 60 * 1000;
const MAX_SESSION_ID_CHARACTERS = 1024;
/** Some servers offer a tool only to clients that can do what it needs: every tool that any client may be offered is seen. */
const EVERY_CAPABILITY = { elicitation: { form: {}, url: {} }, roots: { listChanged: true }, sampling: { tools: {}, context: {} } };

/** Which era a server speaks, and when it was found out. */
export interface EraVerdict {
  readonly era: Era;
  readonly revision: Revision;
  readonly atMs: number;
}

/** What a server says of itself. None of it is a ground for a decision. */
export interface ServerIntroduction {
  readonly serverInfo: JsonObject | undefined;
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
}

export interface ServerSession {
  readonly verdict: EraVerdict;
  readonly introduction: ServerIntroduction;
  /** One request of ours. */
  ask(method: string, params: Readonly<Record<string, Json>>, signal: AbortSignal): Promise<ServerAnswer>;
  /** Ends a legacy session at the server; nothing is waited for beyond the signal. */
  end(signal: AbortSignal): Promise<void>;
}

export interface SessionOptions {
  readonly upstream: HttpUpstream;
  /** Our name and version, as servers are told. */
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** What was found out before. */
  readonly known?: EraVerdict | undefined;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

export async function openServerSession(options: SessionOptions): Promise<Result<ServerSession>> {
  const { known, nowMs } = options;
  if (known?.era === "legacy" && nowMs - known.atMs < LEGACY_VERDICT_MS) {
    const opened = await openLegacy(options, known.atMs);
    if (opened.ok) return opened;
  }
  const probed = await probeModern(options);
  return probed === "legacy" ? openLegacy(options, nowMs) : probed;
}

/** Asks `server/discover`. `legacy`: the answer is one that a legacy server gives. */
async function probeModern(options: SessionOptions): Promise<Result<ServerSession> | "legacy"> {
  const answer = await askModern(options, 0, "server/discover", {}, options.signal);
  switch (answer.kind) {
    case "fault":
      return fail(describeFault(answer));
    case "result": {
      const result = readResult(answer);
      const versions = result === undefined ? undefined : readMember(result, "supportedVersions");
      if (result === undefined || !isJsonList(versions)) return "legacy";
      if (versions.includes(LATEST_MODERN)) return succeed(createModernSession(options, result));
      return versions.some((version) => typeof version === "string" && isLegacyRevision(version)) ? "legacy" : fail(UNSUPPORTED);
    }
    case "error": {
      if (isBlocked(answer.status)) return fail(describeStatus(answer.status));
      if (answer.error.code !== ERROR_CODES.unsupportedVersion) {
        // Its own errors are a modern server's; it can't be asked for less than we send.
        return isModernError(answer.error.code) ? fail(UNSUPPORTED) : "legacy";
      }
      const { data } = answer.error;
      const supported = isJsonObject(data) ? readMember(data, "supported") : undefined;
      const hasLegacy = isJsonList(supported) && supported.some((version) => typeof version === "string" && isLegacyRevision(version));
      return hasLegacy ? "legacy" : fail(UNSUPPORTED);
    }
    case "nothing":
      return answer.status >= 400 && answer.status < 500 && !isBlocked(answer.status) ? "legacy" : fail(describeStatus(answer.status));
  }
}

function createModernSession(options: SessionOptions, discovered: JsonObject): ServerSession {
  let lastId = 0;
  return {
    verdict: { era: "modern", revision: LATEST_MODERN, atMs: options.nowMs },
    introduction: introduce(discovered, readModernInfo(discovered)),
    ask: (method, params, signal) => askModern(options, ++lastId, method, params, signal),
    end: async () => {},
  };
}

function askModern(
  options: SessionOptions,
  number: number,
  method: string,
  params: Readonly<Record<string, Json>>,
  signal: AbortSignal,
): Promise<ServerAnswer> {
  const id = `sallyport-${number}`;
  const meta = {
    [META.protocolVersion]: LATEST_MODERN,
    [META.clientInfo]: options.clientInfo,
    [META.clientCapabilities]: EVERY_CAPABILITY,
  };
  const body = printJson(toJson({ jsonrpc: "2.0", id, method, params: { ...params, _meta: meta } }));
  const headers = { ...BASE_HEADERS, ...createRequestHeaders({ revision: LATEST_MODERN, method, name: undefined }) };
  return askServer(options.upstream, { method: "POST", body, id, headers, signal });
}

async function openLegacy(options: SessionOptions, foundAtMs: number): Promise<Result<ServerSession>> {
  const { upstream, signal } = options;
  const params = { protocolVersion: LATEST_LEGACY, capabilities: EVERY_CAPABILITY, clientInfo: options.clientInfo };
  const body = printJson(toJson({ jsonrpc: "2.0", id: "sallyport-0", method: "initialize", params }));
  const answer = await askServer(upstream, { method: "POST", body, id: "sallyport-0", headers: BASE_HEADERS, signal });
  if (answer.kind === "fault") return fail(describeFault(answer));
  if (answer.kind !== "result") return fail(isBlocked(answer.status) ? describeStatus(answer.status) : UNSUPPORTED);
  const result = readResult(answer);
  const revision = result === undefined ? undefined : readMember(result, "protocolVersion");
  if (result === undefined || typeof revision !== "string" || !isLegacyRevision(revision)) return fail(UNSUPPORTED);
  const sessionId = answer.headers["mcp-session-id"];
  if (sessionId !== undefined && !isSessionId(sessionId)) return fail(UNSUPPORTED);
  const headers: Record<string, string> = { ...BASE_HEADERS, "mcp-protocol-version": revision };
  if (typeof sessionId === "string") headers["mcp-session-id"] = sessionId;
  let lastId = 0;
  const initialized = printJson(toJson({ jsonrpc: "2.0", method: "notifications/initialized" }));
  const told = await askServer(upstream, { method: "POST", body: initialized, headers, signal });
  if (told.kind === "fault") return fail(describeFault(told));
  return succeed({
    verdict: { era: "legacy", revision, atMs: foundAtMs },
    introduction: introduce(result, readMember(result, "serverInfo")),
    ask(method, asked, askSignal) {
      const id = `sallyport-${++lastId}`;
      const text = printJson(toJson({ jsonrpc: "2.0", id, method, params: asked }));
      return askServer(upstream, { method: "POST", body: text, id, headers, signal: askSignal });
    },
    async end(endSignal) {
      if (sessionId !== undefined) await askServer(upstream, { method: "DELETE", headers, signal: endSignal });
    },
  });
}

const BASE_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};

/** The result of an answer; undefined where it is not strict JSON. */
export function readResult(answer: Extract<ServerAnswer, { kind: "result" }>): JsonObject | undefined {
  const parsed = parseStrictJson(answer.bytes.toString("utf8", answer.answer.result.start, answer.answer.result.end));
  return !isJsonFault(parsed) && isJsonObject(parsed.value) ? parsed.value : undefined;
}

function introduce(result: JsonObject, serverInfo: Json | undefined): ServerIntroduction {
  const capabilities = readMember(result, "capabilities");
  const instructions = readMember(result, "instructions");
  return {
    serverInfo: isJsonObject(serverInfo) ? serverInfo : undefined,
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    instructions: typeof instructions === "string" ? instructions : undefined,
  };
}

function readModernInfo(result: JsonObject): Json | undefined {
  const meta = readMember(result, "_meta");
  return (isJsonObject(meta) ? readMember(meta, META.serverInfo) : undefined) ?? readMember(result, "serverInfo");
}

function isSessionId(value: string | string[]): value is string {
  return typeof value === "string" && value.length <= MAX_SESSION_ID_CHARACTERS && /^[\x21-\x7e]+$/.test(value);
}

function isModernError(code: number): boolean {
  return code <= ERROR_CODES.headerMismatch && code >= -32099 && code !== ERROR_CODES.urlElicitationRequired;
}

/** What a status says of the credential or of the server's health says nothing of its era. */
function isBlocked(status: number): boolean {
  return status === 401 || status === 403 || status === 407 || status === 408 || status === 429 || status >= 500;
}

const UNSUPPORTED: Failure = {
  code: "upstream_unsupported",
  message: "the server speaks no revision of the protocol that is known here",
};

/** For operators. It names an address only where the guard refused it. */
export function describeFault(answer: Extract<ServerAnswer, { kind: "fault" }>): Failure {
  if (answer.fault.reason === "address_refused") {
    return {
      code: "address_refused",
      message: answer.fault.detail,
      hint: "List the address under the server's `network.allow` if it is meant.",
    };
  }
  return {
    code: "upstream_unavailable",
    message: `the server could not be asked: ${FAULT_WORDS[answer.fault.reason] ?? answer.fault.reason}`,
  };
}

export function describeStatus(status: number): Failure {
  const hint = status === 401 || status === 403 ? { hint: "Look at the credential in the server's `headers`." } : {};
  return { code: "upstream_unavailable", message: `the server answered with status ${status} and nothing that can be read`, ...hint };
}

const FAULT_WORDS: Readonly<Record<string, string>> = {
  connect: "no connection could be made",
  busy: "too many requests wait for it",
  wait_timeout: "no connection could be made in time",
  cancelled: "it took too long",
  closed: "its connections are closed",
  redirect: "it answered with a redirect, and none is followed",
  encoding: "its answer is encoded in a way that was not asked for",
  answer_timeout: "it did not answer in time",
  too_large: "its answer is too large",
  broken: "the connection broke",
  login_required: "it wants the gateway to sign in",
  login_unavailable: "its authorization server can't be asked",
  insufficient_scope: "the gateway's credential does not reach far enough",
  unsendable: "a header of the request can't be sent",
};
