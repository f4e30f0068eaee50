/**
 * A database that is built once, whole, and then only read. It is built beside its place under another name and takes the
 * place in one step, so that whoever reads sees the old one or the new one. While it is built nothing of it is safe from a
 * crash, and nobody sees it.
 */
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { BoundedMap } from "../kernel/bounded-map.ts";
import { toStoreError } from "./sqlite-failure.ts";
import type { SqlRow, SqlValue } from "./store.ts";

const MAX_STATEMENTS = 128;
const CACHE_KIBIBYTES = 64 * 1024;
const MAPPED_BYTES = 1024 * 1024 * 1024;

export class BuiltFile {
  readonly #database: DatabaseSync;
  readonly #statements = new BoundedMap<string, StatementSync>(MAX_STATEMENTS);

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the room that wrote the SQL knows its rows
  all<T = SqlRow>(sql: string, ...values: SqlValue[]): readonly T[] {
    return guard(() => this.#prepare(sql).all(...values) as T[]);
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the room that wrote the SQL knows its row
  first<T = SqlRow>(sql: string, ...values: SqlValue[]): T | undefined {
    return guard(() => this.#prepare(sql).get(...values) as T | undefined);
  }

  run(sql: string, ...values: SqlValue[]): number {
    return guard(() => Number(this.#prepare(sql).run(...values).lastInsertRowid));
  }

  exec(sql: string): void {
    guard(() => this.#database.exec(sql));
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

/** Opens what was built, for reading alone. */
export function openBuiltFile(file: string): BuiltFile {
  return guard(() => {
    const database = new DatabaseSync(file, { readOnly: true, enableDoubleQuotedStringLiterals: false });
    database.exec(`PRAGMA trusted_schema=OFF; PRAGMA cache_size=-${CACHE_KIBIBYTES}; PRAGMA mmap_size=${MAPPED_BYTES}`);
    return new BuiltFile(database);
  });
}

/** Builds a new file and puts it into its place; what was there stays where building fails. */
export async function replaceBuiltFile<T>(file: string, build: (built: BuiltFile) => Promise<T>): Promise<T> {
  const place = path.resolve(file);
  const beside = `${place}.${process.pid}.new`;
  let built: BuiltFile | undefined;
  try {
    mkdirSync(path.dirname(place), { recursive: true, mode: 0o700 });
    rmSync(beside, { force: true });
    built = guard(() => {
      const database = new DatabaseSync(beside, { enableDoubleQuotedStringLiterals: false });
      database.exec(`PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA cache_size=-${CACHE_KIBIBYTES}`);
      return new BuiltFile(database);
    });
    chmodSync(beside, 0o600);
    const done = await build(built);
    built.close();
    sync(beside);
    renameSync(beside, place);
    return done;
  } catch (error) {
    built?.close();
    rmSync(beside, { force: true });
    throw toStoreError(error);
  }
}

/** Which file stands in the place now: another one, another text. */
export function readFileMark(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}:${found.mtimeMs}`;
}

function sync(file: string): void {
  const handle = openSync(file, "r+");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function guard<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw toStoreError(error);
  }
}
