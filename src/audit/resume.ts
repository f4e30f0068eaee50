/**
 * Finds where an export that was broken off ended, so that another can go on with it. Promises that nothing is added to a
 * file that is not the beginning of an export of this very log: its last lines hold and follow each other, and the last of
 * each chain is, byte for byte, the one that the log has. A line that breaks off, and a checkpoint at the end, are left out.
 */
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { FailureError } from "../kernel/failure.ts";
import type { Store } from "../store/store.ts";
import { type ReadLine, readLine } from "./chain.ts";
import { capital, nameEntry } from "./chain-walk.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { isCheckpointLine, isRetiredLine, readCheckpointLine } from "./checkpoint-line.ts";
import { addToSoFar, createSoFar, type FilteredSoFar } from "./export.ts";
import { type AuditFilter, compileFilter } from "./filter.ts";
import { findLastBreak, readLinesBackward } from "./lines-backward.ts";
import type { Cursor } from "./place.ts";
import { readLogHead, readPage } from "./read-log.ts";
import { splitLines } from "./split-lines.ts";

/** Lines at the end whose hashes and order are looked at. */
const CHECKED_LINES = 1024;

export interface ResumePoint {
  /** Bytes of the file that stay. */
  readonly bytes: number;
  /** Undefined where there is nothing to go on from: the export begins anew. */
  readonly after: Cursor | undefined;
  readonly soFar: FilteredSoFar | undefined;
}

interface LastLine {
  readonly seq: number;
  readonly line: string;
}

function refuse(message: string): never {
  throw new FailureError({ code: "conflict", message, hint: "Export anew with `--out`." });
}

interface FileEnd {
  readonly last: ReadonlyMap<number, LastLine>;
  /** Of chains of which the file has no entry: how far it says that they were retired. */
  readonly retired: ReadonlyMap<number, number>;
}

/** The last line of each chain, from the file's end; what a retired beginning says stands above all entries. */
async function findLastLines(file: FileHandle, end: number, chains: number): Promise<FileEnd> {
  const last = new Map<number, LastLine>();
  const retired = new Map<number, number>();
  const nextOf = new Map<number, ReadLine>();
  let checked = 0;
  for await (const { line } of readLinesBackward(file, end)) {
    if (checked >= CHECKED_LINES && last.size >= chains) break;
    if (isRetiredLine(line)) {
      const statement = openCheckpoint(readCheckpointLine(line)?.note ?? "", undefined);
      if (statement) retired.set(statement.chain, statement.size);
      continue;
    }
    const read = readLine(line);
    if (!read?.whole) return refuse("The file's end does not hold: it has a line that is not an entry, or one that was changed.");
    const next = nextOf.get(read.chain);
    if (next && (next.seq !== read.seq + 1 || next.prev !== read.hash)) {
      return refuse(`The file's end does not hold: ${nameEntry(read.chain, next.seq)} does not follow the one before it.`);
    }
    nextOf.set(read.chain, read);
    if (!last.has(read.chain)) last.set(read.chain, { seq: read.seq, line });
    checked++;
  }
  return { last, retired };
}

/** All of a filtered export is read: its last line signs every one. */
async function readFiltered(path: string, end: number, filter: AuditFilter): Promise<{ end: FileEnd; soFar: FilteredSoFar }> {
  const last = new Map<number, LastLine>();
  const soFar = createSoFar();
  const { matches } = compileFilter(filter);
  if (end === 0) return { end: { last, retired: new Map() }, soFar };
  for await (const line of splitLines(createReadStream(path, { end: end - 1 }))) {
    const read = readLine(line);
    if (!read?.whole) return refuse("The file does not hold: it has a line that is not an entry, or one that was changed.");
    if (read.seq <= (last.get(read.chain)?.seq ?? 0)) {
      return refuse(`The file does not hold: ${nameEntry(read.chain, read.seq)} stands where it does not belong.`);
    }
    if (!matches(line))
      return refuse(`${capital(nameEntry(read.chain, read.seq))} does not fit the filter: the file is of another export.`);
    last.set(read.chain, { seq: read.seq, line });
    addToSoFar(soFar, read.chain, read.seq, read.hash);
  }
  return { end: { last, retired: new Map() }, soFar };
}

async function compareWithLog(store: Store, { last, retired }: FileEnd, whole: boolean): Promise<void> {
  const heads = (await readLogHead(store.query))?.chains ?? [];
  const gone = whole ? heads.find((head) => !last.has(head.chain) && head.retired > (retired.get(head.chain) ?? 0)) : undefined;
  if (gone) refuse(`The beginning of chain ${gone.chain} was retired since; the file can't be continued.`);
  for (const [chain, { seq, line }] of last) {
    const head = heads.find((known) => known.chain === chain);
    if (whole && head && head.retired > seq)
      refuse(`Entries after ${nameEntry(chain, seq)} were retired since; the file can't be continued.`);
    const [entry] = head && head.retired < seq ? await readPage(store, chain, seq, seq, 1) : [];
    if (entry?.line !== line && !(head && head.retired >= seq)) {
      refuse(
        `${capital(nameEntry(chain, seq))} of the file is not the one that the log has: the file is of another log, or one of them was changed.`,
      );
    }
  }
}

/** Where to go on with the export in `path`. Refuses, by throwing, what is no beginning of an export of this log. */
export async function findResumePoint(store: Store, path: string, filter: AuditFilter): Promise<ResumePoint> {
  const whole = compileFilter(filter).isEmpty;
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    let bytes = await findLastBreak(file, size);
    const [newest] = bytes === 0 ? [] : await takeOne(readLinesBackward(file, bytes));
    if (newest && isCheckpointLine(newest.line)) bytes = newest.start;
    const chains = (await readLogHead(store.query))?.chains.filter((head) => head.size > head.retired).length ?? 0;
    const { end, soFar } = whole
      ? { end: await findLastLines(file, bytes, chains), soFar: undefined }
      : await readFiltered(path, bytes, filter);
    const { last } = end;
    if (last.size === 0) return { bytes: 0, after: undefined, soFar: undefined };
    await compareWithLog(store, end, whole);
    return { bytes, after: new Map([...last].map(([chain, { seq }]) => [chain, seq])), soFar };
  } finally {
    await file.close();
  }
}

async function takeOne<T>(items: AsyncGenerator<T>): Promise<T[]> {
  for await (const item of items) return [item];
  return [];
}
