/**
 * Names that are good for one use: whoever uses one first has it, in this process or another, and it stays used until a
 * time after which nobody can come with it any more. Old ones are swept by those who use new ones.
 */
import { type Readable, readRows } from "./read-rows.ts";
import type { Batch, Migrations } from "./store.ts";

export const onceMigrations: Migrations = {
  "0003-once": async (batch) => {
    await batch.run("CREATE TABLE once (name text NOT NULL PRIMARY KEY, until_ms bigint NOT NULL)");
    await batch.run("CREATE INDEX once_until ON once (until_ms)");
  },
};

/** Old names that one use sweeps away: more than it adds, so that they never pile up. */
export const SWEPT_NAMES = 16;

/** False: it was used before. */
export async function useOnce(batch: Batch, name: string, nowMs: number, untilMs: number): Promise<boolean> {
  await batch.run("DELETE FROM once WHERE name IN (SELECT name FROM once WHERE until_ms < ? LIMIT ?)", [nowMs, SWEPT_NAMES]);
  return (await batch.run("INSERT INTO once (name, until_ms) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", [name, untilMs])) === 1;
}

export async function isUsed(source: Readable, name: string): Promise<boolean> {
  return (await readRows(source, "SELECT 1 AS used FROM once WHERE name = ?", [name])).length > 0;
}
