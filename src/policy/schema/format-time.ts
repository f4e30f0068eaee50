/** Dates and times by RFC 3339: `full-date`, `full-time` and `date-time`, with real months and real leap seconds. */

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const TIME = /^(\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[zZ]|([+-])(\d{2}):(\d{2}))$/;
const DATE_CHARACTERS = 10;
const MINUTES_A_DAY = 24 * 60;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysOf(year: number, month: number): number {
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return leap ? 29 : (DAYS[month - 1] ?? 0);
}

export function isDate(text: string): boolean {
  const match = DATE.exec(text);
  if (!match) return false;
  const day = Number(match[3]);
  return day >= 1 && day <= daysOf(Number(match[1]), Number(match[2]));
}

export function isTime(text: string): boolean {
  const match = TIME.exec(text);
  if (!match) return false;
  const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const [offsetHours, offsetMinutes] = [Number(match[5] ?? 0), Number(match[6] ?? 0)];
  if (hour > 23 || minute > 59 || second > 60 || offsetHours > 23 || offsetMinutes > 59) return false;
  if (second < 60) return true;
  // A leap second is the last of a day in UTC, whatever the offset says of the local clock.
  const offset = (offsetHours * 60 + offsetMinutes) * (match[4] === "-" ? -1 : 1);
  return (hour * 60 + minute - offset + MINUTES_A_DAY) % MINUTES_A_DAY === MINUTES_A_DAY - 1;
}

export function isDateTime(text: string): boolean {
  const separator = text.charAt(DATE_CHARACTERS);
  return (separator === "T" || separator === "t") && isDate(text.slice(0, DATE_CHARACTERS)) && isTime(text.slice(DATE_CHARACTERS + 1));
}
