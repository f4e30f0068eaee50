/**
 * Goes on with a session that was opened elsewhere: at another replica, or before a restart. What its client has ended
 * stays ended, and only the grant that opened it, on the server that it was opened for, may go on with it.
 */
import { readMcpHeaders } from "../mcp/headers.ts";
import { DEFAULT_BODY_LIMIT_BYTES, type Request, readMessage } from "../mcp/message.ts";
import { isRefusal, type Refusal } from "../mcp/refusal.ts";
import type { Desk } from "./desk.ts";
import type { Identified } from "./identify.ts";
import type { Session } from "./session.ts";
import { hasEnded } from "./session-seal.ts";
import { ALL, rememberOpening } from "./several/parts.ts";

export type Recaller = Pick<Identified, "grant" | "endpoint" | "bearer">;

/**
 * The session that the headers name, brought here; undefined: there is none to go on with. Rejects where the store can't be
 * asked.
 */
export async function recallSession(desk: Desk, who: Recaller, rawHeaders: readonly string[]): Promise<Session | undefined> {
  const { session: id, repeated } = readMcpHeaders(rawHeaders);
  if (id === undefined || repeated.has("mcp-session-id")) return undefined;
  const sealed = desk.seal.read(id, desk.clock.now());
  if (!sealed || sealed.grantId !== who.grant.id || sealed.serverId !== who.endpoint.id) return undefined;
  if (await hasEnded(desk.store.query, id)) return undefined;
  // Another request may have brought it here meanwhile.
  const known = desk.sessions.find(id, who.grant.id, who.endpoint.id, desk.clock.now());
  if (known) return known;
  const opening = who.endpoint.id === ALL.id ? readOpening(sealed.opening) : undefined;
  if (who.endpoint.id === ALL.id && !opening) return undefined;
  const session = desk.sessions.recall({ ...sealed, endpoint: who.endpoint, nowMs: desk.clock.now() }, id);
  if (opening) rememberOpening(session, opening, who.bearer);
  return session;
}

function readOpening(text: string | undefined): Request | undefined {
  if (text === undefined) return undefined;
  const message = readMessage(Buffer.from(text), { bodyLimitBytes: DEFAULT_BODY_LIMIT_BYTES });
  return !isRefusal(message) && message.kind === "request" ? message : undefined;
}

/** What was refused for want of a session is done again where that can be recalled. */
export async function withRecall<T extends object>(
  desk: Desk,
  who: Recaller,
  rawHeaders: readonly string[],
  refusal: Refusal,
  again: () => T | Refusal,
): Promise<T | Refusal> {
  if (refusal.detail !== "unknown_session") return refusal;
  return (await recallSession(desk, who, rawHeaders)) ? again() : refusal;
}
