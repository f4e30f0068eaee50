/**
 * One connection to one SQLite file: settings in the order that matters (busy timeout first), prepared statements kept in
 * a bounded cache, and a check on every parameter, because the driver would bind an object, a boolean or NaN as something
 * else without a word. All calls are synchronous. Whole numbers beyond 2^53 are kept as text by the rooms that have them.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { BoundedMap } from "../kernel/bounded-map.ts";
import { assertBindable } from "./bindable.ts";
import type { SqlRow } from "./store.ts";

const MAX_STATEMENTS = 256;
/** The write-ahead log is cut back to this size after a checkpoint. */
/** Pages in the write-ahead log after which they are copied into the file; rarer means larger and cheaper for each. */
const CHECKPOINT_PAGES = 4000;
const JOURNAL_BYTES = 64 * 1024 * 1024;

interface Prepared {
  readonly statement: StatementSync;
  readonly hasRows: boolean;
}

export interface SqliteOptions {
  readonly readOnly: boolean;
  readonly durability: "process" | "disk";
  readonly busyTimeoutMs: number;
}

export class SqliteConnection {
  readonly #database: DatabaseSync;
  readonly #statements = new BoundedMap<string, Prepared>(MAX_STATEMENTS);
  readonly #dataVersion: StatementSync;

  constructor(file: string, options: SqliteOptions) {
    this.#database = new DatabaseSync(file, {
      timeout: options.busyTimeoutMs,
      readOnly: options.readOnly,
      enableForeignKeyConstraints: true,
      enableDoubleQuotedStringLiterals: false,
    });
    try {
      if (!options.readOnly) this.#turnOnWal();
      this.#database.exec(`PRAGMA synchronous=${options.durability === "disk" ? "FULL" : "NORMAL"}`);
      this.#database.exec(`PRAGMA journal_size_limit=${JOURNAL_BYTES}`);
      this.#database.exec(`PRAGMA wal_autocheckpoint=${CHECKPOINT_PAGES}`);
      this.#database.exec("PRAGMA trusted_schema=OFF");
      this.#database.enableDefensive(true);
      this.#dataVersion = this.#database.prepare("PRAGMA data_version");
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  #turnOnWal(): void {
    // Switching needs the file for itself, so only whoever finds it in another mode tries.
    const mode = () => Object.values(this.#database.prepare("PRAGMA journal_mode").get() ?? {})[0];
    if (mode() === "wal") return;
    this.#database.exec("PRAGMA journal_mode=WAL");
    if (mode() !== "wal") throw new Error("the file system of the data folder can't share a write-ahead log");
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  #prepare(sql: string): Prepared {
    let prepared = this.#statements.get(sql);
    if (!prepared) {
      const statement = this.#database.prepare(sql);
      prepared = { statement, hasRows: statement.columns().length > 0 };
      this.#statements.set(sql, prepared);
    }
    return prepared;
  }

  all(sql: string, parameters: readonly unknown[]): SqlRow[] {
    assertBindable(parameters);
    return this.#prepare(sql).statement.all(...parameters) as SqlRow[];
  }

  /** The number of rows that changed. */
  run(sql: string, parameters: readonly unknown[]): number {
    assertBindable(parameters);
    return Number(this.#prepare(sql).statement.run(...parameters).changes);
  }

  /** Rows where the statement gives some, else the number of changed ones. */
  execute(sql: string, parameters: readonly unknown[]): SqlRow[] | number {
    return this.#prepare(sql).hasRows ? this.all(sql, parameters) : this.run(sql, parameters);
  }

  /** A number that changes when another connection has committed. */
  readDataVersion(): number {
    return Number(this.#dataVersion.get()?.["data_version"]);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}
