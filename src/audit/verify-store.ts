/**
 * Verifies the log where it lives, chain after chain, and that no chain is gone of which another's checkpoint knows.
 * Reads in pages while gateways go on writing.
 */
import { readRows } from "../store/read-rows.ts";
import type { Store } from "../store/store.ts";
import { openCheckpoint, type SignedCheckpoint } from "./checkpoint.ts";
import { CheckpointRows } from "./checkpoint-rows.ts";
import { type NoteVerifier, parseVerifierKey } from "./note.ts";
import { CHAIN_ENTRIES, chainOf, seqOf } from "./place.ts";
import { type LogHead, readLogHead } from "./read-log.ts";
import { readRetiredNotes } from "./retired.ts";
import { breakOff, type Fault, toRetiredPart, type Verdict } from "./verdict.ts";
import { ChainCheck } from "./verify-chain.ts";

/** Times that a log is read anew because a beginning was retired meanwhile. */
const MAX_ATTEMPTS = 3;

/** What there is to say of a database without a head. */
async function judgeHeadless(store: Store): Promise<Verdict> {
  const [row] = await readRows(
    store.query,
    "select (select count(*) from audit_entry) as entries, (select count(*) from audit_checkpoint) as signed",
  );
  if (Number(row?.["entries"]) === 0 && Number(row?.["signed"]) === 0) {
    return { ok: true, entries: 0, chains: 0, filtered: false, checkpoint: undefined, signature: "unchecked", unsigned: 0, retired: [] };
  }
  return breakOff(0, { kind: "removed", seq: undefined, line: 1, message: "The log's head was removed, and there are entries." });
}

/** A chain of which there are rows or checkpoints and no head. */
async function findHeadless(store: Store, log: LogHead): Promise<Fault | undefined> {
  for (const table of ["audit_entry", "audit_checkpoint", "audit_retired"]) {
    let from = 0;
    for (const { chain } of [...log.chains, { chain: Number.POSITIVE_INFINITY }]) {
      const to = Math.min(chain * CHAIN_ENTRIES, Number.MAX_SAFE_INTEGER);
      const [row] = await readRows(store.query, `select min(place) as place from ${table} where place >= ? and place < ?`, [from, to]);
      const place = row?.["place"];
      if (place !== null && place !== undefined) {
        const lost = chainOf(Number(place));
        const message = `The head of chain ${lost} was removed, and there are entries of it.`;
        return { kind: "chain_removed", chain: lost, seq: Math.max(1, seqOf(Number(place))), line: 1, message };
      }
      from = (chain + 1) * CHAIN_ENTRIES;
    }
  }
  return undefined;
}

/** A chain that another's checkpoints know and the log has no more. */
async function findLostChain(store: Store, log: LogHead, verifier: NoteVerifier | undefined): Promise<Fault | undefined> {
  const known = new Set(log.chains.map(({ chain }) => chain));
  for (const { chain, retired } of log.chains) {
    const rows = new CheckpointRows(store, chain, retired);
    for (let row = await rows.peek(); row; row = await rows.peek()) {
      rows.skip();
      // The note need not be verified for each: it is when its own chain is.
      const lost =
        row.note.includes("\nchain ") &&
        openCheckpoint(row.note, verifier)?.others?.find((other) => !known.has(other.chain) && other.size > 0);
      if (!lost) continue;
      const message = `Chain ${lost.chain} was removed as a whole: a checkpoint of chain ${chain} saw its entries 1 to ${lost.size}.`;
      return { kind: "chain_removed", chain: lost.chain, seq: 1, lastSeq: lost.size, line: 1, message };
    }
  }
  return undefined;
}

export async function verifyStore(store: Store, options: { readonly publicKey?: string | undefined } = {}): Promise<Verdict> {
  const verifier = options.publicKey === undefined ? undefined : parseVerifierKey(options.publicKey);
  if (options.publicKey !== undefined && !verifier) {
    const message = "The public key is not one of the kind that `audit key` prints.";
    return breakOff(0, { kind: "checkpoint", seq: undefined, line: 0, message });
  }
  for (let attempt = 1; ; attempt++) {
    const log = await readLogHead(store.query);
    if (!log || log.chains.length === 0) return judgeHeadless(store);
    const verdict = await verifyLog(store, log, verifier);
    if (verdict.ok || attempt === MAX_ATTEMPTS || (await isUnretired(store, log))) return verdict;
  }
}

/** Whether nothing was retired since, which takes away what is being read. */
async function isUnretired(store: Store, before: LogHead): Promise<boolean> {
  const now = await readLogHead(store.query);
  return before.chains.every(({ chain, retired }) => now?.chains.find((head) => head.chain === chain)?.retired === retired);
}

async function verifyLog(store: Store, log: LogHead, verifier: NoteVerifier | undefined): Promise<Verdict> {
  const lost = (await findHeadless(store, log)) ?? (await findLostChain(store, log, verifier));
  if (lost) return breakOff(0, lost);
  const notes = await readRetiredNotes(store.query);
  const retired: SignedCheckpoint[] = [];
  let entries = 0;
  let unsigned = 0;
  let last: SignedCheckpoint | undefined;
  for (const head of log.chains) {
    const { chain } = head;
    const note = notes.get(chain);
    const statement = note === undefined ? undefined : openCheckpoint(note, verifier);
    if (head.retired > 0 && !isOf(statement, log, chain, head.retired)) {
      const message = `The statement over what was retired of chain ${chain} was changed, or another key signed it.`;
      return breakOff(entries, { kind: "checkpoint", chain, seq: head.retired, line: head.retired, message });
    }
    if (statement) retired.push(statement);
    const check = new ChainCheck({ store, log, head, retired: statement, verifier });
    const fault = await check.verify();
    entries += check.entries;
    if (fault) return breakOff(entries, fault);
    unsigned += head.size - Math.max(check.last?.size ?? 0, head.retired);
    if (check.last && check.last.timeMs >= (last?.timeMs ?? 0)) last = check.last;
  }
  const signature = verifier && last ? "verified" : "unchecked";
  return {
    ok: true,
    entries,
    chains: log.chains.length,
    filtered: false,
    checkpoint: last,
    signature,
    unsigned,
    retired: retired.map(toRetiredPart),
  };
}

function isOf(statement: SignedCheckpoint | undefined, log: LogHead, chain: number, size: number): boolean {
  return statement?.of === "retired" && statement.logId === log.logId && statement.chain === chain && statement.size === size;
}
