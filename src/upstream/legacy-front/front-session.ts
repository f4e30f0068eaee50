/**
 * Sessions of the legacy front: an id of its own making that only its owner can use, and everything that is kept for one
 * client between its requests. Bounded for all and for each owner; whoever used theirs longest ago makes room.
 */
import { randomBytes } from "node:crypto";
import type { JsonObject } from "../../kernel/json.ts";
import type { Response } from "../../mcp/message.ts";
import type { LogLevel } from "../../mcp/meta.ts";
import type { LegacyRevision } from "../../mcp/revisions.ts";
import type { LegacyFrontBounds } from "./bounds.ts";
import type { ServerSide } from "./capabilities.ts";
import type { ListenLine } from "./listen-line.ts";
import type { Passage } from "./passage.ts";

const SESSION_ID_BYTES = 32;

export interface FrontSession {
  readonly id: string;
  readonly owner: string | undefined;
  readonly revision: LegacyRevision;
  readonly server: ServerSide;
  /** What servers are told of the client, and the level of the log that it wants. */
  readonly speaker: { readonly clientInfo: JsonObject; readonly capabilities: JsonObject; logLevel: LogLevel | undefined };
  readonly line: ListenLine;
  /** By the client's id of the request, in its one spelling. */
  readonly inFlight: Map<string, Passage>;
  /** By our id of the question. */
  readonly asks: Map<string, (answer: Response) => void>;
  nextAsk: number;
  lastUsedMs: number;
}

export type SessionSeed = Pick<FrontSession, "owner" | "revision" | "server" | "speaker" | "line">;

export class FrontSessions {
  readonly #sessions = new Map<string, FrontSession>();
  readonly #byOwner = new Map<string, Set<FrontSession>>();
  readonly #bounds: LegacyFrontBounds;

  constructor(bounds: LegacyFrontBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#sessions.size;
  }

  create(seed: SessionSeed, nowMs: number): FrontSession {
    const id = randomBytes(SESSION_ID_BYTES).toString("base64url");
    const session: FrontSession = { ...seed, id, inFlight: new Map(), asks: new Map(), nextAsk: 1, lastUsedMs: nowMs };
    const mates = this.#byOwner.get(keyOfOwner(seed.owner));
    if (mates && mates.size >= this.#bounds.sessionsPerOwner) this.#endOldest(mates);
    if (this.#sessions.size >= this.#bounds.sessions) this.#endOldest(this.#sessions.values());
    this.#sessions.set(id, session);
    const own = this.#byOwner.get(keyOfOwner(seed.owner)) ?? new Set();
    this.#byOwner.set(keyOfOwner(seed.owner), own.add(session));
    return session;
  }

  find(id: string | undefined, owner: string | undefined, nowMs: number): FrontSession | undefined {
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (!session || session.owner !== owner) return undefined;
    session.lastUsedMs = nowMs;
    return session;
  }

  end(session: FrontSession): void {
    if (!this.#sessions.delete(session.id)) return;
    const own = this.#byOwner.get(keyOfOwner(session.owner));
    own?.delete(session);
    if (own?.size === 0) this.#byOwner.delete(keyOfOwner(session.owner));
    for (const passage of [...session.inFlight.values()]) passage.cancel();
    session.line.close();
  }

  endIdle(nowMs: number): void {
    for (const session of [...this.#sessions.values()]) {
      const isBusy = session.line.isListening || session.inFlight.size > 0;
      if (!isBusy && nowMs - session.lastUsedMs > this.#bounds.idleMs) this.end(session);
    }
  }

  endAll(): void {
    for (const session of [...this.#sessions.values()]) this.end(session);
  }

  #endOldest(among: Iterable<FrontSession>): void {
    let oldest: FrontSession | undefined;
    for (const session of among) if (!oldest || session.lastUsedMs < oldest.lastUsedMs) oldest = session;
    if (oldest) this.end(oldest);
  }
}

/** An owner may have any name; no owner has none. */
function keyOfOwner(owner: string | undefined): string {
  return owner === undefined ? "" : `o${owner}`;
}
