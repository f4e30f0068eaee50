/**
 * How many entries there were, by hour, server, tool, kind and decision: for counts over time, which would else read the
 * log. Folded from whole spans when they are indexed; what came after is counted from the entries themselves. Only tools
 * whose definition was known are told apart, so that names that a client made up don't fill the table.
 */
import { readRows } from "../store/read-rows.ts";
import type { Batch, Store } from "../store/store.ts";
import { FILTER_FIELDS } from "./filter.ts";
import { readLogHead, readPages } from "./read-log.ts";
import { type EntryNames, readNames } from "./read-names.ts";
import { readIndexed } from "./term-index.ts";

const HOUR_MS = 3_600_000;

export interface HourCount {
  /** When the hour begins. */
  readonly hourMs: number;
  /** Empty where the entries name none. */
  readonly server: string;
  readonly tool: string;
  readonly kind: string;
  readonly decision: string;
  readonly entries: number;
}

/** By the text of its key. */
export type Counts = Map<string, { readonly hour: number; readonly names: readonly [string, string, string, string]; entries: number }>;

const [KIND, SERVER, TOOL, DECISION] = (["kind", "server", "tool", "decision"] as const).map((field) => FILTER_FIELDS.indexOf(field)) as [
  number,
  number,
  number,
  number,
];
/** Characters of a time up to its hour. */
const HOUR_CHARACTERS = "2026-01-31T09".length;

export function countEntry(counts: Counts, { time, values, knowsTool }: EntryNames): void {
  const server = values[SERVER] ?? "";
  const tool = knowsTool ? (values[TOOL] ?? "") : "";
  const kind = values[KIND] ?? "";
  const decision = values[DECISION] ?? "";
  const key = `${time.slice(0, HOUR_CHARACTERS)}\n${kind}\n${decision}\n${server}\n${tool}`;
  const known = counts.get(key);
  if (known) {
    known.entries++;
    return;
  }
  const hour = Math.floor(Date.parse(time) / HOUR_MS);
  if (!Number.isNaN(hour)) counts.set(key, { hour, names: [server, tool, kind, decision], entries: 1 });
}

/** Adds them to what is there, in the transaction that says that their entries are counted. */
export async function writeCounts(batch: Batch, counts: Counts): Promise<void> {
  for (const { hour, names, entries } of counts.values()) {
    await batch.run(
      `insert into audit_count (hour, server, tool, kind, decision, entries) values (?, ?, ?, ?, ?, ?)
       on conflict (hour, server, tool, kind, decision) do update set entries = audit_count.entries + excluded.entries`,
      [hour, ...names, entries],
    );
  }
}

export interface CountRange {
  /** Included; whole hours are told. */
  readonly sinceMs: number;
  /** Not included. */
  readonly untilMs: number;
}

/** Counts of whole hours, those that are not folded yet among them. Rising by hour. */
export async function countByHour(store: Store, range: CountRange): Promise<HourCount[]> {
  const from = Math.floor(range.sinceMs / HOUR_MS);
  const to = Math.ceil(range.untilMs / HOUR_MS);
  // Asked before the index: a span that is folded meanwhile is counted once too little for a moment, never twice.
  const counts: Counts = new Map();
  const rows = await readRows(
    store.query,
    "select hour, server, tool, kind, decision, entries from audit_count where hour >= ? and hour < ?",
    [from, to],
  );
  for (const row of rows) {
    const [server, tool, kind, decision] = ["server", "tool", "kind", "decision"].map((column) => String(row[column])) as [
      string,
      string,
      string,
      string,
    ];
    const hour = Number(row["hour"]);
    const time = new Date(hour * HOUR_MS).toISOString().slice(0, HOUR_CHARACTERS);
    counts.set(`${time}\n${kind}\n${decision}\n${server}\n${tool}`, {
      hour,
      names: [server, tool, kind, decision],
      entries: Number(row["entries"]),
    });
  }
  const head = await readLogHead(store.query);
  const indexed = await readIndexed(store.query);
  for (const chain of head?.chains ?? []) {
    const start = Math.max(indexed.get(chain.chain) ?? 0, chain.retired) + 1;
    for await (const page of readPages(store, chain.chain, start, chain.size)) {
      for (const { line } of page) {
        const names = readNames(line);
        if (names) countEntry(counts, names);
      }
    }
  }
  return [...counts]
    .filter(([, { hour }]) => hour >= from && hour < to)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(
      ([
        ,
        {
          hour,
          names: [server, tool, kind, decision],
          entries,
        },
      ]) => ({ hourMs: hour * HOUR_MS, server, tool, kind, decision, entries }),
    );
}
