/**
 * Messages without an answer from a client of several servers: a cancel goes to whoever has the request, an answer to
 * whoever asked, news of the client's folders to all. That the session is open every server was told when its own was.
 */
import { printJson } from "../../kernel/json.ts";
import { readMcpHeaders } from "../../mcp/headers.ts";
import type { Notification, Response } from "../../mcp/message.ts";
import { keyOfId, readId } from "../../mcp/request-id.ts";
import type { Desk } from "../desk.ts";
import { passNotification, passResponseTo } from "../one-way.ts";
import type { Routed } from "../route.ts";
import type { Session } from "../session.ts";
import type { Everybody } from "./asking.ts";
import { ALL, findSeveral, openParts, type SessionPart } from "./parts.ts";

export async function passNotificationToAll(
  desk: Desk,
  who: Everybody,
  routed: Routed,
  message: Notification,
  end: (status: number) => void,
): Promise<void> {
  const { session } = routed;
  if (!session || routed.claim.era === "modern" || message.method === "notifications/initialized") return end(202);
  const statuses = await Promise.all(
    receiversOf(session, message).map(async (part) => {
      const { promise, resolve } = Promise.withResolvers<number>();
      await passNotification(desk, { grant: who.grant, endpoint: part.endpoint }, { ...routed, session: part.session }, message, resolve);
      return await promise;
    }),
  );
  if (message.method === "notifications/cancelled") cancelOwn(session, message);
  end(statuses.find((status) => status !== 202) ?? 202);
}

function receiversOf(session: Session, message: Notification): readonly SessionPart[] {
  const parts = openParts(session);
  switch (message.method) {
    case "notifications/cancelled": {
      const key = keyOfCancelled(message);
      return key === undefined ? [] : parts.filter((part) => part.session.inFlight.has(key));
    }
    case "notifications/progress": {
      // The token is one that a server chose: where several wait for the client, nobody can tell whose.
      const asking = parts.filter((part) => part.session.asks.size > 0);
      return asking.length === 1 ? asking : [];
    }
    default:
      return parts;
  }
}

function keyOfCancelled(message: Notification): string | undefined {
  const value = message.params?.["requestId"];
  const id = value === undefined ? undefined : readId(value, printJson(value));
  return id && keyOfId(id);
}

/** What is asked of all servers at once ends here, and what waits for a server's session that is not open yet. */
function cancelOwn(session: Session, message: Notification): void {
  const key = keyOfCancelled(message);
  if (key === undefined) return;
  session.inFlight.get(key)?.cancel();
  for (const part of findSeveral(session)?.parts.values() ?? []) if (!part.link.opened) part.session.inFlight.get(key)?.cancel();
}

export async function passResponseFromAll(
  desk: Desk,
  who: Everybody,
  message: Response,
  rawHeaders: readonly string[],
  end: (status: number) => void,
): Promise<void> {
  const headers = readMcpHeaders(rawHeaders);
  if (headers.session === undefined) return end(400);
  const session = desk.sessions.find(headers.session, who.grant.id, ALL.id, desk.clock.now());
  if (!session) return end(404);
  const { value } = message.id;
  const parts = [...(findSeveral(session)?.parts.values() ?? [])];
  const part = parts.find(({ session: own }) => typeof value === "string" && own.asks.get(value) !== undefined);
  if (!part || !who.grant.servers.has(part.endpoint.name)) return end(400);
  await passResponseTo(desk, { grant: who.grant, endpoint: part.endpoint }, part.session, message, end);
}
