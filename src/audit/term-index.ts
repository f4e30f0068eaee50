/**
 * An index over finished spans of a chain: for each name of each field that is searched by, the places in the span where it
 * occurs. Made after the fact, off the path of calls; entries that are not indexed yet are read themselves. It gives too
 * much, never too little, and proves nothing: `export` and `verify` never ask it.
 */
import { hash } from "node:crypto";
import { setImmediate as yieldTurn } from "node:timers/promises";
import { type Readable, readRows } from "../store/read-rows.ts";
import type { Batch, SqlValue, Store } from "../store/store.ts";
import { type Counts, countEntry, writeCounts } from "./counts.ts";
import { FILTER_FIELDS, type FilterField, type LineFilter } from "./filter.ts";
import { readPages } from "./read-log.ts";

/** Span `n` of a chain holds the entries from `n * SPAN_ENTRIES + 1` on. */
export const SPAN_ENTRIES = 4096;
/** A name that occurs less often has its places listed, two bytes each; else every entry of the span has a bit. */
const BITMAP_BYTES: number = SPAN_ENTRIES / 8;
/** Characters of a name's digest; two names that share one only cost a look at the line. */
const TERM_CHARACTERS = 12;
/** Names of one group of writes, so that calls are not kept waiting. */
const TERMS_PER_GROUP = 256;
const TERMS_PER_STATEMENT = 64;
/** Spans that one statement asks for. */
const SPANS_PER_READ = 32;
const MAX_TERMS = FILTER_FIELDS.length;

export function spanOf(seq: number): number {
  return Math.floor((seq - 1) / SPAN_ENTRIES);
}

function toTerm(field: FilterField, value: string): string {
  return hash("sha256", `${field}=${value}`, "base64").slice(0, TERM_CHARACTERS);
}

/** Places, rising, in the shorter of two forms. */
export function packPlaces(places: readonly number[]): string {
  if (places.length * 2 < BITMAP_BYTES) return Buffer.from(Uint16Array.from(places).buffer).toString("base64");
  const bits = Buffer.alloc(BITMAP_BYTES);
  for (const place of places) bits[place >> 3] = (bits[place >> 3] as number) | (1 << (place & 7));
  return bits.toString("base64");
}

/** Marks the places of a text in `counts`, which has one number for each entry of a span. */
function addPlaces(text: string, counts: Uint8Array): void {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== BITMAP_BYTES) {
    for (let at = 0; at + 1 < bytes.length; at += 2) {
      const place = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
      if (place < SPAN_ENTRIES) counts[place] = (counts[place] as number) + 1;
    }
    return;
  }
  for (let byte = 0; byte < BITMAP_BYTES; byte++) {
    const bits = bytes[byte] as number;
    if (bits === 0) continue;
    for (let bit = 0; bit < 8; bit++) if ((bits & (1 << bit)) !== 0) counts[byte * 8 + bit] = (counts[byte * 8 + bit] as number) + 1;
  }
}

interface Indexed {
  readonly terms: Map<string, number[]>;
  readonly counts: Counts;
}

function addLine(indexed: Indexed, terms: Map<string, string>, place: number, line: string): void {
  let entry: Readonly<Record<string, unknown>>;
  try {
    entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return;
  }
  countEntry(indexed.counts, entry);
  for (const field of FILTER_FIELDS) {
    const value = entry[field];
    if (typeof value !== "string") continue;
    const name = `${field}=${value}`;
    let term = terms.get(name);
    if (term === undefined) terms.set(name, (term = toTerm(field, value)));
    const places = indexed.terms.get(term);
    if (places) places.push(place);
    else indexed.terms.set(term, [place]);
  }
}

/** How many entries of each chain are indexed; a chain that is not there has none. */
export async function readIndexed(source: Readable): Promise<Map<number, number>> {
  const rows = await readRows(source, "select chain, entries from audit_index");
  return new Map(rows.map((row) => [Number(row["chain"]), Number(row["entries"])]));
}

async function writeTerms(batch: Batch, chain: number, span: number, terms: readonly [string, number[]][]): Promise<void> {
  for (let from = 0; from < terms.length; from += TERMS_PER_STATEMENT) {
    const some = terms.slice(from, from + TERMS_PER_STATEMENT);
    const values: SqlValue[] = [];
    for (const [term, places] of some) values.push(chain, span, term, packPlaces(places));
    await batch.run(
      `insert into audit_term (chain, span, term, places) values ${"(?,?,?,?),".repeat(some.length - 1)}(?,?,?,?)
       on conflict (chain, span, term) do update set places = excluded.places`,
      values,
    );
  }
}

/** Indexes one finished span; its counts go in with the word that it is done, once. False: another process did it. */
export async function indexSpan(store: Store, chain: number, span: number): Promise<boolean> {
  const start = span * SPAN_ENTRIES + 1;
  const indexed: Indexed = { terms: new Map(), counts: new Map() };
  const known = new Map<string, string>();
  for await (const page of readPages(store, chain, start, start + SPAN_ENTRIES - 1)) {
    for (const { seq, line } of page) addLine(indexed, known, seq - start, line);
  }
  const terms = [...indexed.terms].sort(([left], [right]) => (left < right ? -1 : 1));
  for (let from = 0; from < terms.length; from += TERMS_PER_GROUP) {
    await store.write((batch) => writeTerms(batch, chain, span, terms.slice(from, from + TERMS_PER_GROUP)));
    await yieldTurn();
  }
  return await store.write(async (batch) => {
    const done = (span + 1) * SPAN_ENTRIES;
    const moved = await batch.run(
      `insert into audit_index (chain, entries) values (?, ?)
       on conflict (chain) do update set entries = excluded.entries where audit_index.entries = ?`,
      [chain, done, done - SPAN_ENTRIES],
    );
    if (moved === 1) await writeCounts(batch, indexed.counts);
    return moved === 1;
  });
}

/** Asks the index where a filter's names occur together. */
export interface TermSearch {
  /** The numbers of entries in a span that may have them all, rising. */
  findPlaces(span: number): Promise<readonly number[]>;
}

/** Spans are asked for from `highest` downwards, many with one statement. */
export function createTermSearch(store: Pick<Store, "query">, chain: number, filter: LineFilter, lowest: number): TermSearch {
  const terms = [...new Set(filter.wanted.map(([field, value]) => toTerm(field, value)))].slice(0, MAX_TERMS);
  const counts = new Uint8Array(SPAN_ENTRIES);
  const sql = `select span, term, places from audit_term where chain = ? and span in (${"?,".repeat(SPANS_PER_READ - 1)}?) and term in (${"?,".repeat(terms.length - 1)}?)`;
  let known = new Map<number, string[]>();
  let knownFrom = Number.POSITIVE_INFINITY;

  async function load(span: number): Promise<void> {
    knownFrom = Math.max(lowest, span - SPANS_PER_READ + 1);
    known = new Map();
    const spans = Array.from({ length: SPANS_PER_READ }, (_, index) => span - index);
    for (const row of await readRows(store.query, sql, [chain, ...spans, ...terms])) {
      const at = Number(row["span"]);
      const found = known.get(at);
      if (found) found.push(String(row["places"]));
      else known.set(at, [String(row["places"])]);
    }
  }

  return {
    async findPlaces(span) {
      if (span < knownFrom) await load(span);
      const found = known.get(span);
      // A name that does not occur has no row.
      if (!found || found.length < terms.length) return [];
      counts.fill(0);
      for (const text of found) addPlaces(text, counts);
      const start = span * SPAN_ENTRIES + 1;
      const seqs: number[] = [];
      for (let place = 0; place < SPAN_ENTRIES; place++) if (counts[place] === terms.length) seqs.push(start + place);
      return seqs;
    },
  };
}
