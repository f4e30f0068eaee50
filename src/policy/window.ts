/** Windows and durations of the language: names, whole seconds and texts such as `90s`, `15m`, `36h`, `7d`. Pure. */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS: number = 24 * HOUR_MS;

/** The longest window of a limit: ten years. */
export const MAX_WINDOW_MS: number = 3660 * DAY_MS;

const NAMED_MS: Readonly<Record<string, number>> = {
  second: SECOND_MS,
  minute: MINUTE_MS,
  hour: HOUR_MS,
  day: DAY_MS,
  week: 7 * DAY_MS,
  month: 31 * DAY_MS,
};

const UNIT_MS: Readonly<Record<string, number>> = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS };
const DURATION = /^([0-9]{1,9})([smhd])$/;

/** Milliseconds of a window, above zero and within bounds; undefined where it is none. A month is 31 days. */
export function parseWindow(window: number | string): number | undefined {
  const ms = typeof window === "string" && Object.hasOwn(NAMED_MS, window) ? NAMED_MS[window] : parseDuration(window);
  return ms === undefined || ms <= 0 || ms > MAX_WINDOW_MS ? undefined : ms;
}

/** Milliseconds of a duration: whole seconds as a number, or a text with a unit. Zero is one. */
export function parseDuration(duration: number | string): number | undefined {
  if (typeof duration === "number") {
    return Number.isSafeInteger(duration) && duration >= 0 && duration <= MAX_WINDOW_MS ? duration * SECOND_MS : undefined;
  }
  const [, count, unit] = DURATION.exec(duration) ?? [];
  return count === undefined || unit === undefined ? undefined : Number(count) * (UNIT_MS[unit] as number);
}

/** A window in words: `minute`, `90 seconds`. */
export function describeWindow(ms: number): string {
  for (const [name, length] of Object.entries(NAMED_MS)) if (length === ms && name !== "month") return name;
  for (const [name, length] of [
    ["day", DAY_MS],
    ["hour", HOUR_MS],
    ["minute", MINUTE_MS],
  ] as const) {
    if (ms % length === 0) return `${ms / length} ${name}s`;
  }
  return `${ms / SECOND_MS} seconds`;
}
