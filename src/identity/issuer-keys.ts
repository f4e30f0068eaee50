/**
 * The keys of one issuer, kept in memory: fetched anew now and then, and at once, but not more often than the cool-down,
 * when a token names a key that is not there. All who wait share one fetch. While the issuer can't be reached the keys
 * go on for a bounded time; after that nothing is verified.
 */
import { type CryptoKey, errors, type JWTHeaderParameters } from "jose";
import { discoverKeys, type FetchJson } from "./discover-keys.ts";
import { hasLostKey, type KeySet, readKeySet } from "./key-set.ts";

/** Keys older than this are fetched anew beside the calls; so long a key that the issuer took away may still count. */
export const KEYS_FRESH_MS = 300_000;
/** At most one fetch in this time, however many tokens name unknown keys. */
export const KEYS_COOLDOWN_MS = 10_000;
/** How long keys count while the issuer can't be reached. */
export const KEYS_KEPT_MS: number = 4 * 3_600_000;
export const KEYS_TIMEOUT_MS = 10_000;
/**
 * Tokens that wait for a fetch at the same time; one more is told to come back. Fewer than are verified at the same time:
 * a slow issuer and tokens with made-up keys must not take the room from those whose key is known.
 */
export const MAX_KEY_WAITS = 256;

/** There are no keys to verify with, which is no fault of the token. */
export class KeysUnavailable extends Error {
  override readonly name = "KeysUnavailable";
}

export interface IssuerKeysOptions {
  readonly issuer: string;
  /** Undefined: the issuer's metadata says. */
  readonly jwksUri: string | undefined;
  readonly fetchJson: FetchJson;
  /** Words for people, once for each change of state. */
  readonly say: (words: string) => void;
}

export interface IssuerKeys {
  /** Rises when a key was taken away: whatever was verified before has to be verified again. */
  readonly epoch: number;
  /** Whether what was verified still counts; fetches the keys beside when they are old. */
  check(nowMs: number): boolean;
  /** Rejects with `KeysUnavailable`, or as `jose` does where no key fits. */
  find(header: JWTHeaderParameters, nowMs: number): Promise<CryptoKey>;
}

class FetchedKeys implements IssuerKeys {
  readonly #options: IssuerKeysOptions;
  #keys: KeySet | undefined;
  #fetchedMs = Number.NEGATIVE_INFINITY;
  #askedMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #waits = 0;
  #told = "";
  epoch = 0;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  check(nowMs: number): boolean {
    if (nowMs - this.#fetchedMs >= KEYS_FRESH_MS && this.#mayAsk(nowMs)) void this.#ask(nowMs);
    return nowMs - this.#fetchedMs < KEYS_KEPT_MS;
  }

  async find(header: JWTHeaderParameters, nowMs: number): Promise<CryptoKey> {
    if (!this.check(nowMs)) await this.#wait();
    const keys = this.#keys;
    if (keys === undefined || !this.check(nowMs)) throw new KeysUnavailable("the issuer's keys can't be fetched");
    try {
      return await keys.findKey(header);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (this.#mayAsk(nowMs)) void this.#ask(nowMs);
      if (this.#asking === undefined) throw error;
      await this.#wait();
      return await (this.#keys ?? keys).findKey(header);
    }
  }

  /** For the fetch under way, if there is one. */
  async #wait(): Promise<void> {
    if (this.#asking === undefined) return;
    if (this.#waits >= MAX_KEY_WAITS) throw new KeysUnavailable("too many tokens wait for the issuer's keys");
    this.#waits++;
    try {
      await this.#asking;
    } finally {
      this.#waits--;
    }
  }

  #mayAsk(nowMs: number): boolean {
    return this.#asking === undefined && nowMs - this.#askedMs >= KEYS_COOLDOWN_MS;
  }

  #ask(nowMs: number): Promise<void> {
    this.#askedMs = nowMs;
    this.#asking = this.#fetch(nowMs).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Never rejects: what could not be fetched is told, and the keys stay as they were. */
  async #fetch(nowMs: number): Promise<void> {
    const { issuer, jwksUri, fetchJson } = this.#options;
    const signal = AbortSignal.timeout(KEYS_TIMEOUT_MS);
    try {
      const url = jwksUri ?? (await discoverKeys(issuer, fetchJson, signal));
      const keys = readKeySet(await fetchJson(url, signal));
      if (this.#keys && hasLostKey(this.#keys, keys)) this.epoch++;
      this.#keys = keys;
      this.#fetchedMs = nowMs;
      this.#tell("");
    } catch (error) {
      this.#tell(error instanceof Error ? error.message : "unknown");
    }
  }

  #tell(fault: string): void {
    if (fault === this.#told) return;
    const recovered = fault === "";
    this.#told = fault;
    this.#options.say(recovered ? "The issuer's keys are there again." : `The issuer's keys can't be fetched: ${fault}.`);
  }
}

export function createIssuerKeys(options: IssuerKeysOptions): IssuerKeys {
  return new FetchedKeys(options);
}
