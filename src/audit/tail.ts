/**
 * Follows the log: what is there, then what comes. It asks the database whether anybody has written since, which costs
 * microseconds, and reads only then; in between it sleeps. Ends when its signal says so.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Store } from "../store/store.ts";
import { type AuditFilter, compileFilter } from "./filter.ts";
import { readLogHead, readPage, readTimeMs, type StoredEntry } from "./read-log.ts";
import { searchEntries } from "./search.ts";

export const TAIL_POLL_MS = 250;

export interface TailOptions {
  readonly store: Store;
  readonly filter?: AuditFilter;
  /** Entries told before the first new one. */
  readonly backlog?: number;
  /** Go on after this entry instead of after the newest. */
  readonly after?: number;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
  /**
   * Changes when the log may have grown. Left out: the store's epoch, which knows of other processes alone; whoever
   * follows in the process that writes joins the audit's own count to it.
   */
  readonly readVersion?: () => string | number;
}

/** Waits, or ends early when the signal says so. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

/** Entries oldest first, for as long as the signal lets it. */
export async function* followLog(options: TailOptions): AsyncGenerator<StoredEntry> {
  const { store, signal } = options;
  const filter = options.filter ?? {};
  const line = compileFilter(filter);
  const readVersion = options.readVersion ?? (() => store.readEpoch());
  const inTime = (text: string) => {
    const timeMs = readTimeMs(text);
    return timeMs >= (filter.sinceMs ?? 0) && timeMs < (filter.untilMs ?? Number.POSITIVE_INFINITY);
  };
  let after = options.after ?? (await readLogHead(store))?.size ?? 0;
  if (options.backlog !== undefined && options.backlog > 0) {
    const { entries } = await searchEntries(store, filter, { limit: options.backlog, before: after + 1 });
    for (const entry of entries.toReversed()) yield entry;
  }
  let seen: string | number | undefined;
  while (!signal.aborted) {
    const version = readVersion();
    if (version !== seen) {
      seen = version;
      for (;;) {
        const page = await readPage(store, after + 1, Number.MAX_SAFE_INTEGER);
        for (const entry of page) {
          if (signal.aborted) return;
          after = entry.seq;
          if (line.matches(entry.line) && inTime(entry.line)) yield entry;
        }
        if (page.length === 0) break;
      }
    }
    await rest(options.pollMs ?? TAIL_POLL_MS, signal);
  }
}
