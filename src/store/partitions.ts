/**
 * Tables in parts, for a database that has them (PostgreSQL): one part for each value of a whole number, named after it. A
 * part that goes takes its rows with it at once, however many they are.
 */
import type { Batch, Partitions } from "./store.ts";

const NAME = /^[a-z_]{1,40}$/;

/** The name of a part. Names and numbers are the schema's own: nothing of it comes from outside. */
function nameOf(table: string, value: number): string {
  if (!NAME.test(table) || !Number.isSafeInteger(value) || value < 0)
    throw new RangeError("a part is named by its table and a whole number");
  return `${table}_${value}`;
}

export function createPartitions(batch: Pick<Batch, "all" | "run">): Partitions {
  return {
    by: (column) => `partition by list (${column})`,
    async create(table, value) {
      await batch.run(`create table if not exists ${nameOf(table, value)} partition of ${table} for values in (${value})`);
    },
    async list(table) {
      const rows = await batch.all(
        "select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent where p.relname = ?",
        [table],
      );
      return rows.map((row) => Number(String(row["name"]).slice(table.length + 1))).sort((left, right) => left - right);
    },
    async drop(table, value) {
      await batch.run(`drop table if exists ${nameOf(table, value)}`);
    },
  };
}
