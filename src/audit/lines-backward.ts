/** Lines of a file from its end towards its beginning, a block at a time: what an export ends with, however long it is. */
import type { FileHandle } from "node:fs/promises";
import { MAX_FILE_LINE_BYTES } from "./split-lines.ts";

const BLOCK_BYTES = 256 * 1024;
const LINE_BREAK = 10;

export interface PlacedLine {
  readonly line: string;
  /** Where it begins in the file, in bytes. */
  readonly start: number;
}

/** How long the file is without the line that its end breaks off. */
export async function findLastBreak(file: FileHandle, size: number): Promise<number> {
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let end = size; end > 0; ) {
    const from = Math.max(0, end - BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, end - from, from);
    const at = block.subarray(0, bytesRead).lastIndexOf(LINE_BREAK);
    if (at !== -1) return from + at + 1;
    end = from;
  }
  return 0;
}

/** Whole lines before `end`, which is where a line begins, the last one first. Ends early at a line that is too long. */
export async function* readLinesBackward(file: FileHandle, end: number): AsyncGenerator<PlacedLine> {
  const block = Buffer.alloc(BLOCK_BYTES);
  /** The end of a line whose beginning was not read yet, without its line break. */
  let held: Buffer = Buffer.alloc(0);
  let started = false;
  for (let to = end; to > 0; ) {
    const from = Math.max(0, to - BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, to - from, from);
    let rest = Buffer.concat([block.subarray(0, bytesRead), held]);
    // The very last byte is the line break of the last line.
    if (!started) rest = rest.subarray(0, rest.length - 1);
    started = true;
    for (let at = rest.lastIndexOf(LINE_BREAK); at !== -1; at = rest.lastIndexOf(LINE_BREAK)) {
      yield { line: rest.toString("utf8", at + 1), start: from + at + 1 };
      rest = rest.subarray(0, at);
    }
    held = Buffer.from(rest);
    to = from;
    if (held.length > MAX_FILE_LINE_BYTES) return;
  }
  if (started) yield { line: held.toString("utf8"), start: 0 };
}
