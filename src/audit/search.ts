/**
 * Finds entries, newest first. A page is found by sequence, never by counting; a search that has looked at many entries
 * in vain gives what it has and says where to go on, so that no question holds the gateway however large the log is.
 */
import { setImmediate as yieldTurn } from "node:timers/promises";
import type { Store } from "../store/store.ts";
import { type AuditFilter, compileFilter, type LineFilter } from "./filter.ts";
import { orderKey } from "./merge.ts";
import { type Cursor, parseCursor, printCursor } from "./place.ts";
import { type ChainHead, findSeqAt, type LogHead, readEntries, readLogHead, readPage, type StoredEntry } from "./read-log.ts";
import { readIndexed, SPAN_ENTRIES } from "./term-index.ts";
import { createTermSearch, spanOf, type TermSearch } from "./term-search.ts";

export const DEFAULT_SEARCH_LIMIT = 100;
export const MAX_SEARCH_LIMIT = 1000;
/** Entries that one page may read in vain. */
export const MAX_SCANNED_ENTRIES: number = 32 * SPAN_ENTRIES;
/** Lines of one read, about a millisecond. */
const ENTRIES_PER_READ = 512;
/** Candidates that are picked with one question. */
const PICKED_ENTRIES = 64;
/** Beyond this share of a span its entries are read whole, which costs less than picking. */
const READ_WHOLE_ABOVE: number = SPAN_ENTRIES / 2;
/** Spans without a candidate that are looked at in one turn of the event loop. */
const SPANS_PER_TURN = 32;
/** Ids begin with their time: ten letters, five bits each. */
const ID_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz";
const ID_TIME_LETTERS = 10;

export interface SearchPage {
  /** Newest first. */
  readonly entries: readonly StoredEntry[];
  /** Hand this in as `before` for the next page; undefined: that was all. */
  readonly next: string | undefined;
}

export interface SearchOptions {
  readonly limit?: number | undefined;
  /** Only entries before this cursor: what the page before gave as `next`, or a sequence number of the first chain. */
  readonly before?: string | undefined;
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

/** The entries of a chain, first and last, between which a filter's times lie. */
export async function findBounds(
  store: Pick<Store, "query">,
  filter: AuditFilter,
  head: Pick<ChainHead, "chain" | "size" | "retired">,
): Promise<{ first: number; last: number }> {
  const sinceMs = Math.max(filter.sinceMs ?? 0, readIdTimeMs(filter.exchange));
  const first = sinceMs > 0 ? await findSeqAt(store, head, sinceMs) : head.retired + 1;
  const last = filter.untilMs === undefined ? head.size : (await findSeqAt(store, head, filter.untilMs)) - 1;
  return { first, last };
}

/** What one page may still read, over all chains. */
interface Budget {
  left: number;
}

/** Entries of one chain that fit, newest first. */
class ChainSearch {
  readonly chain: number;
  readonly #store: Store;
  readonly #line: LineFilter;
  readonly #terms: TermSearch | undefined;
  readonly #indexed: number;
  readonly #first: number;
  readonly #budget: Budget;
  /** Candidates that were read and not looked at; the newest is the last. */
  #read: StoredEntry[] = [];
  /** Numbers that the index gave and that were not read; the newest is the last. */
  #places: number[] = [];
  /** Everything from here on was read. */
  #end: number;
  /** Everything from here on was told or does not fit. */
  before: number;
  front: StoredEntry | undefined;
  frontKey = "";
  spent = false;

  constructor(options: { store: Store; chain: number; line: LineFilter; first: number; last: number; indexed: number; budget: Budget }) {
    const { store, chain, line, first } = options;
    this.#store = store;
    this.chain = chain;
    this.#line = line;
    this.#first = first;
    this.#end = options.last + 1;
    this.before = this.#end;
    this.#indexed = options.indexed;
    this.#budget = options.budget;
    if (line.wanted.length > 0 && options.indexed > 0) this.#terms = createTermSearch(store, chain, line, Math.max(0, spanOf(first)));
  }

  /** Finds the next entry that fits, or that there is none, or that the page may read no more. */
  async advance(keyed: boolean): Promise<void> {
    this.front = undefined;
    for (;;) {
      for (let entry = this.#read.pop(); entry; entry = this.#read.pop()) {
        this.before = entry.seq;
        if (!this.#line.matches(entry.line)) continue;
        this.front = entry;
        if (keyed) this.frontKey = orderKey(entry.line);
        return;
      }
      if (!(await this.#readMore())) return;
    }
  }

  async #readMore(): Promise<boolean> {
    if (this.#places.length > 0) {
      if (this.#isSpent()) return false;
      const picked = this.#places.splice(-PICKED_ENTRIES);
      return this.#take(
        (await readEntries(this.#store, this.chain, picked)).sort((left, right) => left.seq - right.seq),
        picked.length,
      );
    }
    this.before = Math.min(this.before, this.#end);
    if (this.#end <= this.#first) {
      this.before = Math.min(this.before, this.#first);
      return false;
    }
    if (this.#isSpent()) return false;
    const last = this.#end - 1;
    if (!this.#terms || last > this.#indexed) {
      const least = this.#terms ? Math.max(this.#first, this.#indexed + 1) : this.#first;
      return this.#readWhole(Math.max(least, last - ENTRIES_PER_READ + 1), last);
    }
    const span = spanOf(last);
    const start = Math.max(this.#first, span * SPAN_ENTRIES + 1);
    const places = (await this.#terms.findPlaces(span)).filter((seq) => seq >= start && seq <= last);
    if (places.length > READ_WHOLE_ABOVE) return this.#readWhole(Math.max(start, last - ENTRIES_PER_READ + 1), last);
    this.#places = places;
    this.#end = start;
    // Now and then the others have their turn, also where nothing is found.
    if (places.length === 0 && span % SPANS_PER_TURN === 0) await yieldTurn();
    return true;
  }

  async #readWhole(from: number, to: number): Promise<boolean> {
    const page = await readPage(this.#store, this.chain, from, to, ENTRIES_PER_READ);
    this.#end = from;
    return await this.#take(page, to - from + 1);
  }

  async #take(page: StoredEntry[], cost: number): Promise<boolean> {
    this.#read = page;
    this.#budget.left -= cost;
    await yieldTurn();
    return true;
  }

  #isSpent(): boolean {
    this.spent = this.#budget.left <= 0;
    return this.spent;
  }
}

async function openChains(
  store: Store,
  filter: AuditFilter,
  line: LineFilter,
  head: LogHead,
  before: Cursor | undefined,
): Promise<ChainSearch[]> {
  const indexed = line.wanted.length > 0 ? await readIndexed(store.query) : new Map<number, number>();
  const budget: Budget = { left: MAX_SCANNED_ENTRIES };
  const chains: ChainSearch[] = [];
  for (const chain of head.chains) {
    const { first, last } = await findBounds(store, filter, chain);
    // A chain that came after the cursor was given has nothing before it.
    const end = before === undefined ? last : Math.min(last, (before.get(chain.chain) ?? 0) - 1);
    chains.push(
      new ChainSearch({ store, chain: chain.chain, line, first, last: Math.max(end, 0), indexed: indexed.get(chain.chain) ?? 0, budget }),
    );
  }
  return chains;
}

export async function searchEntries(store: Store, filter: AuditFilter, options: SearchOptions = {}): Promise<SearchPage> {
  const limit = Math.max(1, Math.min(options.limit ?? DEFAULT_SEARCH_LIMIT, MAX_SEARCH_LIMIT));
  const head = await readLogHead(store.query);
  if (!head) return { entries: [], next: undefined };
  const before = options.before === undefined ? undefined : parseCursor(options.before);
  if (options.before !== undefined && !before) return { entries: [], next: undefined };
  const chains = await openChains(store, filter, compileFilter(filter), head, before);
  const several = chains.length > 1;
  for (const chain of chains) await chain.advance(several);
  const entries: StoredEntry[] = [];
  const goOn = (): string => printCursor(new Map(chains.map((chain) => [chain.chain, chain.front ? chain.front.seq + 1 : chain.before])));
  for (;;) {
    if (chains.some((chain) => !chain.front && chain.spent)) return { entries, next: goOn() };
    let newest: ChainSearch | undefined;
    for (const chain of chains) if (chain.front && (!newest || chain.frontKey > newest.frontKey)) newest = chain;
    if (!newest?.front) return { entries, next: undefined };
    if (entries.length === limit) return { entries, next: goOn() };
    entries.push(newest.front);
    await newest.advance(several);
  }
}
