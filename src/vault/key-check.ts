/**
 * Tells at the start whether the master key is the one that the data was made with: a value that only that key makes is
 * kept in the database, and written there the first time. Knows no database: whoever opens one hands over its batch.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { fail, type Result, succeed } from "../kernel/failure.ts";
import type { Keys } from "./keys.ts";

/** The part of the store's batch that is needed here. */
export interface KeyCheckBatch {
  all(sql: string, parameters?: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  run(sql: string, parameters?: readonly string[]): Promise<number>;
}

export const keyCheckMigrations: Readonly<Record<string, (batch: KeyCheckBatch) => Promise<void>>> = {
  "0010-key-check": async (batch) => {
    await batch.run("create table key_check (id integer primary key, proof text not null)");
  },
};

/** What is kept: it proves the key and can't be turned back into it. */
function createProof(keys: Keys): string {
  const digest = createHmac("sha256", keys.deriveKey("key-check")).update("sallyport key check").digest("base64url");
  return `${keys.id}.${digest}`;
}

/** Compares the keys with the data's, and ties the data to them where it has none yet. */
export async function checkKeys(batch: KeyCheckBatch, keys: Keys): Promise<Result<void>> {
  const proof = Buffer.from(createProof(keys));
  const [row] = await batch.all("select proof from key_check where id = 1");
  if (!row) {
    await batch.run("insert into key_check (id, proof) values (1, ?)", [proof.toString()]);
    return succeed(undefined);
  }
  const kept = Buffer.from(String(row.proof));
  if (kept.length === proof.length && timingSafeEqual(kept, proof)) return succeed(undefined);
  return fail({
    code: "key_unusable",
    message: "The master key is not the one that this data was made with.",
    hint: "Put the old key back (`secrets.keyFile` or SALLYPORT_MASTER_KEY); with another key the tokens and secrets kept here are lost.",
  });
}
