/**
 * Two listens of one session side by side, while the new one takes over from the old. What only one of them covers is told
 * at once; what both cover is told by the old one, and counted on both sides, so that at its end it is known what it owed.
 */
import { type Change, covers, type Listen } from "./listen.ts";

/** Things that are counted; what goes beyond is told twice rather than not at all. */
const MAX_COUNTED = 4096;

interface Count {
  old: number;
  new: number;
  last: Change;
}

export interface Handover {
  readonly from: Listen;
  /** Whether a change is to be told now, as the first telling of it. */
  isFirst(listen: Listen, change: Change): boolean;
  /** Ends the old listen and tells what it owed. */
  finish(): void;
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
  const finish = (): void => {
    if (!end()) return;
    onOver([...counts.values()].filter((count) => count.new > count.old).map(({ last }) => last));
  };
  const timer = setTimeout(finish, durationMs);
  timer.unref();
  return {
    from,
    isFirst(listen, change) {
      if (isOver || (listen !== from && listen !== to)) return true;
      const other = (listen === from ? to : from).honoured;
      if (!other || !covers(other, change)) return true;
      const count = counts.get(change.key) ?? { old: 0, new: 0, last: change };
      if (listen === from) count.old++;
      else count.new++;
      count.last = change;
      if (!counts.has(change.key) && counts.size >= MAX_COUNTED) return true;
      counts.set(change.key, count);
      return listen === from;
    },
    finish,
    drop: () => void end(),
  };
}
