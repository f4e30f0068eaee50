/**
 * Limits as they are counted: what a limit's count is known by, and what one call charges to it. Knows no counter; an
 * amount or a value to split by that can't be counted becomes a refused charge, never zero and never a refund.
 */
import { assert } from "../kernel/assert.ts";
import { amountOfCount, canonicalDecimal, decimalOf, isIntegral, scaleAmount } from "../kernel/decimal.ts";
import { isJsonNumber, type Json } from "../kernel/json.ts";
import type { CalendarWindow, Charge, LimitScope, LimitSpec } from "./decision.ts";
import type { Limit, RateLimit } from "./document.ts";
import { readMax } from "./exact-number.ts";
import { type Found, isPath, type Path, parsePath, printPath, readSteps, type Step, WRONG_TYPE } from "./path.ts";
import { parseWindow } from "./window.ts";

/** UTF-8 bytes of a value that a limit is split by. */
export const MAX_PER_BYTES = 256;
const ONE_CALL = amountOfCount(1);

/** Whose limit it is; part of what an own count is known by. */
export type LimitOwner = readonly ["all_tools"] | readonly ["tools", string];

export interface ChargedLimit {
  readonly spec: LimitSpec;
  charge(args: Json): Charge;
}

/** Compiles the limits of one list, in its order. `pointer` is that of the list. */
export function compileLimits(limits: readonly Limit[], owner: LimitOwner, pointer: string, timezone: string): ChargedLimit[] {
  const places = new Map<string, number>();
  return limits.map((limit, index) => {
    const { own, named } = identifyLimit(limit, owner);
    const place = places.get(own) ?? 0;
    if (named === undefined) places.set(own, place + 1);
    const scope = limit.scope ?? "grant";
    const max = readMax(limit.max);
    const windowMs = parseWindow(limit.window);
    assert(max !== undefined && windowMs !== undefined, "a parsed limit has a window and a max");
    const spec: LimitSpec = Object.freeze({
      rule: `${pointer}/${index}`,
      counter: limit.counter,
      key: named ?? `${own}#${place}`,
      domain: limit.counter !== undefined && scope !== "grant" && scope !== "session" ? "shared" : "policy",
      scope,
      windowMs,
      calendar: limit.align === "calendar" ? { unit: limit.window as CalendarWindow, timezone } : undefined,
      max,
      counts: limit.count ?? "attempts",
      durable: limit.durable === true,
      add: printLimitPath(limit.add),
      per: printLimitPath(limit.per),
    });
    return createChargedLimit(spec, stepsOf(limit.add), stepsOf(limit.per));
  });
}

/** A `rate_limit`: a count of its own for each tool that its entry selects. `pointer` is the entry's. */
export function compileRateLimit(rate: RateLimit, selector: string, toolName: string, pointer: string): ChargedLimit {
  const max = readMax(rate.max);
  const windowMs = parseWindow(rate.window);
  assert(max !== undefined && windowMs !== undefined, "a parsed rate limit has a window and a max");
  const scope: LimitScope = "session";
  const spec: LimitSpec = Object.freeze({
    rule: `${pointer}/rate_limit`,
    counter: undefined,
    key: JSON.stringify(["rate", selector, toolName, scope, windowMs]),
    domain: "policy",
    scope,
    windowMs,
    calendar: undefined,
    max,
    counts: "attempts",
    durable: false,
    add: undefined,
    per: undefined,
  });
  return createChargedLimit(spec, undefined, undefined);
}

/**
 * What a count is known by. A named one by its name, window and scope, and by what its sharers have to agree in anyway;
 * an own one by its owner too. Never by `max`, so that changing it keeps the count.
 */
function identifyLimit(limit: Limit, owner: LimitOwner): { readonly own: string; readonly named: string | undefined } {
  const { counter, scope = "grant", align = "sliding", count = "attempts" } = limit;
  const shape = [parseWindow(limit.window), scope, printLimitPath(limit.per) ?? null, printLimitPath(limit.add) ?? null, align];
  return {
    own: JSON.stringify(["own", ...owner, ...shape, count]),
    named: counter === undefined ? undefined : JSON.stringify(["named", counter, ...shape]),
  };
}

function readLimitPath(path: string | undefined): Path | undefined {
  const parsed = path === undefined ? undefined : parsePath(path);
  assert(parsed === undefined || isPath(parsed), "a parsed limit has paths");
  return parsed;
}

/** A path of a limit in its one spelling. */
export function printLimitPath(path: string | undefined): string | undefined {
  const parsed = readLimitPath(path);
  return parsed === undefined ? undefined : printPath(parsed);
}

function stepsOf(path: string | undefined): readonly Step[] | undefined {
  return readLimitPath(path)?.steps;
}

function createChargedLimit(spec: LimitSpec, add: readonly Step[] | undefined, per: readonly Step[] | undefined): ChargedLimit {
  if (!add && !per) {
    const charge: Charge = Object.freeze({ limit: spec, amount: ONE_CALL, per: undefined, refused: undefined });
    return { spec, charge: () => charge };
  }
  return {
    spec,
    charge(args) {
      const amount = add === undefined ? ONE_CALL : readAmount(readSteps(args, add));
      if (amount === undefined) return { limit: spec, amount: 0n, per: undefined, refused: "amount" };
      if (per === undefined) return { limit: spec, amount, per: undefined, refused: undefined };
      const split = printSplit(readSteps(args, per));
      return { limit: spec, amount: split === undefined ? 0n : amount, per: split, refused: split === undefined ? "per" : undefined };
    },
  };
}

/** Billionths of an amount to charge; undefined: it can't be counted. */
function readAmount(found: Found): bigint | undefined {
  if (found === undefined || found === WRONG_TYPE || !isJsonNumber(found)) return undefined;
  const decimal = decimalOf(found);
  const amount = decimal === undefined ? undefined : scaleAmount(decimal);
  return amount === undefined || amount < 0n ? undefined : amount;
}

/** A value to split a count by, with its type; undefined: it can't be one. */
function printSplit(found: Found): string | undefined {
  if (found === undefined || found === WRONG_TYPE) return undefined;
  if (typeof found === "boolean") return `boolean:${found}`;
  if (typeof found === "string") return fitsSplit(found) ? `text:${found}` : undefined;
  if (!isJsonNumber(found)) return undefined;
  const decimal = decimalOf(found);
  if (decimal === undefined || !isIntegral(decimal)) return undefined;
  const text = canonicalDecimal(decimal);
  return fitsSplit(text) ? `number:${text}` : undefined;
}

function fitsSplit(text: string): boolean {
  return text.length <= MAX_PER_BYTES && Buffer.byteLength(text) <= MAX_PER_BYTES;
}
