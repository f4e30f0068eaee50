/**
 * Opens the database that an address names. SQLite: folder and file for the owner alone, one connection that writes in
 * groups, one that reads; any number of processes may open one fresh folder at the same time, and each waits for the others
 * within the busy timeout.
 */
import { chmodSync, closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Kysely } from "kysely";
import type { StoreClock } from "../kernel/clock.ts";
import { FailureError } from "../kernel/failure.ts";
import { isPostgresUrl } from "../kernel/postgres-url.ts";
import { createQuery } from "./dialect-sqlite.ts";
import { generationMigrations } from "./generation.ts";
import { BUSY_SLICE_MS, GroupWriter } from "./group-writer.ts";
import { leaseMigrations } from "./lease.ts";
import { migrate } from "./migrate.ts";
import { onceMigrations } from "./once.ts";
import { parsePostgresUrl } from "./postgres/address.ts";
import { SqliteConnection } from "./sqlite-connection.ts";
import { isBusy, toStoreError } from "./sqlite-failure.ts";
import type { Batch, Migrations, Store } from "./store.ts";

const BUSY_TIMEOUT_MS = 10_000;
const OPEN_PAUSE_MS = 15;
/** A path; `//host` is none, nor are the forms that only SQLite itself reads (`:memory:`, `file:`). */
const SQLITE_URL = /^sqlite:(?!\/\/|:memory:|file:)([^\0]+)$/;

export interface StoreOptions {
  /** `sqlite:` and a path, or `postgres://…`; or `file`, the path itself. */
  readonly url?: string | undefined;
  readonly file?: string | undefined;
  /** Follows the store's own clock where processes on several machines share it. */
  readonly clock: StoreClock;
  /** `process` survives the end of the process, `disk` a power cut. */
  readonly durability: "process" | "disk";
  /** How long another process may keep us waiting; on PostgreSQL, how long a group, a read or a question may last. */
  readonly busyTimeoutMs?: number | undefined;
  readonly migrations: readonly Migrations[];
  /** Told of hooks that threw; left out, they end the process. */
  readonly onBug?: ((error: unknown) => void) | undefined;
}

class SqliteStore implements Store {
  readonly isShared = false;
  readonly #connection: SqliteConnection;
  readonly #reader: SqliteConnection;
  readonly #writer: GroupWriter;
  // biome-ignore lint/suspicious/noExplicitAny: each room brings the row types of its own tables.
  readonly query: Kysely<any>;

  constructor(connection: SqliteConnection, reader: SqliteConnection, writer: GroupWriter) {
    this.#connection = connection;
    this.#reader = reader;
    this.#writer = writer;
    this.query = createQuery(() => reader);
  }
  get waiting(): number {
    return this.#writer.waiting;
  }
  get committed(): { readonly groups: number; readonly writes: number } {
    return this.#writer.committed;
  }
  write<T>(job: (batch: Batch) => T | Promise<T>): Promise<T> {
    return this.#writer.write(job);
  }
  readEpoch(): number {
    return this.#writer.readEpoch();
  }
  async close(): Promise<void> {
    await this.#writer.drain();
    this.#reader.close();
    this.#connection.close();
  }
}

/** The path that an address of SQLite names. */
export function parseStoreUrl(url: string): string {
  const path = SQLITE_URL.exec(url)?.[1];
  if (path === undefined) {
    throw new FailureError({
      code: "invalid_config",
      message: "The store's address is not one that can be opened.",
      hint: "Write `sqlite:` and the path of a file, as in `sqlite:./data/sallyport.db`, or `postgres://user:password@host/database`.",
    });
  }
  return path;
}

function prepareFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // Made before SQLite opens it: its log and its index take over the mode of the file.
  closeSync(openSync(file, "a", 0o600));
  chmodSync(file, 0o600);
}

/** Whether the path still leads to the file that it leads to now; a few microseconds. */
function watchPlace(file: string): () => boolean {
  const { dev, ino } = statSync(file);
  return () => {
    const found = statSync(file, { throwIfNoEntry: false });
    return found !== undefined && found.ino === ino && found.dev === dev;
  };
}

/** Repeats `open` while another process is in the way, until the time is up. */
async function insist<T>(timeoutMs: number, open: () => T): Promise<T> {
  for (let left = timeoutMs; ; left -= OPEN_PAUSE_MS) {
    try {
      return open();
    } catch (error) {
      if (left <= 0 || !isBusy(error)) throw toStoreError(error);
    }
    await pause(OPEN_PAUSE_MS);
  }
}

function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

export async function openStore(options: StoreOptions): Promise<Store> {
  const migrations = [generationMigrations, leaseMigrations, onceMigrations, ...options.migrations];
  if (options.file === undefined && options.url !== undefined && isPostgresUrl(options.url)) {
    // Whoever keeps everything in a file needs no driver.
    const { openPostgres } = await import("./postgres/open-postgres.ts");
    return await openPostgres({
      address: parsePostgresUrl(options.url),
      durability: options.durability,
      migrations,
      onTime: (nowMs) => options.clock.follow?.(nowMs),
      onBug: options.onBug ?? throwLater,
      deadlineMs: options.busyTimeoutMs,
    });
  }
  return await openSqlite(options, migrations);
}

async function openSqlite(options: StoreOptions, migrations: readonly Migrations[]): Promise<Store> {
  const path = options.file ?? parseStoreUrl(options.url ?? "");
  const file = resolve(path);
  const busyTimeoutMs = options.busyTimeoutMs ?? BUSY_TIMEOUT_MS;
  const { durability } = options;
  const slice = Math.min(BUSY_SLICE_MS, busyTimeoutMs);
  const opened: SqliteConnection[] = [];
  try {
    prepareFile(file);
    const open = (readOnly: boolean) => () => new SqliteConnection(file, { readOnly, durability, busyTimeoutMs: slice });
    const connection = await insist(busyTimeoutMs, open(false));
    opened.push(connection);
    const now = (): number => options.clock.now();
    const writer = new GroupWriter(connection, { busyTimeoutMs, isInPlace: watchPlace(file), now, onBug: options.onBug ?? throwLater });
    await writer.write((batch) => migrate(batch, migrations, now()));
    const reader = await insist(busyTimeoutMs, open(true));
    opened.push(reader);
    return new SqliteStore(connection, reader, writer);
  } catch (error) {
    for (const connection of opened) connection.close();
    throw locate(error, file);
  }
}

/** Says which file it was. */
function locate(error: unknown, file: string): Error {
  const known = toStoreError(error);
  if (!(known instanceof FailureError)) return known;
  const told = new FailureError(known.failures.map((failure) => ({ ...failure, at: failure.at ?? { file } })));
  told.cause = error;
  return told;
}
