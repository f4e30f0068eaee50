/**
 * Finds entries, newest first. A page is found by sequence, never by counting; a search that has looked at many entries
 * in vain gives what it has and says where to go on, so that no question holds the gateway however large the log is.
 */
import { setImmediate as yieldTurn } from "node:timers/promises";
import type { Store } from "../store/store.ts";
import { type AuditFilter, compileFilter } from "./filter.ts";
import { findSeqAt, readEntries, readLogHead, readPage, type StoredEntry } from "./read-log.ts";
import { createSectionTest, readMarks, readNames, SECTION_ENTRIES, type SectionTest, sectionOf } from "./section.ts";

export const DEFAULT_SEARCH_LIMIT = 100;
export const MAX_SEARCH_LIMIT = 1000;
/** Entries that one page may read in vain. */
export const MAX_SCANNED_ENTRIES: number = 128 * SECTION_ENTRIES;
/** Names of one read: about a third of a megabyte. */
const NAMES_PER_READ = 128;
/** Beyond this a section is read whole, which costs less than picking. */
const MAX_PICKED_ENTRIES = 256;
/** Reading an entry holds the event loop for some microseconds; after so many others have their turn. */
const ENTRIES_PER_TURN = SECTION_ENTRIES;
/** Ids begin with their time: ten letters, five bits each. */
const ID_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz";
const ID_TIME_LETTERS = 10;

export interface SearchPage {
  /** Newest first. */
  readonly entries: readonly StoredEntry[];
  /** Hand this in as `before` for the next page; undefined: that was all. */
  readonly next: number | undefined;
}

export interface SearchOptions {
  readonly limit?: number | undefined;
  /** Only entries before this sequence number. */
  readonly before?: number | undefined;
}

/** When an exchange began: none of its entries is older. Zero where its id does not tell. */
function readIdTimeMs(id: string | undefined): number {
  let timeMs = 0;
  if (id === undefined || id.length !== 26) return 0;
  for (let index = 0; index < ID_TIME_LETTERS; index++) {
    const value = ID_LETTERS.indexOf(id.charAt(index));
    if (value < 0) return 0;
    timeMs = timeMs * 32 + value;
  }
  return timeMs;
}

/** The entries, first and last, between which a filter's times lie. */
export async function findBounds(store: Store, filter: AuditFilter, size: number): Promise<{ first: number; last: number }> {
  const sinceMs = Math.max(filter.sinceMs ?? 0, readIdTimeMs(filter.exchange));
  const first = sinceMs > 0 ? await findSeqAt(store, sinceMs, size) : 1;
  const last = filter.untilMs === undefined ? size : (await findSeqAt(store, filter.untilMs, size)) - 1;
  return { first, last };
}

/** The entries of one section, from first to last, that may be what a filter wants, oldest first. */
async function readCandidates(store: Store, test: SectionTest, first: number, last: number): Promise<StoredEntry[]> {
  const section = sectionOf(last);
  const start = section * SECTION_ENTRIES + 1;
  const places = test.findPlaces(await readMarks(store, section));
  const picked = places?.map((place) => start + place).filter((seq) => seq >= first && seq <= last);
  if (picked === undefined || picked.length > MAX_PICKED_ENTRIES) return readPage(store, first, last, SECTION_ENTRIES);
  return readEntries(store, picked);
}

export async function searchEntries(store: Store, filter: AuditFilter, options: SearchOptions = {}): Promise<SearchPage> {
  const limit = Math.max(1, Math.min(options.limit ?? DEFAULT_SEARCH_LIMIT, MAX_SEARCH_LIMIT));
  const head = await readLogHead(store);
  if (!head) return { entries: [], next: undefined };
  const { first, last } = await findBounds(store, filter, head.size);
  const line = compileFilter(filter);
  const test = createSectionTest(line);
  const named = line.wanted.length > 0;
  const entries: StoredEntry[] = [];
  let names = new Map<number, string>();
  let namesFrom = Number.POSITIVE_INFINITY;
  let scanned = 0;
  let turn = 0;
  let end = Math.min(last, (options.before ?? Number.POSITIVE_INFINITY) - 1);
  while (end >= first) {
    if (scanned >= MAX_SCANNED_ENTRIES) return { entries, next: end + 1 };
    const section = sectionOf(end);
    if (named && section < namesFrom) {
      namesFrom = Math.max(0, section - NAMES_PER_READ + 1);
      names = await readNames(store, namesFrom, section);
      await yieldTurn();
    }
    // Without names to look for the newest entries are simply the last ones.
    const wanted = named ? SECTION_ENTRIES : limit - entries.length + 1;
    const start = Math.max(first, section * SECTION_ENTRIES + 1, end - wanted + 1);
    const known = names.get(section);
    if (known === undefined || test.mayHave(known)) {
      const page = named && known ? await readCandidates(store, test, start, end) : await readPage(store, start, end, SECTION_ENTRIES);
      scanned += page.length;
      for (const entry of page.reverse()) {
        if (!line.matches(entry.line)) continue;
        if (entries.length === limit) return { entries, next: (entries.at(-1) as StoredEntry).seq };
        entries.push(entry);
      }
      turn += page.length + 1;
      if (turn >= ENTRIES_PER_TURN) {
        turn = 0;
        await yieldTurn();
      }
    }
    end = start - 1;
  }
  return { entries, next: undefined };
}
