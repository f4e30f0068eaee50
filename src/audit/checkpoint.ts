/**
 * Checkpoints: signed statements of how far the log had come at a time, and with which hash; and the like statement over
 * a filtered export, which proves its own entries only. Both are signed notes whose first line tells the two apart, so
 * that neither can pass for the other.
 */
import { type NoteSigner, type NoteVerifier, openNote, signNote } from "./note.ts";

/** The name of the signing key in notes and in the printed public key. */
export const SIGNER_NAME = "sallyport/audit";
const LOG_ORIGIN = "sallyport/audit/";
const EXPORT_ORIGIN = "sallyport/export/";

export interface Checkpoint {
  /** `log`: the whole log up to its entry `size`. `export`: the `size` entries of one filtered export. */
  readonly of: "log" | "export";
  /** Which log. */
  readonly logId: string;
  readonly size: number;
  /** Of a log the hash of its last entry; of an export the hash over its entries' hashes. Hex. */
  readonly hash: string;
  readonly timeMs: number;
}

export interface SignedCheckpoint extends Checkpoint {
  readonly note: string;
}

const TEXT =
  /^sallyport\/(audit|export)\/([0-9a-z]{1,64})\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\ntime (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\n$/;

export function printCheckpoint(checkpoint: Checkpoint): string {
  const origin = checkpoint.of === "log" ? LOG_ORIGIN : EXPORT_ORIGIN;
  const root = Buffer.from(checkpoint.hash, "hex").toString("base64");
  return `${origin}${checkpoint.logId}\n${checkpoint.size}\n${root}\ntime ${new Date(checkpoint.timeMs).toISOString()}\n`;
}

export function signCheckpoint(checkpoint: Checkpoint, signer: NoteSigner): SignedCheckpoint {
  return { ...checkpoint, note: signNote(printCheckpoint(checkpoint), signer) };
}

/** Reads a checkpoint's note; undefined where it is none, or the given key has not signed it. */
export function openCheckpoint(note: string, verifier: NoteVerifier | undefined): SignedCheckpoint | undefined {
  const opened = openNote(note, verifier);
  const match = opened && TEXT.exec(opened.text);
  if (!match) return undefined;
  const checkpoint: SignedCheckpoint = {
    of: match[1] === "audit" ? "log" : "export",
    logId: match[2] as string,
    size: Number(match[3]),
    hash: Buffer.from(match[4] as string, "base64").toString("hex"),
    timeMs: Date.parse(match[5] as string),
    note,
  };
  // One spelling only: stray bits in the root or an impossible date would read like another text.
  return !Number.isNaN(checkpoint.timeMs) && printCheckpoint(checkpoint) === opened.text ? checkpoint : undefined;
}
