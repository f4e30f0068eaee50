/**
 * Failures before a grant is known: the first of a source and reason in a minute goes on record at once, the others of
 * that minute as one more entry with their count, when the minute is over or the gateway stops. The counts add up to the
 * failures. Bounded: sources beyond the bound share one entry.
 */
import type { Clock } from "../kernel/clock.ts";
import type { Store } from "../store/store.ts";
import type { Audit } from "./writer.ts";

/** Sources and reasons that one minute tells apart; more are counted as `other`. */
export const MAX_FAILURE_SOURCES = 1000;
export const OTHER_SOURCES = "other";
const MINUTE_MS = 60_000;
const FLUSH_EVERY_MS = 5_000;

export interface EarlyFailure {
  /** `authentication`: no or bad credentials. `envelope`: a message refused before anyone could judge it. */
  readonly kind: "authentication" | "envelope";
  /** The address that the request came from. */
  readonly source: string;
  /** A word, such as `unknown_token`; becomes the entry's code. */
  readonly reason: string;
  readonly server?: string | undefined;
}

interface Counted {
  readonly failure: EarlyFailure;
  readonly minute: number;
  /** Not on record yet. */
  count: number;
}

export interface FailureCounter {
  /** Settles when the first of its kind is on record, at once for the others. Rejects when the log can't be written. */
  count(failure: EarlyFailure): Promise<void>;
  /** Records what is counted; without `all` only minutes that are over. */
  flush(all?: boolean): Promise<void>;
  /** Flushes every few seconds; gives a stopper that flushes the rest. */
  start(): () => Promise<void>;
}

export interface FailureCounterOptions {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: Audit;
}

export function createFailureCounter({ clock, store, audit }: FailureCounterOptions): FailureCounter {
  const counted = new Map<string, Counted>();

  const minuteOf = (ms: number): number => Math.floor(ms / MINUTE_MS);

  /** Puts counts on record in one group; a group that fails gives them back. */
  async function write(list: readonly Counted[]): Promise<void> {
    const taken = list.flatMap((item) => (item.count > 0 ? [{ item, count: item.count }] : []));
    if (taken.length === 0) return;
    for (const { item } of taken) item.count = 0;
    try {
      await store.write(async (batch) => {
        for (const { item, count } of taken) {
          const { kind, source, reason, server } = item.failure;
          const minute = new Date(item.minute * MINUTE_MS).toISOString();
          audit.append(batch, { kind, server, decision: "deny", code: reason, source, count, detail: { minute } });
        }
      });
    } catch (error) {
      for (const { item, count } of taken) item.count += count;
      throw error;
    }
  }

  async function flush(all = false): Promise<void> {
    const now = minuteOf(clock.now());
    const due = [...counted].filter(([, item]) => all || item.minute < now);
    await write(due.map(([, item]) => item));
    for (const [key, item] of due) if (item.count === 0 && item.minute < now) counted.delete(key);
  }

  return {
    async count(failure) {
      const minute = minuteOf(clock.now());
      const keyOf = ({ kind, source, reason, server }: EarlyFailure) => JSON.stringify([minute, kind, source, reason, server ?? ""]);
      let kept = failure;
      let known = counted.get(keyOf(kept));
      if (!known && counted.size >= MAX_FAILURE_SOURCES) {
        kept = { kind: failure.kind, source: OTHER_SOURCES, reason: failure.reason };
        known = counted.get(keyOf(kept));
      }
      if (known) {
        known.count++;
        return;
      }
      const item: Counted = { failure: kept, minute, count: 1 };
      counted.set(keyOf(kept), item);
      await write([item]);
    },
    flush,
    start() {
      // What could not be written stays counted and is tried again.
      const timer = setInterval(() => void flush().catch(() => undefined), FLUSH_EVERY_MS);
      timer.unref();
      return async () => {
        clearInterval(timer);
        await flush(true);
      };
    },
  };
}
