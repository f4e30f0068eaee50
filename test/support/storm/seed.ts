/** Chance that comes again: the same seed gives the same script of faults. */

export interface Chance {
  /** From zero up to one. */
  next(): number;
  between(low: number, high: number): number;
  pick<T>(from: readonly T[]): T;
}

/** Mulberry32: small, quick and even enough for a script of faults. */
export function createChance(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  return {
    next,
    between: (low, high) => Math.floor(low + next() * (high - low)),
    pick: (from) => from[Math.floor(next() * from.length)] as (typeof from)[number],
  };
}
