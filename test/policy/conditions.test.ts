import { describe, expect, test } from "vitest";
import { JsonNumber } from "../../src/kernel/json.ts";
import { CONTEXT, call, compile, judge, judgeBoth } from "./support.ts";

const HOLDS = { met: true, matched: true };
const FAILS = { met: false, matched: false };
/** Can't be judged, because nothing is there: met by nothing, matched by nothing. */
const MISSING = { met: false, matched: false };
/** Can't be judged, because it is of the wrong type: the strict reading of both lists. */
const WRONG = { met: false, matched: true };

function compare(op: string, value: unknown, found: unknown): { met: boolean; matched: boolean } {
  return judgeBoth({ path: "args.a", op, value }, found === undefined ? {} : { a: found });
}

describe("operators", () => {
  test.each([
    ["eq", "x", "x", HOLDS],
    ["eq", 1, "1", FAILS],
    ["eq", 50, new JsonNumber("50.0"), HOLDS],
    ["eq", 0, new JsonNumber("-0"), HOLDS],
    ["eq", new JsonNumber("12345678901234567890"), new JsonNumber("12345678901234567891"), FAILS],
    ["eq", { a: 1, b: [2] }, { b: [2], a: 1 }, HOLDS],
    ["eq", [1, 2], [2, 1], FAILS],
    ["eq", null, null, HOLDS],
    ["eq", null, false, FAILS],
    ["eq", null, undefined, MISSING],
    ["neq", "x", "y", HOLDS],
    ["neq", "x", 1, HOLDS],
    ["neq", null, null, FAILS],
    ["neq", "x", undefined, MISSING],
    ["in", ["a", 1], 1, HOLDS],
    ["in", ["a", 1], "1", FAILS],
    ["in", [], "a", FAILS],
    ["in", [null], null, HOLDS],
    ["not_in", ["a"], 1, HOLDS],
    ["not_in", ["a"], "a", FAILS],
    ["not_in", ["a"], undefined, MISSING],
    ["lt", 1, 0.999, HOLDS],
    ["lt", "0.3", 0.3, FAILS],
    ["lte", "0.3", 0.3, HOLDS],
    ["gt", new JsonNumber("9007199254740992"), new JsonNumber("9007199254740993"), HOLDS],
    ["gt", 1, "2", WRONG],
    ["gt", 1, null, WRONG],
    ["gte", 1, new JsonNumber("1.0"), HOLDS],
    ["gte", 1, undefined, MISSING],
    ["regex", "^a+$", "aaa", HOLDS],
    ["regex", "^a+$", "aab", FAILS],
    ["regex", "a", 1, WRONG],
    ["not_regex", "a", "b", HOLDS],
    ["not_regex", "a", 1, WRONG],
    ["contains", "b", "abc", HOLDS],
    ["contains", "b", ["abc"], FAILS],
    ["contains", 1, [2, new JsonNumber("1.0")], HOLDS],
    ["contains", 1, "1", WRONG],
    ["contains", "b", { b: 1 }, WRONG],
    ["not_contains", "b", ["a"], HOLDS],
    ["not_contains", "b", 1, WRONG],
    ["starts_with", "a", "ab", HOLDS],
    ["starts_with", "a", ["a"], WRONG],
    ["ends_with", "b", "ab", HOLDS],
    ["ends_with", "b", undefined, MISSING],
    ["length_lte", 2, "😀😀", HOLDS],
    ["length_lte", 1, "😀😀", FAILS],
    ["length_gte", 2, [1, 2], HOLDS],
    ["length_gte", 1, { a: 1 }, HOLDS],
    ["length_gte", 1, 5, WRONG],
    ["length_gte", 1, null, WRONG],
  ])("%s %j on %j", (op, value, found, expected) => {
    expect(compare(op, value, found)).toEqual(expected);
  });

  test("exists alone judges absence, and null is absence to it", () => {
    expect(compare("exists", true, 0)).toEqual(HOLDS);
    expect(compare("exists", true, null)).toEqual(FAILS);
    expect(compare("exists", true, undefined)).toEqual(FAILS);
    expect(compare("exists", false, undefined)).toEqual(HOLDS);
    expect(compare("exists", false, null)).toEqual(HOLDS);
    expect(judgeBoth({ path: "args.a.b", op: "exists", value: false }, { a: null })).toEqual(HOLDS);
    expect(judgeBoth({ path: "args.a.b", op: "exists", value: false }, { a: "text" })).toEqual(WRONG);
    expect(judgeBoth({ path: "args.a[0]", op: "exists", value: true }, { a: {} })).toEqual(WRONG);
  });
});

describe("paths", () => {
  test.each([
    ["args.a.b", { a: { b: 1 } }, HOLDS],
    ["args.a.b", { a: {} }, MISSING],
    ["args.a.b", {}, MISSING],
    ["args.a.b", { a: null }, MISSING],
    ["args.a.b", { a: "x" }, WRONG],
    ["args.a.b", { a: [1] }, WRONG],
    ["args.a.b", { a: 1 }, WRONG],
    ["args.a[1]", { a: [0, 1] }, HOLDS],
    ["args.a[1]", { a: [0] }, MISSING],
    ["args.a[1]", { a: { 1: 1 } }, WRONG],
    ["args.a[1]", { a: null }, MISSING],
    ['args["a.b"]', { "a.b": 1 }, HOLDS],
    ['args["a.b"]', { a: { b: 1 } }, MISSING],
    ['args["\\u0061"]', { a: 1 }, HOLDS],
    ["args.__proto__", {}, MISSING],
    ["args.constructor", {}, MISSING],
    ["args.a[*]", { a: [1, 1] }, HOLDS],
    ["args.a[*]", { a: [1, 2] }, { met: false, matched: true }],
    ["args.a[*]", { a: [] }, { met: true, matched: false }],
    ["args.a[*]", { a: { b: 1 } }, WRONG],
    ["args.a[*]", { a: "x" }, WRONG],
    ["args.a[*]", { a: null }, MISSING],
    ["args.a[*]", {}, MISSING],
    ["args.a[*].b", { a: [{ b: 1 }, {}] }, { met: false, matched: true }],
    ["args.a[*].b", { a: [{ b: 2 }, {}] }, { met: false, matched: false }],
    ["args.a[*].b", { a: [{ b: 2 }, 5] }, { met: false, matched: true }],
    ["args.a[*][*]", { a: [[1], [], [1, 1]] }, HOLDS],
  ])("%s in %j", (path, args, expected) => {
    expect(judgeBoth({ path, op: "eq", value: 1 }, args)).toEqual(expected);
  });

  test("a path may be just args", () => {
    expect(judgeBoth({ path: "args", op: "length_lte", value: 1 }, { a: 1 })).toEqual(HOLDS);
    expect(judgeBoth({ path: "args", op: "eq", value: {} }, {})).toEqual(HOLDS);
  });

  test.each([
    ["grant.label", "desk-1"],
    ["grant.identity", "dana@example.com"],
    ["grant.tags.team", "support"],
    ['grant.tags["team"]', "support"],
    ["session.id", "s1"],
    ["client.name", "probe"],
    ["client.version", "1.0"],
    ["tool.name", "x"],
    ["server.name", "shop"],
    ["time.hour", 9],
    ["time.weekday", 1],
    ["time.date", "2026-01-05"],
  ])("%s", (path, value) => {
    expect(judge("require", [{ path, op: "eq", value }], {})).toBe("allow");
    expect(judge("require", [{ path, op: "eq", value: "other" }], {})).not.toBe("allow");
  });

  test("what a tool's definition says", () => {
    const tool = { name: "x", class: "write", risk: "high", annotations: { readOnlyHint: false } } as const;
    const ask = (path: string, value: unknown) =>
      compile({ tools: { x: { require: [{ conditions: [{ path, op: "eq", value }] }] } } }).decideCall(call("x", {}, tool), CONTEXT)
        .decision;
    expect(ask("tool.class", "write")).toBe("permit");
    expect(ask("tool.risk", "high")).toBe("permit");
    expect(ask("tool.annotations.readOnlyHint", false)).toBe("permit");
    // Never the protocol's default: a hint that is not given is missing.
    expect(ask("tool.annotations.destructiveHint", true)).toBe("deny");
  });

  test.each(["grant.tags.other", "tool.class", "tool.risk", "tool.annotations.readOnlyHint"])(
    "%s is missing where nobody said it",
    (path) => {
      expect(judge("deny_if", [{ path, op: "neq", value: "x" }], {})).toBe("allow");
      expect(judge("deny_if", [{ path, op: "neq", value: "x", missing: "match" }], {})).not.toBe("allow");
    },
  );

  test("who has no session, client or identity misses them", () => {
    const bare = { grant: { label: "g", tags: {} }, server: { name: "s" }, nowMs: 0 };
    for (const path of ["session.id", "client.name", "client.version", "grant.identity"]) {
      expect(judge("require", [{ path, op: "exists", value: false }], {}, bare)).toBe("allow");
    }
  });

  test("time is that of the document's zone", () => {
    const at = (iso: string) => ({ ...CONTEXT, nowMs: Date.parse(iso) });
    const policy = compile({
      timezone: "America/New_York",
      tools: {
        x: {
          require: [
            {
              conditions: [
                { path: "time.hour", op: "eq", value: 23 },
                { path: "time.date", op: "eq", value: "2026-03-07" },
                { path: "time.weekday", op: "eq", value: 6 },
              ],
            },
          ],
        },
      },
    });
    expect(policy.decideCall(call("x"), at("2026-03-08T04:59:59Z")).decision).toBe("permit");
    expect(policy.decideCall(call("x"), at("2026-03-08T05:00:00Z")).decision).toBe("deny");
    const sunday = compile({
      tools: {
        x: {
          require: [
            {
              conditions: [
                { path: "time.weekday", op: "eq", value: 7 },
                { path: "time.hour", op: "eq", value: 0 },
              ],
            },
          ],
        },
      },
    });
    expect(sunday.decideCall(call("x"), at("2026-01-04T00:00:00Z")).decision).toBe("permit");
    expect(sunday.decideCall(call("x"), at("2026-01-05T00:00:00Z")).decision).toBe("deny");
  });
});

describe("any, not and AND", () => {
  const T = { path: "args.t", op: "eq", value: 1 };
  const F = { path: "args.t", op: "eq", value: 2 };
  const M = { path: "args.m", op: "gt", value: 1 };
  const W = { path: "args.t", op: "starts_with", value: "x" };
  const args = { t: 1 };
  test.each([
    [{ any: [F, T] }, HOLDS],
    [{ any: [F, F] }, FAILS],
    [{ any: [F, M] }, MISSING],
    [{ any: [M, W, F] }, WRONG],
    [{ any: [W, T] }, HOLDS],
    [{ not: T }, FAILS],
    [{ not: F }, HOLDS],
    [{ not: M }, MISSING],
    [{ not: W }, WRONG],
    [{ not: { not: T } }, HOLDS],
    [{ not: { any: [F, M] } }, MISSING],
    [{ ...M, op: "lt" }, MISSING],
  ])("%j", (condition, expected) => {
    expect(judgeBoth(condition, args)).toEqual(expected);
  });

  test("AND: false decides, then wrong type goes before missing", () => {
    expect(judge("deny_if", [T, T], args)).not.toBe("allow");
    expect(judge("deny_if", [F, W], args)).toBe("allow");
    expect(judge("deny_if", [M, W], args)).not.toBe("allow");
    expect(judge("deny_if", [T, M], args)).toBe("allow");
    expect(judge("require", [T, M], args)).not.toBe("allow");
  });

  test("not turns [*] from every to any and back", () => {
    const some = { path: "args.a[*]", op: "eq", value: 1 };
    expect(judgeBoth({ not: some }, { a: [1, 2] })).toEqual({ met: false, matched: true });
    expect(judgeBoth({ not: some }, { a: [2, 2] })).toEqual(HOLDS);
    expect(judgeBoth({ not: some }, { a: [1, 1] })).toEqual(FAILS);
    expect(judgeBoth({ not: some }, { a: [] })).toEqual({ met: true, matched: false });
    expect(judgeBoth({ not: { not: some } }, { a: [1, 2] })).toEqual({ met: false, matched: true });
  });

  test("missing: match makes a missing part a wrong type", () => {
    const matched = (condition: unknown, found: unknown) => judge("deny_if", [condition], found) !== "allow";
    expect(matched({ ...M, missing: "match" }, {})).toBe(true);
    expect(matched({ ...M, missing: "match" }, { m: 1 })).toBe(false);
    expect(matched({ not: { ...M, missing: "match" } }, {})).toBe(true);
    expect(matched({ any: [F, { ...M, missing: "match" }] }, args)).toBe(true);
    expect(matched({ path: "args.a[*].b", op: "gt", value: 1, missing: "match" }, { a: [{ b: 0 }, {}] })).toBe(true);
    expect(matched({ path: "args.a", op: "exists", value: true, missing: "match" }, {})).toBe(false);
  });

  test("the log is told why a rule could not be judged", () => {
    const policy = compile({
      tools: { x: { require: [{ conditions: [M] }] }, y: { deny_if: [{ conditions: [W] }] }, z: { approve_if: [{ conditions: [W] }] } },
    });
    expect(policy.decideCall(call("x", args), CONTEXT)).toMatchObject({ cause: "missing" });
    expect(policy.decideCall(call("x", { m: "2" }), CONTEXT)).toMatchObject({ cause: "wrong_type" });
    expect(policy.decideCall(call("x", { m: 1 }), CONTEXT)).not.toHaveProperty("cause");
    expect(policy.decideCall(call("y", args), CONTEXT)).toMatchObject({ cause: "wrong_type" });
    expect(policy.decideCall(call("z", args), CONTEXT)).toMatchObject({ approval: { cause: "wrong_type" } });
  });
});
