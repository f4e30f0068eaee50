/**
 * Kysely over a connection of ours. The query builder only builds and runs single statements: transactions are the group
 * writer's, and streams would hold an old state of the database open, so both are refused.
 */
import {
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  Kysely,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { Bug } from "../kernel/assert.ts";
import type { SqliteConnection } from "./sqlite-connection.ts";
import { toStoreError } from "./sqlite-failure.ts";

type Connect = () => SqliteConnection;
/** The error to tell for one that the database threw. */
type Fail = (error: unknown) => Error;

class OneConnection implements DatabaseConnection {
  readonly #connection: Connect;
  readonly #fail: Fail;
  constructor(connection: Connect, fail: Fail) {
    this.#connection = connection;
    this.#fail = fail;
  }

  executeQuery<R>(compiled: CompiledQuery): Promise<QueryResult<R>> {
    try {
      const answer = this.#connection().execute(compiled.sql, compiled.parameters);
      if (typeof answer !== "number") return Promise.resolve({ rows: answer as R[], numAffectedRows: BigInt(answer.length) });
      return Promise.resolve({ rows: [], numAffectedRows: BigInt(answer) });
    } catch (error) {
      return Promise.reject(this.#fail(error));
    }
  }

  streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Bug("read by pages: a stream would hold the database open");
  }
}

class OneDriver implements Driver {
  readonly #connection: OneConnection;
  constructor(connection: Connect, fail: Fail) {
    this.#connection = new OneConnection(connection, fail);
  }
  async init(): Promise<void> {}
  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }
  async beginTransaction(): Promise<void> {
    throw new Bug("a transaction is `Store.write`");
  }
  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

class OneDialect implements Dialect {
  readonly #connection: Connect;
  readonly #fail: Fail;
  constructor(connection: Connect, fail: Fail) {
    this.#connection = connection;
    this.#fail = fail;
  }
  createDriver(): Driver {
    return new OneDriver(this.#connection, this.#fail);
  }
  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }
  createAdapter(): DialectAdapter {
    return new SqliteAdapter();
  }
  // biome-ignore lint/suspicious/noExplicitAny: as the interface has it.
  createIntrospector(database: Kysely<any>): DatabaseIntrospector {
    return new SqliteIntrospector(database);
  }
}

/** A query builder; `connection` is asked at every statement and throws where none may run any more. */
// biome-ignore lint/suspicious/noExplicitAny: each room brings the row types of its own tables.
export function createQuery(connection: Connect, fail: Fail = toStoreError): Kysely<any> {
  return new Kysely({ dialect: new OneDialect(connection, fail) });
}
