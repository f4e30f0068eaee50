/**
 * The database as the rooms see it. One writer: jobs that arrive together run in one transaction, the next group starts as
 * soon as the last has ended, with no timer. A job that throws undoes its whole group, and so does a statement that fails;
 * everyone in it is told. Only this room knows which database it is.
 */
import type { Kysely } from "kysely";

/** Writes that may wait for a group; the next one is refused at once. */
export const MAX_WAITING_WRITES = 4096;
/** Jobs of one group, so that the event loop is never held for long. */
export const MAX_GROUP_JOBS = 128;

export type SqlValue = null | number | bigint | string | Uint8Array;
export type SqlRow = Record<string, SqlValue>;

/**
 * What a write asks of the others, of this process and of all that share the database. Left out: nobody else writes at the
 * same time. `shared`: others of the same kind may, unless they name one of the same locks; nobody without terms does. It
 * is for what happens with every call and touches only what its locks stand for. SQLite has one writer in any case.
 */
export interface WriteTerms {
  readonly shared: true;
  /** Names of what is read and changed; texts of any form. */
  readonly locks: readonly string[];
}

/**
 * One group's transaction, good until its job has ended. SQL is the part that SQLite and PostgreSQL share, with `?` for
 * parameters. A job waits for this batch and for nothing else: the transaction is never open across a timer, a socket or
 * another write, and a job that tries is a bug, which undoes the group.
 */
export interface Batch {
  /**
   * Changes whenever another writer has committed since this process last did: whatever a room remembers of the tables
   * is true while `epoch` stands.
   */
  readonly epoch: number;
  /** The time of the group on the store's clock, the same for all who share the database. Unix milliseconds. */
  readonly nowMs: number;
  /** What `readGeneration` gives, where it is known already. */
  readonly generation: number | undefined;
  /** The locks of all jobs of a shared group; undefined: nobody else writes while the group lasts. */
  readonly locks: ReadonlySet<string> | undefined;
  /** Makes everybody in this process ask the tables anew; `bumpGeneration` calls it with the change it announces. */
  raiseEpoch(): void;
  /** Rows of a query. The statement is prepared once and kept. */
  all(sql: string, parameters?: readonly SqlValue[]): Promise<SqlRow[]>;
  /** Runs a change; gives the number of rows it touched. */
  run(sql: string, parameters?: readonly SqlValue[]): Promise<number>;
  /** Runs a change of which nobody waits to hear; when it fails, so does the group. */
  send(sql: string, parameters?: readonly SqlValue[]): void;
  /** The same transaction through the query builder, for everything that is not on the path of each call. */
  // biome-ignore lint/suspicious/noExplicitAny: each room brings the row types of its own tables.
  readonly query: Kysely<any>;
  /**
   * Runs once, after the last job of the group and before it commits, in the order of first mention; a second mention of
   * the same key is ignored.
   */
  beforeCommit(key: object, job: () => Promise<void>): void;
  /** Runs after the group is durable. */
  afterCommit(job: () => void): void;
  /** Runs when the group is undone: forget what was remembered in it. */
  afterRollback(job: () => void): void;
  /** Of a database that can keep a table in parts; SQLite can't. */
  readonly partitions?: Partitions | undefined;
}

/** Tables whose rows lie in parts by a whole number, so that a part can go at once. */
export interface Partitions {
  /** The end of a `create table` statement, for a table in parts by this column. */
  by(column: string): string;
  /** Makes the part of one value where there is none. */
  create(table: string, value: number): Promise<void>;
  /** The values that have a part. */
  list(table: string): Promise<readonly number[]>;
  /** Takes a part away, with all of its rows. */
  drop(table: string, value: number): Promise<void>;
}

export interface Store {
  /**
   * Runs the job in the next group and settles when the group is durable (see `durability`) or undone. Rejects with a
   * `FailureError` of code `storage_unavailable` when the group can't be written; a job that throws something of its own
   * gets that back, and everyone else in its group `storage_unavailable`. So a job answers what is expected (a name that
   * is taken, a limit that is full) with a value.
   */
  write<T>(job: (batch: Batch) => T | Promise<T>, terms?: WriteTerms): Promise<T>;
  /** Whether processes share the database that can't hear of each other but by asking it: terms are worth their while. */
  readonly isShared?: boolean | undefined;
  /** Reads what is committed, one statement at a time; several that must agree, and long lists, go by pages or `write`. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly query: Kysely<any>;
  /**
   * Asks the database, in microseconds, whether another process has committed since: the number changes when it may
   * have, and when a job of this process raised it. Ask before you read what you want to remember, so that a change in
   * between is noticed. Throws a `FailureError` when the database can't be asked. A shared database can't be asked in
   * microseconds: there the number is always another one.
   */
  readEpoch(): number;
  /**
   * The generation as it is at some time after this call, from a shared database; one question serves all who asked before
   * it was sent. Rejects within a bounded time when there is no answer. Left out where `readEpoch` tells.
   */
  readonly askGeneration?: (() => Promise<number>) | undefined;
  /** Jobs waiting for a group; the gateway refuses above `MAX_WAITING_WRITES`. */
  readonly waiting: number;
  /** Groups that this process has committed, and the writes in them; left out by a store that does not count them. */
  readonly committed?: { readonly groups: number; readonly writes: number };
  close(): Promise<void>;
}

/** Forward steps of the schema, named `<number>-<words>`; each room brings those of its own tables. */
export type Migrations = Readonly<Record<string, (batch: Batch) => Promise<void>>>;
