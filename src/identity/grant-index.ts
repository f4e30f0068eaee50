/**
 * Bearer → grant, from memory where it can, and never more than the current generation behind: `refresh` is asked once a
 * request and forgets everything when anybody changed anything. Keeps digests of bearers, never a bearer. Each entry is
 * read from the store when it is first needed, so that a hundred thousand grants cost no call more than one does.
 */
import { hash, type KeyObject, timingSafeEqual } from "node:crypto";
import { MAX_TOKEN_CHARACTERS, MIN_TOKEN_CHARACTERS } from "../config/text-checks.ts";
import { BoundedMap } from "../kernel/bounded-map.ts";
import { readGeneration } from "../store/generation.ts";
import type { Store } from "../store/store.ts";
import { type GrantRecord, type GrantState, readGrantByHash, stateOfGrant } from "./grant.ts";
import type { Admission } from "./match-login.ts";
import type { LoginFault } from "./read-login.ts";
import { hashToken, prepareTokenKey } from "./token.ts";

export const MAX_INDEXED_GRANTS = 100_000;
/** Bearers that are nobody's, remembered apart so that they can't push out the others. */
export const MAX_INDEXED_STRANGERS = 1000;

/** Why there is no grant to use: for the log, and for whoever has to tell a bad bearer from a gateway that can't judge it. */
export type NoGrantReason = "unknown" | Exclude<GrantState, "current"> | LoginFault | "misdirected" | "scope" | "unmapped";

/** A grant that may be used now, or why there is none. `admission`: of a bearer that is for certain servers alone. */
export type FoundGrant =
  | { readonly grant: GrantRecord; readonly reason?: undefined; readonly admission?: Admission }
  | { readonly grant: undefined; readonly reason: NoGrantReason; readonly label?: string; readonly admission?: Admission };

export interface GrantIndex {
  /**
   * Asks whether anything was changed, by anybody, and forgets what was remembered if so. Gives the version of what is
   * known: it stands while nothing has changed, and other indexes over the same store follow it. Rejects or throws when
   * the store can't be asked; then nothing may be decided. `generation`: it was asked already, and said this.
   */
  refresh(generation?: number): number | Promise<number>;
  /** At once where the bearer is known. */
  find(bearer: string, nowMs: number): FoundGrant | Promise<FoundGrant>;
}

const UNKNOWN: FoundGrant = { grant: undefined, reason: "unknown" };

class StoredGrantIndex implements GrantIndex {
  readonly #store: Store;
  readonly #key: KeyObject;
  readonly #known = new BoundedMap<string, Found>(MAX_INDEXED_GRANTS);
  readonly #strangers = new BoundedMap<string, true>(MAX_INDEXED_STRANGERS);
  #epoch: number | undefined;
  #generation: number | undefined;
  #version = 0;

  constructor(store: Store, key: Uint8Array) {
    this.#store = store;
    this.#key = prepareTokenKey(key);
  }

  refresh(generation?: number): number | Promise<number> {
    if (generation !== undefined) return this.#take(generation);
    const epoch = this.#store.readEpoch();
    return epoch === this.#epoch ? this.#version : this.#reread(epoch);
  }

  async #reread(epoch: number): Promise<number> {
    this.#take(await readGeneration(this.#store.query));
    // Of two that overlap the later look counts; both have read what was committed when they were asked.
    if (this.#epoch === undefined || epoch > this.#epoch) this.#epoch = epoch;
    return this.#version;
  }

  #take(generation: number): number {
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#version++;
      this.#known.clear();
      this.#strangers.clear();
    }
    return this.#version;
  }

  find(bearer: string, nowMs: number): FoundGrant | Promise<FoundGrant> {
    if (bearer.length < MIN_TOKEN_CHARACTERS || bearer.length > MAX_TOKEN_CHARACTERS || !bearer.isWellFormed()) return UNKNOWN;
    const digest = hash("sha256", bearer, "binary");
    const found = this.#known.get(digest);
    if (found !== undefined) return judge(found, nowMs);
    return this.#strangers.get(digest) === true ? UNKNOWN : this.#load(bearer, digest, nowMs);
  }

  async #load(bearer: string, digest: string, nowMs: number): Promise<FoundGrant> {
    const version = this.#version;
    const tokenHash = hashToken(this.#key, bearer);
    const stored = await readGrantByHash(this.#store.query, tokenHash);
    // What was read before a change must not be remembered after it.
    const current = version === this.#version;
    if (stored === undefined || !timingSafeEqual(Buffer.from(stored.tokenHash), Buffer.from(tokenHash))) {
      if (current) this.#strangers.set(digest, true);
      return UNKNOWN;
    }
    const found = { grant: stored.grant };
    if (current) this.#known.set(digest, found);
    return judge(found, nowMs);
  }
}

type Found = FoundGrant & { readonly grant: GrantRecord };

export function judge(found: Found, nowMs: number): FoundGrant {
  const state = stateOfGrant(found.grant, nowMs);
  return state === "current" ? found : { ...found, grant: undefined, reason: state, label: found.grant.label };
}

/** `key` is the one that the stored hashes were made with. */
export function createGrantIndex(store: Store, key: Uint8Array): GrantIndex {
  return new StoredGrantIndex(store, key);
}
