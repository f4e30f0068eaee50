/**
 * Walks one chain line by line and names what is wrong with the first line that does not fit. To tell a changed entry
 * from a removed or inserted one it looks at what comes next: whoever changes one thing leaves the rest as it was.
 */
import { NO_HASH, type ReadLine, readLine } from "./chain.ts";
import type { Fault, FaultKind } from "./verdict.ts";

/** What follows a line in its chain: another line, a checkpoint with its hash, or nothing. */
export type NextLine = { readonly line: string } | { readonly size: number; readonly hash: string } | undefined;

export interface WalkStart {
  readonly size: number;
  /** Left out: whatever the next line names. */
  readonly hash?: string | undefined;
}

/** How entries are called: the chain is named where it is not the first. */
export function nameEntry(chain: number, seq: number): string {
  return `entry ${seq}${chain === 0 ? "" : ` of chain ${chain}`}`;
}

export function nameEntries(chain: number, first: number, last: number): string {
  const where = chain === 0 ? "" : ` of chain ${chain}`;
  return first === last ? `Entry ${first}${where} was` : `Entries ${first} to ${last}${where} were`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export class ChainWalk {
  readonly chain: number;
  /** The last entry that fits; 0 before the first. */
  seq = 0;
  hash: string | undefined = NO_HASH;
  #id: string | undefined;
  #hashBefore: string | undefined = NO_HASH;

  constructor(chain = 0) {
    this.chain = chain;
  }

  /** Begins behind entries that are proved elsewhere. */
  begin(start: WalkStart): void {
    this.seq = start.size;
    this.hash = start.hash;
  }

  /**
   * Takes a line that fits and gives undefined, or says what is wrong with it. `entry` is the line as it was read; `next`
   * is asked only where it does not fit.
   */
  take(line: string, lineNumber: number, next: () => NextLine, entry: ReadLine | undefined = readLine(line)): Fault | undefined {
    const follows = entry?.whole === true && entry.chain === this.chain && entry.seq === this.seq + 1;
    if (follows && (this.hash === undefined || entry.prev === this.hash)) {
      this.#hashBefore = this.hash;
      this.hash = entry.hash;
      this.seq = entry.seq;
      this.#id = entry.id;
      return undefined;
    }
    return this.#judge(line, entry, lineNumber, next());
  }

  #judge(line: string, entry: ReadLine | undefined, lineNumber: number, next: NextLine): Fault {
    const { chain } = this;
    const expected = this.seq + 1;
    const following = next && "line" in next ? readLine(next.line) : undefined;
    const fitsHere = following?.whole === true && following.seq === expected && following.prev === this.hash;
    const name = (seq: number) => nameEntry(chain, seq);
    const say = (kind: FaultKind, seq: number, message: string, more: { id?: string | undefined; lastSeq?: number } = {}): Fault => ({
      kind,
      chain,
      seq,
      line: lineNumber,
      message: capital(message),
      ...more,
    });
    if (!entry?.whole) {
      // A line that the end of the file broke off in the middle.
      if (next === undefined && !line.endsWith("}")) return say("cut", expected, `The log breaks off in the middle of ${name(expected)}.`);
      if (fitsHere || (next && "size" in next && next.size === this.seq)) {
        return say("inserted", expected, `Before ${name(expected)} stands a line that does not belong to the log.`);
      }
      return say("changed", expected, `${name(expected)} was changed: it does not have the hash that it had.`, { id: entry?.id });
    }
    const { seq, id } = entry;
    if (entry.chain !== chain) {
      return say("changed", expected, `In place of ${name(expected)} stands ${nameEntry(entry.chain, seq)}.`, { id });
    }
    const nextFollows = following ? following.prev === entry.hash : next !== undefined && "hash" in next && next.hash === entry.hash;
    if (seq === expected) {
      // Its own hash holds. If what follows points to it, the entry before was written anew, else this one was.
      if (nextFollows && this.seq > 0) {
        return say("changed", this.seq, `${name(this.seq)} was changed: ${name(seq)} names another hash for it.`, { id: this.#id });
      }
      return say("changed", seq, `${name(seq)} was changed: it does not follow the entry before it.`, { id });
    }
    if (seq > expected) {
      if (fitsHere) return say("inserted", seq, `${name(seq)} stands before ${name(expected)}, where it does not belong.`, { id });
      if (following?.seq === expected + 1) return say("changed", expected, `In place of ${name(expected)} stands ${name(seq)}.`, { id });
      const missing = `${nameEntries(chain, expected, seq - 1)} removed`;
      return say("removed", expected, `${missing}: the next one is entry ${seq}.`, { lastSeq: seq - 1 });
    }
    if (seq === this.seq && entry.prev === this.#hashBefore && nextFollows) {
      return say("inserted", seq, `Before ${name(seq)} stands another that claims its place.`, { id: this.#id });
    }
    return say("inserted", seq, `After ${name(this.seq)} stands ${name(seq)}, where it does not belong.`, { id });
  }
}
