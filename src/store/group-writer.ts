/**
 * Group commit. Jobs that arrive while a group runs, or in the same turn of the event loop, form the next group: one
 * immediate transaction, jobs one after the other, all told when it is durable or undone. There is no timer. A group runs
 * within one turn of the event loop; one that is still open when the next turn comes waited for something that is not
 * the database, and is undone as a bug.
 */
import { setTimeout as pause } from "node:timers/promises";
import { Bug } from "../kernel/assert.ts";
import { FailureError } from "../kernel/failure.ts";
import { type EpochCount, GroupBatch } from "./group-batch.ts";
import type { SqliteConnection } from "./sqlite-connection.ts";
import { isBusy, toStoreError } from "./sqlite-failure.ts";
import { type Batch, MAX_GROUP_JOBS, MAX_WAITING_WRITES } from "./store.ts";

/** SQLite itself waits this long for another process, with the event loop held; after that we wait beside it. */
export const BUSY_SLICE_MS = 40;
const BUSY_PAUSE_MS = 10;

interface Job {
  readonly work: (batch: Batch) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  outcome: unknown;
}

export interface GroupWriterOptions {
  readonly busyTimeoutMs: number;
  /** Whether the file is still where others find it; a commit to one that was taken away would be read by nobody. */
  readonly isInPlace?: (() => boolean) | undefined;
  /** The time of groups. */
  readonly now: () => number;
  /** Told of a hook that threw after the group was durable or undone. */
  readonly onBug: (error: unknown) => void;
}

export class GroupWriter {
  readonly #connection: SqliteConnection;
  readonly #options: GroupWriterOptions;
  readonly #epoch: EpochCount = { value: 1 };
  #dataVersion: number | undefined;
  #queue: Job[] = [];
  #running = false;
  #closed = false;
  readonly committed = { groups: 0, writes: 0 };
  #whenIdle: (() => void)[] = [];

  constructor(connection: SqliteConnection, options: GroupWriterOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  write<T>(work: (batch: Batch) => T | Promise<T>): Promise<T> {
    if (this.#closed) return refuse("The database is closed.");
    if (this.#queue.length >= MAX_WAITING_WRITES) return refuse("Too many writes wait for the database.");
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, resolve: resolve as (value: unknown) => void, reject, outcome: undefined });
      if (!this.#running) this.#schedule();
    });
  }

  /** Raises the epoch when another connection has committed since the last look. */
  readEpoch(): number {
    if (this.#closed) throw refusal("The database is closed.");
    try {
      this.#look();
    } catch (error) {
      throw toStoreError(error);
    }
    return this.#epoch.value;
  }

  /** Takes no more jobs, and settles when the waiting ones have run. */
  async drain(): Promise<void> {
    this.#closed = true;
    if (this.#running) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  #schedule(): void {
    this.#running = true;
    setImmediate(() => void this.#runGroup());
  }

  #finish(): void {
    if (this.#queue.length > 0) return this.#schedule();
    this.#running = false;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  async #runGroup(): Promise<void> {
    const fault = this.#begin();
    if (fault !== undefined && !(await this.#beginLater(fault))) return this.#finish();
    const jobs = this.#queue.length <= MAX_GROUP_JOBS ? this.#queue : this.#queue.slice(0, MAX_GROUP_JOBS);
    this.#queue = this.#queue.length <= MAX_GROUP_JOBS ? [] : this.#queue.slice(MAX_GROUP_JOBS);
    const batch = new GroupBatch(this.#connection, this.#epoch, this.#options.now);
    let current: Job | undefined;
    const guard = setImmediate(() => {
      this.#undo(batch, jobs, current, new Bug("a write waited for something other than its batch"));
      this.#finish();
    });
    try {
      this.#look();
      for (const job of jobs) {
        current = job;
        const outcome = job.work(batch);
        job.outcome = outcome instanceof Promise ? await outcome : outcome;
        if (batch.ended) return;
      }
      current = undefined;
      for (const hook of batch.beforeCommits) {
        await hook.job();
        if (batch.ended) return;
      }
      if (batch.fault !== undefined) throw batch.fault;
      if (this.#options.isInPlace?.() === false) throw refusal("The database was moved or removed while it was in use.");
      this.#connection.run("COMMIT", []);
    } catch (error) {
      if (batch.ended) return;
      clearImmediate(guard);
      this.#undo(batch, jobs, current, error);
      return this.#finish();
    }
    clearImmediate(guard);
    batch.end();
    this.committed.groups++;
    this.committed.writes += jobs.length;
    if (batch.raised) this.#epoch.value++;
    this.#call(batch.afterCommits);
    for (const job of jobs) job.resolve(job.outcome);
    this.#finish();
  }

  /** Within a transaction nobody else can commit, so what is seen there holds until its end. */
  #look(): void {
    const version = this.#connection.readDataVersion();
    if (version === this.#dataVersion) return;
    this.#dataVersion = version;
    this.#epoch.value++;
  }

  #begin(): unknown {
    try {
      this.#connection.run("BEGIN IMMEDIATE", []);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Tries until the time is up, with the event loop free in between; then everyone who waited is told. */
  async #beginLater(first: unknown): Promise<boolean> {
    let fault = first;
    const attempts = Math.ceil(this.#options.busyTimeoutMs / (BUSY_SLICE_MS + BUSY_PAUSE_MS));
    for (let attempt = 0; attempt < attempts && isBusy(fault); attempt++) {
      await pause(BUSY_PAUSE_MS);
      fault = this.#begin();
      if (fault === undefined) return true;
    }
    const error = toStoreError(fault);
    for (const job of this.#queue.splice(0)) job.reject(error);
    return false;
  }

  #undo(batch: GroupBatch, jobs: readonly Job[], culprit: Job | undefined, error: unknown): void {
    batch.end();
    try {
      // On some errors (a full disk) SQLite has already undone the transaction.
      if (this.#connection.inTransaction) this.#connection.run("ROLLBACK", []);
    } catch (rollbackError) {
      this.#options.onBug(rollbackError);
    }
    if (batch.raised) this.#epoch.value++;
    this.#call(batch.afterRollbacks);
    const told = isDatabaseError(error) ? toStoreError(error) : error;
    const others = culprit ? refusal("Another write of the same group failed.", error) : toUnavailable(told);
    for (const job of jobs) job.reject(job === culprit ? told : others);
  }

  #call(hooks: readonly (() => void)[]): void {
    for (const hook of hooks) {
      try {
        hook();
      } catch (error) {
        this.#options.onBug(error);
      }
    }
  }
}

function isDatabaseError(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "ERR_SQLITE_ERROR";
}

function refusal(message: string, cause?: unknown): FailureError {
  const failure = new FailureError({ code: "storage_unavailable", message });
  failure.cause = cause;
  return failure;
}

/** What everyone is told when it was nobody's own job that failed: a hook, or the commit itself. */
function toUnavailable(error: unknown): FailureError {
  if (error instanceof FailureError && error.failures[0]?.code === "storage_unavailable") return error;
  return refusal("The group of writes could not be finished.", error);
}

function refuse<T>(message: string): Promise<T> {
  return Promise.reject(refusal(message));
}
