/**
 * Names that are good for one use: whoever uses one first has it, in this process or another, and it stays used until a
 * time after which nobody can come with it any more. Old ones are swept now and then.
 */
import { type Readable, readRows } from "./read-rows.ts";
import type { Batch, Migrations, Store } from "./store.ts";

export const onceMigrations: Migrations = {
  "0003-once": async (batch) => {
    await batch.run("CREATE TABLE once (name text NOT NULL PRIMARY KEY, until_ms bigint NOT NULL)");
    await batch.run("CREATE INDEX once_until ON once (until_ms)");
  },
};

export const SWEEP_EVERY_MS = 60_000;
/** Old names that one sweep takes away, so that no write is held up for long. */
export const SWEPT_NAMES = 5_000;

/** False: it was used before. */
export async function useOnce(batch: Batch, name: string, untilMs: number): Promise<boolean> {
  return (await batch.run("INSERT INTO once (name, until_ms) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", [name, untilMs])) === 1;
}

export async function isUsed(source: Readable, name: string): Promise<boolean> {
  return (await readRows(source, "SELECT 1 AS used FROM once WHERE name = ?", [name])).length > 0;
}

/** Sweeps until the stopper is called; a sweep that fails is made up for by the next one. */
export function startSweep(store: Store, now: () => number): () => void {
  const sweep = (batch: Batch): Promise<number> =>
    batch.run("DELETE FROM once WHERE name IN (SELECT name FROM once WHERE until_ms < ? LIMIT ?)", [now(), SWEPT_NAMES]);
  const timer = setInterval(() => void store.write(sweep).catch(() => undefined), SWEEP_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
