/**
 * Leases: a name that one process holds until a time, so that of several on one database one alone does an act. A lease
 * is taken and given back in the transaction of whoever uses it; one whose holder died is free when its time is over.
 * It keeps acts from happening twice at a time and is no proof: what was done is checked again when it is written.
 */
import type { Batch, Migrations } from "./store.ts";

export const leaseMigrations: Migrations = {
  "0002-lease": async (batch) => {
    await batch.run("CREATE TABLE lease (name text NOT NULL PRIMARY KEY, holder text NOT NULL, until_ms bigint NOT NULL)");
  },
};

export interface LeaseTerms {
  /** What is held, such as `refresh/<server>`. */
  readonly name: string;
  /** Who holds it: random, another for every act. */
  readonly holder: string;
  readonly nowMs: number;
  readonly untilMs: number;
}

/** Takes the lease, or takes it for longer; false: another holds it. */
export async function takeLease(batch: Batch, terms: LeaseTerms): Promise<boolean> {
  const taken = await batch.run(
    `INSERT INTO lease (name, holder, until_ms) VALUES (?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
     WHERE lease.holder = excluded.holder OR lease.until_ms <= ?`,
    [terms.name, terms.holder, terms.untilMs, terms.nowMs],
  );
  return taken === 1;
}

/** Gives it back; false: it was no longer held. */
export async function releaseLease(batch: Batch, name: string, holder: string): Promise<boolean> {
  return (await batch.run("DELETE FROM lease WHERE name = ? AND holder = ?", [name, holder])) === 1;
}
