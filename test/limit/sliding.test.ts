/** Sliding limits against a plain log of everything that was admitted. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { MemoryLimits } from "../../src/limit/limits.ts";
import { createMemoryLimits } from "../../src/limit/memory-limits.ts";
import { chargeOf, limitOf, partiesOf, START } from "./specs.ts";

interface Entry {
  readonly atMs: number;
  readonly amount: bigint;
}

const parties = partiesOf();
const sumSince = (log: readonly Entry[], atMs: number, spanMs: number) =>
  log.reduce((sum, entry) => (atMs - entry.atMs < spanMs ? sum + entry.amount : sum), 0n);

async function replay(log: readonly Entry[], windowMs: number, max: bigint): Promise<MemoryLimits> {
  const limits = createMemoryLimits();
  for (const { atMs, amount } of log) {
    expect((await limits.take([chargeOf(limitOf({ windowMs, max }), { amount })], parties, atMs)).ok).toBe(true);
  }
  return limits;
}

const windows = fc.oneof(
  fc.constantFrom(1_000, 10_000, 60_000, 3_600_000, 31 * 86_400_000),
  fc.integer({ min: 1, max: 5_000 }).map((s) => s * 1000),
);
const calls = fc.array(
  fc.record({
    step: fc.oneof(fc.double({ min: 0, max: 0.02, noNaN: true }), fc.double({ min: 0, max: 1.2, noNaN: true })),
    amount: fc.bigInt({ min: 1n, max: 12n }),
  }),
  { minLength: 1, maxLength: 60 },
);

test("never over-admits in any interval, refuses early only within 1/64, and says honestly when to come again", async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      windows,
      fc.bigInt({ min: 1n, max: 12n }),
      calls,
      fc.integer({ min: 0, max: 1e9 }),
      async (windowMs, max, attempts, start) => {
        const limits = createMemoryLimits();
        const limit = limitOf({ windowMs, max });
        const log: Entry[] = [];
        const slackMs = windowMs / 64;
        let atMs = START + start;
        for (const { step, amount } of attempts) {
          atMs += Math.floor(step * windowMs);
          const answer = await limits.take([chargeOf(limit, { amount })], parties, atMs);
          const used = sumSince(log, atMs, windowMs);
          // Admitted: it fitted. Refused: it would not have fitted a window that is 1/64 longer.
          expect(answer.ok ? used + amount <= max : sumSince(log, atMs, windowMs + slackMs) + amount > max).toBe(true);
          if (answer.ok) {
            log.push({ atMs, amount });
            continue;
          }
          const { retryAfterMs } = answer;
          expect(retryAfterMs === undefined).toBe(amount > max);
          if (retryAfterMs === undefined) continue;
          refused++;
          expect(retryAfterMs).toBeGreaterThan(0);
          const again = await replay(log, windowMs, max);
          expect((await again.peek([chargeOf(limit, { amount })], parties, atMs + retryAfterMs - 1)).ok).toBe(false);
          expect((await again.peek([chargeOf(limit, { amount })], parties, atMs + retryAfterMs)).ok).toBe(true);
          const earlierMs = Math.max(atMs, Math.ceil(atMs + retryAfterMs - slackMs - 1));
          expect(earlierMs === atMs || sumSince(log, earlierMs, windowMs) + amount > max).toBe(true);
        }
      },
    ),
    { numRuns: 150 },
  );
  expect(refused).toBeGreaterThan(50);
});

test("over a long run it admits what a log would, but for 1/64", async () => {
  const limits = createMemoryLimits();
  const limit = limitOf({ windowMs: 10_000, max: 50 });
  let admitted = 0;
  for (let atMs = START; atMs < START + 1_000_000; atMs += 17) {
    if ((await limits.take([chargeOf(limit)], parties, atMs)).ok) admitted++;
  }
  expect(admitted).toBeLessThanOrEqual(50 * 100);
  expect(admitted).toBeGreaterThanOrEqual(Math.floor((50 * 100 * 64) / 65));
});

test("windows are half-open: a lone call is free again exactly one window later", async () => {
  const limits = createMemoryLimits();
  const charge = chargeOf(limitOf({ max: 1 }));
  expect((await limits.take([charge], parties, START + 123)).ok).toBe(true);
  expect(await limits.take([charge], parties, START + 124)).toMatchObject({ ok: false, retryAfterMs: 59_999 });
  expect((await limits.take([charge], parties, START + 60_122)).ok).toBe(false);
  expect((await limits.take([charge], parties, START + 60_123)).ok).toBe(true);
});

test("a clock that steps back frees nothing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: -90_000, max: 70_000 }), { minLength: 1, maxLength: 40 }), async (steps) => {
      const limits = createMemoryLimits();
      const charge = chargeOf(limitOf({ max: 2 }));
      // The time that holds is the latest that anybody saw.
      const log: Entry[] = [];
      let atMs = START;
      let latestMs = 0;
      for (const step of steps) {
        atMs += step;
        latestMs = Math.max(latestMs, atMs);
        const used = sumSince(log, latestMs, 60_000);
        const answer = await limits.take([charge], parties, atMs);
        expect(answer.ok ? used < 2n : sumSince(log, latestMs, 60_000 + 60_000 / 64) >= 2n).toBe(true);
        if (answer.ok) log.push({ atMs: latestMs, amount: 1n });
      }
    }),
    { numRuns: 200 },
  );
});
