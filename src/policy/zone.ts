/** Local time of an IANA zone: hour, weekday and date of an instant. The platform's tables; no other offsets are kept. */

export interface LocalTime {
  /** 0–23. */
  readonly hour: number;
  /** 1 is Monday, 7 Sunday. */
  readonly weekday: number;
  /** `YYYY-MM-DD`. */
  readonly date: string;
}

export interface Zone {
  readonly name: string;
  readLocalTime(atMs: number): LocalTime;
}

const MINUTE_MS = 60_000;
const NAME = /^[A-Za-z][A-Za-z0-9_+\-/]{0,63}$/;

/** Whether the platform knows a zone of that name; offsets such as `+01:00` are none. */
export function isZone(name: string): boolean {
  if (!NAME.test(name)) return false;
  try {
    Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** A zone that remembers the minute it was last asked for, and reads no table before it is asked at all. */
export function createZone(name: string): Zone {
  let format: Intl.DateTimeFormat | undefined;
  let minute = Number.NaN;
  let last: LocalTime = { hour: 0, weekday: 1, date: "1970-01-01" };
  return {
    name,
    readLocalTime(atMs) {
      const asked = Math.floor(atMs / MINUTE_MS);
      if (asked === minute) return last;
      format ??= createFormat(name);
      const parts: Record<string, string> = {};
      for (const part of format.formatToParts(asked * MINUTE_MS)) parts[part.type] = part.value;
      const date = `${(parts.year ?? "").padStart(4, "0")}-${parts.month}-${parts.day}`;
      const weekday = new Date(`${date}T00:00:00Z`).getUTCDay();
      last = { hour: Number(parts.hour), weekday: weekday === 0 ? 7 : weekday, date };
      minute = asked;
      return last;
    },
  };
}

function createFormat(name: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-US", {
    timeZone: name,
    calendar: "gregory",
    numberingSystem: "latn",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    hourCycle: "h23",
  });
}
