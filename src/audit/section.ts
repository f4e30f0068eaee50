/**
 * Summaries of finished sections of the log, for searching: which names occur in a section at all (a Bloom filter), and a
 * mark of one byte for each entry and field, which leaves few entries to be read. Made after the fact, off the path of
 * calls; a section without one is read whole. They give too much, never too little, and prove nothing: `export` and
 * `verify` never ask them.
 */
import { readRows } from "../store/read-rows.ts";
import type { Store } from "../store/store.ts";
import { FILTER_FIELDS, type LineFilter } from "./filter.ts";
import { readLogHead, readPages } from "./read-log.ts";

/** Section `n` holds the entries from `n * SECTION_ENTRIES + 1` on. */
export const SECTION_ENTRIES = 1024;
/** Sections that one round of upkeep summarises, a few milliseconds each. */
export const MAX_SECTIONS_PER_ROUND = 64;
const NAMES_BYTES = 2048;
const MARKS_BYTES = FILTER_FIELDS.length * SECTION_ENTRIES;
const PROBES = 4;

export interface SectionSummary {
  readonly names: string;
  readonly marks: string;
}

export function sectionOf(seq: number): number {
  return Math.floor((seq - 1) / SECTION_ENTRIES);
}

interface Probe {
  /** The bits that stand for one name of one field. */
  readonly bits: readonly number[];
  /** 1 to 255; 0 stands for no name. */
  readonly mark: number;
}

function probe(field: string, value: string): Probe {
  let first = 0x811c9dc5;
  let second = 0x1b873593;
  const text = `${field}=${value}`;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    first = Math.imul(first ^ code, 0x01000193);
    second = Math.imul(second + code, 0x85ebca6b) ^ (second >>> 13);
  }
  const step = (second | 1) >>> 0;
  const bits = Array.from({ length: PROBES }, (_, time) => ((first >>> 0) + time * step) % (NAMES_BYTES * 8));
  return { bits, mark: 1 + (((first >>> 16) ^ (second >>> 9)) % 255) };
}

/** Summarises the lines of a section; undefined where one can't be read, so that such a section is always looked into. */
export function createSummary(lines: readonly string[]): SectionSummary | undefined {
  const names = Buffer.alloc(NAMES_BYTES);
  const marks = Buffer.alloc(MARKS_BYTES);
  for (const [index, line] of lines.entries()) {
    let entry: Readonly<Record<string, unknown>>;
    try {
      entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
    } catch {
      return undefined;
    }
    for (const [place, field] of FILTER_FIELDS.entries()) {
      const value = entry[field];
      if (typeof value !== "string") continue;
      const { bits, mark } = probe(field, value);
      for (const bit of bits) names[bit >> 3] = (names[bit >> 3] as number) | (1 << (bit & 7));
      marks[place * SECTION_ENTRIES + index] = mark;
    }
  }
  return { names: names.toString("base64"), marks: marks.toString("base64") };
}

/** Asks summaries what a filter wants to know. */
export interface SectionTest {
  /** Whether the section may have it at all. */
  mayHave(names: string): boolean;
  /** The places in the section, from 0, that may have it; undefined where the marks say nothing. */
  findPlaces(marks: string): number[] | undefined;
}

export function createSectionTest(filter: LineFilter): SectionTest {
  const wanted = filter.wanted.map(([field, value]) => ({ ...probe(field, value), start: FILTER_FIELDS.indexOf(field) * SECTION_ENTRIES }));
  return {
    mayHave(names) {
      const bytes = Buffer.from(names, "base64");
      if (bytes.length !== NAMES_BYTES) return true;
      return wanted.every(({ bits }) => bits.every((bit) => ((bytes[bit >> 3] as number) & (1 << (bit & 7))) !== 0));
    },
    findPlaces(marks) {
      const bytes = Buffer.from(marks, "base64");
      if (bytes.length !== MARKS_BYTES) return undefined;
      const places: number[] = [];
      for (let place = 0; place < SECTION_ENTRIES; place++) {
        if (wanted.every(({ start, mark }) => bytes[start + place] === mark)) places.push(place);
      }
      return places;
    },
  };
}

/** The names of sections from `from` to `to`, both included. */
export async function readNames(store: Store, from: number, to: number): Promise<Map<number, string>> {
  const rows = await readRows(store.query, "select section, names from audit_section where section >= ? and section <= ?", [from, to]);
  return new Map(rows.map((row) => [Number(row["section"]), String(row["names"])]));
}

/** The marks of one section; empty where there are none. */
export async function readMarks(store: Store, section: number): Promise<string> {
  const [row] = await readRows(store.query, "select marks from audit_section_marks where section = ?", [section]);
  return String(row?.["marks"] ?? "");
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
    // Where an entry is missing the others are not in their places.
    const { names, marks } = (lines.length === SECTION_ENTRIES ? createSummary(lines) : undefined) ?? { names: "", marks: "" };
    await store.write(async (batch) => {
      await batch.run("insert into audit_section (section, names) values (?, ?) on conflict (section) do nothing", [section, names]);
      await batch.run("insert into audit_section_marks (section, marks) values (?, ?) on conflict (section) do nothing", [section, marks]);
    });
  }
  return Math.max(0, end - first);
}
