/**
 * Asks the database what generation it is at, for every request anew: one question serves all who asked before it was
 * sent, and never those who asked after. One is under way at a time; whoever comes meanwhile shares the next. An answer that
 * does not come in time is a refusal, and the connection that owed it is thrown away.
 */

import { LOOK } from "./begin-group.ts";
import type { PostgresConnection } from "./connection.ts";
import { refusal } from "./failure.ts";

export const LOOK_DEADLINE_MS = 4_000;

export interface LookoutOptions {
  readonly open: () => Promise<PostgresConnection>;
  /** Told the store's time, as it was just before. */
  readonly onTime: (nowMs: number) => void;
  readonly deadlineMs?: number | undefined;
}

export class Lookout {
  readonly #options: LookoutOptions;
  #connection: PostgresConnection | undefined;
  #opening: Promise<PostgresConnection> | undefined;
  /** Of those who came since the last question was sent. */
  #next: PromiseWithResolvers<number> | undefined;
  #isAsking = false;
  #closed = false;

  constructor(options: LookoutOptions) {
    this.#options = options;
  }

  ask(): Promise<number> {
    if (this.#closed) return Promise.reject(refusal("The database is closed."));
    if (!this.#next) {
      this.#next = Promise.withResolvers<number>();
      // With the turn's end, so that all requests of a turn share one question.
      if (!this.#isAsking) {
        this.#isAsking = true;
        setImmediate(() => void this.#askAll());
      }
    }
    return this.#next.promise;
  }

  async #askAll(): Promise<void> {
    for (let waiting = this.#next; waiting; waiting = this.#next) {
      this.#next = undefined;
      try {
        waiting.resolve(await this.#ask());
      } catch (error) {
        waiting.reject(error);
      }
    }
    this.#isAsking = false;
  }

  async #ask(): Promise<number> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#connection?.destroy();
      late.reject(refusal("The database took too long."));
    }, this.#options.deadlineMs ?? LOOK_DEADLINE_MS);
    try {
      return await Promise.race([this.#read(), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #read(): Promise<number> {
    const connection = this.#connection?.isDead === false ? this.#connection : await this.#open();
    const [answer] = await connection.runAll(LOOK);
    const [generation, nowMs] = [answer?.rows[0]?.["generation"], answer?.rows[0]?.["now_ms"]];
    if (typeof generation !== "number") throw refusal("The database was emptied while it was in use.");
    if (typeof nowMs === "number") this.#options.onTime(nowMs);
    return generation;
  }

  /** One at a time, though whoever wanted it may have given up meanwhile. */
  #open(): Promise<PostgresConnection> {
    this.#opening ??= this.#options
      .open()
      .then((connection) => {
        this.#connection = connection;
        if (this.#closed) connection.close();
        return connection;
      })
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    this.#connection?.close();
  }
}
