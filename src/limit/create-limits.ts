/**
 * Limits over the store. Counts are remembered as long as the database's epoch stands, so that a call costs memory and
 * one row for each count in its group; they are written in that group's transaction, and forgotten when it is undone.
 * Counts that count no more are let go of in small portions, now and then.
 */
import { assert } from "../kernel/assert.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Charge } from "../policy/decision.ts";
import { isBatch, type Readable } from "../store/read-rows.ts";
import type { Batch, Store } from "../store/store.ts";
import { Calendars } from "./calendar.ts";
import { CounterReader, CounterTable } from "./counter-table.ts";
import { Ledger, nameSettled } from "./ledger.ts";
import type { Limits, Outcome, Parties, PeekAnswer, Reservation, TakeAnswer } from "./limits.ts";

/** Counts that are remembered; beyond that all are read again when they are asked for. */
const MAX_REMEMBERED_COUNTS = 50_000;
export const PRUNE_INTERVAL_MS = 60_000;

class StoredLimits implements Limits {
  readonly #clock: Clock;
  readonly #calendars = new Calendars();
  readonly #ledger: Ledger;
  #epoch: number | undefined;
  #batch: Batch | undefined;
  #table: CounterTable | undefined;
  #saving = false;
  #nextPruneMs = 0;
  readonly #store: Pick<Store, "write"> | undefined;

  constructor(clock: Clock, store: Pick<Store, "write"> | undefined) {
    this.#clock = clock;
    this.#store = store;
    this.#ledger = new Ledger(clock, this.#calendars);
  }

  async take(batch: Batch, charges: readonly Charge[], parties: Parties, nowMs: number): Promise<TakeAnswer> {
    if (charges.length === 0) return { ok: true, reservation: undefined };
    try {
      return await this.#ledger.take(this.#enter(batch), charges, parties, nowMs);
    } catch (error) {
      throw this.#spoil(batch, error);
    } finally {
      this.#saveLater(batch);
    }
  }

  takeNow(batch: Batch, charges: readonly Charge[], parties: Parties, nowMs: number): TakeAnswer | undefined {
    if (charges.length === 0) return { ok: true, reservation: undefined };
    try {
      this.#enter(batch);
      return this.#ledger.takeNow(charges, parties, nowMs);
    } catch (error) {
      throw this.#spoil(batch, error);
    } finally {
      this.#saveLater(batch);
    }
  }

  async peek(source: Readable, charges: readonly Charge[], parties: Parties, nowMs: number): Promise<PeekAnswer> {
    if (charges.length === 0) return { ok: true };
    if (!isBatch(source)) return new Ledger(this.#clock, this.#calendars).peek(new CounterReader(source), charges, parties, nowMs);
    return this.#ledger.peek(this.#enter(source), charges, parties, nowMs);
  }

  async settle(batch: Batch, reservation: Reservation, outcome: Outcome): Promise<boolean> {
    try {
      return await this.#ledger.settle(this.#enter(batch), reservation, outcome, (undo) => batch.afterRollback(undo));
    } catch (error) {
      throw this.#spoil(batch, error);
    } finally {
      this.#saveLater(batch);
    }
  }

  settleNow(batch: Batch, reservation: Reservation, outcome: Outcome): boolean | undefined {
    this.#enter(batch);
    return this.#ledger.settleNow(reservation, outcome, (undo) => batch.afterRollback(undo));
  }

  nameTaken(charges: readonly Charge[], parties: Parties): readonly string[] {
    return this.#ledger.nameTaken(charges, parties);
  }

  nameSettled(reservation: Reservation): readonly string[] {
    return nameSettled(reservation);
  }

  /** What is remembered holds in this group, or is forgotten. */
  #enter(batch: Batch): CounterTable {
    if (this.#batch === batch && this.#table) return this.#table;
    // First of all, because a batch that has ended throws here and must leave no trace.
    batch.afterRollback(() => {
      this.#ledger.forget();
      this.#batch = undefined;
    });
    assert(this.#ledger.dirty.size === 0, "counts of an earlier group were not written");
    // Asked once for each group: within it nobody else can commit, and what this process announces in it is its own.
    const { counters, families } = this.#ledger;
    if (batch.epoch !== this.#epoch || counters.size + families.size > MAX_REMEMBERED_COUNTS) this.#ledger.forget();
    this.#epoch = batch.epoch;
    this.#batch = batch;
    this.#table = new CounterTable(batch, this.#ledger);
    this.#saving = false;
    return this.#table;
  }

  /** What is remembered may not be what is stored: the group must not commit, even where its job goes on. */
  #spoil(batch: Batch, error: unknown): unknown {
    if (batch === this.#batch) batch.beforeCommit({}, () => Promise.reject(error as Error));
    return error;
  }

  #saveLater(batch: Batch): void {
    if (batch !== this.#batch || this.#saving || this.#ledger.dirty.size === 0) return;
    this.#saving = true;
    // A key of its own each time: what is changed by a later hook of the same group is saved too.
    batch.beforeCommit({}, async () => {
      this.#saving = false;
      const table = this.#table as CounterTable;
      table.save();
      const nowMs = this.#clock.now();
      if (nowMs < this.#nextPruneMs) return;
      if (batch.locks === undefined) return await this.#prune(table, nowMs);
      // What counts no more is anybody's: letting go of it is a group of its own, which excludes all others.
      this.#nextPruneMs = nowMs + PRUNE_INTERVAL_MS;
      batch.afterCommit(() => {
        this.#store?.write((later) => this.#prune(this.#enter(later), this.#clock.now())).catch(() => undefined);
      });
    });
  }

  async #prune(table: CounterTable, nowMs: number): Promise<void> {
    const more = await table.prune(nowMs);
    this.#nextPruneMs = more ? nowMs : nowMs + PRUNE_INTERVAL_MS;
  }
}

/** `store`: where the counts are; needed where others share it. */
export function createLimits(options: { readonly clock: Clock; readonly store?: Pick<Store, "write"> | undefined }): Limits {
  return new StoredLimits(options.clock, options.store);
}
