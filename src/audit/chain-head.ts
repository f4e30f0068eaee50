/**
 * The head of a chain as its row in the database: where it ends, and who writes it. Where one process writes at a time all
 * share the first chain; where several write side by side each claims one of its own, for as long as it says so now and
 * then. Promises that a head moves only from where its writer saw it: whoever was frozen while another took its chain over
 * finds no row to move, and claims another.
 */
import { assert } from "../kernel/assert.ts";
import { FailureError } from "../kernel/failure.ts";
import { createId } from "../kernel/id.ts";
import type { Batch, SqlRow } from "../store/store.ts";
import { NO_HASH } from "./chain.ts";
import type { ChainEnd } from "./checkpoint.ts";
import { MAX_CHAINS } from "./place.ts";

/** A chain whose writer was not heard of for so long may be taken over. */
export const CHAIN_LEASE_MS = 60_000;
/** Times that others may be quicker to the chain that we want. */
const MAX_CLAIMS = 16;
const NOBODY = "";

export interface Head extends ChainEnd {
  /** While the store's epoch stands, nobody else moved a shared chain. */
  readonly epoch: number;
  readonly logId: string;
  readonly timeMs: number;
  readonly signedSize: number;
  readonly signedMs: number;
  readonly untilMs: number;
}

const COLUMNS = "chain, size, hash, time_ms, signed_size, signed_ms, until_ms";
const MOVE =
  "update audit_chain set size = ?, hash = ?, time_ms = ?, signed_size = ?, signed_ms = ?, until_ms = ? where chain = ? and holder = ? and size = ?";

function toHead(row: SqlRow, logId: string, epoch: number): Head {
  return {
    epoch,
    logId,
    chain: Number(row["chain"]),
    size: Number(row["size"]),
    hash: String(row["hash"]),
    timeMs: Number(row["time_ms"]),
    signedSize: Number(row["signed_size"]),
    signedMs: Number(row["signed_ms"]),
    untilMs: Number(row["until_ms"]),
  };
}

async function readLogId(batch: Batch, nowMs: number): Promise<string> {
  const read = () => batch.all("select log_id from audit_log where id = 1");
  const [row] = await read();
  if (row) return String(row["log_id"]);
  await batch.run("insert into audit_log (id, log_id) values (1, ?) on conflict (id) do nothing", [createId(nowMs)]);
  const [made] = await read();
  return String(made?.["log_id"]);
}

function insertChain(batch: Batch, chain: number, nowMs: number, holder: string, untilMs: number): Promise<number> {
  return batch.run(`insert into audit_chain (${COLUMNS}, holder) values (?, 0, ?, 0, 0, ?, ?, ?) on conflict (chain) do nothing`, [
    chain,
    NO_HASH,
    nowMs,
    untilMs,
    holder,
  ]);
}

async function readChain(batch: Batch, chain: number, logId: string): Promise<Head | undefined> {
  const [row] = await batch.all(`select ${COLUMNS} from audit_chain where chain = ?`, [chain]);
  return row && toHead(row, logId, batch.epoch);
}

/** The chain that all share; made where there is none. */
export async function readSharedHead(batch: Batch, nowMs: number): Promise<Head> {
  const logId = await readLogId(batch, nowMs);
  const known = await readChain(batch, 0, logId);
  if (known) return known;
  await insertChain(batch, 0, nowMs, NOBODY, 0);
  const made = await readChain(batch, 0, logId);
  assert(made, "a chain that was just made is there");
  return made;
}

/** Claims a chain: the one that this holder has, else one that nobody holds any more, else a new one. */
export async function claimHead(batch: Batch, holder: string, nowMs: number): Promise<Head> {
  const logId = await readLogId(batch, nowMs);
  const untilMs = nowMs + CHAIN_LEASE_MS;
  for (let attempt = 0; attempt < MAX_CLAIMS; attempt++) {
    const [free] = await batch.all(
      "select chain from audit_chain where holder = ? or until_ms <= ? order by case when holder = ? then 0 else 1 end, chain limit 1",
      [holder, nowMs, holder],
    );
    const chain = free ? Number(free["chain"]) : await findNextChain(batch);
    const claimed = free
      ? await batch.run("update audit_chain set holder = ?, until_ms = ? where chain = ? and (holder = ? or until_ms <= ?)", [
          holder,
          untilMs,
          chain,
          holder,
          nowMs,
        ])
      : await insertChain(batch, chain, nowMs, holder, untilMs);
    // Read again: the row is ours now, and may have moved before it was.
    const head = claimed === 1 ? await readChain(batch, chain, logId) : undefined;
    if (head) return head;
  }
  throw new FailureError({ code: "storage_unavailable", message: "No chain of the log could be claimed: others were quicker each time." });
}

async function findNextChain(batch: Batch): Promise<number> {
  const [row] = await batch.all("select max(chain) as last from audit_chain");
  const next = Number(row?.["last"] ?? -1) + 1;
  if (next < MAX_CHAINS) return next;
  throw new FailureError({ code: "storage_unavailable", message: `The log has ${MAX_CHAINS} chains, and each is held by a writer.` });
}

/** Moves a head from where it was seen; false: another holds the chain, or moved it. */
export async function moveHead(batch: Batch, from: Head, to: Head, holder: string): Promise<boolean> {
  const moved = await batch.run(MOVE, [to.size, to.hash, to.timeMs, to.signedSize, to.signedMs, to.untilMs, from.chain, holder, from.size]);
  return moved === 1;
}

/** Gives a chain back, so that the next writer goes on with it at once. */
export async function releaseHead(batch: Batch, chain: number, holder: string): Promise<void> {
  await batch.run("update audit_chain set holder = ?, until_ms = 0 where chain = ? and holder = ?", [NOBODY, chain, holder]);
}

/** Where the other chains stand, as far as they are committed. */
export async function readOtherEnds(batch: Batch, chain: number): Promise<ChainEnd[]> {
  const rows = await batch.all("select chain, size, hash from audit_chain where chain <> ? order by chain", [chain]);
  return rows.map((row) => ({ chain: Number(row["chain"]), size: Number(row["size"]), hash: String(row["hash"]) }));
}
