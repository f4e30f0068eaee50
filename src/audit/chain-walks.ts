/**
 * Walks the chains of a file side by side. A line waits for the next one of its chain, so that faults are told apart as in
 * a file of one chain. A line that can't be read is nobody's until a chain turns out to lack one entry just there.
 */
import { type ReadLine, readLine } from "./chain.ts";
import { ChainWalk, type NextLine, nameEntry, type WalkStart } from "./chain-walk.ts";
import type { ChainEnd } from "./checkpoint.ts";
import type { Fault } from "./verdict.ts";

interface HeldLine {
  readonly line: string;
  readonly lineNumber: number;
  readonly read: ReadLine | undefined;
}

interface Walking {
  readonly walk: ChainWalk;
  held: HeldLine | undefined;
  broken: boolean;
}

export class ChainWalks {
  readonly #chains = new Map<number, Walking>();
  /** A line that can't be read, and the entry that it stands before. */
  #stray: (HeldLine & { readonly chain: number; readonly seq: number }) | undefined;
  #lastChain = 0;
  /** The one that stands first in the file. */
  fault: Fault | undefined;
  /** Entries that hold. */
  count = 0;

  begin(chain: number, start: WalkStart): void {
    this.#find(chain).walk.begin(start);
  }

  get chains(): readonly number[] {
    return [...this.#chains.keys()].sort((left, right) => left - right);
  }

  /** How far a chain was walked; undefined for one of which there is no line. */
  find(chain: number): ChainWalk | undefined {
    return this.#chains.get(chain)?.walk;
  }

  #find(chain: number): Walking {
    let walking = this.#chains.get(chain);
    if (!walking) this.#chains.set(chain, (walking = { walk: new ChainWalk(chain), held: undefined, broken: false }));
    return walking;
  }

  take(line: string, lineNumber: number, read: ReadLine | undefined = readLine(line)): void {
    if (!read?.whole) {
      const chain = this.#lastChain;
      this.#stray ??= { line, lineNumber, read, chain, seq: this.#lastSeq(this.#chains.get(chain)) + 1 };
      return;
    }
    const walking = this.#find(read.chain);
    if (this.#stray && read.seq === this.#lastSeq(walking) + 2) this.#claimStray(walking);
    this.#lastChain = read.chain;
    this.#push(walking, { line, lineNumber, read });
  }

  #lastSeq(walking: Walking | undefined): number {
    return walking?.held?.read?.seq ?? walking?.walk.seq ?? 0;
  }

  #claimStray(walking: Walking): void {
    if (this.#stray) this.#push(walking, this.#stray);
    this.#stray = undefined;
  }

  #push(walking: Walking, held: HeldLine): void {
    this.#settle(walking, () => ({ line: held.line }));
    walking.held = held;
  }

  #settle(walking: Walking, next: () => NextLine): void {
    const { held, walk } = walking;
    walking.held = undefined;
    if (!held || walking.broken) return;
    const fault = walk.take(held.line, held.lineNumber, next, held.read);
    if (!fault) {
      this.count++;
      return;
    }
    walking.broken = true;
    this.#note(fault);
  }

  #note(fault: Fault): void {
    if (!this.fault || fault.line < this.fault.line) this.fault = fault;
  }

  /** There are no more lines. `ends` is where the checkpoint says that the chains end; undefined where there is none. */
  finish(ends: readonly ChainEnd[] | undefined): void {
    for (const { chain, size } of ends ?? []) {
      const walking = this.#chains.get(chain);
      if (this.#stray && this.#lastSeq(walking) + 1 === size) this.#claimStray(walking ?? this.#find(chain));
    }
    const stray = this.#stray;
    // Without a checkpoint it may be the line that the file breaks off in.
    if (stray && !ends) this.#claimStray(this.#find(stray.chain));
    for (const [chain, walking] of this.#chains) {
      const end = ends?.find((one) => one.chain === chain);
      this.#settle(walking, () => end && { size: end.size, hash: end.hash });
    }
    if (!this.#stray) return;
    const { chain, seq, lineNumber } = this.#stray;
    this.#note({
      kind: "inserted",
      chain,
      seq,
      line: lineNumber,
      message: `Before ${nameEntry(chain, seq)} stands a line that does not belong to the log.`,
    });
  }
}
