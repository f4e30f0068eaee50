/**
 * Reading the log's rows: pages by sequence, the head, the place of a time. Pages are small, because a read holds the
 * event loop; those who read much let others run in between. Reads outside of the writer's transaction.
 */
import { setImmediate as yieldTurn } from "node:timers/promises";
import { readRows } from "../store/read-rows.ts";
import type { Store } from "../store/store.ts";

/** Lines of one read: about half a megabyte, one or two milliseconds. */
export const PAGE_ENTRIES = 512;

export interface StoredEntry {
  readonly seq: number;
  readonly line: string;
}

export interface LogHead {
  readonly logId: string;
  readonly size: number;
  readonly hash: string;
  /** How far the last checkpoint reached that was noted here. */
  readonly signedSize: number;
  /** The highest row there is; equal to `size` in a log that nobody touched. */
  readonly lastSeq: number;
}

/** Where the log stands; undefined before its first entry. One statement, hence one moment. */
export async function readLogHead(store: Store): Promise<LogHead | undefined> {
  const [row] = await readRows(
    store.query,
    "select log_id, size, hash, signed_size, (select max(seq) from audit_entry) as last_seq from audit_log where id = 1",
  );
  if (!row) return undefined;
  return {
    logId: String(row["log_id"]),
    size: Number(row["size"]),
    hash: String(row["hash"]),
    signedSize: Number(row["signed_size"]),
    lastSeq: Number(row["last_seq"] ?? 0),
  };
}

/** Up to a page of entries from `fromSeq` to `toSeq`, both included, oldest first. */
export async function readPage(store: Store, fromSeq: number, toSeq: number, limit: number = PAGE_ENTRIES): Promise<StoredEntry[]> {
  const rows = await readRows(store.query, "select seq, line from audit_entry where seq >= ? and seq <= ? order by seq limit ?", [
    fromSeq,
    toSeq,
    limit,
  ]);
  return rows.map((row) => ({ seq: Number(row["seq"]), line: String(row["line"]) }));
}

/** Entries of one statement when they are picked one by one. */
const PICKS_PER_READ = 16;
const PICK = `select seq, line from audit_entry where seq in (${"?,".repeat(PICKS_PER_READ - 1)}?) order by seq`;

/** The entries of these numbers, which rise, as far as they are there. */
export async function readEntries(store: Store, seqs: readonly number[]): Promise<StoredEntry[]> {
  const entries: StoredEntry[] = [];
  for (let from = 0; from < seqs.length; from += PICKS_PER_READ) {
    // Numbers are from 1: a place that is left over asks for 0, which finds nothing.
    const asked = Array.from({ length: PICKS_PER_READ }, (_, index) => seqs[from + index] ?? 0);
    for (const row of await readRows(store.query, PICK, asked)) entries.push({ seq: Number(row["seq"]), line: String(row["line"]) });
  }
  return entries;
}

/** All entries from `fromSeq` to `toSeq`, a page at a time, with a turn of the event loop between pages. */
export async function* readPages(store: Store, fromSeq: number, toSeq: number): AsyncGenerator<StoredEntry[]> {
  for (let from = fromSeq; from <= toSeq; ) {
    const page = await readPage(store, from, toSeq);
    const last = page.at(-1);
    if (!last) return;
    yield page;
    from = last.seq + 1;
    await yieldTurn();
  }
}

const TIME = /^.{1,100}?"time":"([^"]{24})"/;

export function readTimeMs(line: string): number {
  return Date.parse(TIME.exec(line)?.[1] ?? "");
}

/** The first entry at or after a time; one past the end where there is none. Times of the log never go back. */
export async function findSeqAt(store: Store, timeMs: number, size: number): Promise<number> {
  let low = 1;
  let high = size + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [entry] = await readPage(store, middle, size, 1);
    if (entry && !(readTimeMs(entry.line) >= timeMs)) low = Math.max(entry.seq, middle) + 1;
    else high = middle;
  }
  return low;
}
