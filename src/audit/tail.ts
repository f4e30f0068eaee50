/**
 * Follows the log: what is there, then what comes. It asks the database whether anybody has written since, which costs
 * microseconds, and reads only then; in between it sleeps. It keeps a number for each chain, so that what is committed
 * late is told late and never lost. Ends when its signal says so.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Store } from "../store/store.ts";
import { type AuditFilter, compileFilter } from "./filter.ts";
import { mergePages } from "./merge.ts";
import { type Cursor, printCursor } from "./place.ts";
import { type LogHead, readLogHead, readPages, readTimeMs, type StoredEntry } from "./read-log.ts";
import { searchEntries } from "./search.ts";

export const TAIL_POLL_MS = 250;

export interface TailOptions {
  readonly store: Store;
  readonly filter?: AuditFilter;
  /** Entries told before the first new one. */
  readonly backlog?: number;
  /** Go on after these entries instead of after the newest. */
  readonly after?: Cursor;
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

/** What each chain has beyond the cursor, joined, oldest first. Chains that are new begin at their beginning. */
async function* readAfter(store: Store, head: LogHead, after: Map<number, number>): AsyncGenerator<StoredEntry> {
  const grown = head.chains.filter((chain) => chain.size > (after.get(chain.chain) ?? chain.retired));
  const pages = grown.map(({ chain, size, retired }) => readPages(store, chain, (after.get(chain) ?? retired) + 1, size, grown.length));
  for await (const page of mergePages(pages)) {
    for (const entry of page) {
      after.set(entry.chain, entry.seq);
      yield entry;
    }
  }
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
  const now = (await readLogHead(store.query))?.chains ?? [];
  const after = new Map(options.after ?? now.map(({ chain, size }) => [chain, size]));
  if (options.backlog !== undefined && options.backlog > 0 && after.size > 0) {
    const before = printCursor(new Map([...after].map(([chain, seq]) => [chain, seq + 1])));
    const { entries } = await searchEntries(store, filter, { limit: options.backlog, before });
    for (const entry of entries.toReversed()) yield entry;
  }
  let seen: string | number | undefined;
  while (!signal.aborted) {
    const version = readVersion();
    if (version !== seen) {
      seen = version;
      const head = await readLogHead(store.query);
      if (head) {
        for await (const entry of readAfter(store, head, after)) {
          if (signal.aborted) return;
          if (line.matches(entry.line) && inTime(entry.line)) yield entry;
        }
      }
    }
    await rest(options.pollMs ?? TAIL_POLL_MS, signal);
  }
}
