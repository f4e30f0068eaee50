/**
 * Calendar windows of an IANA time zone: minute, hour, day, week (from Monday), month. Windows are half-open, follow one
 * another without a gap or an overlap, and hold through changes of the zone's offset: a day that has no midnight begins
 * with its first instant, one that has two begins with the first of them.
 */
import { BoundedMap } from "../kernel/bounded-map.ts";
import type { CalendarWindow } from "../policy/decision.ts";

export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** No zone is further from UTC, on either side. */
const MAX_OFFSET_MS = 16 * HOUR_MS;
const MAX_ZONES = 64;

export class ZoneCalendar {
  readonly #format: Intl.DateTimeFormat | undefined;
  /** The window that was told last, of each unit: nearly every question falls into it. */
  readonly #last = new Map<CalendarWindow, Span>();

  constructor(timezone: string) {
    if (timezone === "UTC") return;
    this.#format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
      timeZone: timezone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  /** The window of that unit in which `atMs` lies. */
  spanAt(unit: CalendarWindow, atMs: number): Span {
    const last = this.#last.get(unit);
    if (last && atMs >= last.startMs && atMs < last.endMs) return last;
    const span = unit === "minute" || unit === "hour" ? this.#clockSpan(unit, atMs) : this.#dateSpan(unit, atMs);
    this.#last.set(unit, span);
    return span;
  }

  /** Local time minus UTC. */
  offsetAt(atMs: number): number {
    if (!this.#format) return 0;
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of this.#format.formatToParts(atMs)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1000) * 1000;
  }

  /** The first instant after `fromMs` with another offset, given that `toMs` has another one. */
  #findShift(fromMs: number, toMs: number): number {
    const offset = this.offsetAt(fromMs);
    let before = fromMs;
    let after = toMs;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.offsetAt(middle) === offset) before = middle;
      else after = middle;
    }
    return after;
  }

  /** Minutes and hours are counted on the zone's clock; a shift of that clock ends one and begins another. */
  #clockSpan(unit: "minute" | "hour", atMs: number): Span {
    const length = unit === "minute" ? MINUTE_MS : HOUR_MS;
    const offset = this.offsetAt(atMs);
    let startMs = Math.floor((atMs + offset) / length) * length - offset;
    let endMs = startMs + length;
    if (this.offsetAt(startMs) !== offset) startMs = this.#findShift(startMs, atMs);
    if (this.offsetAt(endMs) !== offset) endMs = this.#findShift(atMs, endMs);
    return { startMs, endMs };
  }

  #dateSpan(unit: "day" | "week" | "month", atMs: number): Span {
    const local = new Date(atMs + this.offsetAt(atMs));
    let dateMs = Math.floor(local.getTime() / DAY_MS) * DAY_MS;
    if (unit === "week") dateMs -= ((local.getUTCDay() + 6) % 7) * DAY_MS;
    if (unit === "month") dateMs -= (local.getUTCDate() - 1) * DAY_MS;
    let startMs = this.#firstInstant(dateMs);
    let endMs = this.#firstInstant(nextDate(unit, dateMs));
    // Where the clock was put back over midnight, the old date is shown again although the new one has begun.
    while (endMs <= atMs) {
      dateMs = nextDate(unit, dateMs);
      startMs = endMs;
      endMs = this.#firstInstant(nextDate(unit, dateMs));
    }
    return { startMs, endMs };
  }

  /** The first instant at which the zone's clock shows that local midnight or later. */
  #firstInstant(midnightMs: number): number {
    const fromMs = midnightMs - MAX_OFFSET_MS;
    const toMs = midnightMs + MAX_OFFSET_MS;
    const before = this.offsetAt(fromMs);
    const after = this.offsetAt(toMs);
    if (before === after) return midnightMs - before;
    const shiftMs = this.#findShift(fromMs, toMs);
    if (midnightMs - before < shiftMs) return midnightMs - before;
    return Math.max(shiftMs, midnightMs - after);
  }
}

function nextDate(unit: "day" | "week" | "month", dateMs: number): number {
  if (unit === "day") return dateMs + DAY_MS;
  if (unit === "week") return dateMs + 7 * DAY_MS;
  const date = new Date(dateMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
}

/** The calendars of the zones in use, made once. */
export class Calendars {
  readonly #zones = new BoundedMap<string, ZoneCalendar>(MAX_ZONES);

  of(timezone: string): ZoneCalendar {
    let calendar = this.#zones.get(timezone);
    if (!calendar) {
      calendar = new ZoneCalendar(timezone);
      this.#zones.set(timezone, calendar);
    }
    return calendar;
  }
}
