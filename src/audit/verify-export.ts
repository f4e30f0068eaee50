/**
 * Verifies an exported file with nothing but the file and the public key: the chain from the first entry to the signed
 * checkpoint in the last line, or of a filtered export its own entries. With the log at hand it is compared as well.
 */
import { type ReadLine, readLine } from "./chain.ts";
import { ChainWalk, type NextLine } from "./chain-walk.ts";
import { openCheckpoint, type SignedCheckpoint } from "./checkpoint.ts";
import { isCheckpointLine, printCheckpointLine, readCheckpointLine } from "./checkpoint-line.ts";
import { createExportDigest } from "./export.ts";
import { type NoteVerifier, parseVerifierKey } from "./note.ts";
import { findMissing, parseRanges, RangeList } from "./ranges.ts";
import { splitLines } from "./split-lines.ts";
import { breakOff, type Fault, type Verdict } from "./verdict.ts";
import type { LogWitness } from "./witness.ts";

export interface VerifyOptions {
  /** As `audit key` prints it. Left out: hashes are checked, signatures are not. */
  readonly publicKey?: string | undefined;
  /** The log of a data folder, which knows its last checkpoint. */
  readonly log?: LogWitness | undefined;
}

/** What is kept of the lines so far: whether the last line makes them a whole log or a filtered export shows at the end. */
class ExportCheck {
  readonly walk = new ChainWalk();
  readonly ranges = new RangeList();
  readonly digest: ReturnType<typeof createExportDigest> = createExportDigest();
  chainFault: Fault | undefined;
  ownFault: Fault | undefined;
  count = 0;
  lastLine = "";
  #lastSeq = 0;

  take(line: string, lineNumber: number, next: () => NextLine): void {
    this.lastLine = line;
    this.chainFault ??= this.walk.take(line, lineNumber, next);
    if (this.ownFault) return;
    const entry = this.chainFault ? readLine(line) : { ...this.#taken(), whole: true };
    this.ownFault = this.#judgeAlone(entry, lineNumber);
    if (this.ownFault || !entry) return;
    this.count++;
    this.#lastSeq = entry.seq;
    this.digest.add(entry.hash);
    this.ranges.add(entry.seq);
  }

  #taken(): Pick<ReadLine, "seq" | "hash" | "id"> {
    return { seq: this.walk.seq, hash: this.walk.hash, id: "" };
  }

  #judgeAlone(entry: Pick<ReadLine, "seq" | "hash" | "id" | "whole"> | undefined, line: number): Fault | undefined {
    if (!entry) return { kind: "changed", seq: undefined, line, message: `Line ${line} is not an entry of the log.` };
    const { seq, id } = entry;
    if (!entry.whole)
      return { kind: "changed", seq, id, line, message: `Entry ${seq} was changed: it does not have the hash that it had.` };
    if (seq > this.#lastSeq) return undefined;
    return { kind: "inserted", seq, id, line, message: `Entry ${seq} stands after entry ${this.#lastSeq}, where it does not belong.` };
  }
}

function refuseKey(): Verdict {
  const message = "The public key is not one of the kind that `audit key` prints.";
  return breakOff(0, { kind: "checkpoint", seq: undefined, line: 0, message });
}

/** Reads the file once, in pieces of any size. */
export async function verifyExport(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, options: VerifyOptions = {}): Promise<Verdict> {
  const verifier = options.publicKey === undefined ? undefined : parseVerifierKey(options.publicKey);
  if (options.publicKey !== undefined && !verifier) return refuseKey();
  const check = new ExportCheck();
  const lines = splitLines(bytes)[Symbol.asyncIterator]();
  let lineNumber = 0;
  let current = await lines.next();
  while (!current.done && !isCheckpointLine(current.value)) {
    lineNumber++;
    const following = await lines.next();
    check.take(current.value, lineNumber, () => describeNext(following.done ? undefined : following.value, verifier));
    current = following;
  }
  if (current.done) return judgeCut(check, lineNumber);
  const last = current.value;
  const after = await lines.next();
  const verdict = judgeEnd(check, last, lineNumber + 1, verifier);
  if (!after.done && (verdict.ok || readLine(after.value)?.whole)) return refuseMiddle(verdict, lineNumber + 1, after.value);
  return verdict.ok && options.log ? options.log.compare(verdict) : verdict;
}

/** A checkpoint ends an export: where a line follows, that line or the checkpoint does not belong. */
function refuseMiddle(verdict: Verdict, checkpointLine: number, after: string): Verdict {
  if (!verdict.ok) {
    const message = "A checkpoint, which ends an export, stands before an entry.";
    return breakOff(verdict.entries, { kind: "inserted", seq: undefined, line: checkpointLine, message });
  }
  const message = "After the checkpoint, which ends an export, stands another line.";
  return breakOff(verdict.entries, { kind: "inserted", seq: readLine(after)?.seq, line: checkpointLine + 1, message });
}

function describeNext(line: string | undefined, verifier: NoteVerifier | undefined): NextLine {
  if (line === undefined) return undefined;
  const checkpoint = isCheckpointLine(line) ? openLine(line, verifier)?.checkpoint : undefined;
  return checkpoint ? { size: checkpoint.size, hash: checkpoint.hash } : { line };
}

function openLine(
  line: string,
  verifier: NoteVerifier | undefined,
): { checkpoint: SignedCheckpoint; ranges: string | undefined } | undefined {
  const read = readCheckpointLine(line);
  const checkpoint = read && openCheckpoint(read.note, verifier);
  return checkpoint && { checkpoint, ranges: read.ranges };
}

/** There is no checkpoint at the end. A changed line before it is told first. */
function judgeCut(check: ExportCheck, lines: number): Verdict {
  const { walk, chainFault, ownFault } = check;
  if (chainFault?.kind === "cut") return breakOff(walk.seq, chainFault);
  const brokenOff = ownFault?.line === lines && !check.lastLine.endsWith("}");
  // Gaps alone are no fault here: the file may be what is left of a filtered export.
  if (ownFault && !brokenOff) return breakOff(walk.seq, ownFault.line === chainFault?.line ? chainFault : ownFault);
  const where = walk.seq === 0 || chainFault ? "" : ` after entry ${walk.seq}`;
  const message = `The end was cut off${where}: the last line of an export is a checkpoint, and there is none.`;
  return breakOff(walk.seq, { kind: "cut", seq: chainFault ? undefined : walk.seq + 1, line: lines + 1, message });
}

function judgeEnd(check: ExportCheck, line: string, lineNumber: number, verifier: NoteVerifier | undefined): Verdict {
  const opened = openLine(line, verifier);
  if (!opened) {
    const early = check.ownFault && check.chainFault;
    if (early) return breakOff(check.walk.seq, early);
    const message = verifier
      ? "The checkpoint at the end was changed, or another key signed it."
      : "The checkpoint at the end can't be read.";
    return breakOff(check.walk.seq, { kind: "checkpoint", seq: undefined, line: lineNumber, message });
  }
  const { checkpoint, ranges } = opened;
  const fault = checkpoint.of === "log" ? judgeWhole(check, checkpoint, lineNumber) : judgeFiltered(check, checkpoint, ranges, lineNumber);
  if (fault) return breakOff(checkpoint.of === "log" ? check.walk.seq : check.count, fault);
  const expected = printCheckpointLine(checkpoint, checkpoint.of === "log" ? undefined : check.ranges.print());
  if (expected !== line) {
    const message = "The checkpoint's line says something else than the note that it holds.";
    return breakOff(check.count, { kind: "checkpoint", seq: undefined, line: lineNumber, message });
  }
  const signature = verifier ? "verified" : "unchecked";
  return { ok: true, entries: checkpoint.size, filtered: checkpoint.of === "export", checkpoint, signature, unsigned: 0 };
}

function judgeWhole({ walk, chainFault }: ExportCheck, checkpoint: SignedCheckpoint, line: number): Fault | undefined {
  if (chainFault) return chainFault;
  const { size } = checkpoint;
  if (walk.seq < size) {
    const what = walk.seq + 1 === size ? `Entry ${size} was` : `Entries ${walk.seq + 1} to ${size} were`;
    return { kind: "cut", seq: walk.seq + 1, lastSeq: size, line, message: `${what} cut off at the end.` };
  }
  if (walk.seq > size) {
    return { kind: "inserted", seq: size + 1, line: size + 1, message: `Entry ${size + 1} was added after the checkpoint was signed.` };
  }
  if (walk.hash === checkpoint.hash) return undefined;
  return { kind: "changed", seq: size, line: size, message: `Entry ${size} was changed: the checkpoint signs another hash.` };
}

function judgeFiltered(check: ExportCheck, checkpoint: SignedCheckpoint, ranges: string | undefined, line: number): Fault | undefined {
  if (check.ownFault) return check.ownFault;
  if (check.count === checkpoint.size && check.digest.finish() === checkpoint.hash) return undefined;
  const signed = ranges === undefined ? undefined : parseRanges(ranges);
  const found = parseRanges(check.ranges.print() ?? "-");
  const missing = signed && found && findMissing(signed, found);
  if (missing !== undefined) return { kind: "removed", seq: missing, line, message: `Entry ${missing} was removed from this export.` };
  const extra = signed && found && findMissing(found, signed);
  if (extra !== undefined) return { kind: "inserted", seq: extra, line, message: `Entry ${extra} was inserted into this export.` };
  const counts = `it signs ${checkpoint.size} entries, and there are ${check.count}`;
  if (check.count < checkpoint.size) return { kind: "removed", seq: undefined, line, message: `Entries were removed: ${counts}.` };
  if (check.count > checkpoint.size) return { kind: "inserted", seq: undefined, line, message: `Entries were inserted: ${counts}.` };
  return { kind: "changed", seq: undefined, line, message: "An entry was written anew: the checkpoint signs other hashes." };
}
