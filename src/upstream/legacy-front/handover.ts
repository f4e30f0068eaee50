/**
 * Two listens of one session side by side, while the new one takes over from the old. What only one of them covers is told
 * at once; what both cover is told by the old one, and counted on both sides, so that at its end it is known what it owed.
 */
import { type Change, covers, type Listen } from "./listen.ts";

/** Things that are counted; what goes beyond is told twice rather than not at all. */
const MAX_COUNTED = 1024;

interface Count {
  old: number;
  new: number;
  last: Change;
  lastFrom: Listen;
}

export interface Handover {
  readonly from: Listen;
  /** Whether a change is to be told now, as the first telling of it. */
  isFirst(listen: Listen, change: Change): boolean;
  /** The old listen ends before its time: what it may have owed is told, rather twice than not at all. */
  cut(): void;
  /** Ends the old listen, and nobody is told anything. */
  drop(): void;
}

export function createHandover(from: Listen, to: Listen, durationMs: number, onOver: (owed: readonly Change[]) => void): Handover {
  const counts = new Map<string, Count>();
  let isOver = false;
  const end = (): boolean => {
    if (isOver) return false;
    isOver = true;
    clearTimeout(timer);
    from.cancel();
    return true;
  };
  const settle = (isOwed: (count: Count) => boolean): void => {
    if (end()) onOver([...counts.values()].filter(isOwed).map(({ last }) => last));
  };
  const timer = setTimeout(() => settle((count) => count.new > count.old), durationMs);
  timer.unref();
  return {
    from,
    isFirst(listen, change) {
      if (isOver || (listen !== from && listen !== to)) return true;
      const other = (listen === from ? to : from).honoured;
      if (!other || !covers(other, change)) return true;
      const count = counts.get(change.key) ?? { old: 0, new: 0, last: change, lastFrom: listen };
      if (listen === from) count.old++;
      else count.new++;
      count.last = change;
      count.lastFrom = listen;
      if (!counts.has(change.key) && counts.size >= MAX_COUNTED) return true;
      counts.set(change.key, count);
      return listen === from;
    },
    // It may have told something from before the new one's time, and not yet what the new one told since.
    cut: () => settle((count) => count.lastFrom === to),
    drop: () => void end(),
  };
}
