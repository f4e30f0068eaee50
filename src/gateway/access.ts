/**
 * Who may do what, as of now: grants, active policies and tool snapshots, looked up under one version of everything that
 * administrators decide. A change by anybody, in this process or another, holds from the next look.
 */

import { type GrantRecord, readGrant } from "../identity/grant.ts";
import type { FoundGrant, GrantIndex } from "../identity/grant-index.ts";
import type { ActivePolicy, RevisionIndex } from "../revision/revision-index.ts";
import { readGeneration } from "../store/generation.ts";
import type { Batch, Store } from "../store/store.ts";

/** What a look saw: as long as it stands, so do the answers that were given under it. */
export interface Look {
  /** The store's epoch: while it stands nobody has written anything. */
  readonly epoch: number;
  /** The generation of everything that administrators decide. */
  readonly generation: number;
}

export interface Access {
  /** Forgets what changed and tells what is seen now. Throws when the store can't be asked: then nothing is decided. */
  look(): Promise<Look> | Look;
  /** Rises with every change that `look` noticed. */
  readonly version: number;
  findGrant(bearer: string, nowMs: number): FoundGrant | Promise<FoundGrant>;
  /** The grant itself, whichever bearer it is asked with. */
  readGrant(label: string): Promise<GrantRecord | undefined>;
  findPolicy(name: string): ActivePolicy | undefined | Promise<ActivePolicy | undefined>;
  /** In a transaction: whether administrators have decided anything since that look. */
  hasChanged(batch: Batch, since: Look): boolean | Promise<boolean>;
  /** Whether a grant that was found under that look still holds for that server; one that has expired since does. */
  isCurrent(grant: GrantRecord, since: Look, bearer: string, server: string): boolean | Promise<boolean>;
}

/** While the batch's epoch is the look's, nobody can have changed anything, and nothing is read. */
export function hasChanged(batch: Batch, since: Look): boolean | Promise<boolean> {
  return batch.epoch !== since.epoch && readGeneration(batch).then((generation) => generation !== since.generation);
}

export function createAccess(store: Store, grants: GrantIndex, revisions: RevisionIndex): Access {
  let version = 0;
  let seen: Look = { epoch: -1, generation: -1 };
  // One look serves all requests of one turn of the event loop: what passes is held against the store once more in the
  // transaction that records it, so that only a denial can be a turn old.
  let lookedThisTurn = false;

  async function relook(epoch: number): Promise<Look> {
    // The generation is read first: what changes after it is found out by whoever compares it in a transaction.
    const generation = await readGeneration(store.query);
    version = await grants.refresh();
    revisions.refresh(version);
    seen = { epoch, generation };
    return seen;
  }

  /** The database is asked, by one question for all who came before it was sent; nobody takes an answer older than that. */
  async function lookFar(askGeneration: () => Promise<number>): Promise<Look> {
    const generation = await askGeneration();
    if (generation === seen.generation) return seen;
    version = await grants.refresh(generation);
    revisions.refresh(version);
    seen = { epoch: -1, generation };
    return seen;
  }

  async function holdsStill(
    looking: Look | Promise<Look>,
    grant: GrantRecord,
    since: Look,
    bearer: string,
    server: string,
  ): Promise<boolean> {
    if ((await looking).generation === since.generation) return true;
    const found = await grants.find(bearer, 0);
    return found.grant?.id === grant.id && found.grant.servers.has(server);
  }

  return {
    look() {
      if (store.askGeneration) return lookFar(store.askGeneration);
      if (lookedThisTurn) return seen;
      const epoch = store.readEpoch();
      if (epoch !== seen.epoch) return relook(epoch);
      lookedThisTurn = true;
      setImmediate(() => {
        lookedThisTurn = false;
      });
      return seen;
    },
    get version() {
      return version;
    },
    findGrant: (bearer, nowMs) => grants.find(bearer, nowMs),
    readGrant: (label) => readGrant(store.query, label),
    findPolicy: (name) => revisions.activePolicy(name),
    hasChanged,
    isCurrent(grant, since, bearer, server) {
      const seenNow = this.look();
      if (!(seenNow instanceof Promise) && seenNow.generation === since.generation) return true;
      return holdsStill(seenNow, grant, since, bearer, server);
    },
  };
}
