/** Windows in Redis against a plain log of everything that was admitted, and against the ledger in memory. */
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMemoryLimits } from "../../../src/limit/memory-limits.ts";
import type { CalendarWindow } from "../../../src/policy/decision.ts";
import { HAS_REDIS, startRedis, type TestRedis } from "../../support/redis.ts";
import { calendarOf, chargeOf, limitOf, partiesOf, START } from "../specs.ts";
import { createRedisRig, type RedisRig } from "./rig.ts";

const parties = partiesOf();
let redis: TestRedis;
let rig: RedisRig;
let runs = 0;

const windows = fc.oneof(
  fc.constantFrom(1_000, 10_000, 60_000, 3_600_000, 31 * 86_400_000),
  fc.integer({ min: 1, max: 5_000 }).map((s) => s * 1000),
);
const steps = fc.oneof(fc.double({ min: 0, max: 0.02, noNaN: true }), fc.double({ min: 0, max: 1.2, noNaN: true }));

describe.runIf(HAS_REDIS)("windows in Redis", () => {
  beforeAll(async () => {
    redis = await startRedis();
    rig = await createRedisRig(redis.url);
  });
  afterAll(async () => {
    await rig.close();
    await redis.stop();
  });

  test("never over-admit in any interval, refuse early only within 1/64, and say honestly when to come again", async () => {
    const calls = fc.array(fc.record({ step: steps, amount: fc.bigInt({ min: 1n, max: 12n }) }), { minLength: 1, maxLength: 60 });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        windows,
        fc.bigInt({ min: 1n, max: 12n }),
        calls,
        fc.integer({ min: 0, max: 1e9 }),
        async (windowMs, max, attempts, start) => {
          const limit = limitOf({ windowMs, max, key: `log ${runs++}` });
          const log: { readonly atMs: number; readonly amount: bigint }[] = [];
          const sumSince = (atMs: number, spanMs: number) =>
            log.reduce((sum, entry) => (atMs - entry.atMs < spanMs ? sum + entry.amount : sum), 0n);
          let atMs = START + start;
          for (const { step, amount } of attempts) {
            atMs += Math.floor(step * windowMs);
            const charge = [chargeOf(limit, { amount })];
            const answer = await rig.limits.take(charge, parties, atMs);
            // Admitted: it fitted. Refused: it would not have fitted a window that is 1/64 longer.
            expect(answer.ok ? sumSince(atMs, windowMs) + amount <= max : sumSince(atMs, windowMs * (65 / 64)) + amount > max).toBe(true);
            if (answer.ok) {
              log.push({ atMs, amount });
              continue;
            }
            expect(answer.retryAfterMs === undefined).toBe(amount > max);
            if (answer.retryAfterMs === undefined) continue;
            refused++;
            expect((await rig.limits.peek(charge, parties, atMs + answer.retryAfterMs - 1)).ok).toBe(false);
            expect((await rig.limits.peek(charge, parties, atMs + answer.retryAfterMs)).ok).toBe(true);
          }
        },
      ),
      { numRuns: 40 },
    );
    expect(refused).toBeGreaterThan(10);
  });

  test("answer as the ledger in memory does, over several limits, calendars, values, sessions and refunds", async () => {
    const zones = ["UTC", "Europe/Berlin", "America/Santiago", "Asia/Kathmandu"] as const;
    const call = fc.record({
      step: steps,
      which: fc.subarray([0, 1, 2, 3], { minLength: 1 }),
      amount: fc.oneof(fc.bigInt({ min: 0n, max: 4n }), fc.bigInt({ min: 0n, max: 10n ** 20n })),
      per: fc.constantFrom("text:a", "text:b"),
      session: fc.constantFrom(undefined, "s1", "s2"),
      outcome: fc.constantFrom(undefined, "not_sent", "tool_error", "ok"),
    } as const);
    const setup = fc.record({
      windowMs: windows,
      unit: fc.constantFrom<CalendarWindow>("minute", "hour", "day", "week", "month"),
      zone: fc.constantFrom(...zones),
      max: fc.oneof(fc.bigInt({ min: 1n, max: 12n }), fc.bigInt({ min: 10n ** 14n, max: 10n ** 21n })),
      start: fc.integer({ min: 0, max: 365 * 86_400_000 }),
      calls: fc.array(call, { minLength: 1, maxLength: 40 }),
    });
    let admitted = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(setup, async ({ windowMs, unit, zone, max, start, calls }) => {
        const run = runs++;
        const memory = createMemoryLimits();
        const limits = [
          limitOf({ key: `sliding ${run}`, rule: "/0", windowMs, max }),
          limitOf({ key: `calendar ${run}`, rule: "/1", windowMs, max, calendar: calendarOf(unit, zone) }),
          limitOf({ key: `values ${run}`, rule: "/2", windowMs, max, counts: "successes" }),
          limitOf({ key: `sessions ${run}`, rule: "/3", windowMs, max, scope: "session" }),
        ];
        let atMs = START + start;
        for (const { step, which, amount, per, session, outcome } of calls) {
          atMs += Math.floor(step * windowMs);
          const who = partiesOf({ grant: `g${run}`, session });
          const charges = which.map((index) =>
            chargeOf(limits[index] as (typeof limits)[0], { amount, per: index === 2 ? per : undefined }),
          );
          const wanted = await memory.take(charges, who, atMs);
          const found = await rig.limits.take(charges, who, atMs);
          expect(found.ok ? { ok: true } : found).toEqual(wanted.ok ? { ok: true } : wanted);
          if (!wanted.ok || !found.ok) {
            refused++;
            continue;
          }
          admitted++;
          expect(found.reservation === undefined).toBe(wanted.reservation === undefined);
          if (outcome === undefined || !wanted.reservation || !found.reservation) continue;
          expect(await rig.limits.settle(found.reservation, outcome)).toBe(await memory.settle(wanted.reservation, outcome));
        }
      }),
      { numRuns: 150 },
    );
    expect(Math.min(admitted, refused)).toBeGreaterThan(50);
  });
});
