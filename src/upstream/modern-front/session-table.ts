/**
 * The sessions of one server, by grant and declared capabilities: never shared between grants, bounded, and ended when
 * nobody has used them for a while. Whoever asks for one that is just being opened waits for it. Where a server can't say
 * which call a question is for, a call that may be asked has a session without another such call.
 */
import { hash } from "node:crypto";
import { printCanonicalJson } from "../../kernel/canonical-json.ts";
import type { JsonObject } from "../../kernel/json.ts";
import type { HttpUpstream, UpstreamFault } from "../http-upstream.ts";
import type { FrontBounds } from "./bounds.ts";
import { type ClientName, declareCapabilities, type OpenedSession, openLegacySession } from "./open-session.ts";
import { LegacySession, type SessionPorts } from "./session.ts";

/** A held session, to be released; or why there is none. Nothing of the client's was sent. */
export type Acquired = { readonly kind: "session"; readonly session: LegacySession } | Exclude<OpenedSession, { kind: "opened" }>;

interface Place {
  readonly owner: string;
  /** A call is under way in it that may be asked. */
  isAsked: boolean;
  opening: Promise<Acquired> | undefined;
  session: LegacySession | undefined;
  idle: NodeJS.Timeout | undefined;
}

const CROWDED: UpstreamFault = { reason: "busy", sent: "not_sent", detail: "too many calls that may be asked are under way" };
const BUSY: UpstreamFault = { reason: "busy", sent: "not_sent", detail: "too many sessions are in use" };

export interface TableOptions {
  readonly upstream: HttpUpstream;
  readonly clientInfo: ClientName;
  readonly bounds: FrontBounds;
  /** A session's questions name no call. */
  readonly asksAlone: boolean;
  readonly onToolsChanged: () => void;
}

export class SessionTable {
  readonly #options: TableOptions;
  /** The one that was used longest ago comes first. */
  readonly #places = new Map<string, Place>();

  constructor(options: TableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#places.size;
  }

  /** `mayBeAsked`: for a call whose client may be asked something. */
  async acquire(owner: string, capabilities: JsonObject, mayBeAsked = false): Promise<Acquired> {
    const declared = declareCapabilities(capabilities);
    const asksAlone = mayBeAsked && this.#options.asksAlone && Object.keys(declared).length > 0;
    const key = this.#chooseKey(owner, `${owner} ${hash("sha256", printCanonicalJson(declared), "hex")}`, asksAlone);
    if (key === undefined) return { kind: "fault", fault: CROWDED };
    let place = this.#places.get(key);
    if (place) {
      this.#places.delete(key);
      this.#places.set(key, place);
    } else {
      if (!this.#makeRoom(owner)) return { kind: "fault", fault: BUSY };
      place = { owner, isAsked: false, opening: undefined, session: undefined, idle: undefined };
      this.#places.set(key, place);
      place.opening = this.#open(key, place, declared);
    }
    if (asksAlone) place.isAsked = true;
    const acquired = (await place.opening) as Acquired;
    if (acquired.kind === "session") {
      clearTimeout(place.idle);
      acquired.session.hold();
    }
    return acquired;
  }

  /** Of the sessions that would do the first, or the first where nobody is asked; undefined: too many are asked. */
  #chooseKey(owner: string, first: string, asksAlone: boolean): string | undefined {
    if (!asksAlone) return first;
    let asked = 0;
    for (const place of this.#places.values()) if (place.owner === owner && place.isAsked) asked++;
    if (asked >= this.#options.bounds.askedCallsPerOwner) return undefined;
    for (let count = 1, key = first; ; key = `${first} ${++count}`) if (this.#places.get(key)?.isAsked !== true) return key;
  }

  async #open(key: string, place: Place, declared: JsonObject): Promise<Acquired> {
    const { clientInfo, bounds } = this.#options;
    const upstream = ownedBy(place.owner, this.#options.upstream);
    const opened = await openLegacySession(upstream, clientInfo, declared, bounds.openTimeoutMs);
    const isWanted = this.#places.get(key) === place;
    if (opened.kind !== "opened") {
      if (isWanted) this.#places.delete(key);
      return opened.kind === "fault" ? { kind: "fault", fault: { ...opened.fault, sent: "not_sent" } } : opened;
    }
    const ports: SessionPorts = {
      upstream,
      bounds,
      onToolsChanged: this.#options.onToolsChanged,
      onAskedOver() {
        place.isAsked = false;
      },
      onIdle: (session) => this.#rest(key, session),
      onGone: (session) => this.drop(session),
    };
    const session = new LegacySession(opened.facts, ports);
    if (!isWanted) {
      void session.end();
      return { kind: "fault", fault: { reason: "closed", sent: "not_sent", detail: "the server's connections are closed" } };
    }
    place.session = session;
    return { kind: "session", session };
  }

  #rest(key: string, session: LegacySession): void {
    const place = this.#places.get(key);
    if (place?.session !== session) {
      // Taken out before, and now used by nobody: it ends for good.
      void session.end();
      return;
    }
    clearTimeout(place.idle);
    place.idle = setTimeout(() => void this.#remove(key, place), this.#options.bounds.sessionIdleMs);
    place.idle.unref();
  }

  /** No request goes to it any more; those that are under way in it may end. */
  drop(session: LegacySession): void {
    for (const [key, place] of this.#places) {
      if (place.session !== session) continue;
      clearTimeout(place.idle);
      this.#places.delete(key);
      session.isGone = true;
      session.listens.end();
      if (!session.isUsed) void session.end();
      return;
    }
  }

  /** False: every session is in use. */
  #makeRoom(owner: string): boolean {
    const { sessions, sessionsPerOwner } = this.#options.bounds;
    let own = 0;
    for (const place of this.#places.values()) if (place.owner === owner) own++;
    if (own >= sessionsPerOwner && !this.#endOldest((place) => place.owner === owner)) return false;
    return this.#places.size < sessions || this.#endOldest(() => true);
  }

  #endOldest(isMeant: (place: Place) => boolean): boolean {
    for (const [key, place] of this.#places) {
      if (!place.session || place.session.isUsed || !isMeant(place)) continue;
      void this.#remove(key, place);
      return true;
    }
    return false;
  }

  #remove(key: string, place: Place): Promise<void> {
    clearTimeout(place.idle);
    this.#places.delete(key);
    return place.session?.end() ?? Promise.resolve();
  }

  /** Nothing more of this owner's goes to its sessions; each ends when what is under way in it has. */
  endOwner(owner: string): void {
    for (const [key, place] of [...this.#places]) {
      if (place.owner !== owner) continue;
      clearTimeout(place.idle);
      this.#places.delete(key);
      place.session?.listens.end();
      if (place.session?.isUsed === false) void place.session.end();
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#places].map(([key, place]) => this.#remove(key, place)));
  }
}

/** The same server, asked in the name of one grant. */
function ownedBy(owner: string, upstream: HttpUpstream): HttpUpstream {
  if (owner === "") return upstream;
  return {
    exchange: (request, sink) => upstream.exchange({ ...request, owner }, sink),
    get waiting() {
      return upstream.waiting;
    },
    close: () => upstream.close(),
  };
}
