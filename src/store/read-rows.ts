/** Reads with one text of SQL either inside of a group's transaction or outside of it. */
import { CompiledQuery, type Kysely } from "kysely";
import type { Batch, SqlRow, SqlValue } from "./store.ts";

// biome-ignore lint/suspicious/noExplicitAny: each room brings the row types of its own tables.
export type Readable = Batch | Kysely<any>;

export function isBatch(source: Readable): source is Batch {
  return "beforeCommit" in source;
}

/** Rows of a query with `?` for parameters. */
export async function readRows(source: Readable, sql: string, parameters: readonly SqlValue[] = []): Promise<SqlRow[]> {
  if (isBatch(source)) return source.all(sql, parameters);
  const { rows } = await source.executeQuery<SqlRow>(CompiledQuery.raw(sql, [...parameters]));
  return rows;
}
