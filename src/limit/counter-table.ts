/**
 * Counts in the database: one row for each count, one for each of its buckets that was ever used (a bucket's place is
 * used again). Names are stored as digests, so that no value of `per` stands in the file. Written in the transaction of
 * the calls that were counted.
 */
import { hash } from "node:crypto";
import { assert } from "../kernel/assert.ts";
import { BoundedMap } from "../kernel/bounded-map.ts";
import { type Readable, readRows } from "../store/read-rows.ts";
import type { Batch, Migrations, SqlRow } from "../store/store.ts";
import type { Counter } from "./counter.ts";
import type { Family, Ledger, Shelf } from "./ledger.ts";
import { journalMigrations } from "./redis/journal.ts";

/** Counts that are let go of at a time, once they count nothing any more. */
const PRUNE_ROWS = 500;

export const limitMigrations: Migrations = {
  ...journalMigrations,
  "0001-counters": async (batch) => {
    await batch.run("CREATE TABLE counter (id text NOT NULL PRIMARY KEY, family text NOT NULL, expires_ms bigint NOT NULL)");
    await batch.run("CREATE INDEX counter_family ON counter (family, expires_ms)");
    await batch.run("CREATE INDEX counter_expiry ON counter (expires_ms)");
    await batch.run(
      "CREATE TABLE counter_bucket (counter text NOT NULL REFERENCES counter (id) ON DELETE CASCADE, " +
        "slot integer NOT NULL, kept_ms bigint NOT NULL, amount text NOT NULL, PRIMARY KEY (counter, slot))",
    );
    await batch.run("CREATE TABLE counter_refund (reservation text NOT NULL PRIMARY KEY, expires_ms bigint NOT NULL)");
    await batch.run("CREATE INDEX counter_refund_expiry ON counter_refund (expires_ms)");
  },
};

const LOAD =
  "SELECT c.expires_ms, b.kept_ms, b.amount FROM counter c LEFT JOIN counter_bucket b ON b.counter = c.id WHERE c.id = ? ORDER BY b.kept_ms";
const COUNT = "SELECT count(*) AS members, min(expires_ms) AS first_ms FROM counter WHERE family = ?";
const COUNT_LIVE = `${COUNT} AND expires_ms > ?`;
const PRUNE_FAMILY = "DELETE FROM counter WHERE family = ? AND expires_ms <= ?";
const PRUNE = "DELETE FROM counter WHERE id IN (SELECT id FROM counter WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)";
const PRUNE_REFUNDS = "DELETE FROM counter_refund WHERE expires_ms <= ?";
const PUT = "INSERT INTO counter (id, family, expires_ms) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET expires_ms = excluded.expires_ms";
const PUT_BUCKET =
  "INSERT INTO counter_bucket (counter, slot, kept_ms, amount) VALUES (?, ?, ?, ?) " +
  "ON CONFLICT (counter, slot) DO UPDATE SET kept_ms = excluded.kept_ms, amount = excluded.amount";
const MARK_REFUND = "INSERT INTO counter_refund (reservation, expires_ms) VALUES (?, ?) ON CONFLICT (reservation) DO NOTHING";

/** Counts that are looked up by one statement, the larger first. */
const FETCH_IDS = [64, 16, 4, 1] as const;
const FETCHES: ReadonlyMap<number, string> = new Map(
  FETCH_IDS.map((ids) => [
    ids,
    "SELECT c.id, c.expires_ms, b.kept_ms, b.amount FROM counter c LEFT JOIN counter_bucket b ON b.counter = c.id " +
      `WHERE c.id IN (${"?,".repeat(ids - 1)}?) ORDER BY c.id, b.kept_ms`,
  ]),
);

const MAX_DIGESTS = 4096;
const digests = new BoundedMap<string, string>(MAX_DIGESTS);

function digest(name: string): string {
  let known = digests.get(name);
  if (known === undefined) digests.set(name, (known = hash("sha256", name, "base64url")));
  return known;
}

function nameOf(counter: Counter): string {
  counter.id ??= digest(counter.key);
  return counter.id;
}

async function readFamily(source: Readable, family: string, liveFromMs?: number): Promise<Family> {
  const name = digest(family);
  const [row] = await (liveFromMs === undefined ? readRows(source, COUNT, [name]) : readRows(source, COUNT_LIVE, [name, liveFromMs]));
  return { count: Number(row?.["members"] ?? 0), firstExpiryMs: Number(row?.["first_ms"] ?? Number.MAX_SAFE_INTEGER) };
}

function fill(counter: Counter, rows: readonly SqlRow[]): boolean {
  for (const row of rows) {
    counter.expiresMs = Number(row["expires_ms"]);
    counter.storedExpiresMs = counter.expiresMs;
    if (row["kept_ms"] !== null) counter.restore(Number(row["kept_ms"]), BigInt(String(row["amount"])));
  }
  return rows.length > 0;
}

/** Rows of all counts of these names, by id. */
async function fetchAll(batch: Batch, names: Iterable<string>): Promise<ReadonlyMap<string, SqlRow[]>> {
  const ids = [...names].map(digest);
  const pages: Promise<SqlRow[]>[] = [];
  let next = 0;
  for (const size of FETCH_IDS) {
    for (; ids.length - next >= size; next += size) pages.push(batch.all(FETCHES.get(size) as string, ids.slice(next, next + size)));
  }
  return Map.groupBy((await Promise.all(pages)).flat(), (row) => String(row["id"]));
}

/** Reads counts, inside of a group or outside, and changes nothing. */
export class CounterReader implements Shelf {
  readonly #source: Readable;
  constructor(source: Readable) {
    this.#source = source;
  }

  async load(counter: Counter): Promise<boolean> {
    return fill(counter, await readRows(this.#source, LOAD, [nameOf(counter)]));
  }

  countFamily(family: string): Promise<Family> {
    return readFamily(this.#source, family);
  }

  pruneFamily(family: string, nowMs: number): Promise<Family> {
    return readFamily(this.#source, family, nowMs);
  }

  async markRefund(_reservation: string, _expiresMs: number): Promise<boolean> {
    return false;
  }
}

export class CounterTable extends CounterReader {
  readonly #batch: Batch;
  readonly #ledger: Ledger;
  #fetched: Promise<ReadonlyMap<string, SqlRow[]>> | undefined;

  constructor(batch: Batch, ledger: Ledger) {
    super(batch);
    this.#batch = batch;
    this.#ledger = ledger;
  }

  /** Where others write at the same time, only what the group has locked; all of it is read at once. */
  override async load(counter: Counter): Promise<boolean> {
    const { locks } = this.#batch;
    if (locks === undefined) return await super.load(counter);
    this.#assertHeld(counter.key);
    this.#fetched ??= fetchAll(this.#batch, locks);
    return fill(counter, (await this.#fetched).get(nameOf(counter)) ?? []);
  }

  override async countFamily(family: string): Promise<Family> {
    this.#assertHeld(family);
    return await super.countFamily(family);
  }

  #assertHeld(name: string): void {
    const { locks } = this.#batch;
    assert(locks === undefined || locks.has(name), "a count was asked for that its group does not hold");
  }

  override async pruneFamily(family: string, nowMs: number): Promise<Family> {
    this.#assertHeld(family);
    this.save();
    const removed = await this.#batch.run(PRUNE_FAMILY, [digest(family), nowMs]);
    if (removed > 0) this.#ledger.forgetExpired(nowMs, family);
    return readFamily(this.#batch, family);
  }

  override async markRefund(reservation: string, expiresMs: number): Promise<boolean> {
    return (await this.#batch.run(MARK_REFUND, [reservation, expiresMs])) > 0;
  }

  /** Lets go of some of what counts no more; true where there may be more of it. */
  async prune(nowMs: number): Promise<boolean> {
    this.save();
    this.#batch.send(PRUNE_REFUNDS, [nowMs]);
    const removed = await this.#batch.run(PRUNE, [nowMs, PRUNE_ROWS]);
    this.#ledger.forgetExpired(nowMs, undefined);
    return removed === PRUNE_ROWS;
  }

  /** Writes what the ledger has changed; nobody waits for it but the commit. */
  save(): void {
    const { dirty } = this.#ledger;
    for (const counter of dirty) {
      dirty.delete(counter);
      const id = nameOf(counter);
      if (counter.storedExpiresMs !== counter.expiresMs) {
        counter.storedExpiresMs = counter.expiresMs;
        this.#batch.send(PUT, [id, counter.family === undefined ? "" : digest(counter.family), counter.expiresMs]);
      }
      for (const bucket of counter.buckets) {
        if (!bucket.dirty) continue;
        bucket.dirty = false;
        this.#batch.send(PUT_BUCKET, [id, counter.window.slotOf(bucket.index), bucket.keptMs, String(bucket.amount)]);
      }
    }
  }
}
