/**
 * How long a process that ended is left alone before it is started again: doubled with every end, shaken, bounded, and
 * forgotten once a process has lasted. Keeps no clock and starts nothing.
 */
export const RESTART_MIN_MS = 500;
export const RESTART_MAX_MS = 60_000;
/** A process that was ready for so long has not failed to start. */
export const STABLE_MS = 60_000;

export interface PaceBounds {
  readonly restartMinMs: number;
  readonly restartMaxMs: number;
  readonly stableMs: number;
}

export class RestartPace {
  readonly #bounds: PaceBounds;
  readonly #random: () => number;
  #ends = 0;

  constructor(bounds: PaceBounds, random: () => number) {
    this.#bounds = bounds;
    this.#random = random;
  }

  /** The wait after an end; `readyMs`: how long the process was ready before it. */
  next(readyMs: number): number {
    const { restartMinMs, restartMaxMs, stableMs } = this.#bounds;
    if (readyMs >= stableMs) this.#ends = 0;
    const whole = Math.min(restartMaxMs, restartMinMs * 2 ** Math.min(this.#ends, 30));
    this.#ends++;
    return Math.round(whole / 2 + (whole / 2) * this.#random());
  }

  reset(): void {
    this.#ends = 0;
  }
}
