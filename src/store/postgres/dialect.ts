/**
 * Kysely over whatever runs a statement. The query builder only builds and runs single statements: transactions are the
 * group writer's, and streams would hold a connection, so both are refused.
 */
import {
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryCompiler,
  type QueryResult,
} from "kysely";
import { Bug } from "../../kernel/assert.ts";
import type { Answer } from "./connection.ts";

/** `recurs`: the text is one of ours rather than a built one, and is likely to come again. */
export type RunStatement = (sql: string, parameters: readonly unknown[], recurs: boolean) => Promise<Answer>;

class OneConnection implements DatabaseConnection {
  readonly #run: RunStatement;
  constructor(run: RunStatement) {
    this.#run = run;
  }

  async executeQuery<R>(compiled: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changed } = await this.#run(compiled.sql, compiled.parameters, compiled.query.kind === "RawNode");
    return { rows: rows as R[], numAffectedRows: BigInt(changed) };
  }

  streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Bug("read by pages: a stream would hold the database open");
  }
}

class OneDriver implements Driver {
  readonly #connection: OneConnection;
  constructor(run: RunStatement) {
    this.#connection = new OneConnection(run);
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
  readonly #run: RunStatement;
  constructor(run: RunStatement) {
    this.#run = run;
  }
  createDriver(): Driver {
    return new OneDriver(this.#run);
  }
  createQueryCompiler(): QueryCompiler {
    return new PostgresQueryCompiler();
  }
  createAdapter(): DialectAdapter {
    return new PostgresAdapter();
  }
  // biome-ignore lint/suspicious/noExplicitAny: as the interface has it.
  createIntrospector(database: Kysely<any>): DatabaseIntrospector {
    return new PostgresIntrospector(database);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: each room brings the row types of its own tables.
export function createQuery(run: RunStatement): Kysely<any> {
  return new Kysely({ dialect: new OneDialect(run) });
}
