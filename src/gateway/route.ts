/**
 * Step *route*: the era of a message, its session, its method. What does not fit the revision it speaks is refused here.
 * Which era the server speaks is no matter: bridging stands behind the port that every server is reached through.
 */
import { type EraClaim, readEra } from "../mcp/era.ts";
import { type McpHeaders, readMcpHeaders } from "../mcp/headers.ts";
import type { Notification, Request } from "../mcp/message.ts";
import { findMethod, type Method } from "../mcp/methods.ts";
import { ERROR_CODES, isRefusal, type Refusal, refuse, refuseMethod } from "../mcp/refusal.ts";
import { ASSUMED_LEGACY, isRevision, LATEST_LEGACY, type Revision } from "../mcp/revisions.ts";
import type { Desk } from "./desk.ts";
import type { Identified } from "./identify.ts";
import type { Session } from "./session.ts";

export interface Routed {
  readonly kind: "routed";
  readonly claim: EraClaim;
  readonly revision: Revision;
  readonly session: Session | undefined;
  readonly method: Method;
  readonly headers: McpHeaders | undefined;
}

/** What a message without an id may be called. */
const NOTIFICATIONS = "notifications/";

/** A session that is gone: 404, so that the client starts a new one. */
export function refuseSession(message: Request | Notification | undefined): Refusal {
  const id = message?.kind === "request" ? message.id : undefined;
  return refuse(ERROR_CODES.invalidRequest, 404, "Session not found", "unknown_session", id);
}

export function route(
  desk: Desk,
  who: Pick<Identified, "grant" | "endpoint">,
  message: Request | Notification,
  rawHeaders: readonly string[] | undefined,
): Routed | Refusal {
  const headers = rawHeaders && readMcpHeaders(rawHeaders);
  const claim = readEra(message, headers);
  if (isRefusal(claim)) return claim;
  const id = message.kind === "request" ? message.id : undefined;
  let session: Session | undefined;
  if (claim.era === "legacy" && headers?.session !== undefined && message.method !== "initialize") {
    if (headers.repeated.has("mcp-session-id")) return refuseSession(message);
    session = desk.sessions.find(headers.session, who.grant.id, who.endpoint.id, desk.clock.now());
    if (!session) return refuseSession(message);
  }
  const revision = revisionOf(claim, session, message);
  const direction = message.kind === "request" ? "client_request" : "client_notification";
  const method = findMethod(message.method, direction, revision);
  if (!method || method.judgement === "refused") {
    if (message.kind === "request" || message.method.startsWith(NOTIFICATIONS)) return refuseMethod(id, claim.era);
    return refuse(ERROR_CODES.invalidRequest, 400, "Invalid Request: a request needs an `id`", "no_id", undefined);
  }
  return { kind: "routed", claim, revision, session, method, headers };
}

function revisionOf(claim: EraClaim, session: Session | undefined, message: Request | Notification): Revision {
  if (claim.era === "modern") return claim.revision;
  if (session && isRevision(session.protocolVersion)) return session.protocolVersion;
  return claim.revision ?? (message.method === "initialize" ? LATEST_LEGACY : ASSUMED_LEGACY);
}
