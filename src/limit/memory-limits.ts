/** Limits that live in memory alone: the same algorithm, and what is remembered is all there is. For policy test files. */
import { BoundedMap } from "../kernel/bounded-map.ts";
import type { Charge } from "../policy/decision.ts";
import { Calendars } from "./calendar.ts";
import type { Counter } from "./counter.ts";
import { type Family, Ledger, type Shelf } from "./ledger.ts";
import type { MemoryLimits, Outcome, Parties, PeekAnswer, Reservation, TakeAnswer } from "./limits.ts";

const PRUNE_FROM = 4096;
/** Refunds that are remembered, so that a copy of a reservation gives back nothing more. */
const MAX_REFUNDS = 65_536;

class MemoryShelf implements Shelf {
  readonly #ledger: Ledger;
  readonly #refunded = new BoundedMap<string, true>(MAX_REFUNDS);
  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }
  async load(_counter: Counter): Promise<boolean> {
    return false;
  }
  async countFamily(family: string): Promise<Family> {
    return this.#ledger.forgetExpired(0, family);
  }
  async pruneFamily(family: string, nowMs: number): Promise<Family> {
    return this.#ledger.forgetExpired(nowMs, family);
  }
  async markRefund(reservation: string): Promise<boolean> {
    if (this.#refunded.get(reservation)) return false;
    this.#refunded.set(reservation, true);
    return true;
  }
}

class LimitsInMemory implements MemoryLimits {
  readonly #ledger = new Ledger(undefined, new Calendars());
  readonly #shelf = new MemoryShelf(this.#ledger);
  #pruneAt = PRUNE_FROM;

  async take(charges: readonly Charge[], parties: Parties, nowMs: number): Promise<TakeAnswer> {
    const answer = await this.#ledger.take(this.#shelf, charges, parties, nowMs);
    this.#prune(nowMs);
    return answer;
  }

  peek(charges: readonly Charge[], parties: Parties, nowMs: number): Promise<PeekAnswer> {
    return this.#ledger.peek(this.#shelf, charges, parties, nowMs);
  }

  async settle(reservation: Reservation, outcome: Outcome): Promise<boolean> {
    const refunded = await this.#ledger.settle(this.#shelf, reservation, outcome, () => undefined);
    this.#ledger.dirty.clear();
    return refunded;
  }

  /** Nothing is stored, so nothing stays to be written; what counts no more goes when the rest has doubled. */
  #prune(nowMs: number): void {
    this.#ledger.dirty.clear();
    if (this.#ledger.counters.size < this.#pruneAt) return;
    const { count } = this.#ledger.forgetExpired(nowMs, undefined);
    if (this.#ledger.families.size > this.#pruneAt) this.#ledger.families.clear();
    this.#pruneAt = Math.max(PRUNE_FROM, count * 2);
  }
}

export function createMemoryLimits(): MemoryLimits {
  return new LimitsInMemory();
}
