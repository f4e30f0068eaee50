/** A session of the upstream's becomes one of ours: another id, bound to the grant and the server that opened it. */
import { isJsonObject, readMember } from "../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import type { Channel } from "./channel.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";

const MAX_SESSION_ID_CHARACTERS = 1024;
const VISIBLE_ASCII = /^[\x21-\x7e]*$/;

/**
 * The channel for the answer to `initialize`: a good answer opens the session and carries its id. `upstreamSession` is
 * empty where the server keeps none.
 */
export function openSessionOf(desk: Desk, exchange: Exchange, upstreamSession: string, channel: Channel): Channel {
  if (upstreamSession.length > MAX_SESSION_ID_CHARACTERS || !VISIBLE_ASCII.test(upstreamSession)) return channel;
  if (channel.takeSession) {
    channel.takeSession(upstreamSession);
    return channel;
  }
  return {
    openStream: () => channel.openStream(),
    onGone: (act) => channel.onGone(act),
    answer(status, message, headers) {
      const parsed = parseStrictJson(message.toString());
      const result = !isJsonFault(parsed) && isJsonObject(parsed.value) ? readMember(parsed.value, "result") : undefined;
      const revision = isJsonObject(result) ? readMember(result, "protocolVersion") : undefined;
      if (status !== 200 || typeof revision !== "string") {
        channel.answer(status, message, headers);
        return;
      }
      const session = desk.sessions.create({
        grantId: exchange.grant.id,
        serverId: exchange.endpoint.id,
        upstreamSession,
        protocolVersion: revision,
        upstreamVersion: exchange.upstreamVersion ?? revision,
        client: clientOf(exchange),
        nowMs: desk.clock.now(),
        endpoint: exchange.endpoint,
      });
      channel.answer(status, message, { ...headers, "mcp-session-id": session.id });
    },
  };
}

function clientOf(exchange: Exchange): { name?: string; version?: string } {
  const info = exchange.request.params && readMember(exchange.request.params, "clientInfo");
  if (!isJsonObject(info)) return {};
  const name = readMember(info, "name");
  const version = readMember(info, "version");
  return { ...(typeof name === "string" ? { name } : {}), ...(typeof version === "string" ? { version } : {}) };
}
