/**
 * Who may do what, as of now: grants, active policies and tool snapshots, looked up under one version of everything that
 * administrators decide. A change by anybody, in this process or another, holds from the next look.
 */
import type { FoundGrant, GrantIndex } from "../identity/grant-index.ts";
import type { GrantRecord } from "../identity/grant.ts";
import type { ActivePolicy, RevisionIndex } from "../revision/revision-index.ts";
import { readGeneration } from "../store/generation.ts";
import type { Batch, Store } from "../store/store.ts";

export interface Access {
  /**
   * Forgets what changed and gives the store's epoch that all answers until the next look are true under. Throws when the
   * store can't be asked: then nothing is decided.
   */
  look(): Promise<number> | number;
  /** Rises with every change that `look` noticed. */
  readonly version: number;
  findGrant(bearer: string, nowMs: number): FoundGrant | Promise<FoundGrant>;
  findPolicy(name: string): ActivePolicy | undefined | Promise<ActivePolicy | undefined>;
  /** In a transaction: whether anything was changed since the last look. */
  hasChanged(batch: Batch): Promise<boolean>;
  /** Whether a grant that was found under that epoch still holds. */
  isCurrent(grant: GrantRecord, epoch: number, bearer: string): Promise<boolean>;
}

export function createAccess(store: Store, grants: GrantIndex, revisions: RevisionIndex): Access {
  let version = 0;
  let epoch = -1;
  let generation = -1;
  // One look serves all requests of one turn of the event loop: what passes is held against the store once more in the
  // transaction that records it, so that only a denial can be a turn old.
  let lookedThisTurn = false;

  async function relook(next: number): Promise<number> {
    version = await grants.refresh();
    revisions.refresh(version);
    generation = await readGeneration(store.query);
    epoch = next;
    return next;
  }

  return {
    look() {
      if (lookedThisTurn) return epoch;
      const next = store.readEpoch();
      if (next !== epoch) return relook(next);
      lookedThisTurn = true;
      setImmediate(() => {
        lookedThisTurn = false;
      });
      return next;
    },
    get version() {
      return version;
    },
    findGrant: (bearer, nowMs) => grants.find(bearer, nowMs),
    findPolicy: (name) => revisions.activePolicy(name),
    async hasChanged(batch) {
      return (await readGeneration(batch)) !== generation;
    },
    async isCurrent(grant, seen, bearer) {
      if ((await this.look()) === seen) return true;
      const found = await grants.find(bearer, 0);
      return found.grant?.id === grant.id;
    },
  };
}
