/** The machine's clock is stepped under a running gateway: back frees nothing, forward what has passed by it, and that once. */
import { rmSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { createSteadyClock } from "../../src/kernel/clock.ts";
import { createLimits } from "../../src/limit/create-limits.ts";
import { createChance } from "../support/storm/seed.ts";
import { bindLimits, createFolder, openLimitStore } from "./rigs.ts";
import { chargeOf, limitOf, partiesOf, START } from "./specs.ts";

const WINDOW_MS = 60_000;
const HOUR_MS = 3_600_000;
const MAX = 5;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function openSteppable() {
  const time = { passedMs: 0, offMs: 0 };
  const clock = createSteadyClock(
    () => START + time.passedMs + time.offMs,
    () => time.passedMs,
  );
  const folder = createFolder();
  const store = await openLimitStore(folder, clock);
  closers.push(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const limits = bindLimits(store, createLimits({ clock }));
  const charge = chargeOf(limitOf({ max: MAX, windowMs: WINDOW_MS }));
  return { time, clock, ask: async () => (await limits.take([charge], partiesOf(), clock.now())).ok };
}

test("steps back and forth, never ahead of the time, admit as many as a clock that goes well", async () => {
  const chance = createChance(4);
  const { time, ask } = await openSteppable();
  const admitted: number[] = [];
  for (let call = 0; call < 400; call++) {
    time.passedMs += chance.between(0, 4_000);
    if (chance.next() < 0.3) time.offMs = chance.pick([0, -5_000, -HOUR_MS, -24 * HOUR_MS]);
    if (await ask()) admitted.push(time.passedMs);
  }
  for (const fromMs of admitted) {
    expect(admitted.filter((atMs) => atMs >= fromMs && atMs < fromMs + WINDOW_MS).length).toBeLessThanOrEqual(MAX);
  }
  // As many as there were windows, but for what a window may refuse early.
  expect(admitted.length).toBeGreaterThan(((MAX * time.passedMs) / WINDOW_MS) * 0.9);
});

test("a step ahead frees a window once, however often the clock is stepped there and back", async () => {
  const { time, clock, ask } = await openSteppable();
  let admitted = 0;
  let seenMs = clock.now();
  for (let step = 0; step < 10; step++) {
    time.offMs = step % 2 === 1 ? HOUR_MS : 0;
    for (let call = 0; call < 2 * MAX; call++) if (await ask()) admitted++;
    expect(clock.now()).toBeGreaterThanOrEqual(seenMs);
    seenMs = clock.now();
  }
  expect(admitted).toBe(2 * MAX);
});
