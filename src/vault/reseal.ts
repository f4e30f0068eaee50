/**
 * Seals anew, with the newest key, what older ones sealed: a few rows a transaction, so that nobody waits. It can be
 * broken off anywhere and begun again. A key goes only in a transaction that has seen that nothing carries it any more;
 * what can't be opened is left as it is, and keeps its key.
 */
import { type Keyring, type KeyringBatch, type OpenKeyring, readSealVersion, removeSealingKey } from "./keyring.ts";

/** Rows of one transaction. */
export const RESEAL_ROWS = 50;

/** A column of sealed texts, and the text column that names its row. Both are words of ours, never of a user's. */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  readonly row: string;
}

/** Runs a job in a transaction of its own. */
export type RunBatch = <T>(job: (batch: KeyringBatch) => Promise<T>) => Promise<T>;

export interface Resealed {
  readonly rows: number;
  /** Values that no key opens. */
  readonly damaged: number;
  /** Keys that nothing carried any more and that are gone. */
  readonly removed: readonly number[];
}

export async function resealAll(run: RunBatch, open: OpenKeyring, columns: readonly SealedColumn[]): Promise<Resealed> {
  let rows = 0;
  let damaged = 0;
  for (const place of columns) {
    for (let after: string | undefined = ""; after !== undefined; ) {
      const from: string = after;
      const page = await run(async (batch) => await resealPage(batch, await open(batch), place, from));
      rows += page.rows;
      damaged += page.damaged;
      after = page.next;
    }
  }
  const removed = await run(async (batch) => await removeUnused(batch, await open(batch), columns));
  return { rows, damaged, removed };
}

interface Page {
  readonly rows: number;
  readonly damaged: number;
  readonly next: string | undefined;
}

async function resealPage(batch: KeyringBatch, keyring: Keyring, place: SealedColumn, after: string): Promise<Page> {
  const { table, column, row } = place;
  const found = await batch.all(
    `select ${row} as row_name, ${column} as sealed from ${table}
     where ${row} > ? and ${column} is not null and ${column} not like ? order by ${row} limit ${RESEAL_ROWS}`,
    [after, `sealed1.v${keyring.current}.%`],
  );
  let rows = 0;
  for (const one of found) {
    const name = String(one["row_name"]);
    const where = { table, column, row: name };
    const opened = keyring.open(String(one["sealed"]), where);
    if (!opened.ok) continue;
    await batch.run(`update ${table} set ${column} = ? where ${row} = ?`, [keyring.seal(opened.value, where), name]);
    rows++;
  }
  const last = found[found.length - 1];
  return { rows, damaged: found.length - rows, next: found.length < RESEAL_ROWS || !last ? undefined : String(last["row_name"]) };
}

async function removeUnused(batch: KeyringBatch, keyring: Keyring, columns: readonly SealedColumn[]): Promise<number[]> {
  const removed: number[] = [];
  for (const { version } of keyring.versions) {
    if (version === keyring.current || (await isCarried(batch, version, columns))) continue;
    await removeSealingKey(batch, version);
    removed.push(version);
  }
  return removed;
}

async function isCarried(batch: KeyringBatch, version: number, columns: readonly SealedColumn[]): Promise<boolean> {
  for (const { table, column } of columns) {
    const [row] = await batch.all(`select ${column} as sealed from ${table} where ${column} like ? limit 1`, [`sealed1.v${version}.%`]);
    if (row && readSealVersion(String(row["sealed"])) === version) return true;
  }
  return false;
}
