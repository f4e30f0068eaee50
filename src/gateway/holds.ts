/**
 * What is held open for a grant: streams, sessions, waiting calls. A grant that ends, takes what it holds with it within a
 * second, though nobody asks for anything; so does a server that is taken from its grant. A stream ends with the bearer that
 * opened it; a call that waits for its client's return outlives one that the issuer has replaced.
 */
import { type GrantRecord, stateOfGrant } from "../identity/grant.ts";
import type { FoundGrant } from "../identity/grant-index.ts";
import type { Access } from "./access.ts";
import type { SessionTable } from "./session.ts";

export const HOLD_CHECK_MS = 400;

export interface Hold {
  readonly bearer: string;
  readonly grantId: string;
  /** The one server that it is about; undefined: all of the grant's. */
  readonly server: string | undefined;
  /** It is the grant's rather than this bearer's, up to a time. */
  readonly lasting?: { readonly label: string; readonly untilMs: number } | undefined;
  close(): void;
}

export class HoldTable {
  readonly #holds = new Set<Hold>();

  /** Gives what takes it out again. */
  add(hold: Hold): () => void {
    this.#holds.add(hold);
    return () => this.#holds.delete(hold);
  }

  get size(): number {
    return this.#holds.size;
  }

  async closeStale(access: Access, nowMs: number): Promise<void> {
    const bearers = new Map<string, Hold[]>();
    for (const hold of this.#holds) {
      const list = bearers.get(hold.bearer);
      if (list) list.push(hold);
      else bearers.set(hold.bearer, [hold]);
    }
    for (const [bearer, holds] of bearers) {
      const found = await access.findGrant(bearer, nowMs);
      for (const hold of holds) {
        const { lasting } = hold;
        const isOver = lasting !== undefined && nowMs >= lasting.untilMs;
        // The token alone may have had its time: of a person who logs in, the next one is for the same grant.
        const asksGrant =
          lasting !== undefined && !isOver && found.grant === undefined && found.label === undefined && PASSING.has(found.reason);
        const grant = asksGrant ? await findLasting(access, lasting.label, nowMs) : found.grant;
        const isOwn = grant?.id === hold.grantId && (hold.server === undefined || grant.servers.has(hold.server));
        if (isOwn && !isOver) continue;
        this.#holds.delete(hold);
        if (!isOver) hold.close();
      }
    }
  }

  closeAll(): void {
    for (const hold of this.#holds) hold.close();
    this.#holds.clear();
  }
}

/** The bearer's matter, and not its grant's: only one of an issuer has a time of its own. */
const PASSING: ReadonlySet<FoundGrant["reason"]> = new Set(["expired", "unavailable"]);

async function findLasting(access: Access, label: string, nowMs: number): Promise<GrantRecord | undefined> {
  const grant = await access.readGrant(label);
  return grant && stateOfGrant(grant, nowMs) === "current" ? grant : undefined;
}

/** Looks at what is held, a few times a second; gives a stopper. */
export function watchHolds(holds: HoldTable, sessions: SessionTable, access: Access, now: () => number): () => void {
  let looking = false;
  const look = async (): Promise<void> => {
    await access.look();
    await holds.closeStale(access, now());
    sessions.endIdle(now());
  };
  const timer = setInterval(() => {
    if (looking || holds.size === 0) return;
    looking = true;
    look()
      .catch(() => undefined)
      .finally(() => {
        looking = false;
      });
  }, HOLD_CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
