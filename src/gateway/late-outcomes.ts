/**
 * Outcomes that could not be put on record when they were known. They are kept here and written when the store is back, once
 * each: what may have been committed though nobody heard so is looked for first. Bounded; what is beyond is told and lost,
 * as is what a killed process knew.
 */
import type { AuditEntry } from "../audit/entry.ts";
import { searchEntries } from "../audit/search.ts";
import type { Audit } from "../audit/writer.ts";
import type { Limits, Outcome, Reservation } from "../limit/limits.ts";
import type { Store, WriteTerms } from "../store/store.ts";

export const MAX_LATE_OUTCOMES = 4096;
export const LATE_PAUSE_MS = 1_000;
/** Written beside each other, so that they share groups. */
const WRITTEN_AT_ONCE = 64;

export interface LateOutcome {
  readonly exchange: string;
  readonly entry: AuditEntry;
  readonly terms: WriteTerms;
  /** What is given back with it; undefined: nothing. */
  readonly settle?: { readonly reservation: Reservation; readonly outcome: Outcome } | undefined;
  /** Nobody knows whether its intent is on record; where it is not, nothing happened that had an outcome. */
  readonly isDoubtful: boolean;
}

export interface LateOutcomesOptions {
  readonly store: Store;
  readonly audit: Pick<Audit, "append" | "checkpoint">;
  readonly limits: Pick<Limits, "settle">;
  readonly say: (words: string) => void;
  readonly pauseMs?: number;
}

export class LateOutcomes {
  readonly #options: LateOutcomesOptions;
  #waiting: LateOutcome[] = [];
  #timer: NodeJS.Timeout | undefined;
  #passing: Promise<void> | undefined;
  #lost = 0;

  constructor(options: LateOutcomesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length;
  }

  add(late: LateOutcome): void {
    if (this.#waiting.length >= MAX_LATE_OUTCOMES) {
      if (this.#lost++ === 0) this.#options.say("Too many outcomes wait for the store: those that come now are not put on record.");
      return;
    }
    this.#waiting.push(late);
    this.#schedule();
  }

  /** Tries once more, now. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#passing;
    // What was handed to the store before this is written by now, or has come here.
    await this.#options.store.write(async () => undefined).catch(() => undefined);
    if (this.#waiting.length > 0) await this.#pass().catch(() => undefined);
    clearTimeout(this.#timer);
    if (this.#waiting.length > 0) this.#options.say(`${this.#waiting.length} outcomes were never put on record: the store is away.`);
  }

  #schedule(): void {
    if (this.#passing || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // Whatever keeps it from being written, the store says to those who ask it now.
      this.#passing = this.#pass()
        .catch(() => undefined)
        .finally(() => {
          this.#passing = undefined;
          if (this.#waiting.length > 0) this.#schedule();
        });
    }, this.#options.pauseMs ?? LATE_PAUSE_MS);
    this.#timer.unref();
  }

  async #pass(): Promise<void> {
    const { store, audit } = this.#options;
    // A group that still hangs holds the head of its chain: behind this nothing of it comes any more.
    await store.write(async (batch) => void (await audit.checkpoint(batch)));
    while (this.#waiting.length > 0) {
      const some = this.#waiting.slice(0, WRITTEN_AT_ONCE);
      const missing: LateOutcome[] = [];
      for (const late of some) if (await this.#isMissing(late)) missing.push(late);
      await Promise.all(missing.map((late) => this.#write(late)));
      this.#waiting.splice(0, some.length);
    }
    this.#lost = 0;
  }

  /** Whether the log has the exchange's intent, and no outcome of it. */
  async #isMissing({ exchange, isDoubtful }: LateOutcome): Promise<boolean> {
    let isIntended = !isDoubtful;
    for (let before: string | undefined, more = true; more; more = before !== undefined) {
      const page = await searchEntries(this.#options.store, { exchange }, { before });
      for (const { line } of page.entries) {
        const { kind } = JSON.parse(line) as { readonly kind: string };
        if (kind === "outcome") return false;
        if (kind === "intent") isIntended = true;
      }
      before = page.next;
    }
    return isIntended;
  }

  async #write({ entry, terms, settle }: LateOutcome): Promise<void> {
    const { store, audit, limits } = this.#options;
    await store.write(async (batch) => {
      if (settle) await limits.settle(batch, settle.reservation, settle.outcome);
      audit.append(batch, entry);
    }, terms);
  }
}
