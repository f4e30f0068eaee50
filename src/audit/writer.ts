/**
 * Appends to the log. Entries gather in the store's group and become rows in one statement before it commits, chained
 * from the head that the database holds (`chain-head.ts`). Promises that what was appended is durable when the group is,
 * and gone when it is undone. It stands in the path of each call: twice.
 */
import type { Clock } from "../kernel/clock.ts";
import { FailureError } from "../kernel/failure.ts";
import { createId } from "../kernel/id.ts";
import type { Batch, SqlValue } from "../store/store.ts";
import { sealLine } from "./chain.ts";
import { CHAIN_LEASE_MS, claimHead, type Head, moveHead, readOtherEnds, readSharedHead, releaseHead } from "./chain-head.ts";
import { type ChainEnd, isSameEnds, openCheckpoint, SIGNER_NAME, type SignedCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { type AuditEntry, type EntryPlace, printEntry } from "./entry.ts";
import { createRowWriter, monthOf } from "./insert-rows.ts";
import { type NoteSigner, parseVerifierKey, printVerifierKey } from "./note.ts";
import { toPlace } from "./place.ts";

export const CHECKPOINT_EVERY_ENTRIES = 1024;
export const CHECKPOINT_EVERY_MS = 10_000;
export interface AuditOptions {
  readonly clock: Clock;
  /** The part of the vault's keys that signs. */
  readonly keys: { readonly signing: { readonly publicKey: Uint8Array; sign(bytes: Uint8Array): Uint8Array } };
  readonly checkpointEvery?: { readonly entries?: number; readonly ms?: number };
  /**
   * `shared` (left out): all processes write one chain, one at a time, as the store lets them. `own`: each has a chain of
   * its own, so that groups of several may run side by side.
   */
  readonly chains?: "shared" | "own";
}

export interface Audit {
  /** Puts an entry on record with the batch's group; gives its id. */
  append(batch: Batch, entry: AuditEntry): string;
  /** Writes what the group has so far and signs the head, or gives the last checkpoint where nothing came since. */
  checkpoint(batch: Batch): Promise<SignedCheckpoint>;
  /** Keeps the chain that this process holds, where it holds one; the bound is `CHAIN_LEASE_MS`. */
  renew(batch: Batch): Promise<void>;
  /** Makes the parts of the table that this month and the next ones need, where it lies in parts. */
  prepare(batch: Batch): Promise<void>;
  /** Gives the chain back that this process holds; the next entry would claim one again. */
  release(batch: Batch): Promise<void>;
  /** Whether this process holds a chain of its own. */
  readonly holdsChain: boolean;
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

/** Parts of the table that are there before their month begins. */
const MONTHS_AHEAD = 2;

function refuseMoved(): never {
  throw new FailureError({ code: "storage_unavailable", message: "The head of the log is not where it was." });
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
  const own = options.chains === "own";
  const holder = own ? createId(clock.now()) : "";
  const writer = createRowWriter();
  let head: Head | undefined;
  let group: Group | undefined;
  let committed = 0;

  async function makeParts(batch: Batch, nowMs: number): Promise<void> {
    if (!batch.partitions) return;
    const month = monthOf(nowMs);
    const there = new Set(await batch.partitions.list("audit_entry"));
    for (let ahead = 0; ahead <= MONTHS_AHEAD; ahead++) {
      if (!there.has(month + ahead)) await batch.partitions.create("audit_entry", month + ahead);
    }
  }

  async function readHead(batch: Batch): Promise<Head> {
    if (own ? head !== undefined : head?.epoch === batch.epoch) return head as Head;
    const nowMs = clock.now();
    if (own) await makeParts(batch, nowMs);
    head = own ? await claimHead(batch, holder, nowMs) : await readSharedHead(batch, nowMs);
    // A chain's times never go back, whichever process writes.
    clock.raise(head.timeMs);
    return head;
  }

  /** Puts the head where it shall be, with the lease that rides on it; where the chain is no longer ours, claims another. */
  async function move(batch: Batch, from: Head, to: Head): Promise<boolean> {
    if (await moveHead(batch, from, to, holder)) {
      head = to;
      return true;
    }
    head = undefined;
    if (own) return false;
    refuseMoved();
  }

  async function sign(batch: Batch, end: Head, timeMs: number, others: readonly ChainEnd[]): Promise<SignedCheckpoint> {
    const { logId, chain, size, hash } = end;
    const joined = others.length > 0 ? { others } : {};
    const signed = signCheckpoint({ of: "log", logId, chain, size, hash, timeMs, ...joined }, signer);
    await batch.run("insert into audit_checkpoint (place, note) values (?, ?) on conflict (place) do update set note = excluded.note", [
      toPlace(chain, size),
      signed.note,
    ]);
    return signed;
  }

  function leaseUntil(): number {
    return own ? clock.now() + CHAIN_LEASE_MS : 0;
  }

  async function flush(mine: Group): Promise<void> {
    if (group === mine) group = undefined;
    if (mine.waiting.length === 0) return;
    const { batch } = mine;
    const waiting = mine.waiting.splice(0);
    for (;;) {
      const from = await readHead(batch);
      const { chain } = from;
      const values: SqlValue[] = [];
      const timesMs: number[] = [];
      const place: { -readonly [Key in keyof EntryPlace]: EntryPlace[Key] } = {
        chain,
        seq: from.size,
        id: "",
        timeMs: from.timeMs,
        prev: from.hash,
      };
      for (const { entry, id, timeMs } of waiting) {
        place.seq++;
        place.id = id;
        if (timeMs > place.timeMs) place.timeMs = timeMs;
        const sealed = sealLine(printEntry(entry, place));
        place.prev = sealed.hash;
        values.push(toPlace(chain, place.seq), sealed.line);
        timesMs.push(place.timeMs);
      }
      const { seq: size, prev: hash, timeMs } = place;
      const due = size - from.signedSize >= everyEntries || timeMs - from.signedMs >= everyMs;
      const signed = due ? { signedSize: size, signedMs: timeMs } : { signedSize: from.signedSize, signedMs: from.signedMs };
      const to: Head = { epoch: from.epoch, logId: from.logId, chain, size, hash, timeMs, ...signed, untilMs: leaseUntil() };
      // While the lease holds nobody takes the chain, so the rows need not wait for the word that its head moved.
      const held = own && clock.now() < from.untilMs;
      const moving = moveHead(batch, from, to, holder);
      const moved = held ? (await Promise.all([moving, writer.insert(batch, values, timesMs)]))[0] : await moving;
      head = moved ? to : undefined;
      if (!moved && (held || !own)) refuseMoved();
      if (!moved) continue;
      if (!held) await writer.insert(batch, values, timesMs);
      if (due) await sign(batch, to, timeMs, own ? await readOtherEnds(batch, chain) : []);
      return;
    }
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
      for (;;) {
        const from = await readHead(batch);
        const others = own ? await readOtherEnds(batch, from.chain) : [];
        const [last] = await batch.all("select note from audit_checkpoint where place = ?", [toPlace(from.chain, from.size)]);
        const known = last && openCheckpoint(String(last["note"]), verifier);
        if (known && isSameEnds(known.others ?? [], others)) return known;
        const timeMs = Math.max(clock.now(), from.timeMs);
        if (await move(batch, from, { ...from, signedSize: from.size, signedMs: timeMs, untilMs: leaseUntil() }))
          return await sign(batch, from, timeMs, others);
      }
    },
    async renew(batch) {
      joinGroup(batch);
      if (!own || !head) return;
      await move(batch, head, { ...head, untilMs: leaseUntil() });
    },
    prepare: (batch) => makeParts(batch, clock.now()),
    async release(batch) {
      if (!own || !head) return;
      joinGroup(batch);
      await flush(joinGroup(batch));
      await releaseHead(batch, head.chain, holder);
      head = undefined;
    },
    get holdsChain() {
      return own && head !== undefined;
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
