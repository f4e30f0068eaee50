/**
 * Opens a PostgreSQL as the store: looks at what it is, brings the tables up to date under a lock that every writer
 * respects, and joins the connections: one writes in groups, one asks for the generation, a few read. Any number of
 * processes may open one fresh database at the same time.
 */
import type { Kysely } from "kysely";
import { FailureError } from "../../kernel/failure.ts";
import { nameAddress, type PostgresAddress } from "../../kernel/postgres-url.ts";
import { migrate } from "../migrate.ts";
import type { Batch, Migrations, Store, WriteTerms } from "../store.ts";
import { GROUP_LOCK, NOW } from "./begin-group.ts";
import { type ConnectionOptions, PostgresConnection } from "./connection.ts";
import { createQuery } from "./dialect.ts";
import { refusal } from "./failure.ts";
import { GroupBatch } from "./group-batch.ts";
import { GroupWriter } from "./group-writer.ts";
import { Lookout } from "./lookout.ts";
import { Readers } from "./readers.ts";
import { Translator } from "./translate.ts";

/** Others may be bringing the tables up to date at the same time. */
export const MIGRATE_TIMEOUT_MS = 60_000;
export const OLDEST_VERSION = 13;

export interface PostgresOptions {
  readonly address: PostgresAddress;
  readonly durability: "process" | "disk";
  readonly migrations: readonly Migrations[];
  /** Told the store's time whenever it was heard. */
  readonly onTime: (nowMs: number) => void;
  readonly onBug: (error: unknown) => void;
  /** How long a group, a read or a question may last; left out: each its own bound. */
  readonly deadlineMs?: number | undefined;
}

class PostgresStore implements Store {
  readonly isShared = true;
  readonly #writer: GroupWriter;
  readonly #readers: Readers;
  readonly #lookout: Lookout;
  // biome-ignore lint/suspicious/noExplicitAny: each room brings the row types of its own tables.
  readonly query: Kysely<any>;
  readonly askGeneration: () => Promise<number>;

  constructor(writer: GroupWriter, readers: Readers, lookout: Lookout, translator: Translator) {
    this.#writer = writer;
    this.#readers = readers;
    this.#lookout = lookout;
    this.query = createQuery((sql, parameters, recurs) => readers.read(translator.translate(sql, recurs), parameters));
    this.askGeneration = () => lookout.ask();
  }
  get waiting(): number {
    return this.#writer.waiting;
  }
  get committed(): { readonly groups: number; readonly writes: number } {
    return this.#writer.committed;
  }
  write<T>(job: (batch: Batch) => T | Promise<T>, terms?: WriteTerms): Promise<T> {
    return this.#writer.write(job, terms);
  }
  readEpoch(): number {
    return this.#writer.readEpoch();
  }
  async close(): Promise<void> {
    await this.#writer.drain();
    this.#readers.close();
    this.#lookout.close();
  }
}

async function inspect(connection: PostgresConnection): Promise<void> {
  const [row] = (
    await connection.runAll(
      "SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding, " +
        "pg_is_in_recovery() AS standby",
    )
  ).flatMap(({ rows }) => rows);
  const version = Math.floor(Number(row?.["version"]) / 10_000);
  if (version < OLDEST_VERSION) throw refusal(`The database is PostgreSQL ${version}; it has to be ${OLDEST_VERSION} or newer.`);
  if (row?.["encoding"] !== "UTF8") throw refusal("The database's encoding is not UTF8; make it with `ENCODING 'UTF8'`.");
  if (Number(row?.["standby"]) === 1) throw refusal("The database is a standby, which can't be written.");
}

/** The tables brought up to date; gives which database it is. */
async function prepareTables(connection: PostgresConnection, options: PostgresOptions, translator: Translator): Promise<number> {
  const limits = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"];
  const settings = limits.map((name) => `SET LOCAL ${name} = ${MIGRATE_TIMEOUT_MS}`).join(";");
  const begin = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;${settings};SELECT pg_advisory_xact_lock(${GROUP_LOCK});${NOW}`;
  const nowMs = Number((await connection.runAll(begin)).at(-1)?.rows[0]?.["now_ms"]);
  options.onTime(nowMs);
  const batch = new GroupBatch({
    connection,
    translator,
    generation: undefined,
    nowMs,
    locks: undefined,
    epoch: 0,
    raise: () => 0,
    onAnswered: () => undefined,
  });
  await migrate(batch, options.migrations, nowMs);
  const [row] = await batch.all("SELECT value FROM meta WHERE name = 'store'");
  batch.end();
  const [answer] = await connection.runAll("COMMIT");
  if (answer?.command !== "COMMIT" || typeof row?.["value"] !== "number") throw refusal("The tables could not be brought up to date.");
  return row["value"];
}

export async function openPostgres(options: PostgresOptions): Promise<Store> {
  const { address, durability, onTime, onBug, deadlineMs } = options;
  const translator = new Translator();
  const opener = (terms: Pick<ConnectionOptions, "readOnly" | "storeId">) => () =>
    PostgresConnection.open({ address, durability, ...terms });
  let first: PostgresConnection | undefined;
  try {
    first = await opener({ readOnly: false, storeId: undefined })();
    await inspect(first);
    const storeId = await prepareTables(first, options, translator);
    const writer = new GroupWriter({ open: opener({ readOnly: false, storeId }), translator, onTime, onBug, deadlineMs });
    const readers = new Readers(opener({ readOnly: true, storeId }), deadlineMs);
    const lookout = new Lookout({ open: opener({ readOnly: true, storeId }), onTime, deadlineMs });
    return new PostgresStore(writer, readers, lookout, translator);
  } catch (error) {
    throw locate(error, address);
  } finally {
    first?.close();
  }
}

/** Says which database it was. */
function locate(error: unknown, address: PostgresAddress): Error {
  if (!(error instanceof FailureError)) return error as Error;
  const told = new FailureError(error.failures.map((failure) => ({ ...failure, at: failure.at ?? { file: nameAddress(address) } })));
  told.cause = error;
  return told;
}
