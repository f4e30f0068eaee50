/**
 * Walks the chain line by line and names what is wrong with the first line that does not fit. To tell a changed entry
 * from a removed or inserted one it looks at what comes next: whoever changes one thing leaves the rest as it was.
 */
import { NO_HASH, type ReadLine, readLine } from "./chain.ts";
import type { Fault, FaultKind } from "./verdict.ts";

/** What follows a line: another line, a checkpoint with its hash, or nothing. */
export type NextLine = { readonly line: string } | { readonly size: number; readonly hash: string } | undefined;

export class ChainWalk {
  /** The last entry that fits; 0 before the first. */
  seq = 0;
  hash: string = NO_HASH;
  #id: string | undefined;
  #hashBefore: string = NO_HASH;

  /** Takes a line that fits and gives undefined, or says what is wrong with it. `next` is asked only then. */
  take(line: string, lineNumber: number, next: () => NextLine): Fault | undefined {
    const entry = readLine(line);
    if (entry?.whole && entry.seq === this.seq + 1 && entry.prev === this.hash) {
      this.#hashBefore = this.hash;
      this.hash = entry.hash;
      this.seq = entry.seq;
      this.#id = entry.id;
      return undefined;
    }
    return this.#judge(line, entry, lineNumber, next());
  }

  #judge(line: string, entry: ReadLine | undefined, lineNumber: number, next: NextLine): Fault {
    const expected = this.seq + 1;
    const following = next && "line" in next ? readLine(next.line) : undefined;
    const fitsHere = following?.whole === true && following.seq === expected && following.prev === this.hash;
    const say = (kind: FaultKind, seq: number, message: string, more: { id?: string | undefined; lastSeq?: number } = {}): Fault => ({
      kind,
      seq,
      line: lineNumber,
      message,
      ...more,
    });
    if (!entry?.whole) {
      // A line that the end of the file broke off in the middle.
      if (next === undefined && !line.endsWith("}")) return say("cut", expected, `The log breaks off in the middle of entry ${expected}.`);
      if (fitsHere || (next && "size" in next && next.size === this.seq)) {
        return say("inserted", expected, `Before entry ${expected} stands a line that does not belong to the log.`);
      }
      return say("changed", expected, `Entry ${expected} was changed: it does not have the hash that it had.`, { id: entry?.id });
    }
    const { seq, id } = entry;
    const nextFollows = following ? following.prev === entry.hash : next !== undefined && "hash" in next && next.hash === entry.hash;
    if (seq === expected) {
      // Its own hash holds. If what follows points to it, the entry before was written anew, else this one was.
      if (nextFollows && this.seq > 0) {
        return say("changed", this.seq, `Entry ${this.seq} was changed: entry ${seq} names another hash for it.`, { id: this.#id });
      }
      return say("changed", seq, `Entry ${seq} was changed: it does not follow the entry before it.`, { id });
    }
    if (seq > expected) {
      if (fitsHere) return say("inserted", seq, `Entry ${seq} stands before entry ${expected}, where it does not belong.`, { id });
      if (following?.seq === expected + 1) return say("changed", expected, `In place of entry ${expected} stands entry ${seq}.`, { id });
      const missing = seq - 1 === expected ? `Entry ${expected} was removed` : `Entries ${expected} to ${seq - 1} were removed`;
      return say("removed", expected, `${missing}: the next one is entry ${seq}.`, { lastSeq: seq - 1 });
    }
    if (seq === this.seq && entry.prev === this.#hashBefore && nextFollows) {
      return say("inserted", seq, `Before entry ${seq} stands another that claims its place.`, { id: this.#id });
    }
    return say("inserted", seq, `After entry ${this.seq} stands entry ${seq}, where it does not belong.`, { id });
  }
}
