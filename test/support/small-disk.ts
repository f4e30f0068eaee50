/**
 * A small disk for one process: a file system in memory that only that process and its children see, and that is gone with
 * them. It can be filled and freed from outside.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import path from "node:path";

/** It takes root, or a kernel that gives users namespaces of their own. */
const UNSHARE: readonly string[] = process.getuid?.() === 0 ? ["unshare", "--mount"] : ["unshare", "--mount", "--user", "--map-root-user"];
const PIECE_BYTES = 64 * 1024;

export const HAS_SMALL_DISK: boolean =
  spawnSync(UNSHARE[0] as string, [...UNSHARE.slice(1), "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"]).status === 0;

/** The words before a command that give it a disk of that size in a folder that is there. */
export function onSmallDisk(folder: string, size: string, then = 'exec "$@"'): readonly string[] {
  return [...UNSHARE, "sh", "-c", `mount -t tmpfs -o size=${size},mode=0700 none "$0" && ${then}`, folder];
}

/** The folder as that process sees it. */
export function lookInto(pid: number, folder: string): string {
  return path.join(`/proc/${pid}/root`, folder);
}

/** Writes until there is no room. */
export function fillDisk(seen: string): { free(): void } {
  const file = path.join(seen, "filler");
  const handle = openSync(file, "w");
  try {
    for (let size = PIECE_BYTES; size >= 1; size = Math.floor(size / 2)) {
      try {
        while (writeSync(handle, Buffer.alloc(size)) === size);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      }
    }
  } finally {
    closeSync(handle);
  }
  return { free: () => rmSync(file) };
}

/** The words before a command that see what that process sees. */
export function enterDisk(pid: number): readonly string[] {
  return ["nsenter", "--target", String(pid), "--mount", ...(process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"])];
}
