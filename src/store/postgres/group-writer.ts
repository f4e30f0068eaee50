/**
 * Group commit on PostgreSQL. Jobs that arrive while a group runs form the next one, as far as they are of one kind: those
 * that exclude everybody, or those that share. There is no timer but the deadline: a group that is not over by then is
 * undone as far as anybody knows. A commit without an answer may have happened; everyone is told that it failed, and what
 * is remembered of it is forgotten.
 */
import { Bug } from "../../kernel/assert.ts";
import { FailureError } from "../../kernel/failure.ts";
import { type Batch, MAX_GROUP_JOBS, MAX_WAITING_WRITES, type WriteTerms } from "../store.ts";
import { beginGroup } from "./begin-group.ts";
import type { PostgresConnection } from "./connection.ts";
import { refusal, toPostgresError } from "./failure.ts";
import { GroupBatch } from "./group-batch.ts";
import type { Translator } from "./translate.ts";

/** From the first word of a group to the answer of its commit; connecting has a bound of its own. */
export const GROUP_DEADLINE_MS = 6_000;
/** No job more joins a group that holds so many: the server has room for some thousands, which all groups share. */
export const MAX_GROUP_LOCKS = 512;

interface Job {
  readonly work: (batch: Batch) => unknown;
  readonly terms: WriteTerms | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  outcome: unknown;
}

export interface GroupWriterOptions {
  readonly open: () => Promise<PostgresConnection>;
  readonly translator: Translator;
  /** Told the store's time, as it was just before. */
  readonly onTime: (nowMs: number) => void;
  /** Told of a hook that threw after the group was durable or undone. */
  readonly onBug: (error: unknown) => void;
  readonly deadlineMs?: number | undefined;
}

export class GroupWriter {
  readonly #options: GroupWriterOptions;
  #connection: PostgresConnection | undefined;
  #queue: Job[] = [];
  #running = false;
  #closed = false;
  #epoch = 1;
  #lastNowMs = 0;
  readonly committed = { groups: 0, writes: 0 };
  #whenIdle: (() => void)[] = [];

  constructor(options: GroupWriterOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Another number with every question: nobody here knows what others have committed. */
  readEpoch(): number {
    if (this.#closed) throw refusal("The database is closed.");
    return ++this.#epoch;
  }

  write<T>(work: (batch: Batch) => T | Promise<T>, terms: WriteTerms | undefined): Promise<T> {
    if (this.#closed) return Promise.reject(refusal("The database is closed."));
    if (this.#queue.length >= MAX_WAITING_WRITES) return Promise.reject(refusal("Too many writes wait for the database."));
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, terms, resolve: resolve as (value: unknown) => void, reject, outcome: undefined });
      if (!this.#running) this.#schedule();
    });
  }

  /** Takes no more jobs, and settles when the waiting ones have run. */
  async drain(): Promise<void> {
    this.#closed = true;
    if (this.#running) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    this.#connection?.close();
  }

  #schedule(): void {
    this.#running = true;
    setImmediate(() => void this.#runGroup().finally(() => this.#finish()));
  }

  #finish(): void {
    if (this.#queue.length > 0) return this.#schedule();
    this.#running = false;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** The jobs from the front that may be of one group, and what it locks; undefined: it excludes everybody. */
  #takeJobs(): { readonly jobs: readonly Job[]; readonly locks: ReadonlySet<string> | undefined } {
    const isShared = this.#queue[0]?.terms !== undefined;
    const locks = new Set<string>();
    let count = 0;
    for (const { terms } of this.#queue) {
      if (count === MAX_GROUP_JOBS || locks.size >= MAX_GROUP_LOCKS || (terms !== undefined) !== isShared) break;
      for (const lock of terms?.locks ?? []) locks.add(lock);
      count++;
    }
    const jobs = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count);
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
    return { jobs, locks: isShared ? locks : undefined };
  }

  async #connect(): Promise<PostgresConnection> {
    if (this.#connection === undefined || this.#connection.isDead) this.#connection = await this.#options.open();
    return this.#connection;
  }

  async #runGroup(): Promise<void> {
    let connection: PostgresConnection;
    try {
      connection = await this.#connect();
    } catch (error) {
      return this.#refuse(this.#queue.splice(0), error);
    }
    const { jobs, locks } = this.#takeJobs();
    const stopped = Promise.withResolvers<never>();
    const stop = (error: Error): void => {
      connection.destroy();
      stopped.reject(error);
    };
    const deadlineMs = this.#options.deadlineMs ?? GROUP_DEADLINE_MS;
    const deadline = setTimeout(() => stop(refusal("The database took too long.")), deadlineMs);
    const group: Group = { connection, jobs, locks, batch: undefined, current: undefined };
    try {
      await Promise.race([this.#pass(group, stop), stopped.promise]);
    } catch (error) {
      return await this.#undo(group, error);
    } finally {
      clearTimeout(deadline);
    }
    this.committed.groups++;
    this.committed.writes += jobs.length;
    this.#call(group.batch?.afterCommits ?? []);
    for (const job of jobs) job.resolve(job.outcome);
  }

  /** Begin, jobs, hooks, commit. Whatever throws undoes it. */
  async #pass(group: Group, stop: (error: Error) => void): Promise<void> {
    const { connection, jobs, locks } = group;
    const { generation, nowMs } = await beginGroup(connection, locks);
    this.#options.onTime(nowMs);
    // The server's clock may be set back; time does not.
    this.#lastNowMs = Math.max(this.#lastNowMs, nowMs);
    let isWatching = false;
    const batch: GroupBatch = new GroupBatch({
      connection,
      translator: this.#options.translator,
      generation,
      nowMs: this.#lastNowMs,
      locks,
      epoch: ++this.#epoch,
      raise: () => ++this.#epoch,
      onAnswered: () => watch(),
    });
    const watch = (): void => {
      if (isWatching || batch.ended) return;
      isWatching = true;
      setImmediate(() => {
        isWatching = false;
        if (!batch.ended && batch.underWay === 0) stop(new Bug("a write waited for something other than its batch"));
      });
    };
    group.batch = batch;
    watch();
    for (const job of jobs) {
      group.current = job;
      job.outcome = await job.work(batch);
      if (batch.ended) return;
    }
    group.current = undefined;
    for (const hook of batch.beforeCommits) {
      await hook.job();
      if (batch.ended) return;
    }
    if (batch.fault !== undefined) throw batch.fault;
    // No statement of a job comes after the commit; those that were sent and not heard of are answered before it.
    batch.end();
    const [answer] = await connection.runAll("COMMIT");
    if (batch.fault !== undefined || answer?.command !== "COMMIT") {
      throw batch.fault ?? refusal("The database undid the group instead of committing it.");
    }
  }

  async #undo(group: Group, error: unknown): Promise<void> {
    const { batch, connection, jobs, current } = group;
    batch?.end();
    // What was begun is told to end, so that the connection serves the next group; one that does not obey is thrown away.
    if (!connection.isDead) {
      const timer = setTimeout(() => connection.destroy(), this.#options.deadlineMs ?? GROUP_DEADLINE_MS);
      await connection.runAll("ROLLBACK").catch(() => connection.destroy());
      clearTimeout(timer);
    }
    this.#call(batch?.afterRollbacks ?? []);
    const told = current === undefined ? toUnavailable(error) : error;
    const others = current === undefined ? told : refusal("Another write of the same group failed.", error);
    for (const job of jobs) job.reject(job === current ? told : others);
    // Whoever waited behind a database that does not answer has waited as long.
    if (batch === undefined) this.#refuse(this.#queue.splice(0), error);
  }

  #refuse(jobs: readonly Job[], error: unknown): void {
    const told = toUnavailable(error);
    for (const job of jobs) job.reject(told);
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

interface Group {
  readonly connection: PostgresConnection;
  readonly jobs: readonly Job[];
  readonly locks: ReadonlySet<string> | undefined;
  /** Undefined until it has begun. */
  batch: GroupBatch | undefined;
  /** The job that runs. */
  current: Job | undefined;
}

/** What everyone is told when it was nobody's own job that failed. */
function toUnavailable(error: unknown): FailureError {
  if (error instanceof FailureError && error.failures[0]?.code === "storage_unavailable") return error;
  if (error instanceof FailureError || error instanceof Bug || !(error instanceof Error) || !("code" in error)) {
    return refusal("The group of writes could not be finished.", error);
  }
  return toPostgresError(error) as FailureError;
}
