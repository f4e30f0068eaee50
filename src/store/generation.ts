/**
 * The generation of everything that administrators decide: policies, grants, servers, snapshots. One row, raised in the
 * transaction of every such change. A reader who sees the number it has indexed knows that its index is whole.
 */

import { type Readable, readRows } from "./read-rows.ts";
import type { Batch, Migrations } from "./store.ts";

/** The store's own table. */
export const generationMigrations: Migrations = {
  "0001-meta": async (batch) => {
    await batch.run("CREATE TABLE meta (name text NOT NULL PRIMARY KEY, value bigint NOT NULL)");
    await batch.run("INSERT INTO meta (name, value) VALUES ('generation', 1)");
  },
};

/** Announces an administrative change, in the transaction that makes it. */
export async function bumpGeneration(batch: Batch): Promise<void> {
  await batch.run("UPDATE meta SET value = value + 1 WHERE name = 'generation'");
  batch.raiseEpoch();
}

export async function readGeneration(source: Readable): Promise<number> {
  const [row] = await readRows(source, "SELECT value FROM meta WHERE name = 'generation'");
  return Number(row?.["value"]);
}
