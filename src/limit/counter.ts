/**
 * One count, in memory: the amounts of its buckets and their sum. Exact (billionths), and its time never goes back: a
 * charge at an earlier time than the latest one seen is charged at that latest time, so that no step of a clock frees
 * anything early.
 */
import type { Window } from "./window.ts";

export interface Bucket {
  readonly index: number;
  keptMs: number;
  amount: bigint;
  /** Changed since it was stored. */
  dirty: boolean;
}

export class Counter {
  /** Structured text; two counts never share one. */
  readonly key: string;
  /** The set in which the number of live members is bounded, where there is one. */
  readonly family: string | undefined;
  readonly bound: number;
  readonly window: Window;
  /** In ascending order of their indexes. */
  readonly buckets: Bucket[] = [];
  total = 0n;
  /** From here on it counts nothing. Rounded up by at most a sub-window. */
  expiresMs = 0;
  /** `expiresMs` as stored; undefined: it has no row yet. */
  storedExpiresMs: number | undefined;
  /** Whether it is among the counters of its ledger: stored, or about to be. */
  kept = false;
  /** Its name in the store, made when first needed. */
  id: string | undefined;
  #seenMs = 0;

  constructor(key: string, window: Window, family: string | undefined, bound: number) {
    this.key = key;
    this.window = window;
    this.family = family;
    this.bound = bound;
  }

  /** Takes over a stored bucket; they come in ascending order of time. */
  restore(keptMs: number, amount: bigint): void {
    this.#seenMs = Math.max(this.#seenMs, keptMs);
    if (amount === 0n) return;
    this.buckets.push({ index: this.window.indexAt(keptMs), keptMs, amount, dirty: false });
    this.total += amount;
  }

  /** The latest time that anybody asked or charged at. */
  get seenMs(): number {
    return this.#seenMs;
  }

  /** Lets go of what is free by now, and gives the time that holds for this counter. */
  advance(nowMs: number): number {
    if (nowMs > this.#seenMs) this.#seenMs = nowMs;
    const atMs = this.#seenMs;
    const { buckets, window } = this;
    let free = 0;
    while (free < buckets.length && window.freeTime((buckets[free] as Bucket).keptMs) <= atMs) {
      this.total -= (buckets[free] as Bucket).amount;
      free++;
    }
    if (free > 0) buckets.splice(0, free);
    return atMs;
  }

  /** When `amount` will fit under `max` if nothing else happens; asked when it does not fit now and is not above it. */
  fitTime(amount: bigint, max: bigint): number {
    let rest = this.total;
    let atMs = 0;
    for (const bucket of this.buckets) {
      if (rest + amount <= max) break;
      rest -= bucket.amount;
      atMs = this.window.freeTime(bucket.keptMs);
    }
    return atMs;
  }

  /** Adds to the bucket of `atMs` (a time that `advance` gave) and names the bucket. */
  charge(atMs: number, amount: bigint): number {
    const { buckets, window } = this;
    const last = buckets.at(-1);
    const index = last && window.keepsOpen ? last.index : window.indexAt(atMs);
    let bucket = last;
    if (bucket?.index !== index) {
      bucket = { index, keptMs: window.keptTime(atMs), amount: 0n, dirty: true };
      buckets.push(bucket);
    } else if (!window.keepsOpen) {
      bucket.keptMs = atMs;
    }
    bucket.amount += amount;
    bucket.dirty = true;
    this.total += amount;
    this.expiresMs = Math.max(this.expiresMs, window.roundedFreeTime(bucket.keptMs));
    return index;
  }

  /** Gives back into the very bucket; false where that no longer counts. */
  refund(index: number, amount: bigint): boolean {
    const bucket = this.buckets.findLast((candidate) => candidate.index === index);
    if (!bucket || bucket.amount < amount) return false;
    bucket.amount -= amount;
    bucket.dirty = true;
    this.total -= amount;
    if (this.total === 0n) this.expiresMs = 0;
    return true;
  }
}
