/**
 * Reads outside of groups: a few connections that can't write, opened when they are needed. Each statement goes to the
 * one with the least under way, and everybody has an answer, or a refusal, within a bounded time.
 */
import type { Answer, PostgresConnection } from "./connection.ts";
import { refusal } from "./failure.ts";
import type { Statement } from "./translate.ts";

export const MAX_READERS = 3;
export const MAX_READS = 4096;
export const READ_DEADLINE_MS = 6_000;

interface Reader {
  readonly opening: Promise<PostgresConnection>;
  connection: PostgresConnection | undefined;
  underWay: number;
}

export class Readers {
  readonly #open: () => Promise<PostgresConnection>;
  readonly #deadlineMs: number;
  #readers: Reader[] = [];
  /** Reads without an answer. */
  #underWay = 0;
  #closed = false;

  constructor(open: () => Promise<PostgresConnection>, deadlineMs: number = READ_DEADLINE_MS) {
    this.#open = open;
    this.#deadlineMs = deadlineMs;
  }

  async read(statement: Statement, parameters: readonly unknown[]): Promise<Answer> {
    if (this.#closed) throw refusal("The database is closed.");
    if (this.#underWay >= MAX_READS) throw refusal("Too many reads wait for the database.");
    const reader = this.#pick();
    const expired = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#drop(reader);
      expired.reject(refusal("The database took too long."));
    }, this.#deadlineMs);
    this.#underWay++;
    reader.underWay++;
    try {
      const answer = reader.opening.then((connection) => connection.run(statement, parameters));
      return await Promise.race([answer, expired.promise]);
    } finally {
      clearTimeout(timer);
      this.#underWay--;
      reader.underWay--;
    }
  }

  #pick(): Reader {
    this.#readers = this.#readers.filter(({ connection }) => connection?.isDead !== true);
    const [first] = this.#readers.toSorted((left, right) => left.underWay - right.underWay);
    if (first && (first.underWay === 0 || this.#readers.length >= MAX_READERS)) return first;
    const reader: Reader = { opening: this.#open(), connection: undefined, underWay: 0 };
    this.#readers.push(reader);
    reader.opening.then(
      (connection) => {
        reader.connection = connection;
        // Given up while it was being opened.
        if (this.#closed || !this.#readers.includes(reader)) connection.close();
      },
      () => this.#drop(reader),
    );
    return reader;
  }

  #drop(reader: Reader): void {
    this.#readers = this.#readers.filter((other) => other !== reader);
    reader.connection?.destroy();
  }

  close(): void {
    this.#closed = true;
    for (const { connection } of this.#readers.splice(0)) connection?.close();
  }
}
