import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  MAX_LIVE_SESSIONS,
  MAX_LIVE_VALUES,
  type Outcome,
  type Parties,
  type Reservation,
  type TakeAnswer,
} from "../../src/limit/limits.ts";
import type { Charge, LimitScope } from "../../src/policy/decision.ts";
import type { Rig } from "./rigs.ts";
import { calendarOf, chargeOf, limitOf, partiesOf, SCOPES, START, UNIT } from "./specs.ts";

const reservationOf = (answer: TakeAnswer): Reservation => {
  if (!answer.ok || !answer.reservation) throw new Error("nothing was reserved");
  return answer.reservation;
};

/** As many at once as may wait for the store. */
async function byPortions(count: number, job: (index: number) => Promise<TakeAnswer>): Promise<void> {
  const indexes = Array.from({ length: count }, (_, index) => index);
  for (let from = 0; from < count; from += 2000) {
    const answers = await Promise.all(indexes.slice(from, from + 2000).map(job));
    expect(answers.every((answer) => answer.ok)).toBe(true);
  }
}

/** What every place for counts promises, as one suite over a way to make one. */
export function describeLimits(name: string, create: () => Promise<Rig>): void {
  describe(`limits in ${name}`, () => {
    let rig: Rig;
    beforeEach(async () => {
      rig = await create();
    });
    afterEach(() => rig.close());

    const take = (charges: Charge | readonly Charge[], parties: Parties = partiesOf(), nowMs = START) =>
      rig.limits.take(Array.isArray(charges) ? (charges as readonly Charge[]) : [charges as Charge], parties, nowMs);
    const admits = async (charges: Charge | readonly Charge[], parties?: Parties, nowMs?: number) =>
      (await take(charges, parties, nowMs)).ok;

    test("a call takes all its limits or none", async () => {
      const wide = chargeOf(limitOf({ key: "wide", max: 3 }));
      const narrow = chargeOf(limitOf({ key: "narrow", rule: "/narrow", max: 1 }));
      expect(await admits([wide, narrow])).toBe(true);
      expect(await take([wide, narrow])).toMatchObject({ ok: false, charge: { limit: { rule: "/narrow" } } });
      expect([await admits(wide), await admits(wide), await admits(wide)]).toEqual([true, true, false]);
    });

    test("the first full limit is told, with the longest wait of all", async () => {
      const hour = chargeOf(limitOf({ key: "hour", rule: "/hour", max: 1, windowMs: 3_600_000 }));
      const minute = chargeOf(limitOf({ key: "minute", rule: "/minute", max: 1 }));
      await take([minute, hour]);
      expect(await take([minute, hour])).toMatchObject({ charge: { limit: { rule: "/minute" } }, retryAfterMs: 3_600_000 });
      expect(await take([hour, minute])).toMatchObject({ charge: { limit: { rule: "/hour" } }, retryAfterMs: 3_600_000 });
      expect(await take([minute])).toMatchObject({ retryAfterMs: 60_000 });
    });

    test("no time is told when waiting does not help", async () => {
      const full = chargeOf(limitOf({ key: "full", max: 1 }));
      await take(full);
      const refused: Charge[] = [
        chargeOf(limitOf({ max: 1 }), { amount: UNIT + 1n }),
        chargeOf(limitOf(), { amount: 0n, refused: "amount" }),
        chargeOf(limitOf(), { amount: 0n, refused: "per" }),
        chargeOf(limitOf(), { amount: -1n }),
      ];
      for (const charge of refused) {
        expect(await take(charge)).toEqual({ ok: false, charge, retryAfterMs: undefined });
        expect(await take([full, charge])).toEqual({ ok: false, charge: full, retryAfterMs: undefined });
      }
    });

    test("an amount of nothing is admitted, even by a full limit, and takes nothing", async () => {
      const limit = limitOf({ max: 1 });
      const nothing = chargeOf(limit, { amount: 0n });
      expect(await take(nothing)).toEqual({ ok: true, reservation: undefined });
      expect([await admits(chargeOf(limit)), await admits(nothing), await admits(chargeOf(limit))]).toEqual([true, true, false]);
    });

    test("amounts are exact far beyond what a double holds", async () => {
      const max = 10n ** 38n + 1n;
      const limit = limitOf({ max });
      expect(await admits(chargeOf(limit, { amount: max - 1n }))).toBe(true);
      expect(await admits(chargeOf(limit, { amount: 2n }))).toBe(false);
      expect(await admits(chargeOf(limit, { amount: 1n }))).toBe(true);
      expect(await admits(chargeOf(limit, { amount: 1n }))).toBe(false);
    });

    test("a call under two limits with one count is charged once, and the lower maximum holds", async () => {
      const four = chargeOf(limitOf({ counter: "calls", rule: "/four", max: 4 }));
      const three = chargeOf(limitOf({ counter: "calls", rule: "/three", max: 3 }));
      for (let count = 0; count < 3; count++) expect(await admits([three, four])).toBe(true);
      expect(await take([three, four])).toMatchObject({ charge: { limit: { rule: "/three" } } });
      expect([await admits(four), await admits(four)]).toEqual([true, false]);
    });

    test("changing the maximum keeps the count, another key starts a new one", async () => {
      expect(await admits(chargeOf(limitOf({ max: 1 })))).toBe(true);
      expect([await admits(chargeOf(limitOf({ max: 2 }))), await admits(chargeOf(limitOf({ max: 2 })))]).toEqual([true, false]);
      expect((await take(chargeOf(limitOf({ max: 1 })))).ok).toBe(false);
      expect(await admits(chargeOf(limitOf({ key: "other", max: 1 })))).toBe(true);
    });

    test("a lowered maximum waits until enough is free, not only one", async () => {
      const many = chargeOf(limitOf({ max: 4 }));
      for (const second of [0, 10, 20, 30]) expect(await admits(many, partiesOf(), START + second * 1000)).toBe(true);
      expect(await take(chargeOf(limitOf({ max: 2 })), partiesOf(), START + 30_000)).toMatchObject({ retryAfterMs: 50_000 });
    });

    test.each<[LimitScope, Partial<Parties>, Partial<Parties>[], Partial<Parties>[]]>([
      ["grant", {}, [{ session: "s" }, { identity: "i" }, { server: "v2" }], [{ grant: "g2" }, { policy: "p2" }, { organisation: "o2" }]],
      [
        "session",
        { session: "s" },
        [{ session: "s", identity: "i" }],
        [{ session: "s2" }, { session: "s", grant: "g2" }, {}, { session: "s", policy: "p2" }],
      ],
      ["session", {}, [{ identity: "i" }], [{ grant: "g2" }, { session: "s" }]],
      [
        "identity",
        { identity: "i" },
        [
          { identity: "i", grant: "g2" },
          { identity: "i", server: "v2" },
        ],
        [{ identity: "j" }, { identity: "i", policy: "p2" }, {}],
      ],
      ["identity", {}, [{ session: "s" }], [{ grant: "g2" }, { identity: "g1" }]],
      ["server", {}, [{ grant: "g2", identity: "i", session: "s" }], [{ server: "v2" }, { policy: "p2" }]],
      ["organisation", {}, [{ grant: "g2", server: "v2" }], [{ policy: "p2" }, { organisation: "o2" }]],
    ])("scope %s of one policy (%j)", async (scope, first, same, others) => {
      const charge = chargeOf(limitOf({ scope, max: 1 }));
      expect(await admits(charge, partiesOf(first))).toBe(true);
      for (const parties of same) expect([parties, await admits(charge, partiesOf(parties))]).toEqual([parties, false]);
      for (const parties of others) expect([parties, await admits(charge, partiesOf(parties))]).toEqual([parties, true]);
    });

    test.each<[LimitScope, Partial<Parties>[], Partial<Parties>[]]>([
      ["server", [{ policy: "p2", grant: "g2" }], [{ server: "v2" }, { organisation: "o2" }]],
      ["identity", [{ identity: "i", policy: "p2", server: "v2" }], [{ identity: "j" }, { identity: "i", organisation: "o2" }]],
      ["organisation", [{ policy: "p2", server: "v2" }], [{ organisation: "o2" }]],
    ])("a named count of scope %s is shared by policies", async (scope, same, others) => {
      const charge = chargeOf(limitOf({ scope, domain: "shared", counter: "c", max: 1 }));
      expect(await admits(charge, partiesOf({ identity: "i" }))).toBe(true);
      for (const parties of same)
        expect([parties, await admits(charge, partiesOf({ identity: "i", ...parties }))]).toEqual([parties, false]);
      for (const parties of others) expect([parties, await admits(charge, partiesOf(parties))]).toEqual([parties, true]);
      expect(await admits(chargeOf(limitOf({ scope, counter: "c", max: 1 })), partiesOf({ identity: "i" }))).toBe(true);
    });

    test("no two lists of names meet in one count", async () => {
      const seen: [Parties, string, string | undefined][] = [];
      for (const [grant, key, per] of [
        ["a.b", "c", undefined],
        ["a", "b.c", undefined],
        ["1:a", "b", undefined],
        ["1", "a1:b", undefined],
        ["a", "b", "/1:c"],
        ["a", "b/1:c", undefined],
        ["a", "b", "c"],
        ["a", "b", "t:1"],
        ["a", "b", "n:1"],
        ["a", "b", "\0"],
        ["a", "b", "\0\0"],
        ["a", "b", ""],
        ["a", "b", undefined],
      ] as const) {
        seen.push([partiesOf({ grant }), key, per]);
      }
      for (const [parties, key, per] of seen)
        expect([key, per, await admits(chargeOf(limitOf({ key, max: 1 }), { per }), parties)]).toEqual([key, per, true]);
      for (const [parties, key, per] of seen)
        expect([key, per, await admits(chargeOf(limitOf({ key, max: 1 }), { per }), parties)]).toEqual([key, per, false]);
    });

    test.each<[Outcome, boolean, boolean]>([
      ["ok", false, false],
      ["tool_error", false, true],
      ["rpc_error", false, true],
      ["not_sent", true, true],
      ["unknown", false, false],
    ])("after %s attempts are given back: %s, successes: %s", async (outcome, ofAttempts, ofSuccesses) => {
      const attempts = chargeOf(limitOf({ key: "a", max: 1 }));
      const successes = chargeOf(limitOf({ key: "s", max: 1, counts: "successes" }));
      const reservation = reservationOf(await take([attempts, successes]));
      expect(await rig.limits.settle(reservation, outcome)).toBe(ofAttempts || ofSuccesses);
      expect([await admits(attempts), await admits(successes)]).toEqual([ofAttempts, ofSuccesses]);
    });

    test("a reservation is settled once, whatever is said later, also by a copy", async () => {
      const charge = chargeOf(limitOf({ max: 2 }));
      const first = reservationOf(await take(charge));
      const second = reservationOf(await take(charge));
      expect(await rig.limits.settle(first, "ok")).toBe(false);
      expect(await rig.limits.settle(first, "not_sent")).toBe(false);
      expect(await rig.limits.settle(second, "not_sent")).toBe(true);
      expect(await rig.limits.settle(second, "not_sent")).toBe(false);
      expect(await rig.limits.settle({ ...second }, "not_sent")).toBe(false);
      expect([await admits(charge), await admits(charge)]).toEqual([true, false]);
    });

    test("a refund goes into the window it was taken from, and into no later one", async () => {
      const charge = chargeOf(limitOf({ max: 2, calendar: calendarOf("minute", "UTC") }));
      const old = reservationOf(await take(charge, partiesOf(), START + 59_000));
      expect([await admits(charge, partiesOf(), START + 60_000), await admits(charge, partiesOf(), START + 60_000)]).toEqual([true, true]);
      await rig.limits.settle(old, "not_sent");
      expect(await admits(charge, partiesOf(), START + 60_001)).toBe(false);
      const sliding = chargeOf(limitOf({ key: "s", max: 2 }));
      const first = reservationOf(await take(sliding));
      await take(sliding, partiesOf(), START + 30_000);
      await rig.limits.settle(first, "not_sent");
      expect(await admits(sliding, partiesOf(), START + 30_000)).toBe(true);
      // What stays was charged at 30 s: nothing is free before 90 s.
      expect(await take(sliding, partiesOf(), START + 61_000)).toMatchObject({ ok: false, retryAfterMs: 29_000 });
    });

    test("peek answers as take would, and takes nothing", async () => {
      const charge = chargeOf(limitOf({ max: 1 }));
      const parties = partiesOf();
      for (let count = 0; count < 3; count++) expect(await rig.limits.peek([charge], parties, START)).toEqual({ ok: true });
      await take(charge);
      expect(await rig.limits.peek([charge], parties, START + 1)).toEqual(await take(charge, parties, START + 1));
      expect(await rig.limits.peek([], parties, START)).toEqual({ ok: true });
    });

    test("of two hundred calls at once, as many are admitted as there are places", async () => {
      const limit = limitOf({ max: 40 });
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          take([chargeOf(limit), chargeOf(limitOf({ key: "k", max: 500 }), { per: `v${index % 7}` })]),
        ),
      );
      expect(answers.filter((answer) => answer.ok).length).toBe(40);
    });

    test("random calls agree with a plain ledger of all or none", async () => {
      const limits = [
        limitOf({ key: "a", max: 3 }),
        limitOf({ key: "b", max: 5, scope: "server" }),
        limitOf({ key: "c", max: 2, scope: "identity" }),
      ];
      const calls = fc.array(
        fc.record({
          grant: fc.constantFrom("g1", "g2"),
          identity: fc.constantFrom("i", "j"),
          which: fc.subarray([0, 1, 2], { minLength: 1 }),
          amount: fc.integer({ min: 0, max: 2 }),
        }),
        { maxLength: 30 },
      );
      let run = 0;
      await fc.assert(
        fc.asyncProperty(calls, async (list) => {
          const organisation = `o${run++}`;
          const used = new Map<string, number>();
          for (const { grant, identity, which, amount } of list) {
            const names = which.map((index) => [`a ${grant}`, "b", `c ${identity}`][index] as string);
            const fits = which.every((index, place) => (used.get(names[place] as string) ?? 0) + amount <= ([3, 5, 2][index] as number));
            const charges = which.map((index) => chargeOf(limits[index] as Charge["limit"], { amount: BigInt(amount) * UNIT }));
            expect(await admits(charges, partiesOf({ organisation, grant, identity }))).toBe(fits || amount === 0);
            if (fits) for (const name of names) used.set(name, (used.get(name) ?? 0) + amount);
          }
        }),
        { numRuns: 60 },
      );
    });

    test("live values of one limit and scope are bounded; old ones go on, and free ones make room", async () => {
      const limit = limitOf({ max: 2 });
      const valueOf = (index: number) => chargeOf(limit, { per: `v${index}` });
      await byPortions(MAX_LIVE_VALUES, (index) => take(valueOf(index), partiesOf(), START + (index < 5 ? 0 : 30_000)));
      expect(await admits(valueOf(7), partiesOf(), START + 30_000)).toBe(true);
      const answer = await take(valueOf(-1), partiesOf(), START + 30_000);
      if (answer.ok) throw new Error("a value too many");
      expect(answer.retryAfterMs).toBeGreaterThanOrEqual(30_000);
      expect(answer.retryAfterMs).toBeLessThanOrEqual(30_000 + 60_000 / 64 + 1);
      expect(await rig.limits.peek([valueOf(-1)], partiesOf(), START + 30_000)).toEqual(answer);
      expect(await admits(valueOf(-1), partiesOf({ grant: "g2" }), START + 30_000)).toBe(true);
      const laterMs = START + 30_000 + Number(answer.retryAfterMs);
      expect((await rig.limits.peek([valueOf(-1)], partiesOf(), laterMs)).ok).toBe(true);
      for (let index = 1; index <= 5; index++) expect(await admits(valueOf(-index), partiesOf(), laterMs)).toBe(true);
      expect(await admits(valueOf(-6), partiesOf(), laterMs)).toBe(false);
      expect(await admits(valueOf(9), partiesOf(), laterMs)).toBe(true);
    });

    // The bound is the ledger's, which both share; ten thousand rows would only take their time.
    if (name === "memory")
      test("sessions of one grant are bounded", async () => {
        const charge = chargeOf(limitOf({ scope: "session", max: 2 }));
        await byPortions(MAX_LIVE_SESSIONS, (index) => take(charge, partiesOf({ session: `s${index}` })));
        expect(await admits(charge, partiesOf({ session: "s0" }))).toBe(true);
        expect(await admits(charge, partiesOf({ session: "one more" }))).toBe(false);
        expect(await admits(charge, partiesOf())).toBe(true);
        expect(await admits(charge, partiesOf({ grant: "g2", session: "one more" }))).toBe(true);
        expect(await admits(charge, partiesOf({ session: "one more" }), START + 61_000)).toBe(true);
      });

    test("every scope has its test", () => {
      expect([...SCOPES].sort()).toEqual(["grant", "identity", "organisation", "server", "session"]);
    });
  });
}
