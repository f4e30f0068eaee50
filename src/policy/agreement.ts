/**
 * Limits that share a counter have to count alike: in `add`, `per`, `align`, `count` and `durable`. Asked of the limits of one
 * document, and of two policies that share counters of a server, an identity or an organisation.
 */
import type { LimitSpec } from "./decision.ts";
import type { Inspector } from "./inspector.ts";
import { printLimitPath } from "./limit.ts";
import type { ReadLimit } from "./parse-limit.ts";
import { parseWindow } from "./window.ts";

const AGREED_KEYS = ["add", "per", "align", "count", "durable"] as const;
export type AgreedKey = (typeof AGREED_KEYS)[number];

export interface CounterDisagreement {
  readonly counter: string;
  /** Pointer of the limit that stands first, and of the later one, which is in error. */
  readonly firstRule: string;
  readonly rule: string;
  readonly keys: readonly AgreedKey[];
}

/**
 * Holds the shared counters of a later document against those of an earlier one, both of one server or organisation.
 * Calendars of two time zones can't share a count: they disagree in `align`.
 */
export function checkCounterAgreement(earlier: readonly LimitSpec[], later: readonly LimitSpec[]): readonly CounterDisagreement[] {
  const first = new Map<string, LimitSpec>();
  for (const limit of earlier) {
    const key = shareOf(limit);
    if (key !== undefined && !first.has(key)) first.set(key, limit);
  }
  return later.flatMap((limit) => {
    const key = shareOf(limit);
    const other = key === undefined ? undefined : first.get(key);
    if (other === undefined || limit.counter === undefined) return [];
    const keys = AGREED_KEYS.filter((agreed) => readAgreed(other, agreed) !== readAgreed(limit, agreed));
    return keys.length === 0 ? [] : [{ counter: limit.counter, firstRule: other.rule, rule: limit.rule, keys }];
  });
}

function shareOf(limit: LimitSpec): string | undefined {
  return limit.domain === "shared" ? JSON.stringify([limit.counter, limit.windowMs, limit.scope]) : undefined;
}

function readAgreed(limit: LimitSpec, key: AgreedKey): string | undefined {
  if (key === "align") return limit.calendar && `${limit.calendar.unit} ${limit.calendar.timezone}`;
  if (key === "durable") return String(limit.durable === true);
  return key === "count" ? limit.counts : limit[key];
}

/**
 * Within one document: a fault at the `counter` of each later limit that disagrees with the first, and one at every key
 * in which it does. Later is what stands later in the text.
 */
export function inspectAgreement(inspector: Inspector, limits: readonly ReadLimit[]): void {
  const named = limits.flatMap((read) => {
    const { counter, window } = read.limit;
    if (counter === undefined) return [];
    const share = JSON.stringify([counter, parseWindow(window), read.limit.scope ?? "grant"]);
    return [{ ...read, counter, share, place: inspector.locate(read.pointer) }];
  });
  named.sort((a, b) => (a.place.line ?? 0) - (b.place.line ?? 0) || (a.place.column ?? 0) - (b.place.column ?? 0));
  const first = new Map<string, ReadLimit>();
  for (const { limit, pointer, counter, share } of named) {
    const other = first.get(share);
    if (!other) {
      first.set(share, { limit, pointer });
      continue;
    }
    const keys = AGREED_KEYS.filter((key) => readWritten(other.limit, key) !== readWritten(limit, key));
    if (keys.length === 0) continue;
    inspector.fault(`${pointer}/counter`, `The counter \`${counter}\` is counted in another way at ${other.pointer}.`);
    for (const key of keys)
      inspector.fault(`${pointer}/${key}`, `\`${key}\` differs from ${other.pointer}, which shares the counter \`${counter}\`.`);
  }
}

function readWritten(limit: ReadLimit["limit"], key: AgreedKey): string | undefined {
  if (key === "align") return limit.align ?? "sliding";
  if (key === "durable") return String(limit.durable === true);
  return key === "count" ? (limit.count ?? "attempts") : printLimitPath(limit[key]);
}
