/**
 * What SQLite's errors are called here. Every error of the database becomes a `FailureError`: a name that is taken is a
 * `conflict`, everything else `storage_unavailable`, in words. Bugs and failures of our own pass through unchanged.
 */
import { Bug } from "../kernel/assert.ts";
import { type Failure, FailureError } from "../kernel/failure.ts";

const BUSY = 5;
const LOCKED = 6;
const CONSTRAINT = 19;
const UNIQUE = new Set([1555, 2067]);

const WORDS: Readonly<Record<number, string>> = {
  [BUSY]: "Another process holds the database for too long.",
  [LOCKED]: "Another process holds the database for too long.",
  7: "There is not enough memory for the database.",
  8: "The database can't be written: it is read-only.",
  10: "The disk gave an error while the database was used.",
  11: "The database is damaged.",
  13: "The disk is full.",
  14: "The database file can't be opened.",
  26: "The file is not a database.",
};

function reasonOf(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === "number" ? errcode : undefined;
}

/** Whether another connection is in the way, so that trying again makes sense. */
export function isBusy(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason !== undefined && ((reason & 0xff) === BUSY || (reason & 0xff) === LOCKED);
}

/** The error to throw on for one that came out of the database. */
export function toStoreError(error: unknown): Error {
  if (error instanceof FailureError || error instanceof Bug) return error;
  const failure = new FailureError(describe(error));
  failure.cause = error;
  return failure;
}

function describe(error: unknown): Failure {
  const reason = reasonOf(error);
  if (reason !== undefined && (UNIQUE.has(reason) || (reason & 0xff) === CONSTRAINT)) {
    return UNIQUE.has(reason)
      ? { code: "conflict", message: "Another object has that name." }
      : { code: "conflict", message: "The change does not fit what the database holds." };
  }
  const words = reason === undefined ? undefined : WORDS[reason & 0xff];
  if (words !== undefined) return { code: "storage_unavailable", message: words };
  const message = error instanceof Error ? error.message : String(error);
  return { code: "storage_unavailable", message: `The database refused: ${message}.` };
}
