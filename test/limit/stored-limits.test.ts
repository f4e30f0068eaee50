/** What only limits in a database can get wrong: other processes, ends without a goodbye, undone groups, old clocks. */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createManualClock, createSteadyClock } from "../../src/kernel/clock.ts";
import { createLimits, PRUNE_INTERVAL_MS } from "../../src/limit/create-limits.ts";
import type { Limits, Reservation } from "../../src/limit/limits.ts";
import { bumpGeneration } from "../../src/store/generation.ts";
import { readRows } from "../../src/store/read-rows.ts";
import type { Store } from "../../src/store/store.ts";
import { bindLimits, createFolder, openLimitStore } from "./rigs.ts";
import { calendarOf, chargeOf, limitOf, partiesOf, START } from "./specs.ts";

let folder = "";
const opened: Store[] = [];
const children: ChildProcess[] = [];
const parties = partiesOf();

beforeEach(() => {
  folder = createFolder();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const store of opened.splice(0)) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** As a process that has just started would see it. */
async function openLimits(
  nowMs = START,
): Promise<{ store: Store; limits: Limits; clock: ReturnType<typeof createManualClock> } & ReturnType<typeof bindLimits>> {
  const clock = createManualClock(nowMs);
  const store = await openLimitStore(folder, clock);
  opened.push(store);
  const limits = createLimits({ clock });
  const { take, peek, settle } = bindLimits(store, limits);
  return { store, limits, clock, take, peek, settle };
}

function startTaking(count: number, width: number, max: number): { child: ChildProcess; said: () => string[]; ended: Promise<unknown> } {
  const script = join(import.meta.dirname, "children", "take-many.ts");
  const child = spawn(process.execPath, [script, folder, String(count), String(width), String(max)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { child, said: () => text.split("\n").slice(0, -1), ended: new Promise((resolve) => child.on("close", resolve)) };
}

const countOf = (words: readonly string[], word: string) => words.filter((one) => one === word).length;
const rowsOf = async (store: Store, table: string) =>
  Number((await readRows(store.query, `SELECT count(*) AS rows FROM ${table}`))[0]?.["rows"]);

test("two processes on one file never over-admit together", async () => {
  const both = [startTaking(150, 10, 170), startTaking(150, 1, 170)];
  await Promise.all(both.map((one) => one.ended));
  const said = both.flatMap((one) => one.said());
  expect([countOf(said, "ok"), countOf(said, "full")]).toEqual([170, 130]);
});

test("what was taken stays taken after kill -9", async () => {
  const max = 5_000;
  const { child, said, ended } = startTaking(0, 4, max);
  while (countOf(said(), "ok") < 60) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGKILL");
  await ended;
  const told = countOf(said(), "ok");
  const clock = createSteadyClock();
  const store = await openLimitStore(folder, clock);
  opened.push(store);
  const limits = createLimits({ clock });
  const charge = chargeOf(limitOf({ max, windowMs: 3_600_000 }));
  let left = 0;
  for (let done = 0; done < max; done += 1000) {
    const answers = await Promise.all(
      Array.from({ length: 1000 }, () => store.write((batch) => limits.take(batch, [charge], parties, clock.now()))),
    );
    left += answers.filter((answer) => answer.ok).length;
  }
  // At most the four that were under way may have been taken without having been told.
  expect(max - left).toBeGreaterThanOrEqual(told);
  expect(max - left).toBeLessThanOrEqual(told + 4);
});

test("counts outlive a restart, in their own buckets", async () => {
  const charges = [chargeOf(limitOf({ max: 3 })), chargeOf(limitOf({ key: "d", max: 3, calendar: calendarOf("day") }))];
  const first = await openLimits();
  expect((await first.take(charges, parties, START)).ok).toBe(true);
  expect((await first.take(charges, parties, START + 20_000)).ok).toBe(true);
  const second = await openLimits(START + 30_000);
  expect((await second.take(charges, parties, START + 30_000)).ok).toBe(true);
  expect(await second.take([charges[0] as never], parties, START + 40_000)).toMatchObject({ ok: false, retryAfterMs: 20_000 });
  expect(await second.take([charges[1] as never], parties, START + 60_000)).toMatchObject({
    ok: false,
    retryAfterMs: 14 * 3_600_000 - 60_000,
  });
  const third = await openLimits(START + 60_000);
  expect((await third.take([charges[0] as never], parties, START + 60_000)).ok).toBe(true);
  expect((await third.take([charges[0] as never], parties, START + 79_999)).ok).toBe(false);
  expect((await third.take([charges[0] as never], parties, START + 80_000)).ok).toBe(true);
});

test("a clock that steps back over a restart frees nothing, and goes on from the latest charge", async () => {
  const charge = chargeOf(limitOf({ max: 2 }));
  const first = await openLimits();
  await first.take([charge], parties, START);
  await first.take([charge], parties, START + 50_000);
  const second = await openLimits(START - 3_600_000);
  expect(await second.take([charge], parties, START - 3_600_000)).toMatchObject({ ok: false, retryAfterMs: 10_000 });
  expect(second.clock.now()).toBe(START + 50_000);
  expect((await second.take([charge], parties, START + 59_999)).ok).toBe(false);
  expect((await second.take([charge], parties, START + 60_000)).ok).toBe(true);
});

test("a reservation that is settled after a restart goes into its own window, once", async () => {
  const charge = chargeOf(limitOf({ max: 2, counts: "successes" }));
  const first = await openLimits();
  const answer = await first.take([charge], parties, START);
  await first.take([charge], parties, START + 30_000);
  const { reservation } = answer as { reservation: Reservation };
  const second = await openLimits(START + 31_000);
  expect(await second.settle({ ...reservation }, "tool_error")).toBe(true);
  expect(await first.settle(reservation, "tool_error")).toBe(false);
  expect((await first.take([charge], parties, START + 31_000)).ok).toBe(true);
  expect(await second.take([charge], parties, START + 61_000)).toMatchObject({ ok: false, retryAfterMs: 29_000 });
});

test("a group that is undone has taken and given back nothing", async () => {
  const { store, limits, take, settle } = await openLimits();
  const charge = chargeOf(limitOf({ max: 2 }));
  const taken = await take([charge], parties, START);
  const { reservation } = taken as { reservation: Reservation };
  const undone = await Promise.allSettled([
    store.write((batch) => limits.take(batch, [charge], parties, START)),
    store.write((batch) => limits.settle(batch, reservation, "not_sent")),
    store.write(() => Promise.reject(new Error("no"))),
  ]);
  expect(undone.every(({ status }) => status === "rejected")).toBe(true);
  expect((await take([charge], parties, START)).ok).toBe(true);
  expect((await take([charge], parties, START)).ok).toBe(false);
  expect(await settle(reservation, "not_sent")).toBe(true);
  expect((await take([charge], parties, START)).ok).toBe(true);
});

test("a group in which a count could not be read is undone, even where its job goes on", async () => {
  const { store, limits, take } = await openLimits();
  const charge = chargeOf(limitOf({ max: 1 }));
  const write = store.write(async (batch) => {
    await limits.take(batch, [charge], parties, START);
    await batch.run("ALTER TABLE counter RENAME TO lost");
    await limits.take(batch, [chargeOf(limitOf({ key: "other" }))], parties, START).catch(() => undefined);
    await batch.run("ALTER TABLE lost RENAME TO counter");
  });
  await expect(write).rejects.toThrow("no such table");
  expect([(await take([charge], parties, START)).ok, (await take([charge], parties, START)).ok]).toEqual([true, false]);
});

test("a take that comes after its group has ended takes nothing and leaves nothing behind", async () => {
  const { store, limits, take } = await openLimits();
  const charge = chargeOf(limitOf({ max: 1 }));
  const dead = await store.write(async (batch) => batch);
  const write = store.write(async (batch) => {
    const answer = await limits.take(batch, [charge], parties, START);
    const late = await limits.take(dead, [charge], parties, START).catch(String);
    return [answer.ok, late, (await limits.take(batch, [charge], parties, START)).ok];
  });
  expect(await write).toEqual([true, expect.stringContaining("after its group had ended"), false]);
  expect((await take([charge], parties, START)).ok).toBe(false);
});

test("an announced change in the same group loses no count", async () => {
  const { store, limits, take } = await openLimits();
  const charge = chargeOf(limitOf({ max: 3 }));
  const answers = await Promise.all([
    store.write((batch) => limits.take(batch, [charge], parties, START)),
    store.write((batch) => bumpGeneration(batch)),
    store.write((batch) => limits.take(batch, [charge], parties, START)),
  ]);
  expect(answers).toMatchObject([{ ok: true }, undefined, { ok: true }]);
  expect([(await take([charge], parties, START)).ok, (await take([charge], parties, START)).ok]).toEqual([true, false]);
});

test("takes of one job at the same time share one count", async () => {
  const { store, limits } = await openLimits();
  const charge = chargeOf(limitOf({ max: 3 }));
  const answers = await store.write((batch) => Promise.all(Array.from({ length: 8 }, () => limits.take(batch, [charge], parties, START))));
  expect(answers.filter((answer) => answer.ok).length).toBe(3);
});

test("a hook of the same group may settle too", async () => {
  const { store, limits, take } = await openLimits();
  const charge = chargeOf(limitOf({ max: 1 }));
  await store.write(async (batch) => {
    const taken = await limits.take(batch, [charge], parties, START);
    batch.beforeCommit({}, async () => void (await limits.settle(batch, (taken as { reservation: Reservation }).reservation, "not_sent")));
  });
  const other = await openLimits();
  expect((await other.take([charge], parties, START)).ok).toBe(true);
  expect((await take([charge], parties, START)).ok).toBe(false);
});

test("two limits on one store, each with a memory, stay exact", async () => {
  const charge = chargeOf(limitOf({ max: 25 }));
  const rigs = [await openLimits(), await openLimits()];
  let admitted = 0;
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(rigs.map((rig) => rig.take([charge], parties, START + round)));
    admitted += answers.filter((answer) => answer.ok).length;
  }
  expect(admitted).toBe(25);
});

test("peek outside of a group sees what another process has taken", async () => {
  const charge = chargeOf(limitOf({ max: 1 }));
  const [first, second] = [await openLimits(), await openLimits()];
  expect((await first.peek([charge], parties, START)).ok).toBe(true);
  await second.take([charge], parties, START);
  expect(await first.peek([charge], parties, START)).toMatchObject({ ok: false, retryAfterMs: 60_000 });
  expect(await first.store.write((batch) => first.limits.peek(batch, [charge], parties, START))).toMatchObject({ ok: false });
});

test("values of `per` do not stand in the file", async () => {
  const { store, take } = await openLimits();
  await take([chargeOf(limitOf(), { per: "customer-4711" })], parties, START);
  const rows = await readRows(store.query, "SELECT * FROM counter");
  expect(rows.length).toBe(1);
  expect(JSON.stringify(rows)).not.toContain("4711");
});

test("counts that count no more are let go of, live ones are not", async () => {
  const { store, take, settle, clock } = await openLimits();
  const short = chargeOf(limitOf({ max: 5 }));
  const long = chargeOf(limitOf({ key: "long", max: 5, windowMs: 86_400_000 }));
  const taken = await take([short], parties, START);
  await settle((taken as { reservation: Reservation }).reservation, "not_sent");
  for (let grant = 0; grant < 20; grant++) await take([short], partiesOf({ grant: `g${grant}` }), START);
  await take([long], parties, START);
  expect([await rowsOf(store, "counter"), await rowsOf(store, "counter_bucket"), await rowsOf(store, "counter_refund")]).toEqual([
    21, 21, 1,
  ]);
  const laterMs = START + 2 * PRUNE_INTERVAL_MS;
  clock.set(laterMs);
  await take([long], parties, laterMs);
  expect([await rowsOf(store, "counter"), await rowsOf(store, "counter_bucket"), await rowsOf(store, "counter_refund")]).toEqual([1, 1, 0]);
  expect((await take([short], parties, laterMs)).ok).toBe(true);
  for (let count = 0; count < 3; count++) expect((await take([long], parties, laterMs)).ok).toBe(true);
  expect((await take([long], parties, laterMs)).ok).toBe(false);
});

test("what is in memory is taken at once, exactly as with a wait, and never where something is unknown", async () => {
  const first = await openLimits();
  const charges = [chargeOf(limitOf({ max: 3 })), chargeOf(limitOf({ key: "each", max: 5, scope: "session" }))];
  const here = partiesOf({ session: "s1" });
  const takeNow = (by: Limits): Promise<unknown> => first.store.write((batch) => by.takeNow?.(batch, charges, here, START));
  expect(await takeNow(first.limits)).toBeUndefined();
  expect(await first.store.write((batch) => first.limits.take(batch, charges, here, START))).toMatchObject({ ok: true });
  expect(await takeNow(first.limits)).toMatchObject({ ok: true, reservation: { parts: [{}, {}] } });
  // One that has just started knows of nothing, and counts what the other has taken.
  const other = await openLimits();
  expect(await other.store.write((batch) => other.limits.takeNow?.(batch, charges, here, START))).toBeUndefined();
  expect(await other.store.write((batch) => other.limits.take(batch, charges, here, START))).toMatchObject({ ok: true });
  // Somebody else has written since: what is remembered holds no longer.
  expect(await takeNow(first.limits)).toBeUndefined();
  expect(await first.store.write((batch) => first.limits.take(batch, charges, here, START))).toMatchObject({ ok: false });
  expect(await takeNow(first.limits)).toMatchObject({ ok: false, charge: charges[0] });
});

test("what is taken at once is gone with its group", async () => {
  const { store, limits, take } = await openLimits();
  const charge = chargeOf(limitOf({ max: 2 }));
  await take([charge], parties, START);
  const failing = store.write((batch) => {
    expect(limits.takeNow?.(batch, [charge], parties, START)?.ok).toBe(true);
    throw new Error("undone");
  });
  await expect(failing).rejects.toThrow("undone");
  expect((await take([charge], parties, START)).ok).toBe(true);
  expect((await take([charge], parties, START)).ok).toBe(false);
});

test("settled at once is settled for good, unless its group is undone or something is to be given back", async () => {
  const { store, limits, take, settle } = await openLimits();
  const charge = chargeOf(limitOf({ max: 1, counts: "successes" }));
  const taken = await take([charge], parties, START);
  const reservation = (taken as { reservation: Reservation }).reservation;
  const settleNow = (outcome: "ok" | "tool_error", fails = false): Promise<boolean | undefined> =>
    store.write((batch) => {
      const settled = limits.settleNow?.(batch, reservation, outcome);
      if (fails) throw new Error("undone");
      return settled;
    });
  // Something is to be given back, and nothing was.
  expect(await settleNow("tool_error")).toBeUndefined();
  expect((await take([charge], parties, START)).ok).toBe(false);
  await expect(settleNow("ok", true)).rejects.toThrow("undone");
  expect(await settleNow("ok")).toBe(false);
  expect(await settle(reservation, "tool_error")).toBe(false);
  expect((await take([charge], parties, START)).ok).toBe(false);
});
