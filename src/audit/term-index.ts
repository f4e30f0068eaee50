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
import { FILTER_FIELDS, type FilterField, type LineFilter } from "./filter.ts";
import { readPages } from "./read-log.ts";
import { type EntryNames, readNames } from "./read-names.ts";

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
/**
 * The rows of a span that have the first and the last name of an exchange, and the digests of them all; named shorter than
 * any term. Names rise with time, so that the small row tells of nearly every span that the large one need not be read.
 */
const EXCHANGES = "exchange";
const DIGESTS = "digests";
const EXCHANGE_FIELD: number = FILTER_FIELDS.indexOf("exchange");

export function spanOf(seq: number): number {
  return Math.floor((seq - 1) / SPAN_ENTRIES);
}

function toTerm(field: FilterField, value: string): string {
  return hash("sha256", `${field}=${value}`, "base64").slice(0, TERM_CHARACTERS);
}

/** Sixteen bits of an exchange's name; zero stands for none. */
function digestExchange(name: string): number {
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

/** A bit for each entry of a span. */
type Bits = Uint32Array;
const BITS_PER_WORD = 32;
const WORDS: number = SPAN_ENTRIES / BITS_PER_WORD;

function setBit(bits: Bits, place: number): void {
  if (place < SPAN_ENTRIES) bits[place >> 5] = (bits[place >> 5] as number) | (1 << (place & 31));
}

/** The places of a text, in either form. */
function unpackPlaces(text: string): Bits {
  const bytes = Buffer.from(text, "base64");
  // Copied, for a view of words must begin at one.
  if (bytes.length === BITMAP_BYTES) return new Uint32Array(Uint8Array.from(bytes).buffer);
  const bits = new Uint32Array(WORDS);
  for (let at = 0; at + 1 < bytes.length; at += 2) setBit(bits, bytes.readUInt16LE(at));
  return bits;
}

/** The places of an exchange's digest. */
function findDigest(text: string, digest: number): Bits {
  const digests = new Uint16Array(Uint8Array.from(Buffer.from(text, "base64")).buffer);
  const bits = new Uint32Array(WORDS);
  for (let at = digests.indexOf(digest); at !== -1; at = digests.indexOf(digest, at + 1)) setBit(bits, at);
  return bits;
}

/** Whether a name lies between the two of a row. */
function isWithin(name: string, row: string): boolean {
  const [first = "", last = ""] = row.split("\n");
  return name >= first && name <= last;
}

function keepCommon(bits: Bits, others: Bits): void {
  for (let word = 0; word < WORDS; word++) bits[word] = (bits[word] as number) & (others[word] as number);
}

function listBits(bits: Bits, start: number): number[] {
  const seqs: number[] = [];
  for (let word = 0; word < WORDS; word++) {
    for (let rest = bits[word] as number; rest !== 0; rest &= rest - 1)
      seqs.push(start + word * BITS_PER_WORD + (31 - Math.clz32(rest & -rest)));
  }
  return seqs;
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
    if (moved === 1) await writeCounts(batch, counts);
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
  const exchange = filter.wanted.find(([field]) => field === "exchange")?.[1];
  const digest = exchange === undefined ? undefined : digestExchange(exchange);
  const named = filter.wanted.filter(([field]) => field !== "exchange").map(([field, value]) => toTerm(field, value));
  const terms = [...new Set(digest === undefined ? named : [...named, EXCHANGES])];
  const sql = `select span, term, places from audit_term where chain = ? and span in (${"?,".repeat(SPANS_PER_READ - 1)}?) and term in (${"?,".repeat(terms.length - 1)}?)`;
  let known = new Map<number, { readonly term: string; readonly places: string }[]>();
  let knownFrom = Number.POSITIVE_INFINITY;

  async function load(span: number): Promise<void> {
    knownFrom = Math.max(lowest, span - SPANS_PER_READ + 1);
    known = new Map();
    const spans = Array.from({ length: SPANS_PER_READ }, (_, index) => span - index);
    for (const row of await readRows(store.query, sql, [chain, ...spans, ...terms])) {
      const at = Number(row["span"]);
      const one = { term: String(row["term"]), places: String(row["places"]) };
      const found = known.get(at);
      if (found) found.push(one);
      else known.set(at, [one]);
    }
  }

  async function readDigests(span: number): Promise<string> {
    const rows = await readRows(store.query, "select places from audit_term where chain = ? and span = ? and term = ?", [
      chain,
      span,
      DIGESTS,
    ]);
    return String(rows[0]?.["places"] ?? "");
  }

  return {
    async findPlaces(span) {
      if (span < knownFrom) await load(span);
      const found = known.get(span);
      // A name that does not occur has no row.
      if (!found || found.length < terms.length) return [];
      let common: Bits | undefined;
      for (const { term, places } of found) {
        if (term === EXCHANGES && !isWithin(exchange ?? "", places)) return [];
        const bits = term === EXCHANGES ? findDigest(await readDigests(span), digest ?? 0) : unpackPlaces(places);
        if (common) keepCommon(common, bits);
        else common = bits;
      }
      return common ? listBits(common, span * SPAN_ENTRIES + 1) : [];
    },
  };
}
