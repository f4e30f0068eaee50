/**
 * Summaries of finished sections of the log: which names occur in it, as a Bloom filter. They let a search pass over
 * sections that can't have what it looks for. Made after the fact, off the path of calls; a section without one is read.
 * A summary speeds a search and proves nothing: `export` and `verify` never ask it.
 */
import { readRows } from "../store/read-rows.ts";
import type { Store } from "../store/store.ts";
import { FILTER_FIELDS, type LineFilter } from "./filter.ts";
import { readLogHead, readPages } from "./read-log.ts";

/** Section `n` holds the entries from `n * SECTION_ENTRIES + 1` on. */
export const SECTION_ENTRIES = 1024;
/** Sections that one round of upkeep summarises, a few milliseconds each. */
export const MAX_SECTIONS_PER_ROUND = 64;
const SUMMARY_BYTES = 2048;
const PROBES = 4;

export function sectionOf(seq: number): number {
  return Math.floor((seq - 1) / SECTION_ENTRIES);
}

/** The bits that stand for one name of one field. */
function probe(field: string, value: string): number[] {
  let first = 0x811c9dc5;
  let second = 0x1b873593;
  const text = `${field}=${value}`;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    first = Math.imul(first ^ code, 0x01000193);
    second = Math.imul(second + code, 0x85ebca6b) ^ (second >>> 13);
  }
  const bits = SUMMARY_BYTES * 8;
  return Array.from({ length: PROBES }, (_, step) => ((first >>> 0) + step * ((second | 1) >>> 0)) % bits);
}

/** Summarises lines; undefined where one of them can't be read, so that such a section is always looked into. */
export function createSummary(lines: readonly string[]): string | undefined {
  const bits = Buffer.alloc(SUMMARY_BYTES);
  for (const line of lines) {
    let entry: Readonly<Record<string, unknown>>;
    try {
      entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
    } catch {
      return undefined;
    }
    for (const field of FILTER_FIELDS) {
      const value = entry[field];
      if (typeof value !== "string") continue;
      for (const bit of probe(field, value)) bits[bit >> 3] = (bits[bit >> 3] as number) | (1 << (bit & 7));
    }
  }
  return bits.toString("base64");
}

/** Asks summaries whether their section may have what a filter wants. */
export function createSectionTest(filter: LineFilter): (summary: string) => boolean {
  const wanted = filter.wanted.flatMap(([field, value]) => probe(field, value));
  return (summary) => {
    const bits = Buffer.from(summary, "base64");
    if (bits.length !== SUMMARY_BYTES) return true;
    return wanted.every((bit) => ((bits[bit >> 3] as number) & (1 << (bit & 7))) !== 0);
  };
}

/** The summaries of sections from `from` to `to`, both included. */
export async function readSummaries(store: Store, from: number, to: number): Promise<Map<number, string>> {
  const rows = await readRows(store.query, "select section, names from audit_section where section >= ? and section <= ?", [from, to]);
  return new Map(rows.map((row) => [Number(row["section"]), String(row["names"])]));
}

/** Summarises finished sections that have no summary yet; gives how many it did. */
export async function summariseSections(store: Store, maxSections: number = MAX_SECTIONS_PER_ROUND): Promise<number> {
  const head = await readLogHead(store);
  if (!head) return 0;
  const [row] = await readRows(store.query, "select max(section) as last from audit_section");
  const first = Number(row?.["last"] ?? -1) + 1;
  const end = Math.min(Math.floor(head.size / SECTION_ENTRIES), first + maxSections);
  for (let section = first; section < end; section++) {
    const lines: string[] = [];
    const start = section * SECTION_ENTRIES;
    for await (const page of readPages(store, start + 1, start + SECTION_ENTRIES)) for (const { line } of page) lines.push(line);
    const names = createSummary(lines) ?? "";
    await store.write((batch) =>
      batch.run("insert into audit_section (section, names) values (?, ?) on conflict (section) do nothing", [section, names]),
    );
  }
  return Math.max(0, end - first);
}
