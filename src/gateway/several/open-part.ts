/**
 * Opens one server's session under a client's: the client's own `initialize` goes on the journey to that server, on record
 * as every other, and the server hears that the session is open before anything else.
 */
import { isJsonObject } from "../../kernel/json.ts";
import { skimAnswer } from "../../mcp/answer.ts";
import { findMethod, type Method } from "../../mcp/methods.ts";
import { asData, isRefusal } from "../../mcp/refusal.ts";
import { readAnswerMember } from "../../mcp/relay.ts";
import { LATEST_LEGACY } from "../../mcp/revisions.ts";
import { writeNotification, writeRequest } from "../../mcp/rewrite.ts";
import { DEAF } from "../../upstream/http-upstream.ts";
import type { Desk, Endpoint } from "../desk.ts";
import { DELETE_TIMEOUT_MS } from "../http-stream.ts";
import { recordMessage, tell } from "../one-way.ts";
import { openExchange, renew, underWay } from "../open-exchange.ts";
import { pass } from "../pipeline.ts";
import { messageHeaders, revisionOf, type Session } from "../session.ts";
import { CollectingChannel } from "./collecting-channel.ts";
import type { Several } from "./parts.ts";
import type { Opened } from "./session-link.ts";

const INITIALIZED = "notifications/initialized";
const INITIALIZE: Method | undefined = findMethod("initialize", "client_request", LATEST_LEGACY);

/** Undefined where the server can't be had, or the grant no longer holds. */
export async function openPart(desk: Desk, parent: Session, several: Several, endpoint: Endpoint): Promise<Opened | undefined> {
  const { opening, bearer } = several;
  const look = await desk.access.look();
  const { grant } = await desk.access.findGrant(bearer, desk.clock.now());
  if (grant?.id !== parent.grantId || !grant.servers.has(endpoint.name) || !INITIALIZE) return undefined;
  const who = { grant, bearer, look, endpoint };
  const claim = { era: "legacy", revision: undefined } as const;
  const routed = {
    kind: "routed",
    claim,
    revision: revisionOf(parent),
    session: undefined,
    method: INITIALIZE,
    headers: undefined,
  } as const;
  const exchange = openExchange(desk, who, routed, opening, [], performance.now());
  if (isRefusal(exchange)) return undefined;
  const channel = new CollectingChannel();
  const refuse = async (): Promise<void> => channel.answer(503, Buffer.alloc(0));
  await underWay(desk, exchange, async () => await pass(desk, exchange, channel, (stale) => renew(desk, stale)), refuse);
  const { status, message } = await channel.answered;
  const answer = skimAnswer(message);
  if (status !== 200 || answer.kind !== "result") {
    desk.say(`The server ${endpoint.name} could not be opened for a client of several servers.`);
    return undefined;
  }
  const revision = readAnswerMember(answer, message, "protocolVersion");
  const capabilities = readAnswerMember(answer, message, "capabilities");
  const instructions = readAnswerMember(answer, message, "instructions");
  if (typeof revision !== "string") return undefined;
  const opened: Opened = {
    upstreamSession: channel.upstreamSession,
    revision: exchange.upstreamVersion ?? revision,
    capabilities: isJsonObject(capabilities) ? capabilities : asData({}),
    instructions: typeof instructions === "string" ? instructions : undefined,
  };
  if (parent.ended || !(await recordMessage(desk, who, parent, INITIALIZED))) {
    endUnused(endpoint, grant.id, opened);
    return undefined;
  }
  await tell(who, writeNotification(INITIALIZED), writeHeaders(opened));
  if (several.logLevel !== undefined && "logging" in opened.capabilities) {
    await tell(who, writeRequest("sallyport-level", "logging/setLevel", asData({ level: several.logLevel })), writeHeaders(opened));
  }
  return opened;
}

function writeHeaders({ revision, upstreamSession = "" }: Opened): Record<string, string> {
  return messageHeaders({ upstreamVersion: revision, upstreamSession });
}

/** The client has gone meanwhile: nobody waits for the server to let its session go. */
function endUnused({ upstream }: Endpoint, owner: string, opened: Opened): void {
  if (opened.upstreamSession === undefined) return;
  upstream.exchange({ method: "DELETE", headers: writeHeaders(opened), owner, signal: AbortSignal.timeout(DELETE_TIMEOUT_MS) }, DEAF);
}
