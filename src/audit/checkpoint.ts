/**
 * Checkpoints: signed statements of how far a chain had come at a time, and with which hash; joined with how far all the
 * other chains had come that its signer saw, so that each chain vouches for the others. Likewise the statement over a
 * filtered export, which proves its own entries only, and the one over entries that were retired. All are signed notes
 * whose first line tells them apart, so that none can pass for another.
 */
import { type NoteSigner, type NoteVerifier, openNote, signNote } from "./note.ts";
import { MAX_CHAINS } from "./place.ts";

/** The name of the signing key in notes and in the printed public key. */
export const SIGNER_NAME = "sallyport/audit";
const ORIGINS = { log: "sallyport/audit/", export: "sallyport/export/", retired: "sallyport/retired/" } as const;

/** Where a chain ends: its last entry and that one's hash, in hex. */
export interface ChainEnd {
  readonly chain: number;
  readonly size: number;
  readonly hash: string;
}

export interface Checkpoint extends ChainEnd {
  /**
   * `log`: the chain up to its entry `size`. `export`: the `size` entries of one filtered export, with the hash over
   * their hashes. `retired`: the chain's entries up to `size` were taken away, and here it begins.
   */
  readonly of: "log" | "export" | "retired";
  /** Which log. */
  readonly logId: string;
  readonly timeMs: number;
  /** Of a log: the ends of its other chains, rising. */
  readonly others?: readonly ChainEnd[] | undefined;
  /** Of what was retired: the time before which, and the setting that said so. */
  readonly beforeMs?: number | undefined;
  readonly retention?: string | undefined;
}

export interface SignedCheckpoint extends Checkpoint {
  readonly note: string;
}

const FIRST = /^sallyport\/(audit|export|retired)\/([0-9a-z]{1,64})(?:\/([1-9]\d{0,2}))?$/;
const SIZE = /^(?:0|[1-9]\d{0,12})$/;
const ROOT = /^[A-Za-z0-9+/]{43}=$/;
const TIME = /^(time|before) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)$/;
const OTHER = /^chain (0|[1-9]\d{0,2}) (0|[1-9]\d{0,12}) ([A-Za-z0-9+/]{43}=)$/;
const RETENTION = /^retention ([0-9]{1,9}[smhd])$/;

const toBase64 = (hex: string): string => Buffer.from(hex, "hex").toString("base64");
const toHex = (base64: string): string => Buffer.from(base64, "base64").toString("hex");

export function printCheckpoint(checkpoint: Checkpoint): string {
  const { of, chain, size, hash } = checkpoint;
  let text = `${ORIGINS[of]}${checkpoint.logId}${chain === 0 ? "" : `/${chain}`}\n${size}\n${toBase64(hash)}\n`;
  text += `time ${new Date(checkpoint.timeMs).toISOString()}\n`;
  if (checkpoint.beforeMs !== undefined) text += `before ${new Date(checkpoint.beforeMs).toISOString()}\n`;
  if (checkpoint.retention !== undefined) text += `retention ${checkpoint.retention}\n`;
  for (const other of checkpoint.others ?? []) text += `chain ${other.chain} ${other.size} ${toBase64(other.hash)}\n`;
  return text;
}

export function signCheckpoint(checkpoint: Checkpoint, signer: NoteSigner): SignedCheckpoint {
  return { ...checkpoint, note: signNote(printCheckpoint(checkpoint), signer) };
}

function parseBody(text: string): Checkpoint | undefined {
  const [origin, size, root, time, ...more] = text.slice(0, -1).split("\n", 6 + MAX_CHAINS);
  const [, kind, logId, chain] = FIRST.exec(origin ?? "") ?? [];
  const told = TIME.exec(time ?? "");
  if (kind === undefined || logId === undefined || !SIZE.test(size ?? "") || !ROOT.test(root ?? "") || told?.[1] !== "time")
    return undefined;
  const of = kind === "audit" ? "log" : (kind as "export" | "retired");
  const end = { chain: Number(chain ?? 0), size: Number(size), hash: toHex(root as string) };
  const whole: Checkpoint = { of, logId, ...end, timeMs: Date.parse(told[2] as string) };
  if (of === "export") return more.length === 0 ? whole : undefined;
  if (of === "retired") {
    const before = TIME.exec(more[0] ?? "");
    const retention = RETENTION.exec(more[1] ?? "")?.[1];
    if (before?.[1] !== "before" || retention === undefined || more.length !== 2) return undefined;
    return { ...whole, beforeMs: Date.parse(before[2] as string), retention };
  }
  const others: ChainEnd[] = [];
  for (const line of more) {
    const match = OTHER.exec(line);
    if (!match) return undefined;
    const other = { chain: Number(match[1]), size: Number(match[2]), hash: toHex(match[3] as string) };
    if (other.chain <= (others.at(-1)?.chain ?? -1) || other.chain === whole.chain) return undefined;
    others.push(other);
  }
  return others.length === 0 ? whole : { ...whole, others };
}

/** Reads a checkpoint's note; undefined where it is none, or the given key has not signed it. */
export function openCheckpoint(note: string, verifier: NoteVerifier | undefined): SignedCheckpoint | undefined {
  const opened = openNote(note, verifier);
  const checkpoint = opened && parseBody(opened.text);
  if (!checkpoint || Number.isNaN(checkpoint.timeMs) || Number.isNaN(checkpoint.beforeMs ?? 0)) return undefined;
  // One spelling only: stray bits in a root or an impossible date would read like another text.
  return printCheckpoint(checkpoint) === opened.text ? { ...checkpoint, note } : undefined;
}

/** The ends of all chains that a checkpoint of a log signs, its own among them. */
export function listEnds(checkpoint: Checkpoint): readonly ChainEnd[] {
  const { chain, size, hash } = checkpoint;
  return [{ chain, size, hash }, ...(checkpoint.others ?? [])].sort((left, right) => left.chain - right.chain);
}

export function isSameEnds(left: readonly ChainEnd[], right: readonly ChainEnd[]): boolean {
  return (
    left.length === right.length &&
    left.every((end, at) => end.size === right[at]?.size && end.hash === right[at]?.hash && end.chain === right[at]?.chain)
  );
}
