/**
 * What verifying a log comes to: whole, or broken at a named entry. Messages are for people, the rest for programs.
 */
import type { SignedCheckpoint } from "./checkpoint.ts";

/**
 * `changed`: an entry is not what it was. `removed`: entries are missing. `inserted`: one is there that does not belong.
 * `cut`: the end is missing. `checkpoint`: a signed statement is missing, changed or not by this key.
 */
export type FaultKind = "changed" | "removed" | "inserted" | "cut" | "checkpoint";

export interface Fault {
  readonly kind: FaultKind;
  /** The entry's sequence number; of several the first. Undefined where it can't be told. */
  readonly seq: number | undefined;
  /** Of several the last. */
  readonly lastSeq?: number | undefined;
  /** The entry's id, where it is there to be read. */
  readonly id?: string | undefined;
  /** From 1: the line of the file, or of the table. */
  readonly line: number;
  readonly message: string;
}

export interface BrokenLog {
  readonly ok: false;
  readonly fault: Fault;
  /** Entries that hold, before the fault. */
  readonly entries: number;
}

export interface WholeLog {
  readonly ok: true;
  readonly entries: number;
  /** A filtered export: it proves its own entries and no others. */
  readonly filtered: boolean;
  /** The last checkpoint: of an export its last line. Undefined for a log that has none yet. */
  readonly checkpoint: SignedCheckpoint | undefined;
  /** `unchecked`: no public key was given, so that a log made up as a whole would pass. */
  readonly signature: "verified" | "unchecked";
  /** Entries after the last checkpoint, chained and not yet signed. */
  readonly unsigned: number;
  /** Entries that the log in the data folder has beyond this file. */
  readonly later?: number;
}

export type Verdict = WholeLog | BrokenLog;

export function breakOff(entries: number, fault: Fault): BrokenLog {
  return { ok: false, fault, entries };
}
