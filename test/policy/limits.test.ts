import { describe, expect, test } from "vitest";
import { JsonNumber } from "../../src/kernel/json.ts";
import { checkCounterAgreement } from "../../src/policy/agreement.ts";
import type { Charge, LimitSpec } from "../../src/policy/decision.ts";
import { CONTEXT, call, compile, faultsOf } from "./support.ts";

function chargesOf(members: Record<string, unknown>, args: unknown = {}, name = "x"): readonly Charge[] {
  const decision = compile(members).decideCall(call(name, args), CONTEXT);
  return decision.decision === "permit" ? decision.charges : [];
}

function chargeOf(limit: Record<string, unknown>, args: unknown = {}): Charge {
  const [charge] = chargesOf({ tools: { x: { limits: [{ window: "hour", max: 5, ...limit }] } } }, args);
  if (!charge) throw new Error("nothing is charged");
  return charge;
}

function keyOf(limit: Record<string, unknown>, selector = "x"): string {
  const [spec] = compile({ tools: { [selector]: { limits: [{ window: "hour", max: 5, ...limit }] } } }).limits;
  return (spec as LimitSpec).key;
}

const ONE = 1_000_000_000n;

describe("what a call charges", () => {
  test("the tool's limits, then its rate limit, then those of all tools", () => {
    const limits = [{ window: "hour", max: 5 }];
    const charges = chargesOf({
      all_tools: { limits },
      tools: { x: { limits: [...limits, { window: "day", max: 9 }], rate_limit: { max: 1, window: 10 } } },
    });
    expect(charges.map(({ limit }) => limit.rule)).toEqual([
      "/tools/x/limits/0",
      "/tools/x/limits/1",
      "/tools/x/rate_limit",
      "/all_tools/limits/0",
    ]);
    expect(charges.map(({ amount }) => amount)).toEqual([ONE, ONE, ONE, ONE]);
  });

  test("a call without limits charges nothing, and says so with one and the same value", () => {
    const policy = compile({ tools: { x: {} } });
    expect(policy.decideCall(call("x"), CONTEXT)).toBe(policy.decideCall(call("x", { a: 1 }), CONTEXT));
  });

  test.each([
    [1.5, 1_500_000_000n],
    [0, 0n],
    [new JsonNumber("-0"), 0n],
    [new JsonNumber("0.000000001"), 1n],
    [new JsonNumber("1e3"), 1000n * ONE],
    [new JsonNumber("123456789012345678901234567890"), 123456789012345678901234567890n * ONE],
  ])("an amount of %s", (found, amount) => {
    expect(chargeOf({ add: "args.a.b" }, { a: { b: found } })).toMatchObject({ amount, refused: undefined });
  });

  test.each([[-1], ["5"], [null], [true], [[5]], [new JsonNumber("0.0000000001")], [new JsonNumber("1e40")]])(
    "%s can't be counted",
    (found) => {
      expect(chargeOf({ add: "args.a" }, { a: found })).toMatchObject({ refused: "amount", amount: 0n });
    },
  );

  test("a missing amount can't be counted, nor one below the wrong type", () => {
    expect(chargeOf({ add: "args.a" }).refused).toBe("amount");
    expect(chargeOf({ add: "args.a.b" }, { a: "text" }).refused).toBe("amount");
  });

  test.each([
    ["7", "text:7"],
    [7, "number:7"],
    [new JsonNumber("7.0"), "number:7"],
    [new JsonNumber("1e2"), "number:100"],
    [true, "boolean:true"],
    ["", "text:"],
    ["é".repeat(128), `text:${"é".repeat(128)}`],
  ])("%j splits a count, with its type", (found, per) => {
    expect(chargeOf({ per: "args.a" }, { a: found })).toMatchObject({ per, amount: ONE, refused: undefined });
  });

  test.each([[null], [undefined], [1.5], [[1]], [{ a: 1 }], ["é".repeat(129)], [new JsonNumber("1e300")]])("%j splits none", (found) => {
    expect(chargeOf({ per: "args.a" }, { a: found })).toMatchObject({ per: undefined, refused: "per" });
  });
});

describe("what a count is known by", () => {
  test("names and lengths are the same window", () => {
    expect(new Set(["minute", 60, "60s", "1m", new JsonNumber("60.0")].map((window) => keyOf({ window }))).size).toBe(1);
    expect(keyOf({ window: "month" })).toBe(keyOf({ window: "31d" }));
  });

  test("max is not part of it, and the rest is", () => {
    expect(keyOf({ max: 9 })).toBe(keyOf({}));
    expect(keyOf({ scope: "grant", align: "sliding", count: "attempts" })).toBe(keyOf({}));
    const others = [
      { window: "day" },
      { scope: "session" },
      { per: "args.p" },
      { add: "args.p" },
      { align: "calendar" },
      { count: "successes" },
      { counter: "c" },
    ];
    const keys = [keyOf({}), keyOf({}, "y"), ...others.map((other) => keyOf(other))];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("a path in two spellings is one path", () => {
    expect(keyOf({ per: 'args["p"]' })).toBe(keyOf({ per: "args.p" }));
  });

  test("a named counter is one count wherever it is named", () => {
    expect(keyOf({ counter: "c" }, "y")).toBe(keyOf({ counter: "c" }));
    expect(keyOf({ counter: "c", max: 7 })).toBe(keyOf({ counter: "c" }));
    for (const other of [{ counter: "d" }, { window: "day" }, { scope: "session" }, { per: "args.p" }]) {
      expect(keyOf({ counter: "c", ...other })).not.toBe(keyOf({ counter: "c" }));
    }
  });

  test("equals of one list are told apart by their place, and all_tools from a tool of that name", () => {
    const twice = [
      { window: "hour", max: 5 },
      { window: "hour", max: 6 },
    ];
    const { limits } = compile({ all_tools: { limits: twice }, tools: { all_tools: { limits: twice } } });
    expect(new Set(limits.map(({ key }) => key)).size).toBe(4);
    const [first] = compile({ all_tools: { limits: twice.slice(0, 1) } }).limits;
    expect(first?.key).toBe(limits[0]?.key);
  });

  test("a limit of a glob is one count, its rate limit one for each tool", () => {
    const members = { tools: { "ping_*": { limits: [{ window: "hour", max: 5 }], rate_limit: { max: 1, window: 10 } } } };
    const [a, rateA] = chargesOf(members, {}, "ping_a");
    const [b, rateB] = chargesOf(members, {}, "ping_b");
    expect(a?.limit.key).toBe(b?.limit.key);
    expect(rateA?.limit.key).not.toBe(rateB?.limit.key);
    expect(rateA?.limit).toMatchObject({ scope: "session", windowMs: 10_000, max: ONE, domain: "policy", counts: "attempts" });
    const policy = compile(members);
    const decideOnce = () => policy.decideCall(call("ping_a"), CONTEXT);
    expect(decideOnce()).toEqual(decideOnce());
  });

  test("a named counter of a wide scope is shared with other policies, every other count is the policy's own", () => {
    for (const scope of ["server", "identity", "organisation"]) {
      expect(chargeOf({ scope, counter: "c" }).limit.domain).toBe("shared");
      expect(chargeOf({ scope }).limit.domain).toBe("policy");
    }
    for (const scope of ["grant", "session"]) expect(chargeOf({ scope, counter: "c" }).limit.domain).toBe("policy");
  });

  test("a durable limit says so, and is the count that it was", () => {
    expect(chargeOf({ durable: true }).limit).toEqual({ ...chargeOf({}).limit, durable: true });
    expect(chargeOf({ durable: false }).limit).toEqual(chargeOf({}).limit);
    expect(chargeOf({}).limit.durable).toBe(false);
  });

  test("a calendar has the document's zone", () => {
    const [limit] = compile({ timezone: "Asia/Tokyo", tools: { x: { limits: [{ window: "month", max: 5, align: "calendar" }] } } }).limits;
    expect(limit?.calendar).toEqual({ unit: "month", timezone: "Asia/Tokyo" });
    expect(chargeOf({ align: "calendar" }).limit.calendar).toEqual({ unit: "hour", timezone: "UTC" });
    expect(chargeOf({}).limit.calendar).toBeUndefined();
  });
});

describe("limits that are errors", () => {
  const faults = (limit: Record<string, unknown>) => faultsOf({ tools: { x: { limits: [{ window: "hour", max: 5, ...limit }] } } });
  const at = (key: string) => [`/tools/x/limits/0/${key}`];
  test.each([0, -1, 1.5, "0s", "0", "60", "1w", "1.5h", "fortnight", "Minute", "", null, 1e12, "999999999d"])("window %j", (window) => {
    expect(faults({ window })).toEqual(at("window"));
  });

  test.each(["second", 1, "1s", "3660d", new JsonNumber("9e1")])("window %s is one", (window) => {
    expect(faults({ window })).toEqual([]);
  });

  test.each([0, "0", -1, "-1", "1,5", "five", "", "007", " 1", new JsonNumber("0.0000000001"), "0.0000000001", null, [1]])(
    "max %s",
    (max) => {
      expect(faults({ max })).toEqual(at("max"));
    },
  );

  test.each([0.5, "2.5", "1e2", new JsonNumber("0.000000001")])("max %s is one", (max) => {
    expect(faults({ max })).toEqual([]);
  });

  test.each(["args", "args[*]", "args.a[*].b", "grant.label", "a", "", "args.", 5])("add and per %j", (path) => {
    expect(faults({ add: path })).toEqual(at("add"));
    expect(faults({ per: path })).toEqual(at("per"));
  });

  test.each(["second", "90m", 60, "60s", "24h"])("a calendar of %j", (window) => {
    expect(faults({ window, align: "calendar" })).toEqual(at("align"));
  });

  test.each(["minute", "hour", "day", "week", "month"])("a calendar of a %s is one", (window) => {
    expect(faults({ window, align: "calendar" })).toEqual([]);
  });

  test("other words", () => {
    expect(faults({ scope: "global" })).toEqual(at("scope"));
    expect(faults({ align: "rolling" })).toEqual(at("align"));
    expect(faults({ count: "calls" })).toEqual(at("count"));
    for (const durable of ["true", 1, null]) expect(faults({ durable })).toEqual(at("durable"));
    expect(faults({ counter: "" })).toEqual(at("counter"));
    expect(faults({ name: "x" })).toEqual(at("name"));
    expect(faultsOf({ tools: { x: { limits: [{}] } } })).toEqual(["/tools/x/limits/0/max", "/tools/x/limits/0/window"]);
    expect(faultsOf({ tools: { x: { rate_limit: { max: 0, window: "never", scope: "grant" } } } })).toEqual([
      "/tools/x/rate_limit/max",
      "/tools/x/rate_limit/scope",
      "/tools/x/rate_limit/window",
    ]);
    expect(faultsOf({ all_tools: { rate_limit: { max: 1, window: 1 } } })).toEqual(["/all_tools/rate_limit"]);
  });
});

describe("limits that share a counter", () => {
  const c = { counter: "c", window: "day", max: 5 };
  const inOne = (later: Record<string, unknown>) => faultsOf({ tools: { x: { limits: [c] }, y: { limits: [{ ...c, ...later }] } } });

  test("agree, whatever their max", () => {
    expect(inOne({ max: 9, window: "24h", align: "sliding", count: "attempts", scope: "grant", durable: false })).toEqual([]);
  });

  test.each([
    ["add", { add: "args.a" }],
    ["per", { per: "args.a" }],
    ["align", { align: "calendar" }],
    ["count", { count: "successes" }],
    ["durable", { durable: true }],
  ])("the later one is an error where it differs in %s", (key, later) => {
    expect(inOne(later)).toEqual([`/tools/y/limits/0/${key}`, "/tools/y/limits/0/counter"].toSorted());
  });

  test("are compared whatever else is wrong with them, where the way they count is understood", () => {
    expect(inOne({ max: 0, add: "args.a" })).toEqual(
      ["/tools/y/limits/0/add", "/tools/y/limits/0/counter", "/tools/y/limits/0/max"].toSorted(),
    );
    expect(inOne({ add: "nowhere" })).toEqual(["/tools/y/limits/0/add"]);
  });

  test("another window or scope is another count", () => {
    expect(inOne({ window: "hour", add: "args.a" })).toEqual([]);
    expect(inOne({ scope: "server", add: "args.a" })).toEqual([]);
    expect(inOne({ counter: "d", add: "args.a" })).toEqual([]);
  });

  test("those of all tools count in too", () => {
    expect(faultsOf({ all_tools: { limits: [c] }, tools: { x: { limits: [{ ...c, count: "successes" }] } } })).toContain(
      "/tools/x/limits/0/counter",
    );
  });

  test("the later one is the one that stands later, those of all tools too", () => {
    const own = { x: { limits: [c] } };
    const all = { limits: [{ ...c, count: "successes" }] };
    const pointersIn = (members: Record<string, unknown>) => faultsOf(members).map((pointer) => pointer.split("/limits")[0]);
    expect(new Set(pointersIn({ tools: own, all_tools: all }))).toEqual(new Set(["/all_tools"]));
    expect(new Set(pointersIn({ all_tools: all, tools: own }))).toEqual(new Set(["/tools/x"]));
  });

  test("between policies only shared ones have to agree", () => {
    const limits = (more: Record<string, unknown>, members: Record<string, unknown> = {}) =>
      compile({ ...members, tools: { x: { limits: [{ ...c, scope: "server", ...more }] } } }).limits;
    expect(checkCounterAgreement(limits({}), limits({ max: 6, window: "24h" }))).toEqual([]);
    expect(checkCounterAgreement(limits({}), limits({ add: "args.a", count: "successes" }))).toEqual([
      { counter: "c", firstRule: "/tools/x/limits/0", rule: "/tools/x/limits/0", keys: ["add", "count"] },
    ]);
    expect(checkCounterAgreement(limits({ scope: "grant" }), limits({ scope: "grant", add: "args.a" }))).toEqual([]);
    const berlin = limits({ align: "calendar" }, { timezone: "Europe/Berlin" });
    expect(checkCounterAgreement(limits({ align: "calendar" }), berlin)).toMatchObject([{ keys: ["align"] }]);
    expect(checkCounterAgreement(berlin, berlin)).toEqual([]);
  });
});
