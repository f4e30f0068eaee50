/**
 * How a limit's window cuts time into buckets. What is charged goes into the bucket of its time, and counts until the
 * bucket frees it. Sliding: 64 sub-windows; a bucket is freed one window after the last charge in it, so that nothing is
 * freed early and nothing is kept longer than 1/64 of the window too long. Calendar: one bucket, freed at the window's end.
 */
import type { LimitSpec } from "../policy/decision.ts";
import type { Calendars, ZoneCalendar } from "./calendar.ts";

export const SUB_WINDOWS = 64;
/** One more than the sub-windows: the oldest is still partly in the window when the newest begins. */
const SLIDING_SLOTS = SUB_WINDOWS + 1;

export interface Window {
  /** The bucket of a time; buckets rise with time. */
  indexAt(atMs: number): number;
  /** The time that is kept of a charge at `atMs`: of all in a bucket the latest decides when it is freed. */
  keptTime(atMs: number): number;
  /** When a bucket is freed whose latest charge was kept as `keptMs`. */
  freeTime(keptMs: number): number;
  /** As `freeTime`, rounded up to at most one sub-window later, so that it changes seldom. */
  roundedFreeTime(keptMs: number): number;
  /** The place of a bucket among the stored ones; two that count at the same time never share one. */
  slotOf(index: number): number;
  /** Whether a bucket that still counts takes later charges too. */
  readonly keepsOpen: boolean;
}

export class SlidingWindow implements Window {
  readonly #windowMs: number;
  readonly keepsOpen = false;
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }
  indexAt(atMs: number): number {
    return Math.floor((atMs * SUB_WINDOWS) / this.#windowMs);
  }
  keptTime(atMs: number): number {
    return atMs;
  }
  freeTime(keptMs: number): number {
    return keptMs + this.#windowMs;
  }
  roundedFreeTime(keptMs: number): number {
    return Math.ceil(((this.indexAt(keptMs) + 1) * this.#windowMs) / SUB_WINDOWS) + this.#windowMs;
  }
  slotOf(index: number): number {
    return ((index % SLIDING_SLOTS) + SLIDING_SLOTS) % SLIDING_SLOTS;
  }
}

export class CalendarSpans implements Window {
  readonly #calendar: ZoneCalendar;
  readonly #unit: NonNullable<LimitSpec["calendar"]>["unit"];
  readonly keepsOpen = true;
  constructor(calendar: ZoneCalendar, unit: NonNullable<LimitSpec["calendar"]>["unit"]) {
    this.#calendar = calendar;
    this.#unit = unit;
  }
  indexAt(atMs: number): number {
    return this.#calendar.spanAt(this.#unit, atMs).startMs;
  }
  keptTime(atMs: number): number {
    return this.indexAt(atMs);
  }
  freeTime(keptMs: number): number {
    return this.#calendar.spanAt(this.#unit, keptMs).endMs;
  }
  roundedFreeTime(keptMs: number): number {
    return this.freeTime(keptMs);
  }
  slotOf(): number {
    return 0;
  }
}

export function createWindow(limit: LimitSpec, calendars: Calendars): Window {
  if (!limit.calendar) return new SlidingWindow(limit.windowMs);
  return new CalendarSpans(calendars.of(limit.calendar.timezone), limit.calendar.unit);
}
