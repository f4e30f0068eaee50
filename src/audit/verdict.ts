/**
 * What verifying a log comes to: whole, or broken at a named entry. Messages are for people, the rest for programs.
 */
import type { SignedCheckpoint } from "./checkpoint.ts";

/**
 * `changed`: an entry is not what it was. `removed`: entries are missing. `inserted`: one is there that does not belong.
 * `cut`: the end of a chain is missing. `chain_removed`: a whole chain is. `chain_forked`: a chain goes on from another
 * entry than other chains' checkpoints saw. `checkpoint`: a signed statement is missing, changed or not by this key.
 */
export type FaultKind = "changed" | "removed" | "inserted" | "cut" | "chain_removed" | "chain_forked" | "checkpoint";

export interface Fault {
  readonly kind: FaultKind;
  /** Which chain; left out where it can't be told. */
  readonly chain?: number | undefined;
  /** The entry's sequence number in its chain; of several the first. Undefined where it can't be told. */
  readonly seq: number | undefined;
  /** Of several the last. */
  readonly lastSeq?: number | undefined;
  /** The entry's id, where it is there to be read. */
  readonly id?: string | undefined;
  /** From 1: the line of the file; of a table the row of the chain. */
  readonly line: number;
  readonly message: string;
}

export interface BrokenLog {
  readonly ok: false;
  readonly fault: Fault;
  /** Entries that hold, before the fault. */
  readonly entries: number;
}

/** A beginning that was taken away on purpose, as the signed statement over it says. */
export interface RetiredPart {
  readonly chain: number;
  /** The last entry that went. */
  readonly seq: number;
  readonly timeMs: number;
  readonly beforeMs: number;
  readonly retention: string;
}

export interface WholeLog {
  readonly ok: true;
  readonly entries: number;
  readonly chains: number;
  /** A filtered export: it proves its own entries and no others. */
  readonly filtered: boolean;
  /** The last checkpoint: of an export its last line. Undefined for a log that has none yet. */
  readonly checkpoint: SignedCheckpoint | undefined;
  /** `unchecked`: no public key was given, so that a log made up as a whole would pass. */
  readonly signature: "verified" | "unchecked";
  /** Entries after the last checkpoint of their chain, chained and not yet signed. */
  readonly unsigned: number;
  readonly retired: readonly RetiredPart[];
  /** Entries that the log in the data folder has beyond this file. */
  readonly later?: number;
}

export type Verdict = WholeLog | BrokenLog;

export function breakOff(entries: number, fault: Fault): BrokenLog {
  return { ok: false, fault, entries };
}

export function toRetiredPart(statement: SignedCheckpoint): RetiredPart {
  const { chain, size: seq, timeMs, beforeMs = 0, retention = "" } = statement;
  return { chain, seq, timeMs, beforeMs, retention };
}
