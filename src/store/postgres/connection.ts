/**
 * One connection to one PostgreSQL. Statements are sent as they come, without waiting for the answers of earlier ones, and
 * are answered in order. Whoever waits too long, or meets an error, throws the connection away: what a broken one is in the
 * middle of, nobody can know. The server is told to give up what is held open for too long, so that a process that
 * stopped keeps nobody waiting.
 */
import pg from "pg";
import { assert } from "../../kernel/assert.ts";
import type { PostgresAddress } from "../../kernel/postgres-url.ts";
import { assertBindable } from "../bindable.ts";
import type { SqlRow, SqlValue } from "../store.ts";
import { tlsOptions } from "./address.ts";
import { refusal, toPostgresError } from "./failure.ts";
import { decodeText, encodeText, type Statement } from "./translate.ts";

export const CONNECT_TIMEOUT_MS = 3_000;
/** A transaction in which nothing happens for so long is undone: its process was stopped, or is gone behind the network. */
export const IDLE_IN_GROUP_MS = 2_000;
/** Waiting for the locks of others; longer than a process that stopped can keep them. */
export const LOCK_TIMEOUT_MS = 4_000;
export const STATEMENT_TIMEOUT_MS = 5_000;
const CLIENT_CHECK_MS = 1_000;
const KEEP_ALIVE_MS = 5_000;

/** The types that tables and answers are made of; anything else comes as text. */
const OID = { bool: 16, bytea: 17, int8: 20, int2: 21, int4: 23, float8: 701 } as const;

export interface ConnectionOptions {
  readonly address: PostgresAddress;
  readonly readOnly: boolean;
  /** `disk`: a commit is on disk when it is told, whatever the server's own setting. */
  readonly durability: "process" | "disk";
  /** Which database it has to be; undefined: whichever it is. */
  readonly storeId: number | undefined;
}

export interface Answer {
  readonly rows: SqlRow[];
  readonly changed: number;
  readonly command: string;
}

function readWhole(text: string): number {
  const value = Number(text);
  assert(Number.isSafeInteger(value), "a whole number beyond 2^53 came out of the database");
  return value;
}

const readBytes = pg.types.getTypeParser(OID.bytea) as (text: string) => Uint8Array;

function findParser(oid: number): (text: string) => SqlValue {
  switch (oid) {
    case OID.int8:
      return readWhole;
    case OID.int2:
    case OID.int4:
    case OID.float8:
      return Number;
    case OID.bool:
      return (text) => (text === "t" ? 1 : 0);
    case OID.bytea:
      return readBytes;
    default:
      return decodeText;
  }
}

function bind(parameters: readonly unknown[]): SqlValue[] {
  assertBindable(parameters);
  return parameters.map((value) => (typeof value === "string" ? encodeText(value) : value));
}

/** Driver's results; a text of several statements has a list of them. */
interface DriverResult {
  readonly rows: SqlRow[];
  readonly rowCount: number | null;
  readonly command: string;
}

interface Sent {
  readonly text: string;
  readonly name?: string;
  readonly values?: SqlValue[];
}

function toAnswer({ rows, rowCount, command }: DriverResult): Answer {
  return { rows, changed: rowCount ?? 0, command };
}

export class PostgresConnection {
  readonly #client: pg.Client;
  /** With a callback, for the driver's promises cost a stack trace each. */
  readonly #submit: (query: Sent, answered: (error: Error | null | undefined, result: unknown) => void) => void;
  #dead = false;

  private constructor(client: pg.Client) {
    this.#client = client;
    this.#submit = client.query.bind(client) as never;
    client.on("error", () => this.destroy());
    client.on("end", () => this.destroy());
  }

  static async open(options: ConnectionOptions): Promise<PostgresConnection> {
    const { address } = options;
    const client = new pg.Client({
      host: address.host,
      port: address.port,
      user: address.user,
      password: address.password,
      database: address.database,
      ssl: tlsOptions(address),
      application_name: "sallyport",
      client_encoding: "UTF8",
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      pipeline: true,
      types: { getTypeParser: findParser as never },
    });
    const connection = new PostgresConnection(client);
    const timer = setTimeout(() => connection.destroy(), CONNECT_TIMEOUT_MS);
    try {
      await client.connect();
      await connection.#prepare(options);
      return connection;
    } catch (error) {
      connection.destroy();
      throw toPostgresError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #prepare({ readOnly, durability, storeId }: ConnectionOptions): Promise<void> {
    const settings = [
      "SET default_transaction_isolation = 'read committed'",
      `SET default_transaction_read_only = ${readOnly ? "on" : "off"}`,
      `SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`,
      `SET lock_timeout = ${LOCK_TIMEOUT_MS}`,
      `SET idle_in_transaction_session_timeout = ${IDLE_IN_GROUP_MS}`,
      "SET bytea_output = 'hex'",
      // From version 14 on: a statement whose client has gone ends soon, and gives back its locks.
      `SELECT set_config(name, '${CLIENT_CHECK_MS}', false) FROM pg_settings WHERE name = 'client_connection_check_interval'`,
      "SET standard_conforming_strings = on",
      ...(durability === "disk" && !readOnly ? ["SET synchronous_commit = on"] : []),
      ...(storeId === undefined ? [] : ["SELECT value FROM meta WHERE name = 'store'"]),
    ];
    const answers = await this.runAll(settings.join(";"));
    if (storeId === undefined) return;
    const found = answers.at(-1)?.rows[0]?.["value"];
    if (found !== storeId) throw refusal("The database is not the one that this gateway opened; it was made anew or exchanged.");
  }

  get isDead(): boolean {
    return this.#dead;
  }

  /** One statement with `$1` for parameters. */
  run(statement: Statement, parameters: readonly unknown[]): Promise<Answer> {
    let values: SqlValue[];
    try {
      values = bind(parameters);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return this.#ask<DriverResult>({
      text: statement.text,
      ...(statement.name === undefined ? {} : { name: statement.name }),
      values,
    }).then(toAnswer);
  }

  /** Several statements in one text, one round trip, without parameters. */
  async runAll(text: string): Promise<Answer[]> {
    const results = await this.#ask<DriverResult | DriverResult[]>({ text });
    return (Array.isArray(results) ? results : [results]).map(toAnswer);
  }

  #ask<T>(query: Sent): Promise<T> {
    if (this.#dead) return Promise.reject(refusal("The connection to the database broke."));
    return new Promise<T>((resolve, reject) => {
      this.#submit(query, (error, result) => {
        if (!error) return resolve(result as T);
        // After an error a transaction, and what was prepared in it, is in a state that nobody has to reason about.
        this.destroy();
        reject(toPostgresError(error));
      });
    });
  }

  /** Ends it at once; everyone who waits is told. */
  destroy(): void {
    if (this.#dead) return;
    this.#dead = true;
    const { stream } = (this.#client as unknown as { connection: { stream: { destroy(): void } } }).connection;
    stream.destroy();
  }

  /** Says good-bye; nobody waits for the server to hear it. */
  close(): void {
    if (this.#dead) return;
    this.#dead = true;
    void this.#client.end().catch(() => undefined);
    const { stream } = (this.#client as unknown as { connection: { stream: { unref?(): void } } }).connection;
    stream.unref?.();
  }
}
