/**
 * Verifies an exported file with nothing but the file and the public key: each chain from its first entry, or from the
 * signed statement over what was retired, to the signed checkpoint in the last line; or of a filtered export its own
 * entries. With the log at hand it is compared as well.
 */
import { type ReadLine, readLine } from "./chain.ts";
import { nameEntries, nameEntry } from "./chain-walk.ts";
import { ChainWalks } from "./chain-walks.ts";
import { listEnds, openCheckpoint, type SignedCheckpoint } from "./checkpoint.ts";
import { isCheckpointLine, isRetiredLine, printCheckpointLine, printRetiredLine, readCheckpointLine } from "./checkpoint-line.ts";
import { addToSoFar, createSoFar } from "./export.ts";
import { type NoteVerifier, parseVerifierKey } from "./note.ts";
import type { Cursor } from "./place.ts";
import { findMissingPlace, parsePlaceRanges } from "./ranges.ts";
import { splitLines } from "./split-lines.ts";
import { breakOff, type Fault, toRetiredPart, type Verdict } from "./verdict.ts";
import type { LogWitness } from "./witness.ts";

export interface VerifyOptions {
  /** As `audit key` prints it. Left out: hashes are checked, signatures are not. */
  readonly publicKey?: string | undefined;
  /** The log of a data folder, which knows its last checkpoint. */
  readonly log?: LogWitness | undefined;
  /** The file goes on after these entries, which are proved elsewhere. */
  readonly after?: Cursor | undefined;
}

/** What is kept of the lines so far: whether the last line makes them a whole log or a filtered export shows at the end. */
class ExportCheck {
  readonly walks = new ChainWalks();
  readonly soFar = createSoFar();
  readonly retired: SignedCheckpoint[] = [];
  ownFault: Fault | undefined;
  lastLine = "";
  lines = 0;
  readonly #lastSeqs = new Map<number, number>();

  take(line: string): void {
    this.lines++;
    this.lastLine = line;
    const read = readLine(line);
    this.walks.take(line, this.lines, read);
    if (this.ownFault) return;
    this.ownFault = this.#judgeAlone(read, this.lines);
    if (this.ownFault || !read) return;
    this.#lastSeqs.set(read.chain, read.seq);
    addToSoFar(this.soFar, read.chain, read.seq, read.hash);
  }

  /** A statement over what was retired, before the first entry; false: it does not hold. */
  takeRetired(line: string, verifier: NoteVerifier | undefined): boolean {
    this.lines++;
    const read = readCheckpointLine(line);
    const statement = read && openCheckpoint(read.note, verifier);
    if (statement?.of !== "retired" || printRetiredLine(statement) !== line) return false;
    if (this.retired.some(({ chain, logId }) => chain === statement.chain || logId !== statement.logId)) return false;
    this.retired.push(statement);
    this.walks.begin(statement.chain, statement);
    return true;
  }

  #judgeAlone(entry: ReadLine | undefined, line: number): Fault | undefined {
    if (!entry) return { kind: "changed", seq: undefined, line, message: `Line ${line} is not an entry of the log.` };
    const { chain, seq, id } = entry;
    if (!entry.whole) {
      const message = `Entry ${seq} was changed: it does not have the hash that it had.`;
      return { kind: "changed", chain, seq, id, line, message };
    }
    const last = this.#lastSeqs.get(chain) ?? 0;
    if (seq > last) return undefined;
    const message = `Entry ${seq} stands after ${nameEntry(chain, last)}, where it does not belong.`;
    return { kind: "inserted", chain, seq, id, line, message };
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
  for (const [chain, size] of options.after ?? []) check.walks.begin(chain, { size });
  const lines = splitLines(bytes)[Symbol.asyncIterator]();
  let current = await lines.next();
  for (; !current.done && isRetiredLine(current.value); current = await lines.next()) {
    if (check.takeRetired(current.value, verifier)) continue;
    const message = "The statement over what was retired was changed, or another key signed it.";
    return breakOff(0, { kind: "checkpoint", seq: undefined, line: check.lines, message });
  }
  for (; !current.done && !isCheckpointLine(current.value); current = await lines.next()) check.take(current.value);
  if (current.done) return judgeCut(check);
  const last = current.value;
  const after = await lines.next();
  const verdict = judgeEnd(check, last, check.lines + 1, verifier);
  if (!after.done && (verdict.ok || readLine(after.value)?.whole)) return refuseMiddle(verdict, check.lines + 1, after.value);
  return verdict.ok && options.log ? options.log.compare(verdict) : verdict;
}

/** A checkpoint ends an export: where a line follows, that line or the checkpoint does not belong. */
function refuseMiddle(verdict: Verdict, checkpointLine: number, after: string): Verdict {
  if (!verdict.ok) {
    const message = "A checkpoint, which ends an export, stands before an entry.";
    return breakOff(verdict.entries, { kind: "inserted", seq: undefined, line: checkpointLine, message });
  }
  const message = "After the checkpoint, which ends an export, stands another line.";
  const read = readLine(after);
  return breakOff(verdict.entries, { kind: "inserted", chain: read?.chain, seq: read?.seq, line: checkpointLine + 1, message });
}

/** There is no checkpoint at the end. A changed line before it is told first. */
function judgeCut(check: ExportCheck): Verdict {
  const { walks, ownFault, lines } = check;
  walks.finish(undefined);
  const chainFault = walks.fault;
  if (chainFault?.kind === "cut") return breakOff(walks.count, chainFault);
  const brokenOff = ownFault?.line === lines && !check.lastLine.endsWith("}");
  // Gaps alone are no fault here: the file may be what is left of a filtered export.
  if (ownFault && !brokenOff) return breakOff(walks.count, chainFault && ownFault.line === chainFault.line ? chainFault : ownFault);
  const [only] = walks.chains;
  const seq = only !== undefined && walks.chains.length === 1 && !chainFault ? (walks.find(only)?.seq ?? 0) : undefined;
  const where = seq === undefined || seq === 0 ? "" : ` after ${nameEntry(only ?? 0, seq)}`;
  const message = `The end was cut off${where}: the last line of an export is a checkpoint, and there is none.`;
  const next = seq ?? (chainFault || walks.chains.length > 1 ? undefined : 0);
  return breakOff(walks.count, { kind: "cut", seq: next === undefined ? undefined : next + 1, line: lines + 1, message });
}

function judgeEnd(check: ExportCheck, line: string, lineNumber: number, verifier: NoteVerifier | undefined): Verdict {
  const { walks, ownFault } = check;
  const read = readCheckpointLine(line);
  const checkpoint = read && openCheckpoint(read.note, verifier);
  const refuse = (message: string): Verdict => breakOff(walks.count, { kind: "checkpoint", seq: undefined, line: lineNumber, message });
  if (!checkpoint || checkpoint.of === "retired") {
    walks.finish(undefined);
    if (ownFault && walks.fault) return breakOff(walks.count, walks.fault);
    return refuse(
      verifier ? "The checkpoint at the end was changed, or another key signed it." : "The checkpoint at the end can't be read.",
    );
  }
  const whole = checkpoint.of === "log";
  const fault = whole ? judgeWhole(check, checkpoint, lineNumber) : judgeFiltered(check, checkpoint, read.ranges, lineNumber);
  if (fault) return breakOff(whole ? walks.count : check.soFar.entries, fault);
  if (printCheckpointLine(checkpoint, whole ? undefined : check.soFar.ranges.print()) !== line) {
    return refuse("The checkpoint's line says something else than the note that it holds.");
  }
  if (check.retired.some(({ logId }) => !whole || logId !== checkpoint.logId)) {
    return refuse("The statement over what was retired is of another log.");
  }
  return {
    ok: true,
    entries: whole ? walks.count : checkpoint.size,
    chains: walks.chains.length,
    filtered: !whole,
    checkpoint,
    signature: verifier ? "verified" : "unchecked",
    unsigned: 0,
    retired: check.retired.map(toRetiredPart),
  };
}

function judgeWhole({ walks }: ExportCheck, checkpoint: SignedCheckpoint, line: number): Fault | undefined {
  const ends = listEnds(checkpoint);
  walks.finish(ends);
  if (walks.fault) return walks.fault;
  for (const { chain, size, hash } of ends) {
    const walk = walks.find(chain);
    const seq = walk?.seq ?? 0;
    if (seq === 0 && size > 0 && ends.some((end) => end.chain !== chain && end.size > 0)) {
      const message = `Chain ${chain} was removed as a whole: the checkpoint signs its entries 1 to ${size}.`;
      return { kind: "chain_removed", chain, seq: 1, lastSeq: size, line, message };
    }
    if (seq < size)
      return { kind: "cut", chain, seq: seq + 1, lastSeq: size, line, message: `${nameEntries(chain, seq + 1, size)} cut off at the end.` };
    if (seq > size) {
      const message = `${nameEntries(chain, size + 1, size + 1)} added after the checkpoint was signed.`;
      return { kind: "inserted", chain, seq: size + 1, line: size + 1, message };
    }
    // Of a part behind which nothing came there is no hash to compare.
    if (walk?.hash !== undefined && size > 0 && walk.hash !== hash) {
      if (chain === checkpoint.chain) {
        return {
          kind: "changed",
          chain,
          seq: size,
          line,
          message: `${nameEntries(chain, size, size)} changed: the checkpoint signs another hash.`,
        };
      }
      const message = `Chain ${chain} was forked: the checkpoint of chain ${checkpoint.chain} saw another ${nameEntry(chain, size)}.`;
      return { kind: "chain_forked", chain, seq: size, line, message };
    }
  }
  const unknown = walks.chains.find((chain) => !ends.some((end) => end.chain === chain));
  if (unknown === undefined) return undefined;
  return { kind: "inserted", chain: unknown, seq: 1, line, message: `Chain ${unknown} was inserted: the checkpoint does not know it.` };
}

function judgeFiltered(check: ExportCheck, checkpoint: SignedCheckpoint, ranges: string | undefined, line: number): Fault | undefined {
  if (check.ownFault) return check.ownFault;
  const { digest, ranges: own, entries: count } = check.soFar;
  const same = count === checkpoint.size;
  if (same && digest.finish() === checkpoint.hash) return undefined;
  const signed = ranges === undefined ? undefined : parsePlaceRanges(ranges);
  const found = parsePlaceRanges(own.print() ?? "-");
  const missing = signed && found && findMissingPlace(signed, found);
  if (missing)
    return {
      kind: "removed",
      ...missing,
      line,
      message: `${nameEntries(missing.chain, missing.seq, missing.seq)} removed from this export.`,
    };
  const extra = signed && found && findMissingPlace(found, signed);
  if (extra)
    return { kind: "inserted", ...extra, line, message: `${nameEntries(extra.chain, extra.seq, extra.seq)} inserted into this export.` };
  const counts = `it signs ${checkpoint.size} entries, and there are ${count}`;
  if (count < checkpoint.size) return { kind: "removed", seq: undefined, line, message: `Entries were removed: ${counts}.` };
  if (count > checkpoint.size) return { kind: "inserted", seq: undefined, line, message: `Entries were inserted: ${counts}.` };
  return { kind: "changed", seq: undefined, line, message: "An entry was written anew: the checkpoint signs other hashes." };
}
