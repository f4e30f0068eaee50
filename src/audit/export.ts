/**
 * Exports the log as lines of JSON, the stored bytes, a page at a time, and a signed checkpoint as the last line. An
 * unfiltered export is the whole log up to that checkpoint: its chains joined in order of time, behind the statements over
 * what was retired of them. A filtered one says that it proves only its own entries. Either may go on after a cursor.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../kernel/clock.ts";
import type { Store } from "../store/store.ts";
import { readLine } from "./chain.ts";
import { listEnds, type SignedCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { printCheckpointLine, printRetiredLine } from "./checkpoint-line.ts";
import { type AuditFilter, compileFilter } from "./filter.ts";
import { mergePages } from "./merge.ts";
import type { Cursor } from "./place.ts";
import { PlaceRanges } from "./ranges.ts";
import { readPages, type StoredEntry } from "./read-log.ts";
import { readRetired } from "./retired.ts";
import { findBounds } from "./search.ts";
import type { Audit } from "./writer.ts";

export interface ExportOptions {
  readonly store: Store;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly filter?: AuditFilter;
  readonly signal?: AbortSignal;
  /** Go on after these entries; of chains that it does not name, from their beginning. */
  readonly after?: Cursor;
  /** What a filtered export that goes on has held so far. */
  readonly soFar?: FilteredSoFar;
  /** Told how many entries were looked at, and of how many. */
  readonly onProgress?: (done: number, all: number) => void;
}

/** What the last line of a filtered export signs: the hashes of its entries, in order, each followed by a line break. */
export function createExportDigest(): ExportDigest {
  const digest = createHash("sha256");
  return { add: (own) => void digest.update(`${own}\n`), finish: () => digest.digest("hex") };
}

export interface ExportDigest {
  add(hash: string): void;
  finish(): string;
}

export interface FilteredSoFar {
  readonly digest: ExportDigest;
  readonly ranges: PlaceRanges;
  entries: number;
}

export function createSoFar(): FilteredSoFar {
  return { digest: createExportDigest(), ranges: new PlaceRanges(), entries: 0 };
}

export function addToSoFar(soFar: FilteredSoFar, chain: number, seq: number, hash: string): void {
  soFar.digest.add(hash);
  soFar.ranges.add(chain, seq);
  soFar.entries++;
}

interface Bounds {
  readonly chain: number;
  readonly first: number;
  readonly last: number;
}

/** Where each chain is read, up to the checkpoint that ends the export. */
async function findChains(options: ExportOptions, retired: readonly SignedCheckpoint[], checkpoint: SignedCheckpoint): Promise<Bounds[]> {
  const bounds: Bounds[] = [];
  for (const { chain, size } of listEnds(checkpoint)) {
    const start = retired.find((statement) => statement.chain === chain)?.size ?? 0;
    const after = options.after?.get(chain);
    const found = await findBounds(options.store, options.filter ?? {}, { chain, retired: start, size });
    bounds.push({ chain, first: Math.max(found.first, (after ?? 0) + 1), last: found.last });
  }
  return bounds.filter(({ first, last }) => first <= last);
}

/** Pieces of the file, each of whole lines. */
export async function* exportLog(options: ExportOptions): AsyncGenerator<string> {
  const { store, audit } = options;
  const line = compileFilter(options.filter ?? {});
  const checkpoint = await store.write((batch) => audit.checkpoint(batch));
  // Read once, before the rows: what is retired meanwhile is missing and named by `verify`, never passed over in silence.
  const retired = await readRetired(store.query);
  if (line.isEmpty && options.after === undefined) {
    for (const statement of retired) yield `${printRetiredLine(statement)}\n`;
  }
  const bounds = await findChains(options, retired, checkpoint);
  const all = bounds.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const pages = mergePages(bounds.map(({ chain, first, last }) => readPages(store, chain, first, last, bounds.length)));
  let done = 0;
  const soFar = line.isEmpty ? undefined : (options.soFar ?? createSoFar());
  for await (const page of pages) {
    options.signal?.throwIfAborted();
    const found = soFar ? page.filter((entry) => line.matches(entry.line)) : page;
    if (soFar) for (const entry of found) addToSoFar(soFar, entry.chain, entry.seq, readLine(entry.line)?.hash ?? "");
    if (found.length > 0) yield joinLines(found);
    done += page.length;
    options.onProgress?.(done, all);
  }
  yield `${soFar ? printFiltered(options, checkpoint, soFar) : printCheckpointLine(checkpoint)}\n`;
}

function joinLines(entries: readonly StoredEntry[]): string {
  return `${entries.map((entry) => entry.line).join("\n")}\n`;
}

function printFiltered({ clock, audit }: ExportOptions, { logId }: SignedCheckpoint, soFar: FilteredSoFar): string {
  const { entries: size, digest, ranges } = soFar;
  const signed = signCheckpoint({ of: "export", logId, chain: 0, size, hash: digest.finish(), timeMs: clock.now() }, audit.signer);
  return printCheckpointLine(signed, ranges.print());
}
