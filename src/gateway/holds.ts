/**
 * What is held open for a grant: streams, sessions, waiting calls. A grant that ends, takes what it holds with it within a
 * second, though nobody asks for anything; so does a server that is taken from its grant.
 */
import type { Access } from "./access.ts";
import type { SessionTable } from "./session.ts";

export const HOLD_CHECK_MS = 400;

export interface Hold {
  readonly bearer: string;
  readonly grantId: string;
  /** The one server that it is about; undefined: all of the grant's. */
  readonly server: string | undefined;
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
        const isOwn = found.grant?.id === hold.grantId;
        if (isOwn && (hold.server === undefined || found.grant?.servers.has(hold.server) === true)) continue;
        this.#holds.delete(hold);
        hold.close();
      }
    }
  }

  closeAll(): void {
    for (const hold of this.#holds) hold.close();
    this.#holds.clear();
  }
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
