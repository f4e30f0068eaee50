/**
 * One gateway on one data folder. The lock is SQLite's own on a small file beside the database: it is held as long as the
 * process lives and goes with it, however it ends, so there is nothing stale to clear. Who holds it can be read.
 */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FailureError } from "../kernel/failure.ts";
import { isBusy, toStoreError } from "./sqlite-failure.ts";

export const LOCK_FILE = "start.lock";
const LOCK_TIMEOUT_MS = 200;

export interface FolderLock {
  release(): void;
}

export interface FolderHolder {
  readonly pid: number;
  /** Unix milliseconds. */
  readonly nowMs: number;
}

function readHolder(lock: DatabaseSync): FolderHolder | undefined {
  try {
    const row = lock.prepare("SELECT pid, since_ms FROM holder").get();
    return row ? { pid: Number(row["pid"]), nowMs: Number(row["since_ms"]) } : undefined;
  } catch {
    return undefined;
  }
}

function refuse(dir: string, holder: FolderHolder | undefined): FailureError {
  const who = holder ? `process ${holder.pid}, started ${new Date(holder.nowMs).toISOString()}` : "another process";
  return new FailureError({
    code: "folder_in_use",
    message: `A gateway already runs on the data folder \`${dir}\` (${who}).`,
    hint: "Stop it first, or name another folder with `--data`.",
  });
}

/** Takes the folder for one `start`, or throws a `FailureError` of code `folder_in_use` that names the holder. */
export function acquireFolder(dir: string, self: FolderHolder): FolderLock {
  let lock: DatabaseSync | undefined;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const file = join(dir, LOCK_FILE);
    closeSync(openSync(file, "a", 0o600));
    lock = new DatabaseSync(file, { timeout: LOCK_TIMEOUT_MS });
    // The name is written and committed first: an immediate transaction then keeps others from writing, not from reading.
    lock.exec("BEGIN IMMEDIATE");
    lock.exec("CREATE TABLE IF NOT EXISTS holder (pid integer NOT NULL, since_ms integer NOT NULL)");
    lock.exec("DELETE FROM holder");
    lock.prepare("INSERT INTO holder (pid, since_ms) VALUES (?, ?)").run(self.pid, self.nowMs);
    lock.exec("COMMIT");
    lock.exec("BEGIN IMMEDIATE");
  } catch (error) {
    const holder = lock && isBusy(error) ? readHolder(lock) : undefined;
    lock?.close();
    throw isBusy(error) ? refuse(dir, holder) : toStoreError(error);
  }
  const held = lock;
  return {
    release() {
      if (held.isOpen) held.close();
    },
  };
}
