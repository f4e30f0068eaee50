/**
 * Messages that have no answer: a client's notifications, its answers to what the server asked, and messages that were
 * refused before they were judged. Each is on record before it goes anywhere.
 */
import type { AuditEntry } from "../audit/entry.ts";
import { printJson } from "../kernel/json.ts";
import { readMcpHeaders } from "../mcp/headers.ts";
import type { Notification, Response } from "../mcp/message.ts";
import type { Refusal } from "../mcp/refusal.ts";
import { keyOfId, readId } from "../mcp/request-id.ts";
import { writeRelayed, writeRelayedResponse } from "../mcp/rewrite.ts";
import type { AnswerSink } from "../upstream/http-upstream.ts";
import type { Desk } from "./desk.ts";
import type { Identified } from "./identify.ts";
import type { Routed } from "./route.ts";
import { type Passage, type Session, sessionHeaders } from "./session.ts";
import { wordsOf } from "./spend.ts";
import { termsOfRecord } from "./write-terms.ts";

type Who = Pick<Identified, "grant" | "endpoint">;

function describe(who: Who, session: Session | undefined): Omit<AuditEntry, "kind"> {
  const { grant, endpoint } = who;
  // What is about no server, or about several, names none.
  return {
    server: endpoint.name || undefined,
    grant: grant.label,
    grantId: grant.id,
    identity: grant.identity,
    session: session?.id.slice(0, 12),
  };
}

/** False: it could not be put on record. */
export async function recordEntry(desk: Desk, entry: AuditEntry): Promise<boolean> {
  try {
    await desk.store.write(async (batch) => void desk.audit.append(batch, entry), termsOfRecord());
    return true;
  } catch (error) {
    desk.say(`A message could not be put on record: ${wordsOf(error)}`);
    return false;
  }
}

export async function recordRefusal(desk: Desk, who: Who, refusal: Refusal): Promise<void> {
  desk.meter.server(who.endpoint.name).refused.add(refusal.detail);
  await recordEntry(desk, {
    kind: "envelope",
    ...describe(who, undefined),
    decision: "deny",
    code: "invalid_request",
    message: refusal.detail,
  });
}

/** Puts a message without an answer on record; false: it could not be, and must not go on. */
export async function recordMessage(desk: Desk, who: Who, session: Session | undefined, method: string): Promise<boolean> {
  return await recordEntry(desk, { kind: "intent", ...describe(who, session), method, decision: "allow" });
}

/** How long a client waits to hear that the server has its message, and how long the server may take for it. */
export const ONE_WAY_WAIT_MS = 5_000;
export const ONE_WAY_TIMEOUT_MS = 30_000;

/**
 * Hands a message to the server. What the server says to it is of no interest, but that it says something is: whatever the
 * client sends next, such as its first request after `initialized`, must not overtake it.
 */
export async function tell({ endpoint, grant }: Who, body: Buffer, headers: Record<string, string>): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ONE_WAY_WAIT_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const sink: AnswerSink = { onStart: done, onData: () => true, onEnd: done, onFault: done };
    const signal = AbortSignal.timeout(ONE_WAY_TIMEOUT_MS);
    endpoint.upstream.exchange({ method: "POST", body, headers, owner: grant.id, signal }, sink);
  });
}

export function headersOf(session: Session | undefined, revision: string): Record<string, string> {
  return {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    ...(session ? sessionHeaders(session) : { "mcp-protocol-version": revision }),
  };
}

/** A request that was cancelled may still have its answer, for the two can cross; after this nobody waits for it. */
export const CANCEL_GRACE_MS = 2_000;

export async function passNotification(
  desk: Desk,
  who: Who,
  routed: Routed,
  message: Notification,
  end: (status: number) => void,
): Promise<void> {
  const { session, revision, claim } = routed;
  // Over HTTP a modern client has nothing to notify: closing the stream is its cancel.
  if (claim.era === "modern") return end(202);
  if (isClosed(who, message)) return end(202);
  const body = writeNotificationFor(session, message);
  if (!body) return end(202);
  if (!(await recordMessage(desk, who, session, message.method))) return end(503);
  const passage = findCancelled(session, message);
  if (passage) setTimeout(() => passage.cancel(), CANCEL_GRACE_MS).unref();
  await tell(who, body, headersOf(session, revision));
  end(202);
}

/** A server that may not ask for folders has nothing to hear of them. */
export function isClosed(who: Pick<Identified, "endpoint">, message: Notification): boolean {
  return message.method === "notifications/roots/list_changed" && !who.endpoint.asks.kinds.has("roots");
}

/** The bytes for the server; undefined where it has nothing to hear of. */
export function writeNotificationFor(session: Session | undefined, message: Notification): Buffer | undefined {
  if (message.method !== "notifications/cancelled") return writeRelayed(message);
  const passage = findCancelled(session, message);
  return passage && writeRelayed(message, { set: { requestId: passage.upstreamId } });
}

/** A request is known to the server by our id. Without a session nobody can tell whose request it was. */
function findCancelled(session: Session | undefined, message: Notification): Passage | undefined {
  const value = message.method === "notifications/cancelled" ? message.params?.["requestId"] : undefined;
  const id = value === undefined ? undefined : readId(value, printJson(value));
  const passage = id && session?.inFlight.get(keyOfId(id));
  return passage?.method === "initialize" ? undefined : passage;
}

export async function passResponse(
  desk: Desk,
  who: Who,
  message: Response,
  rawHeaders: readonly string[],
  end: (status: number) => void,
): Promise<void> {
  const headers = readMcpHeaders(rawHeaders);
  const session =
    headers.session === undefined ? undefined : desk.sessions.find(headers.session, who.grant.id, who.endpoint.id, desk.clock.now());
  if (!session) return end(headers.session === undefined ? 400 : 404);
  await passResponseTo(desk, who, session, message, end);
}

/** The client's answer to what the server of that session asked. */
export async function passResponseTo(
  desk: Desk,
  who: Who,
  session: Session,
  message: Response,
  end: (status: number) => void,
): Promise<void> {
  const asked = typeof message.id.value === "string" ? session.asks.get(message.id.value) : undefined;
  if (!asked) return end(400);
  session.asks.delete(message.id.value as string);
  if (!(await recordMessage(desk, who, session, asked.method))) return end(503);
  const body = writeRelayedResponse(message, { raw: asked.raw, value: asked.raw });
  await tell(who, body, headersOf(session, session.protocolVersion));
  end(202);
}
