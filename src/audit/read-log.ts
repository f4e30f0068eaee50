/**
 * Reading the log's rows: pages of a chain by sequence, the heads, the place of a time. Pages are small, because a read holds the
 * event loop; those who read much let others run in between. Reads outside of the writer's transaction.
 */
import { setImmediate as yieldTurn } from "node:timers/promises";
import { type Readable, readRows } from "../store/read-rows.ts";
import type { SqlRow, Store } from "../store/store.ts";
import type { ChainEnd } from "./checkpoint.ts";
import { CHAIN_ENTRIES, chainOf, seqOf, toPlace } from "./place.ts";

/** Lines of one read: about half a megabyte, one or two milliseconds. */
export const PAGE_ENTRIES = 512;

export interface StoredEntry {
  readonly chain: number;
  readonly seq: number;
  readonly line: string;
}

export interface ChainHead extends ChainEnd {
  readonly timeMs: number;
  /** How far the last checkpoint reached that was noted here. */
  readonly signedSize: number;
  /** The highest row there is; equal to `size` in a chain that nobody touched. */
  readonly lastSeq: number;
  /** Entries up to here were retired. */
  readonly retired: number;
}

export interface LogHead {
  readonly logId: string;
  /** Rising by number. */
  readonly chains: readonly ChainHead[];
}

const HIGHEST = (table: string): string =>
  `(select max(place) from ${table} where place > c.chain * ${CHAIN_ENTRIES} and place < (c.chain + 1) * ${CHAIN_ENTRIES})`;

const HEADS = `select l.log_id, c.chain, c.size, c.hash, c.time_ms, c.signed_size, ${HIGHEST("audit_entry")} as last_place,
  ${HIGHEST("audit_retired")} as retired_place from audit_log l left join audit_chain c on true where l.id = 1 order by c.chain`;

/** Where the log stands; undefined before its first entry. One statement, hence one moment. */
export async function readLogHead(source: Readable): Promise<LogHead | undefined> {
  const rows = await readRows(source, HEADS);
  const [first] = rows;
  if (!first) return undefined;
  const chains = rows
    .filter((row) => row["chain"] !== null)
    .map((row) => ({
      chain: Number(row["chain"]),
      size: Number(row["size"]),
      hash: String(row["hash"]),
      timeMs: Number(row["time_ms"]),
      signedSize: Number(row["signed_size"]),
      lastSeq: seqOf(Number(row["last_place"] ?? 0)),
      retired: seqOf(Number(row["retired_place"] ?? 0)),
    }));
  return { logId: String(first["log_id"]), chains };
}

function toEntry(row: SqlRow): StoredEntry {
  const place = Number(row["place"]);
  return { chain: chainOf(place), seq: seqOf(place), line: String(row["line"]) };
}

/** Up to a page of entries of a chain from `fromSeq` to `toSeq`, both included, oldest first. */
export async function readPage(
  store: Pick<Store, "query">,
  chain: number,
  fromSeq: number,
  toSeq: number,
  limit: number = PAGE_ENTRIES,
): Promise<StoredEntry[]> {
  const to = Math.min(toSeq, CHAIN_ENTRIES - 1);
  const rows = await readRows(store.query, "select place, line from audit_entry where place >= ? and place <= ? order by place limit ?", [
    toPlace(chain, fromSeq),
    toPlace(chain, to),
    limit,
  ]);
  return rows.map(toEntry);
}

/** Entries of one statement when they are picked one by one. */
const PICKS_PER_READ = 16;
const PICK = `select place, line from audit_entry where place in (${"?,".repeat(PICKS_PER_READ - 1)}?) order by place`;

/** The entries of these numbers, as far as they are there, oldest first in every sixteen. */
export async function readEntries(store: Pick<Store, "query">, chain: number, seqs: readonly number[]): Promise<StoredEntry[]> {
  const entries: StoredEntry[] = [];
  for (let from = 0; from < seqs.length; from += PICKS_PER_READ) {
    // A place that is left over asks for what is never there.
    const asked = Array.from({ length: PICKS_PER_READ }, (_, index) => toPlace(chain, seqs[from + index] ?? 0));
    for (const row of await readRows(store.query, PICK, asked)) entries.push(toEntry(row));
  }
  return entries;
}

/** Where chains are read side by side each has smaller pages, so that all of them together hold about as much. */
const MIN_PAGE_ENTRIES = 16;

/**
 * All entries of a chain from `fromSeq` to `toSeq`, a page at a time, with a turn of the event loop between pages.
 * `beside` says how many chains are read side by side.
 */
export async function* readPages(
  store: Pick<Store, "query">,
  chain: number,
  fromSeq: number,
  toSeq: number,
  beside = 1,
): AsyncGenerator<StoredEntry[]> {
  const limit = Math.max(MIN_PAGE_ENTRIES, Math.floor(PAGE_ENTRIES / beside));
  for (let from = fromSeq; from <= toSeq; ) {
    const page = await readPage(store, chain, from, toSeq, limit);
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

/** The first entry of a chain at or after a time; one past the end where there is none. Times of a chain never go back. */
export async function findSeqAt(
  store: Pick<Store, "query">,
  head: Pick<ChainHead, "chain" | "size" | "retired">,
  timeMs: number,
): Promise<number> {
  const { chain, size } = head;
  let low = head.retired + 1;
  let high = size + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [entry] = await readPage(store, chain, middle, size, 1);
    if (entry && !(readTimeMs(entry.line) >= timeMs)) low = Math.max(entry.seq, middle) + 1;
    else high = middle;
  }
  return low;
}
