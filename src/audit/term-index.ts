/**
 * An index over finished spans of a chain: for each name of each field that is searched by, the places in the span where it
 * occurs; for exchanges, of which nearly each entry has another, two bytes of a digest for each entry. Made after the fact, off the path of calls; entries that are not indexed yet are read themselves. It gives too
 * much, never too little, and proves nothing: `export` and `verify` never ask it.
 */
import { hash } from "node:crypto";
import { setImmediate as yieldTurn } from "node:timers/promises";
import { type Readable, readRows } from "../store/read-rows.ts";
import type { Batch, SqlValue, Store } from "../store/store.ts";
import { type Counts, countEntry, writeCounts } from "./counts.ts";
import { FILTER_FIELDS, type FilterField } from "./filter.ts";
import { readPages } from "./read-log.ts";
import { type EntryNames, readNames } from "./read-names.ts";
import { BESIDE_CALLS } from "./write-terms.ts";

/** Span `n` of a chain holds the entries from `n * SPAN_ENTRIES + 1` on. */
export const SPAN_ENTRIES = 4096;
/** A name that occurs less often has its places listed, two bytes each; else every entry of the span has a bit. */
export const BITMAP_BYTES: number = SPAN_ENTRIES / 8;
/** Characters of a name's digest; two names that share one only cost a look at the line. */
const TERM_CHARACTERS = 12;
/** Names of one group of writes, so that calls are not kept waiting. */
const TERMS_PER_GROUP = 256;
const TERMS_PER_STATEMENT = 64;
/**
 * The rows of a span that have the first and the last name of an exchange, and the digests of them all; named shorter than
 * any term. Names rise with time, so that the small row tells of nearly every span that the large one need not be read.
 */
export const EXCHANGES = "exchange";
export const DIGESTS = "digests";
const EXCHANGE_FIELD: number = FILTER_FIELDS.indexOf("exchange");

export function toTerm(field: FilterField, value: string): string {
  return hash("sha256", `${field}=${value}`, "base64").slice(0, TERM_CHARACTERS);
}

/** Sixteen bits of an exchange's name; zero stands for none. */
export function digestExchange(name: string): number {
  let digest = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) digest = Math.imul(digest ^ name.charCodeAt(at), 0x01000193);
  return 1 + (((digest >>> 16) ^ (digest & 0xffff)) % 0xffff);
}

/** Places, rising, in the shorter of two forms. */
export function packPlaces(places: readonly number[]): string {
  if (places.length * 2 < BITMAP_BYTES) return Buffer.from(Uint16Array.from(places).buffer).toString("base64");
  const bits = Buffer.alloc(BITMAP_BYTES);
  for (const place of places) bits[place >> 3] = (bits[place >> 3] as number) | (1 << (place & 7));
  return bits.toString("base64");
}

/** Where each name of each field occurs, in the order of `FILTER_FIELDS`. */
type Occurrences = readonly Map<string, number[]>[];

function addNames(occurrences: Occurrences, names: EntryNames, place: number): void {
  for (let field = 0; field < occurrences.length; field++) {
    const value = names.values[field];
    if (value === undefined || field === EXCHANGE_FIELD) continue;
    const known = occurrences[field] as Map<string, number[]>;
    const places = known.get(value);
    if (places) places.push(place);
    else known.set(value, [place]);
  }
}

/** Terms with their places, in the order of their rows. */
function listTerms(occurrences: Occurrences): [string, number[]][] {
  const terms = new Map<string, number[]>();
  for (const [field, known] of occurrences.entries()) {
    for (const [value, places] of known) {
      const term = toTerm(FILTER_FIELDS[field] as FilterField, value);
      const same = terms.get(term);
      terms.set(term, same ? [...same, ...places].sort((left, right) => left - right) : places);
    }
  }
  return [...terms].sort(([left], [right]) => (left < right ? -1 : 1));
}

/** How many entries of each chain are indexed; a chain that is not there has none. */
export async function readIndexed(source: Readable): Promise<Map<number, number>> {
  const rows = await readRows(source, "select chain, entries from audit_index");
  return new Map(rows.map((row) => [Number(row["chain"]), Number(row["entries"])]));
}

async function writeTerms(batch: Batch, chain: number, span: number, terms: readonly (readonly [string, string])[]): Promise<void> {
  for (let from = 0; from < terms.length; from += TERMS_PER_STATEMENT) {
    const some = terms.slice(from, from + TERMS_PER_STATEMENT);
    const values: SqlValue[] = [];
    for (const [term, places] of some) values.push(chain, span, term, places);
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
  const occurrences: Occurrences = FILTER_FIELDS.map(() => new Map<string, number[]>());
  const exchanges = new Uint16Array(SPAN_ENTRIES);
  let firstExchange: string | undefined;
  let lastExchange = "";
  const counts: Counts = new Map();
  for await (const page of readPages(store, chain, start, start + SPAN_ENTRIES - 1)) {
    for (const { seq, line } of page) {
      const names = readNames(line);
      if (!names) continue;
      addNames(occurrences, names, seq - start);
      countEntry(counts, names);
      const exchange = names.values[EXCHANGE_FIELD];
      if (exchange === undefined) continue;
      exchanges[seq - start] = digestExchange(exchange);
      if (firstExchange === undefined || exchange < firstExchange) firstExchange = exchange;
      if (exchange > lastExchange) lastExchange = exchange;
    }
  }
  const terms: (readonly [string, string])[] = listTerms(occurrences).map(([term, places]) => [term, packPlaces(places)]);
  if (firstExchange !== undefined) {
    terms.push([EXCHANGES, `${firstExchange}\n${lastExchange}`]);
    terms.push([DIGESTS, Buffer.from(exchanges.buffer).toString("base64")]);
  }
  for (let from = 0; from < terms.length; from += TERMS_PER_GROUP) {
    await store.write((batch) => writeTerms(batch, chain, span, terms.slice(from, from + TERMS_PER_GROUP)), BESIDE_CALLS);
    await yieldTurn();
  }
  return await store.write(async (batch) => {
    const done = (span + 1) * SPAN_ENTRIES;
    const moved = await batch.run(
      `insert into audit_index (chain, entries) values (?, ?)
       on conflict (chain) do update set entries = excluded.entries where audit_index.entries = ?`,
      [chain, done, done - SPAN_ENTRIES],
    );
    if (moved === 1) await writeCounts(batch, counts);
    return moved === 1;
  }, BESIDE_CALLS);
}
