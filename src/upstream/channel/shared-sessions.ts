/**
 * Sessions of clients that share one legacy process: ids of our own, bound to who opened them; what each has subscribed
 * to; its stream, and what waits for one. Bounded: the one that was used longest ago ends first.
 */
import { randomBytes } from "node:crypto";
import { BoundedMap } from "../../kernel/bounded-map.ts";
import type { Listening } from "./listening.ts";

export const MAX_SHARED_SESSIONS = 20_000;
/** Notifications that wait for a session's stream, each once. */
export const MAX_DUE_NOTIFICATIONS = 256;
export const MAX_SUBSCRIPTIONS_PER_SESSION = 1_000;
export const SESSION_ID_BYTES = 24;

export interface SharedSession {
  readonly id: string;
  readonly owner: string | undefined;
  readonly uris: Set<string>;
  /** By what they say, so that a change told twice waits once. */
  readonly due: BoundedMap<string, Buffer>;
  listening: Listening | undefined;
}

export class SharedSessions {
  readonly #sessions: BoundedMap<string, SharedSession>;
  readonly #subscribers = new Map<string, Set<SharedSession>>();
  readonly #onUnsubscribed: (uri: string) => void;

  /** `onUnsubscribed`: nobody wants to hear of that resource any more. */
  constructor(onUnsubscribed: (uri: string) => void, bound: number = MAX_SHARED_SESSIONS) {
    this.#onUnsubscribed = onUnsubscribed;
    this.#sessions = new BoundedMap(bound, (_id, session: SharedSession) => this.#leave(session));
  }

  get size(): number {
    return this.#sessions.size;
  }

  create(owner: string | undefined): SharedSession {
    const id = randomBytes(SESSION_ID_BYTES).toString("base64url");
    const session: SharedSession = { id, owner, uris: new Set(), due: new BoundedMap(MAX_DUE_NOTIFICATIONS), listening: undefined };
    this.#sessions.set(id, session);
    return session;
  }

  /** The session of that id, if that owner opened it. */
  find(id: string | undefined, owner: string | undefined): SharedSession | undefined {
    const session = id === undefined ? undefined : this.#sessions.get(id);
    return session?.owner === owner ? session : undefined;
  }

  end(session: SharedSession): void {
    if (this.#sessions.delete(session.id)) this.#leave(session);
  }

  endAll(): void {
    for (const [, session] of [...this.#sessions]) this.end(session);
  }

  /** False: it has too many already. */
  subscribe(session: SharedSession, uri: string): boolean {
    if (!session.uris.has(uri) && session.uris.size >= MAX_SUBSCRIPTIONS_PER_SESSION) return false;
    session.uris.add(uri);
    const subscribers = this.#subscribers.get(uri) ?? new Set();
    subscribers.add(session);
    this.#subscribers.set(uri, subscribers);
    return true;
  }

  /** True: it was the last one that wanted to hear of it. */
  unsubscribe(session: SharedSession, uri: string): boolean {
    if (!session.uris.delete(uri)) return false;
    const subscribers = this.#subscribers.get(uri);
    subscribers?.delete(session);
    if (subscribers?.size !== 0) return false;
    this.#subscribers.delete(uri);
    return true;
  }

  /** Every resource that somebody wants to hear of. */
  subscribed(): readonly string[] {
    return [...this.#subscribers.keys()];
  }

  tellAll(key: string, message: Buffer): void {
    for (const [, session] of this.#sessions) tell(session, key, message);
  }

  tellSubscribers(uri: string, message: Buffer): void {
    for (const session of this.#subscribers.get(uri) ?? []) tell(session, `updated ${uri}`, message);
  }

  /** Gives a stream that has just been opened what has waited for it. */
  tellDue(session: SharedSession): void {
    const due = [...session.due];
    session.due.clear();
    for (const [, message] of due) session.listening?.push(message);
  }

  #leave(session: SharedSession): void {
    for (const uri of [...session.uris]) if (this.unsubscribe(session, uri)) this.#onUnsubscribed(uri);
    session.listening?.end();
  }
}

function tell(session: SharedSession, key: string, message: Buffer): void {
  if (session.listening) session.listening.push(message);
  else session.due.set(key, message);
}
