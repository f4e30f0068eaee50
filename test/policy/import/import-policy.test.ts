/** The older form becomes this language: what it refused stays refused, and what has no equal is named. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type Json, printJson, toJson } from "../../../src/kernel/json.ts";
import { compilePolicy } from "../../../src/policy/compile.ts";
import type { Decision } from "../../../src/policy/decision.ts";
import { importPolicy } from "../../../src/policy/import/import-policy.ts";
import { loadOperators } from "../../../src/policy/operators/registry.ts";

beforeAll(loadOperators);

function run(text: string, lossy = false) {
  const imported = importPolicy(text, { file: "old.yaml", lossy });
  if (!imported.ok) throw new Error(imported.failures.map((failure) => `${failure.at?.pointer}: ${failure.message}`).join("\n"));
  const { document, losses, notes } = imported.value;
  return {
    document: JSON.parse(printJson(document as unknown as Json)) as { tools: Record<string, unknown>; [key: string]: unknown },
    compiled: compilePolicy(document),
    losses: losses.map(({ at }) => at.pointer),
    notes: notes.map(({ message }) => message),
  };
}

function listRefusals(text: string, lossy = false): { code: string; pointer: string | undefined }[] {
  const imported = importPolicy(text, { file: "old.yaml", lossy });
  return imported.ok ? [] : imported.failures.map(({ code, at }) => ({ code, pointer: at?.pointer }));
}

const rules = (text: string, tool = "t"): string => `version: "1"\ndefault: deny\ntools:\n  "${tool}":\n    rules:\n      - ${text}\n`;
const call = (document: ReturnType<typeof run>, name: string, args: unknown): Decision =>
  document.compiled.decideCall(
    { name, args: toJson(args), tool: undefined },
    { grant: { label: "g", tags: {} }, server: { name: "s" }, nowMs: 0 },
  );

describe("the older form", () => {
  it("says allow where it says no default, and this is said", () => {
    const { document, notes } = run('version: "1"\ndescription: d\ntools: {}\n');
    expect(document).toMatchObject({ version: "1", default: "allow", description: "d" });
    expect(notes.join(" ")).toContain("`allow`");
    expect(run("version: 1\ndefault: deny\ntools: { x: { rules: [] }, y: , z: {} }\n").document).toEqual({
      version: "1",
      default: "deny",
      tools: { x: {}, y: {}, z: {} },
    });
  });

  it("turns conditions into requirements", () => {
    const { document } = run(
      rules(
        "{ name: small, conditions: [{ path: args.a.b, op: lte, value: 5.50 }, { path: 'args.x y', op: exists, value: true }], on_deny: no }",
      ),
    );
    expect(document.tools.t).toEqual({
      require: [
        {
          name: "small",
          conditions: [
            { path: "args.a.b", op: "lte", value: 5.5 },
            { path: 'args["x y"]', op: "exists", value: true },
          ],
          on_deny: "no",
        },
      ],
    });
  });

  it("turns rates into calendar limits that count successes", () => {
    const limit = { window: "hour", max: 5, align: "calendar", count: "successes" };
    const { document, notes } = run(rules("{ name: r, rate_limit: 5/hour, on_deny: slow }"));
    expect(document.tools.t).toEqual({ limits: [limit] });
    expect(document.timezone).toBeUndefined();
    expect(notes.join(" ")).toContain("on_deny");
    expect(run(rules("{ rate_limit: 5/hour }", "*")).document).toMatchObject({ all_tools: { limits: [limit] } });
  });

  it.each<[string, object]>([
    ["op: lte, value: 10 }], state: { counter: c, window: day }", { max: 10 }],
    ["op: lt, value: 10 }], state: { counter: c, window: day }", { max: 9 }],
    ["op: lte, value: 10 }], state: { counter: c, window: minute, increment: 3 }", { max: 3, window: "minute" }],
    ["op: lte, value: 10.9 }], state: { counter: c, window: day, increment_from: args.n }", { max: 10, add: "args.n" }],
    ["op: lte, value: 123456789012345678901 }], state: { counter: c, window: day }", {}],
  ])("turns a counter with %s into a limit", (text, limit) => {
    const { document } = run(rules(`{ conditions: [{ path: state.t.c, ${text} }`));
    expect(document.tools.t).toMatchObject({ limits: [{ window: "day", align: "calendar", count: "successes", ...limit }] });
  });

  it("keeps the arguments of a rule that counts, too", () => {
    const { document } = run(
      rules(
        "{ conditions: [{ path: args.n, op: gt, value: 0 }, { path: state._global.c, op: lte, value: 2 }], state: { counter: c, window: hour } }",
        "*",
      ),
    );
    expect(document.all_tools).toMatchObject({ require: [{ conditions: [{ path: "args.n" }] }], limits: [{ max: 2, window: "hour" }] });
  });

  it("denies always where a counter has no room", () => {
    const { document } = run(
      rules("{ conditions: [{ path: state.t.c, op: lt, value: 1 }], on_deny: never, state: { counter: c, window: day } }"),
    );
    expect(document.tools.t).toEqual({ deny_if: [{ conditions: [], on_deny: "never" }] });
  });

  it("denies by name, and for every tool", () => {
    expect(run(rules("{ action: deny, on_deny: no }\n      - { rate_limit: 1/day }")).document.tools.t).toEqual({
      action: "deny",
      reason: "no",
    });
    expect(run(rules("{ action: deny, on_deny: no }", "*")).document.all_tools).toEqual({ deny_if: [{ conditions: [], on_deny: "no" }] });
  });

  it("asks people", () => {
    const conditional = run(
      rules("{ name: big, action: require_approval, conditions: [{ path: args.n, op: gt, value: 5 }], approval_timeout: 1h30m }"),
    );
    expect(conditional.document.tools.t).toMatchObject({ approve_if: [{ name: "big" }], approval: { expires: "90m" } });
    expect(call(conditional, "t", { n: 6 })).toMatchObject({ approval: { rule: "/tools/t/approve_if/0", expiresMs: 5_400_000 } });
    expect(call(conditional, "t", {})).toMatchObject({ decision: "permit", approval: undefined });
    const always = run(rules("{ action: require_approval, on_deny: ask }\n      - { conditions: [{ path: args.n, op: lt, value: 5 }] }"));
    expect(always.document.tools.t).toMatchObject({ action: "require_approval", reason: "ask" });
    expect(call(always, "t", { n: 9 })).toMatchObject({ code: "denied", message: "A rule of the policy does not allow this call." });
    expect(run(`approvals: { default_timeout: 45s }\n${rules("{ action: require_approval }", "*")}`).document.all_tools).toMatchObject({
      approve_if: [{ conditions: [] }],
      approval: { expires: "45s" },
    });
  });

  it("takes names as names", () => {
    const { document, notes } = run(
      'version: "1"\ndefault: allow\nhide: ["*", "@x", "a*b"]\ntools: { "@read": {}, "del_*": { rules: [{ action: deny }] } }\n',
    );
    expect(document.hide).toEqual(["*", "\\@x", "a\\*b"]);
    expect(Object.keys(document.tools)).toEqual(["\\@read", "del_\\*"]);
    expect(notes.filter((note) => note.includes("not a pattern"))).toHaveLength(2);
  });

  it("keeps out both spellings of what is kept out", () => {
    const out = run(rules("{ conditions: [{ path: args.v, op: not_in, value: [5, on, 'true'] }, { path: args.w, op: neq, value: 7 }] }"));
    for (const v of [5, "5", "on", "true", true]) expect(call(out, "t", { v, w: 1 }).decision, String(v)).toBe("deny");
    for (const w of [7, "7"]) expect(call(out, "t", { v: 1, w }).decision, String(w)).toBe("deny");
    expect(call(out, "t", { v: 6, w: "8" }).decision).toBe("permit");
  });

  it.each<[string, string, string]>([
    ["spend", rules("{ spend: { per_call: 1, daily: 5 } }"), "/tools/t/rules/0/spend"],
    ["windows of idempotency", rules("{ action: deny, idempotency_window: 5m }"), "/tools/t/rules/0/idempotency_window"],
    ["another rule's counter", rules("{ conditions: [{ path: state.u.c, op: lte, value: 1 }] }"), "/tools/t/rules/0/conditions/0"],
    [
      "a counter that is compared otherwise",
      rules(
        "{ conditions: [{ path: state.t.c, op: gte, value: 1 }, { path: state.t.c, op: lte, value: 5 }], state: { counter: c, window: day } }",
      ),
      "/tools/t/rules/0/conditions/0",
    ],
    [
      "a counter without a bound",
      rules("{ conditions: [{ path: args.a, op: eq, value: 1 }], state: { counter: c, window: day } }"),
      "/tools/t/rules/0/state",
    ],
    ["a question that counts", rules("{ action: require_approval, rate_limit: 5/hour }"), "/tools/t/rules/0/rate_limit"],
    ["notifications", `approvals: { notify: {} }\n${rules("{ action: deny }")}`, "/approvals/notify"],
    [
      "two times for one tool",
      rules(
        "{ action: require_approval, conditions: [{ path: args.a, op: eq, value: x }], approval_timeout: 1m }\n      - { action: require_approval, conditions: [{ path: args.a, op: eq, value: y }], approval_timeout: 2m }",
      ),
      "/tools/t",
    ],
    ["an unknown key at the top", `defualt: deny\n${rules("{ action: deny }")}`, "/defualt"],
    ["an unknown key in a rule", rules("{ action: deny, onDeny: x }"), "/tools/t/rules/0/onDeny"],
    ["an unknown key beside the rules", 'version: "1"\ntools: { t: { rule: [] } }\n', "/tools/t/rule"],
  ])("has no equal for %s", (_, text, pointer) => {
    expect(listRefusals(text)).toContainEqual({ code: "not_importable", pointer });
    expect(run(text, true).losses).toContain(pointer);
  });

  it.each<[string, string, string]>([
    ["another version", 'version: "2"\n', "/version"],
    ["a document of this language", 'version: "1"\nall_tools: {}\n', "/all_tools"],
    ["an entry of this language", 'version: "1"\ntools: { t: { require: [] } }\n', "/tools/t/require"],
    ["an action of another name", rules("{ action: block }"), "/tools/t/rules/0/action"],
    [
      "a denial with conditions",
      rules("{ action: deny, conditions: [{ path: args.a, op: eq, value: 1 }] }"),
      "/tools/t/rules/0/conditions",
    ],
    ["an evaluation of nothing", rules("{ name: x }"), "/tools/t/rules/0/conditions"],
    ["a path of another kind", rules("{ conditions: [{ path: tool.name, op: eq, value: 1 }] }"), "/tools/t/rules/0/conditions/0/path"],
    ["an operator of another name", rules("{ conditions: [{ path: args.a, op: equals, value: 1 }] }"), "/tools/t/rules/0/conditions/0/op"],
    [
      "a pattern that does not compile",
      rules("{ conditions: [{ path: args.a, op: regex, value: '(' }] }"),
      "/tools/t/rules/0/conditions/0/value",
    ],
    ["a rate that is none", rules("{ rate_limit: 5/fortnight }"), "/tools/t/rules/0/rate_limit"],
    ["a rate of nothing", rules("{ rate_limit: 0/hour }"), "/tools/t/rules/0/rate_limit"],
    [
      "a rate with conditions",
      rules("{ rate_limit: 5/hour, conditions: [{ path: args.a, op: eq, value: 1 }] }"),
      "/tools/t/rules/0/rate_limit",
    ],
    [
      "a window that is none",
      rules("{ conditions: [{ path: state.t.c, op: lte, value: 1 }], state: { counter: c, window: year } }"),
      "/tools/t/rules/0/state/window",
    ],
    ["a timeout that is none", rules("{ action: require_approval, approval_timeout: soon }"), "/tools/t/rules/0/approval_timeout"],
    ["a tool hidden twice", 'version: "1"\nhide: [a, a]\n', "/hide/1"],
    ["a key twice", 'version: "1"\ntools: {}\ntools: {}\n', "/tools"],
  ])("is refused with %s, lossy or not", (_, text, pointer) => {
    for (const lossy of [false, true]) {
      expect(listRefusals(text, lossy).map((refusal) => refusal.pointer)).toContain(pointer);
    }
  });

  it("lets nothing through that the older rules refused", () => {
    const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom("a", "b", "1", "-2", "true"), fc.boolean());
    const condition = fc.oneof(
      fc.record({ op: fc.constantFrom("eq", "neq"), value }),
      fc.record({ op: fc.constantFrom("in", "not_in"), value: fc.array(value, { maxLength: 3 }) }),
      fc.record({ op: fc.constantFrom("lt", "lte", "gt", "gte"), value: fc.integer({ min: -3, max: 3 }) }),
      fc.record({ op: fc.constant("contains"), value: fc.constantFrom("a", "1") }),
      fc.record({ op: fc.constant("exists"), value: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(condition, { minLength: 1, maxLength: 3 }), fc.option(value, { nil: undefined }), (conditions, argument) => {
        const older = { version: "1", tools: { t: { rules: [{ conditions: conditions.map((one) => ({ path: "args.v", ...one })) }] } } };
        const args = argument === undefined ? {} : { v: argument };
        const passes = call(run(JSON.stringify(older)), "t", args).decision === "permit";
        const passed = conditions.every(({ op, value: wanted }) => holdsInOlderForm(op, argument, wanted));
        expect(passes && !passed).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});

/** The older form's own reading, where a number and its text are equal. */
function holdsInOlderForm(op: string, found: unknown, wanted: unknown): boolean {
  const equals = (one: unknown): boolean => String(found) === String(one);
  if (op === "exists") return (found !== undefined) === wanted;
  if (found === undefined) return false;
  if (op === "eq") return equals(wanted);
  if (op === "neq") return !equals(wanted);
  if (op === "in") return (wanted as unknown[]).some(equals);
  if (op === "not_in") return !(wanted as unknown[]).some(equals);
  if (op === "contains") return typeof found === "string" && found.includes(String(wanted));
  if (typeof found !== "number") return false;
  const bound = wanted as number;
  return { lt: found < bound, lte: found <= bound, gt: found > bound, gte: found >= bound }[op as "lt"];
}
