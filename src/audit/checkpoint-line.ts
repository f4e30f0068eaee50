/**
 * The last line of an export: a checkpoint as JSON, with the members that every line has. All of it follows from the
 * signed note and from the lines above it, so that not one byte of it can be changed unseen.
 */
import { listEnds, type SignedCheckpoint } from "./checkpoint.ts";

const WHOLE = "This export holds the whole log up to its last entry.";
const FILTERED = "This export is filtered: it proves only the entries that it holds.";
const NOTHING = {
  server: null,
  grant: null,
  identity: null,
  method: null,
  tool: null,
  decision: null,
  code: null,
  rule: null,
  policyRevision: null,
  requestId: null,
  outcome: null,
} as const;
const START = '{"id":"checkpoint-';

const RETIRED = "The entries of this chain up to here were retired before this export; the log is proved from here on.";

/** The line that stands before the entries of a log whose beginning was retired. */
export function printRetiredLine(statement: SignedCheckpoint): string {
  const { chain, size, timeMs } = statement;
  return JSON.stringify({
    id: `retired-${chain}-${size}-${timeMs}`,
    time: new Date(timeMs).toISOString(),
    kind: "retired",
    ...NOTHING,
    chain,
    entries: size,
    statement: RETIRED,
    note: statement.note,
  });
}

/** Whether a line is, or was meant to be, one over what was retired. */
export function isRetiredLine(line: string): boolean {
  return line.startsWith('{"id":"retired-');
}

/** `ranges` names the entries of a filtered export; undefined where they are too many to name. */
export function printCheckpointLine(checkpoint: SignedCheckpoint, ranges?: string): string {
  const time = new Date(checkpoint.timeMs).toISOString();
  const filtered = checkpoint.of === "export";
  // Of all chains, for people; what counts stands in the note.
  const entries = listEnds(checkpoint).reduce((sum, end) => sum + end.size, 0);
  return JSON.stringify({
    id: `checkpoint-${checkpoint.size}-${checkpoint.timeMs}`,
    time,
    kind: "checkpoint",
    ...NOTHING,
    filtered,
    entries,
    statement: filtered ? FILTERED : WHOLE,
    ...(filtered && ranges !== undefined ? { ranges } : {}),
    note: checkpoint.note,
  });
}

/** Whether a line is, or was meant to be, a checkpoint. */
export function isCheckpointLine(line: string): boolean {
  return line.startsWith(START) || (!line.startsWith('{"seq":') && line.includes('"kind":"checkpoint"'));
}

export interface ReadCheckpointLine {
  readonly note: string;
  readonly ranges: string | undefined;
}

export function readCheckpointLine(line: string): ReadCheckpointLine | undefined {
  try {
    const value = JSON.parse(line) as Readonly<Record<string, unknown>> | null;
    const note = value?.["note"];
    const ranges = value?.["ranges"];
    return typeof note === "string" ? { note, ranges: typeof ranges === "string" ? ranges : undefined } : undefined;
  } catch {
    return undefined;
  }
}
