/**
 * What calls took from counters that live in Redis, as the store knows it: one row for each count of each call, written in
 * the group of its intent, gone when it is given back or counts no more. It is the truth from which lost counters are
 * rebuilt. Beside it stands the origin: which making of the counters is the one that counts. What was taken from another
 * one is not put on record, so that no rebuilding misses a call that went out.
 */
import { bumpGeneration } from "../../store/generation.ts";
import { readRows } from "../../store/read-rows.ts";
import type { Batch, Migrations, SqlValue, Store } from "../../store/store.ts";

export const journalMigrations: Migrations = {
  "0003-limit-journal": async (batch) => {
    await batch.run("CREATE TABLE limit_origin (id text NOT NULL PRIMARY KEY, origin text NOT NULL, made_ms bigint NOT NULL)");
    await batch.run(
      "CREATE TABLE limit_charge (reservation text NOT NULL, counter text NOT NULL, bucket bigint NOT NULL, at_ms bigint NOT NULL, " +
        "free_ms bigint NOT NULL, expires_ms bigint NOT NULL, calendar integer NOT NULL, amount text NOT NULL, family text NOT NULL, " +
        "sessions text NOT NULL, session text NOT NULL, PRIMARY KEY (reservation, counter))",
    );
    await batch.run("CREATE INDEX limit_charge_expiry ON limit_charge (expires_ms)");
  },
};

/** What one call took of one count. Names are digests. */
export interface JournalRow {
  readonly reservation: string;
  readonly counter: string;
  readonly bucket: number;
  readonly atMs: number;
  readonly freeMs: number;
  readonly expiresMs: number;
  readonly isCalendar: boolean;
  readonly amount: bigint;
  /** Empty where the count is in no family, or in no session. */
  readonly family: string;
  readonly sessions: string;
  readonly session: string;
}

const COLUMNS = "reservation, counter, bucket, at_ms, free_ms, expires_ms, calendar, amount, family, sessions, session";
const ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
/** Few sizes, so that few statements are kept prepared. */
const INSERT_ROWS = [32, 8, 1] as const;
const INSERTS = new Map(
  INSERT_ROWS.map((rows) => [rows, `INSERT INTO limit_charge (${COLUMNS}) VALUES ${Array(rows).fill(ROW).join(", ")}`] as const),
);
const REMOVE = "DELETE FROM limit_charge WHERE reservation = ? AND counter = ?";
const READ_ORIGIN = "SELECT origin FROM limit_origin WHERE id = ?";
const PUT_ORIGIN =
  "INSERT INTO limit_origin (id, origin, made_ms) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET origin = excluded.origin, made_ms = excluded.made_ms";
const PAGE = `SELECT ${COLUMNS} FROM limit_charge WHERE (reservation, counter) > (?, ?) AND free_ms > ? ORDER BY reservation, counter LIMIT ?`;
const PRUNE =
  "DELETE FROM limit_charge WHERE reservation IN (SELECT reservation FROM limit_charge WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?) AND expires_ms <= ?";

/** Rows that are let go of at a time. */
const PRUNE_ROWS = 500;
export const JOURNAL_PRUNE_INTERVAL_MS: number = 60_000;
/** Redis tells its own time: what counts no more by the store's clock is kept a while longer. */
const PRUNE_SPARE_MS = 10 * 60_000;
/** Rows of a page when counters are rebuilt. */
const PAGE_ROWS = 1_000;

export class Journal {
  readonly #id: string;
  readonly #waiting = new WeakMap<Batch, JournalRow[]>();
  #epoch: number | undefined;
  #origin: string | undefined;

  constructor(home: string) {
    this.#id = home;
  }

  /** The origin that counts, for the whole of that group. */
  async readOrigin(batch: Batch): Promise<string | undefined> {
    if (batch.epoch === this.#epoch) return this.#origin;
    const rows = await batch.all(READ_ORIGIN, [this.#id]);
    this.#epoch = batch.epoch;
    this.#origin = originOf(rows);
    return this.#origin;
  }

  /** The origin as committed, outside of a group. */
  async lookUpOrigin(store: Store): Promise<string | undefined> {
    return originOf(await readRows(store.query, READ_ORIGIN, [this.#id]));
  }

  async putOrigin(batch: Batch, origin: string, nowMs: number): Promise<void> {
    await batch.run(PUT_ORIGIN, [this.#id, origin, nowMs]);
    // Everybody asks anew, in this process and in others.
    this.#epoch = undefined;
    await bumpGeneration(batch);
  }

  /** Written with the others of the group, before it commits. */
  add(batch: Batch, rows: readonly JournalRow[]): void {
    let waiting = this.#waiting.get(batch);
    if (!waiting) {
      waiting = [];
      this.#waiting.set(batch, waiting);
    }
    if (waiting.length === 0) batch.beforeCommit({}, () => this.#save(batch));
    waiting.push(...rows);
  }

  /** False: it was given back before, or never taken. */
  async remove(batch: Batch, reservation: string, counter: string): Promise<boolean> {
    return (await batch.run(REMOVE, [reservation, counter])) > 0;
  }

  /** Everything that still counts at `nowMs`, by pages. */
  async *readLive(store: Store, nowMs: number): AsyncGenerator<readonly JournalRow[]> {
    let reservation = "";
    let counter = "";
    for (;;) {
      const rows = (await readRows(store.query, PAGE, [reservation, counter, nowMs, PAGE_ROWS])).map(toRow);
      const last = rows.at(-1);
      if (last) yield rows;
      if (!last || rows.length < PAGE_ROWS) return;
      ({ reservation, counter } = last);
    }
  }

  /** Lets go of some of what counts no more; true where there may be more of it. */
  async prune(batch: Batch, nowMs: number): Promise<boolean> {
    const dueMs = nowMs - PRUNE_SPARE_MS;
    return (await batch.run(PRUNE, [dueMs, PRUNE_ROWS, dueMs])) >= PRUNE_ROWS;
  }

  async #save(batch: Batch): Promise<void> {
    const waiting = this.#waiting.get(batch) as JournalRow[];
    const values = waiting.map(toValues);
    waiting.length = 0;
    for (const size of INSERT_ROWS) {
      while (values.length >= size) await batch.run(INSERTS.get(size) as string, values.splice(0, size).flat());
    }
  }
}

function originOf(rows: readonly Record<string, SqlValue>[]): string | undefined {
  const origin = rows[0]?.["origin"];
  return typeof origin === "string" ? origin : undefined;
}

function toValues(row: JournalRow): SqlValue[] {
  const { reservation, counter, bucket, atMs, freeMs, expiresMs, isCalendar, amount, family, sessions, session } = row;
  return [reservation, counter, bucket, atMs, freeMs, expiresMs, isCalendar ? 1 : 0, String(amount), family, sessions, session];
}

function toRow(row: Record<string, SqlValue>): JournalRow {
  return {
    reservation: String(row["reservation"]),
    counter: String(row["counter"]),
    bucket: Number(row["bucket"]),
    atMs: Number(row["at_ms"]),
    freeMs: Number(row["free_ms"]),
    expiresMs: Number(row["expires_ms"]),
    isCalendar: Number(row["calendar"]) === 1,
    amount: BigInt(String(row["amount"])),
    family: String(row["family"]),
    sessions: String(row["sessions"]),
    session: String(row["session"]),
  };
}
