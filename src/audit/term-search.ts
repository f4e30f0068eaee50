/**
 * Asks the index of a chain (`term-index.ts`) where names occur together: spans from the newest downwards, many with one
 * statement, their places as bits.
 */
import { readRows } from "../store/read-rows.ts";
import type { Store } from "../store/store.ts";
import type { LineFilter } from "./filter.ts";
import { BITMAP_BYTES, DIGESTS, digestExchange, EXCHANGES, SPAN_ENTRIES, toTerm } from "./term-index.ts";

/** Spans that one statement asks for. */
const SPANS_PER_READ = 32;

export function spanOf(seq: number): number {
  return Math.floor((seq - 1) / SPAN_ENTRIES);
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
