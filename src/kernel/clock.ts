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

/** A clock that can be told the time of a store that others, with clocks of their own, share. */
export interface StoreClock extends Clock {
  /** The store's clock showed this time just before. */
  follow?(storeMs: number): void;
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

/** The process's own time, until it is told another: then that, going on at the pace of the monotonic clock. */
export function createStoreClock(wall: () => number = Date.now, monotonic: () => number = () => performance.now()): StoreClock {
  let told: { readonly atMs: number; readonly monotonicMs: number } | undefined;
  const create = (): Clock => createSteadyClock(() => (told ? told.atMs + (monotonic() - told.monotonicMs) : wall()), monotonic);
  let clock = create();
  return {
    now: () => clock.now(),
    raise: (toMs) => clock.raise(toMs),
    follow(storeMs) {
      const isFirst = told === undefined;
      told = { atMs: storeMs, monotonicMs: monotonic() };
      // What our own clock said before counts for nothing: it may be ahead of everybody's by hours.
      if (isFirst) clock = create();
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
