/**
 * A client's session with several servers, and its parts: under the one session that the client knows, each server gets one
 * of its own, opened as the gateway with what the client can do. Parts share the client's id, so that limits and the log
 * speak of one session; they end with it.
 */
import type { Request } from "../../mcp/message.ts";
import type { HttpUpstream } from "../../upstream/http-upstream.ts";
import type { Desk, Endpoint } from "../desk.ts";
import { endSession } from "../http-stream.ts";
import { NO_CAPS } from "../result-caps.ts";
import type { ServedTools } from "../served-tools.ts";
import { createSession, type Session } from "../session.ts";
import { openPart } from "./open-part.ts";
import { SessionLink } from "./session-link.ts";

/** One server as one client reaches it. */
export interface Part {
  readonly endpoint: Endpoint;
  /** Undefined in the modern era, and for a legacy client that opened none. */
  readonly session: Session | undefined;
  readonly link: SessionLink | undefined;
}

export interface SessionPart extends Part {
  readonly session: Session;
  readonly link: SessionLink;
}

/** What a client's session with several servers keeps besides what every session does. */
export interface Several {
  /** The client's own `initialize`, for every server that is opened under it. */
  readonly opening: Request;
  /** The grant's token as the client last brought it. */
  bearer: string;
  /** The level that the client asked for, for servers that are opened later. */
  logLevel: string | undefined;
  /** By server. */
  readonly parts: Map<string, SessionPart & { readonly source: Endpoint }>;
  nextPart: number;
  /** Told of every part whose session was opened. */
  onOpened: ((part: SessionPart) => void) | undefined;
}

const open = new WeakMap<Session, Several>();

/** In place of a server where a message is about all of them: it is in no table, and nothing can be sent to it. */
const NOWHERE: HttpUpstream = {
  exchange(_request, sink) {
    queueMicrotask(() => sink.onFault({ reason: "closed", sent: "not_sent", detail: "several servers are none" }));
    return { cancel: () => undefined, resume: () => undefined };
  },
  waiting: 0,
  close: async () => undefined,
};

const NO_TOOLS: ServedTools = {
  current: () => undefined,
  era: undefined,
  lastLook: undefined,
  sync: () => undefined,
  differs: () => false,
  refresh: async () => undefined,
  close: () => undefined,
};

export const ALL: Endpoint = {
  id: "*",
  name: "",
  upstream: NOWHERE,
  tools: NO_TOOLS,
  scan: undefined,
  results: NO_CAPS,
  asks: { kinds: new Set(), label: undefined },
  extraMeta: [],
  recordsValues: false,
};

export function rememberOpening(session: Session, opening: Request, bearer: string): Several {
  const several: Several = { opening, bearer, logLevel: undefined, parts: new Map(), nextPart: 1, onOpened: undefined };
  open.set(session, several);
  return several;
}

export function findSeveral(session: Session | undefined): Several | undefined {
  return session && open.get(session);
}

/** The way of this client to that server; a session is prepared, and opened when something is sent. */
export function partFor(desk: Desk, parent: Session | undefined, endpoint: Endpoint): Part {
  const several = findSeveral(parent);
  if (!parent || !several) return { endpoint, session: undefined, link: undefined };
  const known = several.parts.get(endpoint.id);
  // A changed entry of the configuration has connections of its own.
  if (known?.source === endpoint && !known.session.ended) return known;
  if (known) desk.sessions.end(known.session);
  const part = createPart(desk, parent, several, endpoint);
  several.parts.set(endpoint.id, part);
  return part;
}

function createPart(desk: Desk, parent: Session, several: Several, source: Endpoint): SessionPart & { readonly source: Endpoint } {
  const link = new SessionLink({
    upstream: source.upstream,
    open: async () => (parent.ended ? undefined : await openPart(desk, parent, several, source)),
    onOpened: () => several.onOpened?.(part),
    onUnreachable: () => desk.health.suspect(source),
  });
  // Everything but the way to it stays the server's own, also what changes later.
  const endpoint = Object.create(source, { upstream: { value: link, enumerable: true } }) as Endpoint;
  const { grantId, protocolVersion, client } = parent;
  const seed = {
    grantId,
    serverId: source.id,
    upstreamSession: "",
    protocolVersion,
    upstreamVersion: protocolVersion,
    client,
    nowMs: desk.clock.now(),
    endpoint,
  };
  const session = createSession(seed, parent.id, parent.mark, `p${several.nextPart++}-`);
  const end = (): void => desk.sessions.end(session);
  parent.closers.add(end);
  session.closers.add(() => parent.closers.delete(end));
  const part = { source, endpoint, session, link };
  return part;
}

/** Ends what this client has with servers that are no longer its grant's; gives those parts. */
export function dropParts(desk: Desk, session: Session, kept: readonly Endpoint[]): readonly SessionPart[] {
  const several = findSeveral(session);
  const dropped = [...(several?.parts.values() ?? [])].filter(({ source }) => !kept.some(({ id }) => id === source.id));
  for (const part of dropped) {
    several?.parts.delete(part.source.id);
    if (part.link.opened) void endSession(desk, part.session);
    else desk.sessions.end(part.session);
  }
  return dropped;
}

/** Parts whose session stands at the server. */
export function openParts(session: Session): SessionPart[] {
  return [...(findSeveral(session)?.parts.values() ?? [])].filter(({ link }) => link.opened !== undefined);
}
