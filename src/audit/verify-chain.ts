/**
 * Verifies one chain where it lives: every line from the first or from what was retired, every checkpoint of its own on
 * the way, what the checkpoints of the other chains say of it, and that its end is where its head and they say.
 */
import { setImmediate as yieldTurn } from "node:timers/promises";
import type { Store } from "../store/store.ts";
import { ChainWalk, capital, nameEntries, nameEntry } from "./chain-walk.ts";
import { openCheckpoint, type SignedCheckpoint } from "./checkpoint.ts";
import { CheckpointRows } from "./checkpoint-rows.ts";
import type { NoteVerifier } from "./note.ts";
import { type ChainHead, type LogHead, readLogHead, readPage, type StoredEntry } from "./read-log.ts";
import type { Fault } from "./verdict.ts";

/** What the checkpoints of another chain say of this one: ends that rise, each with its hash. */
class Claims {
  readonly #rows: CheckpointRows;
  readonly #of: number;
  readonly #by: ChainHead;
  readonly #verifier: NoteVerifier | undefined;
  #claim: { readonly size: number; readonly hash: string; readonly by: number } | undefined;

  constructor(store: Store, of: number, by: ChainHead, verifier: NoteVerifier | undefined) {
    this.#rows = new CheckpointRows(store, by.chain, by.retired);
    this.#of = of;
    this.#by = by;
    this.#verifier = verifier;
  }

  /** The next one; a note that does not hold is passed over, for the walk of its own chain names it. */
  async peek(): Promise<{ readonly size: number; readonly hash: string; readonly by: number } | undefined> {
    while (!this.#claim) {
      const row = await this.#rows.peek();
      if (!row) return undefined;
      this.#rows.skip();
      const end = openCheckpoint(row.note, this.#verifier)?.others?.find(({ chain }) => chain === this.#of);
      if (end) this.#claim = { size: end.size, hash: end.hash, by: this.#by.chain };
    }
    return this.#claim;
  }

  skip(): void {
    this.#claim = undefined;
  }
}

export interface ChainCheckOptions {
  readonly store: Store;
  readonly log: LogHead;
  readonly head: ChainHead;
  /** The statement over what was retired of the chain. */
  readonly retired: SignedCheckpoint | undefined;
  readonly verifier: NoteVerifier | undefined;
}

export class ChainCheck {
  readonly #options: ChainCheckOptions;
  readonly #walk: ChainWalk;
  readonly #own: CheckpointRows;
  readonly #claims: readonly Claims[];
  /** The last of the chain's own checkpoints that fits. */
  last: SignedCheckpoint | undefined;

  constructor(options: ChainCheckOptions) {
    const { store, log, head, retired, verifier } = options;
    this.#options = options;
    this.#walk = new ChainWalk(head.chain);
    if (retired) this.#walk.begin(retired);
    this.#own = new CheckpointRows(store, head.chain, head.retired);
    this.#claims = log.chains.filter(({ chain }) => chain !== head.chain).map((by) => new Claims(store, head.chain, by, verifier));
  }

  /** Entries that hold. */
  get entries(): number {
    return this.#walk.seq - this.#options.head.retired;
  }

  async verify(): Promise<Fault | undefined> {
    const { store, head } = this.#options;
    const { chain, size } = head;
    const atStart = await this.#compare();
    if (atStart) return atStart;
    for (let from = head.retired + 1; from <= size; ) {
      const page = await readPage(store, chain, from, size);
      const last = page.at(-1);
      if (!last) break;
      const [after] = last.seq < size ? await readPage(store, chain, last.seq + 1, size, 1) : [];
      for (const [index, entry] of page.entries()) {
        const fault = await this.#take(entry, page[index + 1] ?? after);
        if (fault) return fault;
      }
      from = last.seq + 1;
      await yieldTurn();
    }
    return await this.#judgeEnd();
  }

  async #take(entry: StoredEntry, next: StoredEntry | undefined): Promise<Fault | undefined> {
    const { head } = this.#options;
    const fault = this.#walk.take(entry.line, entry.seq, () => (next ? { line: next.line } : { size: head.size, hash: head.hash }));
    if (fault) return fault;
    if (entry.seq === this.#walk.seq) return await this.#compare();
    const message = `${capital(nameEntry(head.chain, this.#walk.seq))} stands in another's row.`;
    return { kind: "changed", chain: head.chain, seq: this.#walk.seq, line: entry.seq, message };
  }

  /** All checkpoints up to the last entry taken. */
  async #compare(): Promise<Fault | undefined> {
    return (await this.#compareOwn()) ?? (await this.#compareClaims());
  }

  async #compareOwn(): Promise<Fault | undefined> {
    const { chain } = this.#walk;
    for (let row = await this.#own.peek(); row && row.size <= this.#walk.seq; row = await this.#own.peek()) {
      const { size, note } = row;
      const checkpoint = openCheckpoint(note, this.#options.verifier);
      if (
        checkpoint?.of !== "log" ||
        checkpoint.size !== size ||
        checkpoint.chain !== chain ||
        checkpoint.logId !== this.#options.log.logId
      ) {
        return this.#refuseCheckpoint(size, size);
      }
      if (size === this.#walk.seq && checkpoint.hash !== this.#walk.hash) {
        const first = (this.last?.size ?? this.#options.head.retired) + 1;
        const what =
          first >= size
            ? nameEntries(chain, size, size)
            : `One or more of the entries ${first} to ${size}${chain === 0 ? "" : ` of chain ${chain}`} were`;
        const message = `${what} written anew: the checkpoint signs another hash.`;
        return { kind: "changed", chain, seq: Math.min(first, size), lastSeq: size, line: size, message };
      }
      this.last = checkpoint;
      this.#own.skip();
    }
    return undefined;
  }

  #refuseCheckpoint(size: number, line: number): Fault {
    const { chain } = this.#walk;
    const message = `The checkpoint at ${nameEntry(chain, size)} was changed, or another key signed it.`;
    return { kind: "checkpoint", chain, seq: size, line, message };
  }

  async #compareClaims(): Promise<Fault | undefined> {
    const { chain, seq, hash } = this.#walk;
    for (const claims of this.#claims) {
      for (let claim = await claims.peek(); claim && claim.size <= seq; claim = await claims.peek()) {
        if (claim.size === seq && seq > 0 && claim.hash !== hash) {
          const message = `Chain ${chain} was forked: a checkpoint of chain ${claim.by} saw another ${nameEntry(chain, seq)}.`;
          return { kind: "chain_forked", chain, seq, line: seq, message };
        }
        claims.skip();
      }
    }
    return undefined;
  }

  /** How far checkpoints reach that lie beyond the chain's head; 0 where there are none. */
  async #judgeAhead(): Promise<number | Fault> {
    const { store, head, verifier } = this.#options;
    let now: ChainHead | undefined = head;
    // Those that came while we read have moved the head with them.
    const isNew = async (size: number): Promise<boolean> => {
      if (now === head) now = (await readLogHead(store.query))?.chains.find(({ chain }) => chain === head.chain);
      return now !== undefined && size <= now.size;
    };
    let ahead = 0;
    const row = await this.#own.peek();
    if (row && !(await isNew(row.size))) {
      if (openCheckpoint(row.note, verifier)?.size !== row.size) return this.#refuseCheckpoint(row.size, this.#walk.seq + 1);
      ahead = row.size;
    }
    for (const claims of this.#claims) {
      for (let claim = await claims.peek(); claim; claim = await claims.peek()) {
        if (await isNew(claim.size)) break;
        ahead = Math.max(ahead, claim.size);
        claims.skip();
      }
    }
    return ahead;
  }

  /** Whether the end is where the head and the last checkpoints say. */
  async #judgeEnd(): Promise<Fault | undefined> {
    const { head } = this.#options;
    const { chain, seq } = this.#walk;
    const ahead = await this.#judgeAhead();
    if (typeof ahead === "object") return ahead;
    const end = Math.max(head.size, head.signedSize, ahead);
    const line = seq + 1;
    if (seq < end)
      return { kind: "cut", chain, seq: line, lastSeq: end, line, message: `${nameEntries(chain, line, end)} cut off at the end.` };
    if (head.lastSeq > head.size) {
      const extra = head.size + 1;
      const message = `${nameEntries(chain, extra, extra)} added behind the log's back: its head does not know it.`;
      return { kind: "inserted", chain, seq: extra, line: extra, message };
    }
    if (this.#walk.hash !== head.hash) {
      const message = `${nameEntries(chain, seq, seq)} changed: the log's head names another hash.`;
      return { kind: "changed", chain, seq, line: seq, message };
    }
    if ((this.last?.size ?? head.retired) >= head.signedSize) return undefined;
    return {
      kind: "checkpoint",
      chain,
      seq: head.signedSize,
      line,
      message: `The checkpoint at ${nameEntry(chain, head.signedSize)} was removed.`,
    };
  }
}
