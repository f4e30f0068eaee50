/**
 * The transaction of one group as its jobs see it, on the writer's connection, with the hooks around the commit. Knows how
 * many of its statements are without an answer: a job that goes on while there is none waits for something that is not
 * the database. Dead once the group has ended.
 */
import type { Kysely } from "kysely";
import { assert } from "../../kernel/assert.ts";
import { createPartitions } from "../partitions.ts";
import type { Batch, Partitions, SqlRow, SqlValue } from "../store.ts";
import type { Answer, PostgresConnection } from "./connection.ts";
import { createQuery } from "./dialect.ts";
import type { Translator } from "./translate.ts";

const NONE: readonly SqlValue[] = [];

export interface GroupFacts {
  readonly connection: PostgresConnection;
  readonly translator: Translator;
  readonly generation: number | undefined;
  readonly nowMs: number;
  readonly locks: ReadonlySet<string> | undefined;
  /** Another number than any before; `raise` gives the next. */
  readonly epoch: number;
  readonly raise: () => number;
  /** Told whenever the last answer has come: whoever waits now must go on at once. */
  readonly onAnswered: () => void;
}

export class GroupBatch implements Batch {
  readonly #facts: GroupFacts;
  // biome-ignore lint/suspicious/noExplicitAny: each room brings the row types of its own tables.
  #query: Kysely<any> | undefined;
  #ended = false;
  #epoch: number;
  #generation: number | undefined;
  #underWay = 0;
  /** The first statement that failed. */
  fault: unknown;
  readonly beforeCommits: { readonly key: object; readonly job: () => Promise<void> }[] = [];
  readonly afterCommits: (() => void)[] = [];
  readonly afterRollbacks: (() => void)[] = [];

  readonly partitions: Partitions = createPartitions(this);

  constructor(facts: GroupFacts) {
    this.#facts = facts;
    this.#epoch = facts.epoch;
    this.#generation = facts.generation;
  }

  get ended(): boolean {
    return this.#ended;
  }
  get epoch(): number {
    return this.#epoch;
  }
  get nowMs(): number {
    return this.#facts.nowMs;
  }
  get generation(): number | undefined {
    return this.#generation;
  }
  get locks(): ReadonlySet<string> | undefined {
    return this.#facts.locks;
  }
  get underWay(): number {
    return this.#underWay;
  }

  raiseEpoch(): void {
    this.#live();
    assert(this.locks === undefined, "a change of what administrators decide excludes all others");
    this.#generation = undefined;
    this.#epoch = this.#facts.raise();
  }

  #live(): void {
    assert(!this.#ended, "a batch was used after its group had ended");
  }

  async #run(sql: string, parameters: readonly unknown[], recurs: boolean): Promise<Answer> {
    this.#live();
    const { connection, translator, onAnswered } = this.#facts;
    this.#underWay++;
    try {
      return await connection.run(translator.translate(sql, recurs), parameters);
    } catch (error) {
      this.fault ??= error;
      throw error;
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) onAnswered();
    }
  }

  async all(sql: string, parameters: readonly SqlValue[] = NONE): Promise<SqlRow[]> {
    return (await this.#run(sql, parameters, true)).rows;
  }

  async run(sql: string, parameters: readonly SqlValue[] = NONE): Promise<number> {
    return (await this.#run(sql, parameters, true)).changed;
  }

  send(sql: string, parameters: readonly SqlValue[] = NONE): void {
    this.#live();
    // What fails is kept as the group's fault, which the commit asks for.
    this.#run(sql, parameters, true).catch(() => undefined);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above.
  get query(): Kysely<any> {
    this.#query ??= createQuery((sql, parameters, recurs) => this.#run(sql, parameters, recurs));
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
