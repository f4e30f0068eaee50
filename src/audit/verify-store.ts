/**
 * Verifies the log where it lives: every line from the first, every checkpoint on the way, and that the end is where the
 * head and the last checkpoint say. Reads in pages while the gateway goes on writing.
 */
import { setImmediate as yieldTurn } from "node:timers/promises";
import { readRows } from "../store/read-rows.ts";
import type { Store } from "../store/store.ts";
import { ChainWalk } from "./chain-walk.ts";
import { openCheckpoint, type SignedCheckpoint } from "./checkpoint.ts";
import { type NoteVerifier, parseVerifierKey } from "./note.ts";
import { type LogHead, readLogHead, readPage, type StoredEntry } from "./read-log.ts";
import { breakOff, type Fault, type Verdict } from "./verdict.ts";

const CHECKPOINTS_PER_READ = 256;

interface CheckpointRow {
  readonly size: number;
  readonly note: string;
}

/** The checkpoints in order, a few at a time. */
class CheckpointReader {
  readonly #store: Store;
  #rows: CheckpointRow[] = [];
  #after = -1;
  #ended = false;

  constructor(store: Store) {
    this.#store = store;
  }

  async peek(): Promise<CheckpointRow | undefined> {
    if (this.#rows.length === 0 && !this.#ended) {
      const rows = await readRows(this.#store.query, "select size, note from audit_checkpoint where size > ? order by size limit ?", [
        this.#after,
        CHECKPOINTS_PER_READ,
      ]);
      this.#rows = rows.map((row) => ({ size: Number(row["size"]), note: String(row["note"]) }));
      this.#ended = rows.length < CHECKPOINTS_PER_READ;
      this.#after = this.#rows.at(-1)?.size ?? this.#after;
    }
    return this.#rows[0];
  }

  skip(): void {
    this.#rows.shift();
  }
}

class StoreCheck {
  readonly walk = new ChainWalk();
  readonly #store: Store;
  readonly #head: LogHead;
  readonly #checkpoints: CheckpointReader;
  readonly #verifier: NoteVerifier | undefined;
  last: SignedCheckpoint | undefined;

  constructor(store: Store, head: LogHead, verifier: NoteVerifier | undefined) {
    this.#store = store;
    this.#head = head;
    this.#checkpoints = new CheckpointReader(store);
    this.#verifier = verifier;
  }

  async take(entry: StoredEntry, next: StoredEntry | undefined): Promise<Fault | undefined> {
    const fault = this.walk.take(entry.line, entry.seq, () => this.#describeNext(next));
    if (fault) return fault;
    if (entry.seq === this.walk.seq) return this.compareCheckpoints();
    return { kind: "changed", seq: this.walk.seq, line: entry.seq, message: `Entry ${this.walk.seq} stands in another's row.` };
  }

  #describeNext(next: StoredEntry | undefined): { line: string } | { size: number; hash: string } {
    return next ? { line: next.line } : { size: this.#head.size, hash: this.#head.hash };
  }

  /** The checkpoints up to the last entry taken. */
  async compareCheckpoints(): Promise<Fault | undefined> {
    for (let row = await this.#checkpoints.peek(); row && row.size <= this.walk.seq; row = await this.#checkpoints.peek()) {
      const { size, note } = row;
      const checkpoint = openCheckpoint(note, this.#verifier);
      if (checkpoint?.of !== "log" || checkpoint.size !== size || checkpoint.logId !== this.#head.logId) {
        const message = `The checkpoint at entry ${size} was changed, or another key signed it.`;
        return { kind: "checkpoint", seq: size, line: size, message };
      }
      if (size === this.walk.seq && checkpoint.hash !== this.walk.hash) {
        const first = (this.last?.size ?? 0) + 1;
        const what = first >= size ? `Entry ${size} was` : `One or more of the entries ${first} to ${size} were`;
        return {
          kind: "changed",
          seq: first,
          lastSeq: size,
          line: size,
          message: `${what} written anew: the checkpoint signs another hash.`,
        };
      }
      this.last = checkpoint;
      this.#checkpoints.skip();
    }
    return undefined;
  }

  /** How far a checkpoint reaches that lies beyond the log's head; 0 where there is none. */
  async #judgeAhead(): Promise<number | Fault> {
    const row = await this.#checkpoints.peek();
    if (!row) return 0;
    // One that came while we read has moved the head with it.
    const now = await readLogHead(this.#store);
    if (now && row.size <= now.size) return 0;
    if (openCheckpoint(row.note, this.#verifier)?.size === row.size) return row.size;
    const message = `The checkpoint at entry ${row.size} was changed, or another key signed it.`;
    return { kind: "checkpoint", seq: row.size, line: this.walk.seq + 1, message };
  }

  /** Whether the end is where the head and the last checkpoint say. */
  async judgeEnd(): Promise<Fault | undefined> {
    const { walk } = this;
    const head = this.#head;
    const ahead = await this.#judgeAhead();
    if (typeof ahead === "object") return ahead;
    const end = Math.max(head.size, head.signedSize, ahead);
    const line = walk.seq + 1;
    if (walk.seq < end) {
      const what = line === end ? `Entry ${end} was` : `Entries ${line} to ${end} were`;
      return { kind: "cut", seq: line, lastSeq: end, line, message: `${what} cut off at the end.` };
    }
    if (head.lastSeq > head.size) {
      const seq = head.size + 1;
      return { kind: "inserted", seq, line: seq, message: `Entry ${seq} was added behind the log's back: its head does not know it.` };
    }
    if (walk.hash !== head.hash) {
      return {
        kind: "changed",
        seq: walk.seq,
        line: walk.seq,
        message: `Entry ${walk.seq} was changed: the log's head names another hash.`,
      };
    }
    if ((this.last?.size ?? 0) < head.signedSize) {
      return { kind: "checkpoint", seq: head.signedSize, line, message: `The checkpoint at entry ${head.signedSize} was removed.` };
    }
    return undefined;
  }
}

/** What there is to say of a database without a head. */
async function judgeHeadless(store: Store): Promise<Verdict> {
  const [row] = await readRows(
    store.query,
    "select (select count(*) from audit_entry) as entries, (select count(*) from audit_checkpoint) as signed",
  );
  const signature = "unchecked";
  if (Number(row?.["entries"]) === 0 && Number(row?.["signed"]) === 0) {
    return { ok: true, entries: 0, filtered: false, checkpoint: undefined, signature, unsigned: 0 };
  }
  return breakOff(0, { kind: "removed", seq: undefined, line: 1, message: "The log's head was removed, and there are entries." });
}

export async function verifyStore(store: Store, options: { readonly publicKey?: string | undefined } = {}): Promise<Verdict> {
  const verifier = options.publicKey === undefined ? undefined : parseVerifierKey(options.publicKey);
  if (options.publicKey !== undefined && !verifier) {
    const message = "The public key is not one of the kind that `audit key` prints.";
    return breakOff(0, { kind: "checkpoint", seq: undefined, line: 0, message });
  }
  const head = await readLogHead(store);
  if (!head) return judgeHeadless(store);
  const check = new StoreCheck(store, head, verifier);
  const entriesBefore = (): number => check.walk.seq;
  const atStart = await check.compareCheckpoints();
  if (atStart) return breakOff(0, atStart);
  for (let from = 1; from <= head.size; ) {
    const page = await readPage(store, from, head.size);
    const last = page.at(-1);
    if (!last) break;
    const [after] = last.seq < head.size ? await readPage(store, last.seq + 1, head.size, 1) : [];
    for (const [index, entry] of page.entries()) {
      const fault = await check.take(entry, page[index + 1] ?? after);
      if (fault) return breakOff(entriesBefore(), fault);
    }
    from = last.seq + 1;
    await yieldTurn();
  }
  const fault = await check.judgeEnd();
  if (fault) return breakOff(entriesBefore(), fault);
  const signature = verifier && check.last ? "verified" : "unchecked";
  const unsigned = head.size - (check.last?.size ?? 0);
  return { ok: true, entries: head.size, filtered: false, checkpoint: check.last, signature, unsigned };
}
