/**
 * Appends to the log. Entries gather in the store's group and become rows in one statement before it commits, chained
 * from the head that the database holds, so that several processes write one chain. Promises that what was appended is
 * durable when the group is, and gone when it is undone. It stands in the path of each call: twice.
 */
import type { Clock } from "../kernel/clock.ts";
import { createId } from "../kernel/id.ts";
import type { Batch, SqlValue } from "../store/store.ts";
import { NO_HASH, sealLine } from "./chain.ts";
import { openCheckpoint, SIGNER_NAME, type SignedCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { type AuditEntry, printEntry } from "./entry.ts";
import { type NoteSigner, parseVerifierKey, printVerifierKey } from "./note.ts";

export const CHECKPOINT_EVERY_ENTRIES = 1024;
export const CHECKPOINT_EVERY_MS = 10_000;
/** Rows of one statement, the larger first, so that few statements serve every size of group. */
const STATEMENT_ROWS = [64, 32, 16, 8, 4, 2, 1] as const;

const INSERTS: ReadonlyMap<number, string> = new Map(
  STATEMENT_ROWS.map((rows) => [rows, `insert into audit_entry (seq, line) values ${"(?,?),".repeat(rows - 1)}(?,?)`]),
);

export interface AuditOptions {
  readonly clock: Clock;
  /** The part of the vault's keys that signs. */
  readonly keys: { readonly signing: { readonly publicKey: Uint8Array; sign(bytes: Uint8Array): Uint8Array } };
  readonly checkpointEvery?: { readonly entries?: number; readonly ms?: number };
}

export interface Audit {
  /** Puts an entry on record with the batch's group; gives its id. */
  append(batch: Batch, entry: AuditEntry): string;
  /** Writes what the group has so far and signs the head, or gives the last checkpoint where nothing came since. */
  checkpoint(batch: Batch): Promise<SignedCheckpoint>;
  /** Rises with every group that this process has put on record: for those who follow the log in the same process. */
  readonly committed: number;
  /** Entries that no checkpoint covers yet, as far as this process has seen. */
  readonly unsigned: number;
  /** Entries of the log, as far as this process knows. */
  readonly size: number;
  readonly signer: NoteSigner;
  /** The public key as `audit key` prints it. */
  readonly publicKey: string;
}

interface Head {
  epoch: number;
  logId: string;
  size: number;
  hash: string;
  timeMs: number;
  signedSize: number;
  signedMs: number;
}

interface Waiting {
  readonly entry: AuditEntry;
  readonly id: string;
  readonly timeMs: number;
}

/** The entries of one group that are not yet rows. */
interface Group {
  readonly batch: Batch;
  readonly waiting: Waiting[];
}

export function createAudit(options: AuditOptions): Audit {
  const { clock } = options;
  const everyEntries = options.checkpointEvery?.entries ?? CHECKPOINT_EVERY_ENTRIES;
  const everyMs = options.checkpointEvery?.ms ?? CHECKPOINT_EVERY_MS;
  const { signing } = options.keys;
  const signer: NoteSigner = { name: SIGNER_NAME, publicKey: signing.publicKey, sign: (bytes) => signing.sign(bytes) };
  const publicKey = printVerifierKey(SIGNER_NAME, signing.publicKey);
  const verifier = parseVerifierKey(publicKey);
  let head: Head | undefined;
  let group: Group | undefined;
  let committed = 0;

  async function readHead(batch: Batch): Promise<Head> {
    if (head?.epoch === batch.epoch) return head;
    const [row] = await batch.all("select log_id, size, hash, time_ms, signed_size, signed_ms from audit_log where id = 1");
    if (row) {
      head = {
        epoch: batch.epoch,
        logId: String(row.log_id),
        size: Number(row.size),
        hash: String(row.hash),
        timeMs: Number(row.time_ms),
        signedSize: Number(row.signed_size),
        signedMs: Number(row.signed_ms),
      };
      // The log's times never go back, whichever process writes.
      clock.raise(head.timeMs);
    } else {
      const nowMs = clock.now();
      const logId = createId(nowMs);
      head = { epoch: batch.epoch, logId, size: 0, hash: NO_HASH, timeMs: 0, signedSize: 0, signedMs: nowMs };
      await batch.run("insert into audit_log (id, log_id, size, hash, time_ms, signed_size, signed_ms) values (1, ?, 0, ?, 0, 0, ?)", [
        logId,
        NO_HASH,
        nowMs,
      ]);
    }
    return head;
  }

  async function writeRows(batch: Batch, at: Head, waiting: readonly Waiting[]): Promise<void> {
    let next = 0;
    for (const rows of STATEMENT_ROWS) {
      while (waiting.length - next >= rows) {
        const values: SqlValue[] = [];
        for (const end = next + rows; next < end; next++) {
          const { entry, id, timeMs } = waiting[next] as Waiting;
          at.size++;
          if (timeMs > at.timeMs) at.timeMs = timeMs;
          const sealed = sealLine(printEntry(entry, { seq: at.size, id, timeMs: at.timeMs, prev: at.hash }));
          at.hash = sealed.hash;
          values.push(at.size, sealed.line);
        }
        await batch.run(INSERTS.get(rows) as string, values);
      }
    }
  }

  async function sign(batch: Batch, at: Head, timeMs: number): Promise<SignedCheckpoint> {
    const signed = signCheckpoint({ of: "log", logId: at.logId, size: at.size, hash: at.hash, timeMs }, signer);
    await batch.run("insert into audit_checkpoint (size, note) values (?, ?)", [at.size, signed.note]);
    at.signedSize = at.size;
    at.signedMs = timeMs;
    return signed;
  }

  async function writeHead(batch: Batch, at: Head): Promise<void> {
    await batch.run("update audit_log set size = ?, hash = ?, time_ms = ?, signed_size = ?, signed_ms = ? where id = 1", [
      at.size,
      at.hash,
      at.timeMs,
      at.signedSize,
      at.signedMs,
    ]);
  }

  async function flush(mine: Group): Promise<void> {
    if (group === mine) group = undefined;
    if (mine.waiting.length === 0) return;
    const { batch } = mine;
    const at = await readHead(batch);
    await writeRows(batch, at, mine.waiting.splice(0));
    if (at.size - at.signedSize >= everyEntries || at.timeMs - at.signedMs >= everyMs) await sign(batch, at, at.timeMs);
    await writeHead(batch, at);
  }

  /** The group of this batch; its own object is the key, so that entries after an early flush are flushed too. */
  function joinGroup(batch: Batch): Group {
    if (group?.batch === batch) return group;
    const mine: Group = { batch, waiting: [] };
    group = mine;
    batch.beforeCommit(mine, () => flush(mine));
    batch.afterCommit(() => {
      committed++;
    });
    batch.afterRollback(() => {
      head = undefined;
      if (group === mine) group = undefined;
    });
    return mine;
  }

  return {
    append(batch, entry) {
      const timeMs = clock.now();
      const id = createId(timeMs);
      joinGroup(batch).waiting.push({ entry, id, timeMs });
      return id;
    },
    async checkpoint(batch) {
      await flush(joinGroup(batch));
      const at = await readHead(batch);
      const [last] = await batch.all("select note from audit_checkpoint where size = ?", [at.size]);
      const known = last && openCheckpoint(String(last.note), verifier);
      if (known) return known;
      const signed = await sign(batch, at, clock.now());
      await writeHead(batch, at);
      return signed;
    },
    get committed() {
      return committed;
    },
    get unsigned() {
      return head ? head.size - head.signedSize : 0;
    },
    get size() {
      return head?.size ?? 0;
    },
    signer,
    publicKey,
  };
}
