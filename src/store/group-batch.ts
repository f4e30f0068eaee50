/**
 * The transaction of one group as its jobs see it: statements on the writer's connection and the hooks around the
 * commit. It answers with promises that are already settled, and is dead once the group has ended.
 */
import type { Kysely } from "kysely";
import { assert } from "../kernel/assert.ts";
import { createQuery } from "./dialect-sqlite.ts";
import type { SqliteConnection } from "./sqlite-connection.ts";
import { toStoreError } from "./sqlite-failure.ts";
import type { Batch, SqlRow, SqlValue } from "./store.ts";

const NONE: readonly SqlValue[] = [];

/** The count that `Batch.epoch` and `Store.readEpoch` show. */
export interface EpochCount {
  value: number;
}

export class GroupBatch implements Batch {
  readonly #connection: SqliteConnection;
  readonly #epoch: EpochCount;
  readonly #now: () => number;
  // biome-ignore lint/suspicious/noExplicitAny: each room brings the row types of its own tables.
  #query: Kysely<any> | undefined;
  #ended = false;
  raised = false;
  /** The first statement that failed: its group must not commit, whatever its job made of it. */
  fault: unknown;
  readonly generation: number | undefined = undefined;
  readonly locks: ReadonlySet<string> | undefined = undefined;
  readonly beforeCommits: { readonly key: object; readonly job: () => Promise<void> }[] = [];
  readonly afterCommits: (() => void)[] = [];
  readonly afterRollbacks: (() => void)[] = [];

  constructor(connection: SqliteConnection, epoch: EpochCount, now: () => number) {
    this.#connection = connection;
    this.#epoch = epoch;
    this.#now = now;
  }

  get nowMs(): number {
    return this.#now();
  }

  get ended(): boolean {
    return this.#ended;
  }

  get epoch(): number {
    return this.#epoch.value;
  }

  raiseEpoch(): void {
    this.#live();
    this.raised = true;
    this.#epoch.value++;
  }

  #live(): SqliteConnection {
    assert(!this.#ended, "a batch was used after its group had ended");
    return this.#connection;
  }

  #fail(error: unknown): Error {
    const known = toStoreError(error);
    this.fault ??= known;
    return known;
  }

  all(sql: string, parameters: readonly SqlValue[] = NONE): Promise<SqlRow[]> {
    try {
      return Promise.resolve(this.#live().all(sql, parameters));
    } catch (error) {
      return Promise.reject(this.#fail(error));
    }
  }

  run(sql: string, parameters: readonly SqlValue[] = NONE): Promise<number> {
    try {
      return Promise.resolve(this.#live().run(sql, parameters));
    } catch (error) {
      return Promise.reject(this.#fail(error));
    }
  }

  send(sql: string, parameters: readonly SqlValue[] = NONE): void {
    try {
      this.#live().run(sql, parameters);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above.
  get query(): Kysely<any> {
    this.#query ??= createQuery(
      () => this.#live(),
      (error) => this.#fail(error),
    );
    return this.#query;
  }

  beforeCommit(key: object, job: () => Promise<void>): void {
    this.#live();
    if (!this.beforeCommits.some((hook) => hook.key === key)) this.beforeCommits.push({ key, job });
  }

  afterCommit(job: () => void): void {
    this.#live();
    this.afterCommits.push(job);
  }

  afterRollback(job: () => void): void {
    this.#live();
    this.afterRollbacks.push(job);
  }

  end(): void {
    this.#ended = true;
  }
}
