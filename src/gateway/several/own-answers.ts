/**
 * What the gateway answers for all servers together: `initialize` and `server/discover` out of what each of them says, in
 * time; `ping`; the level of logs, which every server hears of. The protocol's revision is agreed with the client alone.
 */
import { isJsonObject, type Json, type JsonObject } from "../../kernel/json.ts";
import { skimAnswer } from "../../mcp/answer.ts";
import { writeResult } from "../../mcp/answers.ts";
import { isLogLevel } from "../../mcp/meta.ts";
import { asData, ERROR_CODES, isRefusal, type Refusal, refuse, refuseParams } from "../../mcp/refusal.ts";
import { readAnswerMember } from "../../mcp/relay.ts";
import { chooseLegacyRevision, MODERN_REVISIONS } from "../../mcp/revisions.ts";
import { readInitialize } from "../../mcp/subject.ts";
import { recordMessage } from "../one-way.ts";
import { type Asking, askPart, within } from "./asking.ts";
import { ALL, findSeveral, openParts, partFor, rememberOpening } from "./parts.ts";

/** How long a client that opens waits for what the servers say of themselves. */
export const INTRODUCTION_WAIT_MS = 3_000;
export const LEVEL_WAIT_MS = 5_000;
/** What is passed on of one server's instructions, and of all together. */
export const MAX_INSTRUCTIONS_CHARACTERS = 4_000;
export const MAX_JOINED_CHARACTERS = 24_000;

/** What one server said; undefined: nothing in time. */
interface Introduced {
  readonly name: string;
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
}

export interface OwnAnswer {
  readonly status: number;
  readonly message: Buffer;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Undefined: the method is not one that is answered here. */
export async function answerForAll(asking: Asking): Promise<OwnAnswer | Refusal | undefined> {
  const { request, desk, who, routed } = asking;
  const answer = OWN.get(request.method);
  if (!answer) return undefined;
  if (!(await recordMessage(desk, { grant: who.grant, endpoint: ALL }, routed.session, request.method))) {
    return refuse(ERROR_CODES.internal, 503, "The request can't be put on record now", "audit_unavailable", request.id);
  }
  return await answer(asking);
}

const OWN: ReadonlyMap<string, (asking: Asking) => Promise<OwnAnswer | Refusal>> = new Map([
  ["initialize", initialize],
  ["server/discover", discover],
  ["ping", ping],
  ["logging/setLevel", setLevel],
]);

async function ping({ request }: Asking): Promise<OwnAnswer> {
  return { status: 200, message: writeResult(request.id, {}, { era: "legacy" }) };
}

async function initialize(asking: Asking): Promise<OwnAnswer | Refusal> {
  const { request, desk, who, signal } = asking;
  const said = readInitialize(request);
  if (isRefusal(said)) return said;
  const protocolVersion = chooseLegacyRevision(said.protocolVersion);
  const { name, version } = said.clientInfo;
  const session = desk.sessions.create(
    {
      grantId: who.grant.id,
      serverId: ALL.id,
      upstreamSession: "",
      protocolVersion,
      upstreamVersion: protocolVersion,
      client: { ...(typeof name === "string" ? { name } : {}), ...(typeof version === "string" ? { version } : {}) },
      nowMs: desk.clock.now(),
      endpoint: ALL,
    },
    request.source.text,
  );
  rememberOpening(session, request, who.bearer);
  const introduced = await Promise.all(
    who.endpoints.map(async (endpoint): Promise<Introduced | undefined> => {
      const { link } = partFor(desk, session, endpoint);
      const opened = link && (await within(link.ready(), INTRODUCTION_WAIT_MS, signal, () => undefined));
      return opened && { name: endpoint.name, capabilities: opened.capabilities, instructions: opened.instructions };
    }),
  );
  if (signal.aborted) desk.sessions.end(session);
  const members: Record<string, Json> = {
    protocolVersion,
    capabilities: joinCapabilities(introduced, "legacy"),
    serverInfo: asData({ name: "sallyport", version: desk.version }),
  };
  const instructions = joinInstructions(introduced);
  if (instructions !== undefined) members["instructions"] = instructions;
  return { status: 200, message: writeResult(request.id, members, { era: "legacy" }), headers: { "mcp-session-id": session.id } };
}

async function discover(asking: Asking): Promise<OwnAnswer> {
  const { request, desk, who } = asking;
  const introduced = await Promise.all(
    who.endpoints.map(async (endpoint): Promise<Introduced | undefined> => {
      const asked = await askPart(asking, partFor(desk, undefined, endpoint), request, INTRODUCTION_WAIT_MS);
      const answer = asked && skimAnswer(asked.message);
      if (!asked || answer?.kind !== "result") return undefined;
      const capabilities = readAnswerMember(answer, asked.message, "capabilities");
      const instructions = readAnswerMember(answer, asked.message, "instructions");
      return {
        name: endpoint.name,
        capabilities: isJsonObject(capabilities) ? capabilities : asData({}),
        instructions: typeof instructions === "string" ? instructions : undefined,
      };
    }),
  );
  const instructions = joinInstructions(introduced);
  const serverInfo = asData({ name: "sallyport", version: desk.version });
  const members: Record<string, Json> = {
    supportedVersions: [...MODERN_REVISIONS],
    capabilities: joinCapabilities(introduced, "modern"),
    ...(instructions === undefined ? {} : { instructions }),
    ttlMs: 0,
    cacheScope: "private",
  };
  return { status: 200, message: writeResult(request.id, members, { era: "modern", serverInfo }) };
}

/**
 * What any of them can do, and what the gateway does by itself. Who has not answered may be able to do anything: a client
 * that was told less would not ask.
 */
function joinCapabilities(introduced: readonly (Introduced | undefined)[], era: "legacy" | "modern"): JsonObject {
  const all = introduced.map((one) => one?.capabilities);
  const anyHas = (key: string): boolean => all.some((one) => one === undefined || isJsonObject(one[key]));
  const subscribes = all.some((one) => {
    const resources = one?.["resources"];
    return one === undefined || (isJsonObject(resources) && resources["subscribe"] === true);
  });
  const joined: Record<string, Json> = { tools: asData({ listChanged: true }), prompts: asData({ listChanged: true }) };
  joined["resources"] = asData(subscribes || era === "modern" ? { subscribe: true, listChanged: true } : { listChanged: true });
  if (anyHas("completions")) joined["completions"] = asData({});
  if (anyHas("logging")) joined["logging"] = asData({});
  return asData(joined);
}

/** Each server's own words under the name that the operator gave it. */
function joinInstructions(introduced: readonly (Introduced | undefined)[]): string | undefined {
  let joined = "";
  for (const one of introduced) {
    if (one?.instructions === undefined || one.instructions === "") continue;
    const words = one.instructions.slice(0, MAX_INSTRUCTIONS_CHARACTERS).toWellFormed();
    const block = `${joined === "" ? "" : "\n\n"}Server \`${one.name}\` (its tools begin with \`${one.name}__\`) says:\n${words}`;
    if (joined.length + block.length > MAX_JOINED_CHARACTERS) break;
    joined += block;
  }
  return joined === "" ? undefined : joined;
}

async function setLevel(asking: Asking): Promise<OwnAnswer | Refusal> {
  const { request, routed } = asking;
  const level = request.params?.["level"];
  if (!isLogLevel(level)) return refuseParams(request.id, "`level` must be a level of logs", "level");
  const several = findSeveral(routed.session);
  if (several && routed.session) {
    several.logLevel = level;
    const parts = openParts(routed.session).filter(({ link }) => isJsonObject(link.opened?.capabilities["logging"]));
    await Promise.all(parts.map((part) => askPart(asking, part, request, LEVEL_WAIT_MS)));
  }
  return { status: 200, message: writeResult(request.id, {}, { era: "legacy" }) };
}
