import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ZoneCalendar } from "../../src/limit/calendar.ts";
import { createMemoryLimits } from "../../src/limit/memory-limits.ts";
import type { CalendarWindow } from "../../src/policy/decision.ts";
import { calendarOf, chargeOf, limitOf, partiesOf } from "./specs.ts";

const UNITS: readonly CalendarWindow[] = ["minute", "hour", "day", "week", "month"];
/** Among them shifts at midnight, by half an hour, a skipped day and a clock put back over midnight. */
const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/Santiago",
  "America/Havana",
  "America/St_Johns",
  "Africa/Cairo",
  "Asia/Beirut",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "Pacific/Apia",
];
const times = fc.oneof(
  fc.integer({ min: Date.UTC(2004, 0, 1), max: Date.UTC(2027, 0, 1) }),
  // Around the shifts: the last ten days of March, the first of April, the turn of October, and Samoa's lost day.
  fc.integer({ min: 2005, max: 2026 }).chain((year) => fc.integer({ min: Date.UTC(year, 2, 22), max: Date.UTC(year, 3, 10) })),
  fc.integer({ min: 2005, max: 2026 }).chain((year) => fc.integer({ min: Date.UTC(year, 9, 1), max: Date.UTC(year, 10, 8) })),
  fc.integer({ min: Date.UTC(2011, 11, 28), max: Date.UTC(2012, 0, 1) }),
);

const formats = new Map<string, Intl.DateTimeFormat>();
function localOf(zone: string, atMs: number): { date: string; weekday: string } {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA", { timeZone: zone, weekday: "short", year: "numeric", month: "2-digit", day: "2-digit" });
    formats.set(zone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
  return { date: `${parts["year"]}-${parts["month"]}-${parts["day"]}`, weekday: String(parts["weekday"]) };
}

test("windows follow one another without a gap or an overlap, in every zone", () => {
  fc.assert(
    fc.property(fc.constantFrom(...ZONES), fc.constantFrom(...UNITS), times, (zone, unit, atMs) => {
      const calendar = new ZoneCalendar(zone);
      const span = calendar.spanAt(unit, atMs);
      expect(span.startMs).toBeLessThanOrEqual(atMs);
      expect(span.endMs).toBeGreaterThan(atMs);
      for (const insideMs of [span.startMs, span.endMs - 1, Math.floor((span.startMs + span.endMs) / 2)]) {
        expect(new ZoneCalendar(zone).spanAt(unit, insideMs)).toEqual(span);
      }
      expect(new ZoneCalendar(zone).spanAt(unit, span.startMs - 1).endMs).toBe(span.startMs);
      expect(new ZoneCalendar(zone).spanAt(unit, span.endMs).startMs).toBe(span.endMs);
    }),
    { numRuns: 250 },
  );
});

test("a window begins where the zone's own clock says so, found by looking at every quarter of an hour", () => {
  // The zones that put their clock back over midnight show one date twice; their cases stand below.
  const plain = ZONES.filter(
    (zone) => !["America/St_Johns", "America/Havana", "America/Santiago", "Asia/Beirut", "Africa/Cairo"].includes(zone),
  );
  fc.assert(
    fc.property(fc.constantFrom(...plain), fc.constantFrom("day" as const, "week" as const), times, (zone, unit, atMs) => {
      const { startMs } = new ZoneCalendar(zone).spanAt(unit, atMs);
      const isStart = (here: number) => {
        const [before, after] = [localOf(zone, here - 1), localOf(zone, here)];
        return unit === "day" ? before.date !== after.date : before.weekday !== "Mon" && after.weekday === "Mon";
      };
      let naiveMs = Math.floor(atMs / 900_000) * 900_000;
      while (!isStart(naiveMs)) naiveMs -= 900_000;
      expect(new Date(startMs).toISOString()).toBe(new Date(naiveMs).toISOString());
    }),
    { numRuns: 60 },
  );
});

test("a month begins on its first, a week on its Monday", () => {
  fc.assert(
    fc.property(fc.constantFrom(...ZONES), times, (zone, atMs) => {
      const calendar = new ZoneCalendar(zone);
      expect(localOf(zone, calendar.spanAt("month", atMs).startMs).date).toMatch(/-01$/);
      expect(localOf(zone, calendar.spanAt("week", atMs).startMs).weekday).toBe("Mon");
      expect(localOf(zone, calendar.spanAt("month", atMs).endMs - 1).date.slice(0, 7)).toBe(
        localOf(zone, calendar.spanAt("month", atMs).startMs).date.slice(0, 7),
      );
    }),
    { numRuns: 200 },
  );
});

test.each([
  ["Europe/Berlin", "day", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"],
  ["Europe/Berlin", "day", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"],
  ["Europe/Berlin", "hour", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"],
  ["Europe/Berlin", "hour", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"],
  ["Europe/Berlin", "week", "2026-03-29T12:00:00Z", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"],
  ["Europe/Berlin", "month", "2026-10-10T12:00:00Z", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"],
  // Midnight does not exist in Santiago when summer begins.
  ["America/Santiago", "day", "2025-09-07T12:00:00Z", "2025-09-07T04:00:00Z", "2025-09-08T03:00:00Z"],
  // Midnight comes twice in Havana when it ends.
  ["America/Havana", "day", "2025-11-02T12:00:00Z", "2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z"],
  // Newfoundland put its clock back at one minute past midnight: the new day has begun by then.
  ["America/St_Johns", "day", "2006-10-29T02:50:00Z", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z"],
  // Samoa left out 30 December 2011.
  ["Pacific/Apia", "day", "2011-12-30T09:59:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"],
  ["Pacific/Apia", "day", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"],
  // Lord Howe puts its clock back by half an hour at two.
  ["Australia/Lord_Howe", "hour", "2026-04-04T14:30:00Z", "2026-04-04T14:00:00Z", "2026-04-04T15:00:00Z"],
  ["Australia/Lord_Howe", "hour", "2026-04-04T15:10:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"],
  ["Asia/Kathmandu", "hour", "2026-01-05T09:00:00Z", "2026-01-05T08:15:00Z", "2026-01-05T09:15:00Z"],
] as const)("%s, %s of %s", (zone, unit, at, start, end) => {
  const span = new ZoneCalendar(zone).spanAt(unit, Date.parse(at));
  expect([new Date(span.startMs).toISOString(), new Date(span.endMs).toISOString()]).toEqual(
    [start, end].map((text) => new Date(text).toISOString()),
  );
});

test("a calendar limit resets at its window's end and tells how long that is", async () => {
  const limits = createMemoryLimits();
  const charge = chargeOf(limitOf({ max: 1, calendar: calendarOf("day") }));
  const at = (text: string) => limits.take([charge], partiesOf(), Date.parse(text));
  expect((await at("2026-01-05T22:59:59.999Z")).ok).toBe(true);
  expect((await at("2026-01-05T23:00:00Z")).ok).toBe(true);
  expect(await at("2026-01-06T21:00:00Z")).toMatchObject({ ok: false, retryAfterMs: 2 * 3_600_000 });
  expect((await at("2026-01-06T23:00:00Z")).ok).toBe(true);
  // A clock that steps back into the old day is charged in the new one.
  expect((await at("2026-01-06T22:00:00Z")).ok).toBe(false);
});

test("calendar limits admit what a log by local date would", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kathmandu"),
      fc.array(fc.integer({ min: 0, max: 40_000_000 }), { maxLength: 40 }),
      async (zone, steps) => {
        const limits = createMemoryLimits();
        const charge = chargeOf(limitOf({ max: 2, calendar: calendarOf("day", zone) }));
        const used = new Map<string, number>();
        let atMs = Date.UTC(2026, 2, 26);
        for (const step of steps) {
          atMs += step;
          const { date } = localOf(zone, atMs);
          const count = used.get(date) ?? 0;
          expect((await limits.take([charge], partiesOf(), atMs)).ok).toBe(count < 2);
          if (count < 2) used.set(date, count + 1);
        }
      },
    ),
    { numRuns: 60 },
  );
});
