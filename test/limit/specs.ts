/** Limits, charges and parties as the tests write them. */

import type { Parties } from "../../src/limit/limits.ts";
import type { CalendarWindow, Charge, LimitScope, LimitSpec } from "../../src/policy/decision.ts";

export const UNIT = 1_000_000_000n;

export function limitOf(change: Partial<Omit<LimitSpec, "max">> & { max?: number | bigint } = {}): LimitSpec {
  const { max = 3, ...rest } = change;
  return {
    rule: "/tools/t/limits/0",
    counter: undefined,
    key: "t",
    domain: "policy",
    scope: "grant",
    windowMs: 60_000,
    calendar: undefined,
    counts: "attempts",
    max: typeof max === "bigint" ? max : BigInt(max) * UNIT,
    ...rest,
  };
}

export function calendarOf(unit: CalendarWindow, timezone = "Europe/Berlin"): { unit: CalendarWindow; timezone: string } {
  return { unit, timezone };
}

export function chargeOf(limit: LimitSpec, change: Partial<Omit<Charge, "limit">> = {}): Charge {
  return { limit, amount: UNIT, per: undefined, refused: undefined, ...change };
}

export function partiesOf(change: Partial<Parties> = {}): Parties {
  return { organisation: "o1", server: "v1", policy: "p1", grant: "g1", session: undefined, identity: undefined, ...change };
}

export const SCOPES: readonly LimitScope[] = ["grant", "session", "identity", "server", "organisation"];
/** A Monday. */
export const START: number = Date.UTC(2026, 0, 5, 9);
