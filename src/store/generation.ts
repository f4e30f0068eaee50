/**
 * The generation of everything that administrators decide: policies, grants, servers, snapshots. One row, raised in the
 * transaction of every such change. A reader who sees the number it has indexed knows that its index is whole.
 */

import { randomInt } from "node:crypto";
import { isBatch, type Readable, readRows } from "./read-rows.ts";
import type { Batch, Migrations } from "./store.ts";

/** The largest that `randomInt` gives. */
const MAX_STORE_ID = 2 ** 48 - 1;

/** The store's own table. */
export const generationMigrations: Migrations = {
  "0001-meta": async (batch) => {
    await batch.run("CREATE TABLE meta (name text NOT NULL PRIMARY KEY, value bigint NOT NULL)");
    await batch.run("INSERT INTO meta (name, value) VALUES ('generation', 1)");
  },
  // Which database this is: one that was made anew in the same place is another.
  "0003-store-id": async (batch) => {
    await batch.run("INSERT INTO meta (name, value) VALUES ('store', ?)", [randomInt(1, MAX_STORE_ID)]);
  },
};

/** Announces an administrative change, in the transaction that makes it. */
export async function bumpGeneration(batch: Batch): Promise<void> {
  await batch.run("UPDATE meta SET value = value + 1 WHERE name = 'generation'");
  batch.raiseEpoch();
}

export async function readGeneration(source: Readable): Promise<number> {
  if (isBatch(source) && source.generation !== undefined) return source.generation;
  const [row] = await readRows(source, "SELECT value FROM meta WHERE name = 'generation'");
  return Number(row?.["value"]);
}
