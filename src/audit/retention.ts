/**
 * Takes old entries away, in whole months, where the configuration says for how long they are kept. Before any goes, a
 * statement over the last one that will is signed and kept, so that everything after it stays provable, and an entry says
 * what went and why. A cut is signed only where a checkpoint made before vouches for it. Rows go a few at a time, or a
 * month's part of the table at once, off the path of calls; a round that is broken off is gone on with.
 */
import { setImmediate as yieldTurn } from "node:timers/promises";
import type { Clock } from "../kernel/clock.ts";
import { FailureError } from "../kernel/failure.ts";
import { readRows } from "../store/read-rows.ts";
import type { Batch, Store } from "../store/store.ts";
import { readLine } from "./chain.ts";
import { ChainWalk, nameEntry } from "./chain-walk.ts";
import { openCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { CheckpointRows } from "./checkpoint-rows.ts";
import { monthOf, startOfMonth } from "./insert-rows.ts";
import { parseVerifierKey } from "./note.ts";
import { CHAIN_ENTRIES, toPlace } from "./place.ts";
import { type ChainHead, findSeqAt, type LogHead, readLogHead, readPages } from "./read-log.ts";
import { SPAN_ENTRIES } from "./term-index.ts";
import { BESIDE_CALLS } from "./write-terms.ts";
import type { Audit } from "./writer.ts";

/** How long entries are kept. */
export interface Retention {
  readonly ms: number;
  /** As the configuration spells it. */
  readonly text: string;
}

/** Rows that go in one group of writes, about two milliseconds. */
const ROWS_PER_GROUP = 500;
/** Groups of one round of upkeep. */
const GROUPS_PER_ROUND = 100;
const HOUR_MS = 3_600_000;

export interface RetentionOptions {
  readonly store: Store;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly retention: Retention;
}

interface Cut {
  readonly head: ChainHead;
  readonly seq: number;
  readonly hash: string;
}

/** What goes: every whole month that ended so long ago. */
export function findCutMs(nowMs: number, retention: Retention): number {
  return startOfMonth(monthOf(nowMs - retention.ms));
}

/** The chain's last entry before the cut; its hash is the one that a signed checkpoint follows from. */
async function findCut(options: RetentionOptions, log: LogHead, head: ChainHead, cutMs: number): Promise<Cut | undefined> {
  const { store, audit } = options;
  const { chain } = head;
  const seq = (await findSeqAt(store, head, cutMs)) - 1;
  if (seq <= head.retired) return undefined;
  const rows = new CheckpointRows(store, chain, seq);
  const row = await rows.peek();
  const vouching = row && openCheckpoint(row.note, parseVerifierKey(audit.publicKey));
  const walk = new ChainWalk(chain);
  walk.begin({ size: seq - 1 });
  let hash = "";
  for await (const page of readPages(store, chain, seq, row?.size ?? 0)) {
    for (const entry of page) {
      if (walk.take(entry.line, entry.seq, () => undefined)) return refuse(chain, seq);
      if (entry.seq === seq) hash = readLine(entry.line)?.hash ?? "";
    }
  }
  const isVouched = vouching?.of === "log" && vouching.chain === chain && vouching.logId === log.logId && vouching.hash === walk.hash;
  return isVouched && vouching.size === walk.seq ? { head, seq, hash } : refuse(chain, seq);
}

function refuse(chain: number, seq: number): never {
  throw new FailureError({
    code: "storage_unavailable",
    message: `Nothing was retired: no checkpoint vouches for ${nameEntry(chain, seq)}.`,
    hint: "Ask `sallyport audit verify` what is wrong.",
  });
}

/** Signs and records the cuts that are due; gives how many entries went out of the log's proof. */
export async function retireMonths(options: RetentionOptions): Promise<number> {
  const { store, audit, clock, retention } = options;
  const nowMs = clock.now();
  const cutMs = findCutMs(nowMs, retention);
  const log = await readLogHead(store.query);
  if (!log) return 0;
  const cuts: Cut[] = [];
  for (const head of log.chains) {
    const cut = await findCut(options, log, head, cutMs);
    if (cut) cuts.push(cut);
  }
  if (cuts.length === 0) return 0;
  return await store.write(async (batch) => {
    let went = 0;
    for (const { head, seq, hash } of cuts) {
      const { chain } = head;
      const statement = signCheckpoint(
        { of: "retired", logId: log.logId, chain, size: seq, hash, timeMs: nowMs, beforeMs: cutMs, retention: retention.text },
        audit.signer,
      );
      const done = await batch.run("insert into audit_retired (place, note) values (?, ?) on conflict (place) do nothing", [
        toPlace(chain, seq),
        statement.note,
      ]);
      // Another process was quicker, and has said so.
      if (done !== 1) continue;
      went += seq - head.retired;
      audit.append(batch, {
        kind: "admin",
        actor: "gateway",
        action: "audit.retired",
        object: `chain ${chain}`,
        count: seq - head.retired,
        detail: { chain, first: head.retired + 1, last: seq, before: new Date(cutMs).toISOString(), retention: retention.text },
      });
    }
    return went;
  });
}

/** Rows of `table` from a place on that are no longer part of the log; gives how many went. */
function removeRows(batch: Batch, table: string, from: number, to: number): Promise<number> {
  return batch.run(
    `delete from ${table} where place in (select place from ${table} where place > ? and place <= ? order by place limit ${ROWS_PER_GROUP})`,
    [from, to],
  );
}

/** Removes rows of what was retired, as many as one round may; false: there are more. */
export async function removeRetired(store: Store): Promise<boolean> {
  const log = await readLogHead(store.query);
  const retired = log?.chains.filter((head) => head.retired > 0) ?? [];
  let groups = GROUPS_PER_ROUND;
  for (const { chain, retired: seq } of retired) {
    const from = chain * CHAIN_ENTRIES;
    const spans = Math.floor(seq / SPAN_ENTRIES);
    const steps: readonly ((batch: Batch) => Promise<number>)[] = [
      (batch) => removeRows(batch, "audit_entry", from, toPlace(chain, seq)),
      // The statement stays, and the checkpoint that stands where it does.
      (batch) => removeRows(batch, "audit_checkpoint", from - 1, toPlace(chain, seq - 1)),
      (batch) => removeRows(batch, "audit_retired", from, toPlace(chain, seq - 1)),
      (batch) =>
        batch.run(
          `delete from audit_term where chain = ? and span in (select span from audit_term where chain = ? and span < ? order by span limit 1)`,
          [chain, chain, spans],
        ),
    ];
    for (const step of steps) {
      while (await hasSome(store, step)) {
        groups--;
        if (groups <= 0) return false;
        await yieldTurn();
      }
    }
  }
  return true;
}

async function hasSome(store: Store, step: (batch: Batch) => Promise<number>): Promise<boolean> {
  return (await store.write(step, BESIDE_CALLS)) > 0;
}

/** Drops the parts of months that ended before the cut, and counts of hours before it. */
export async function dropMonths(store: Store, cutMs: number): Promise<void> {
  await store.write((batch) => batch.run("delete from audit_count where hour < ?", [Math.floor(cutMs / HOUR_MS)]));
  const cutMonth = monthOf(cutMs);
  const months = await store.write(async (batch) => (await batch.partitions?.list("audit_entry")) ?? []);
  for (const month of months.filter((value) => value < cutMonth)) {
    // A statement over every chain must reach beyond the part: what it holds is retired for all, or it stays.
    const kept = await holdsLive(store, month);
    if (!kept) await store.write(async (batch) => batch.partitions?.drop("audit_entry", month));
  }
}

/** Whether a month's part holds an entry that no statement covers. */
async function holdsLive(store: Store, month: number): Promise<boolean> {
  const log = await readLogHead(store.query);
  for (const { chain, retired } of log?.chains ?? []) {
    const [row] = await readRows(store.query, "select place from audit_entry where month = ? and place > ? and place < ? limit 1", [
      month,
      toPlace(chain, retired),
      (chain + 1) * CHAIN_ENTRIES,
    ]);
    if (row) return true;
  }
  return false;
}
