/**
 * The one clock of decisions, limits and the log. It never goes back: where the wall clock steps back it goes on from
 * the latest time that was told, at the pace of the monotonic clock, until the wall clock has caught up.
 */

export interface Clock {
  /** Unix time in whole milliseconds, never less than an earlier answer. */
  now(): number;
  /** Raises the clock to a time that another writer of the same store has already told. */
  raise(toMs: number): void;
}

/** A clock over `wall` (Unix ms) and `monotonic` (ms from anywhere). */
export function createSteadyClock(wall: () => number = Date.now, monotonic: () => number = () => performance.now()): Clock {
  let last = wall();
  let lastMonotonic = monotonic();
  return {
    now() {
      const monotonicNow = monotonic();
      const elapsed = Math.max(0, monotonicNow - lastMonotonic);
      const wallNow = wall();
      const paced = last + elapsed;
      last = wallNow > paced ? wallNow : paced;
      lastMonotonic = monotonicNow;
      return Math.floor(last);
    },
    raise(toMs) {
      if (toMs > last) last = toMs;
    },
  };
}

/** A clock that stands where it is put, for tests and for policy test files. */
export function createManualClock(startMs: number): Clock & { set(toMs: number): void } {
  let at = startMs;
  return {
    now: () => at,
    raise(toMs) {
      if (toMs > at) at = toMs;
    },
    set(toMs) {
      at = toMs;
    },
  };
}
