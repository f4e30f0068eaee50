/**
 * Protocol sessions of the legacy era, ours: an id that only its grant and server can use, mapped to the upstream's.
 * Kept in memory and bounded; one that is not here may be recalled from what its id holds (`recall-session.ts`), and one
 * that is gone answers 404, and the client starts a new one.
 */
import type { HttpReply } from "../http/request.ts";
import { BoundedMap } from "../kernel/bounded-map.ts";
import { isRevision, LATEST_LEGACY, type Revision } from "../mcp/revisions.ts";
import type { Endpoint } from "./desk.ts";
import type { SessionSeal } from "./session-seal.ts";
import type { EventStream } from "./stream.ts";

export const MAX_SESSIONS = 20_000;
export const MAX_SESSIONS_PER_GRANT = 1_000;
export const MAX_STREAMS_PER_SESSION = 64;
export const MAX_REQUESTS_IN_FLIGHT_PER_SESSION = 512;
export const MAX_OPEN_ASKS_PER_SESSION = 128;
export const SESSION_IDLE_MS: number = 24 * 60 * 60 * 1000;

/** A request that is under way: how to end it from outside. */
export interface Passage {
  /** Our id of the request towards the upstream; undefined: it has not been sent. */
  readonly upstreamId: number | undefined;
  readonly method: string;
  /** Ends the wait for its answer; what has not been sent is not sent any more. */
  cancel(): void;
}

/** A request that is judged and not sent yet. */
export class Admitted implements Passage {
  readonly upstreamId = undefined;
  readonly method: string;
  isCancelled = false;

  constructor(method: string) {
    this.method = method;
  }

  cancel(): void {
    this.isCancelled = true;
  }
}

/** A request that the server asked of the client. */
export interface Ask {
  /** The server's own id, as it was spelt. */
  readonly raw: string;
  /** The same id, in its one spelling. */
  readonly key: string;
  readonly method: string;
  readonly atMs: number;
}

export interface Session {
  readonly id: string;
  readonly grantId: string;
  readonly serverId: string;
  readonly upstreamSession: string;
  /** The revision that the client speaks with us. */
  readonly protocolVersion: string;
  /** The revision that we speak with the server. */
  readonly upstreamVersion: string;
  readonly client: { readonly name?: string | undefined; readonly version?: string | undefined };
  readonly endpoint: Endpoint;
  lastUsedMs: number;
  /** The stream of a GET, on which the server speaks unasked. */
  listening: EventStream | undefined;
  /** The id of the last such stream, also when it has ended. */
  lastListening: string | undefined;
  /** Lets that stream go some time after this client has left it. */
  linger: ((response: HttpReply) => void) | undefined;
  ended: boolean;
  /** Client's id as it was spelt → the request under way. */
  readonly inFlight: Map<string, Passage>;
  /**
   * Letters that every id begins with which is given out under this session here; none where it was opened. What was given
   * out under the same session elsewhere then never means something here.
   */
  readonly mark: string;
  /** What our ids of a server's requests begin with, so that they are unique on one client's streams. */
  readonly askPrefix: string;
  /** By our id. */
  readonly asks: BoundedMap<string, Ask>;
  readonly streams: BoundedMap<string, EventStream>;
  nextAsk: number;
  nextStream: number;
  /** Ends whatever this session holds open towards the upstream. */
  readonly closers: Set<() => void>;
}

/** Since this revision a session's requests name it in a header; what knew no header may stumble over one. */
const NAMED_SINCE = "2025-03-26";

type SessionAtServer = Pick<Session, "upstreamSession" | "upstreamVersion">;

/** The headers by which a server knows a session of ours. */
export function sessionHeaders({ upstreamSession, upstreamVersion }: SessionAtServer): Record<string, string> {
  return {
    ...(upstreamVersion < NAMED_SINCE ? {} : { "mcp-protocol-version": upstreamVersion }),
    ...(upstreamSession === "" ? {} : { "mcp-session-id": upstreamSession }),
  };
}

/** The headers of a message to a server; without a session there is the revision alone. */
export function messageHeaders(of: SessionAtServer | string): Record<string, string> {
  return {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    ...(typeof of === "string" ? { "mcp-protocol-version": of } : sessionHeaders(of)),
  };
}

export interface SessionSeed {
  readonly grantId: string;
  readonly serverId: string;
  readonly upstreamSession: string;
  readonly protocolVersion: string;
  readonly upstreamVersion: string;
  readonly client: Session["client"];
  readonly nowMs: number;
  readonly endpoint: Endpoint;
}

export function createSession(seed: SessionSeed, id: string, mark = "", askPrefix = "s"): Session {
  return {
    id,
    grantId: seed.grantId,
    serverId: seed.serverId,
    upstreamSession: seed.upstreamSession,
    protocolVersion: seed.protocolVersion,
    upstreamVersion: seed.upstreamVersion,
    client: seed.client,
    endpoint: seed.endpoint,
    lastUsedMs: seed.nowMs,
    listening: undefined,
    lastListening: undefined,
    linger: undefined,
    ended: false,
    inFlight: new Map(),
    mark,
    askPrefix: `${mark}${askPrefix}`,
    asks: new BoundedMap(MAX_OPEN_ASKS_PER_SESSION),
    streams: new BoundedMap(MAX_STREAMS_PER_SESSION, (_id, stream: EventStream) => stream.end()),
    nextAsk: 1,
    nextStream: 1,
    closers: new Set(),
  };
}

/** The revision that a session's client speaks. */
export function revisionOf(session: Session): Revision {
  return isRevision(session.protocolVersion) ? session.protocolVersion : LATEST_LEGACY;
}

export class SessionTable {
  readonly #sessions = new Map<string, Session>();
  readonly #byGrant = new Map<string, Set<Session>>();
  readonly #seal: SessionSeal;

  constructor(seal: SessionSeal) {
    this.#seal = seal;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** `opening`: the client's `initialize`, where another process needs it to go on. */
  create(seed: SessionSeed, opening?: string): Session {
    return this.#add(createSession(seed, this.#seal.write(seed, opening)));
  }

  /** A session under the id that it has, opened elsewhere. */
  recall(seed: SessionSeed, id: string): Session {
    return this.#add(createSession(seed, id, this.#seal.createMark()));
  }

  #add(session: Session): Session {
    const { grantId } = session;
    this.#makeRoom(grantId);
    this.#sessions.set(session.id, session);
    const mates = this.#byGrant.get(grantId) ?? new Set();
    mates.add(session);
    this.#byGrant.set(grantId, mates);
    return session;
  }

  /** The session of that id, if it is this grant's on this server. */
  find(id: string, grantId: string, serverId: string, nowMs: number): Session | undefined {
    const session = this.#sessions.get(id);
    if (!session || session.grantId !== grantId || session.serverId !== serverId) return undefined;
    session.lastUsedMs = nowMs;
    return session;
  }

  end(session: Session): void {
    if (session.ended) return;
    session.ended = true;
    // A part of another session has that one's id and none of its rights.
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
    const mates = this.#byGrant.get(session.grantId);
    mates?.delete(session);
    if (mates?.size === 0) this.#byGrant.delete(session.grantId);
    for (const close of session.closers) close();
    session.closers.clear();
    for (const [, stream] of session.streams) stream.end();
    session.streams.clear();
  }

  endIdle(nowMs: number): void {
    for (const session of [...this.#sessions.values()]) if (nowMs - session.lastUsedMs > SESSION_IDLE_MS) this.end(session);
  }

  /** Every grant that holds a session. */
  grants(): Iterable<string> {
    return this.#byGrant.keys();
  }

  ofGrant(grantId: string): readonly Session[] {
    return [...(this.#byGrant.get(grantId) ?? [])];
  }

  #makeRoom(grantId: string): void {
    const mates = this.#byGrant.get(grantId);
    if (mates && mates.size >= MAX_SESSIONS_PER_GRANT) this.#endOldest(mates);
    if (this.#sessions.size >= MAX_SESSIONS) this.#endOldest(this.#sessions.values());
  }

  #endOldest(among: Iterable<Session>): void {
    let oldest: Session | undefined;
    for (const session of among) if (!oldest || session.lastUsedMs < oldest.lastUsedMs) oldest = session;
    if (oldest) this.end(oldest);
  }
}
