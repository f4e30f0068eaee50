import { describe, expect, test } from "vitest";
import { toJson } from "../../src/kernel/json.ts";
import type { InputSchema, ToolFacts } from "../../src/policy/decision.ts";
import { denyApproval, denyByLimit, denyNoPolicy, denyUnavailable } from "../../src/policy/refusal.ts";
import { brief, CONTEXT, call, compile } from "./support.ts";

const always = [{ conditions: [] }];
const never = [{ conditions: [{ path: "tool.name", op: "eq", value: "" }] }];

function facts(name: string, more: Partial<ToolFacts> = {}): ToolFacts {
  return { name, ...more };
}

function schema(fault: string | undefined, properties: readonly string[] = []): InputSchema {
  return { check: () => fault, properties: new Set(properties) };
}

describe("what is hidden, unknown or not selected", () => {
  const members = { hide: ["hidden*"], tools: { known: {}, "gone*": {}, hidden_too: {} } };
  const names: [string, ToolFacts | null, string][] = [
    ["hidden", facts("hidden"), "(hidden)"],
    ["hidden", null, "(hidden)"],
    ["hidden_too", facts("hidden_too"), "(hidden)"],
    ["other", facts("other"), "(default deny)"],
    ["other", null, "(default deny)"],
    ["gone", null, "(unknown tool)"],
  ];

  test.each(names)("under default deny %s answers in the same words (%s)", (name, tool, rule) => {
    expect(compile(members).decideCall(call(name, {}, tool), CONTEXT)).toEqual({
      decision: "deny",
      code: "not_allowed",
      rule,
      message: `Tool "${name}" is not allowed by policy.`,
    });
  });

  test("under default allow it is an unknown tool", () => {
    const policy = compile({ ...members, default: "allow" });
    for (const [name, rule] of [
      ["hidden", "(hidden)"],
      ["gone", "(unknown tool)"],
      ["other", "(unknown tool)"],
    ] as const) {
      expect(policy.decideCall(call(name, {}, null), CONTEXT)).toEqual({
        decision: "deny",
        code: "unknown_tool",
        rule,
        message: `Unknown tool: ${name}`,
      });
    }
    expect(brief(policy.decideCall(call("other", {}, facts("other")), CONTEXT))).toBe("allow");
  });

  test("a class hides the tools that have it", () => {
    const policy = compile({ default: "allow", hide: ["@destructive"] });
    expect(brief(policy.decideCall(call("wipe", {}, facts("wipe", { class: "destructive" })), CONTEXT))).toBe("unknown_tool (hidden)");
    expect(brief(policy.decideCall(call("wipe", {}, facts("wipe", { class: "write" })), CONTEXT))).toBe("allow");
  });

  test("without a known list the sixth step is not asked", () => {
    expect(brief(compile(members).decideCall(call("known"), CONTEXT))).toBe("allow");
  });

  test("a name beyond all bounds is one that no server has", () => {
    const policy = compile({ default: "allow" });
    expect(brief(policy.decideCall(call("x".repeat(5000)), CONTEXT))).toBe("unknown_tool (unknown tool)");
  });

  test("a quarantined tool says so, after hiding and selection and before all else", () => {
    const policy = compile({ hide: ["h"], tools: { x: { action: "deny" } } });
    const decide = (name: string) => brief(policy.decideCall(call(name, {}, facts(name, { quarantined: true })), CONTEXT));
    expect(decide("x")).toBe("quarantined (quarantined)");
    expect(decide("h")).toBe("not_allowed (hidden)");
    expect(decide("y")).toBe("not_allowed (default deny)");
  });
});

describe("lists show what a call could reach", () => {
  const policy = compile({
    hide: ["h", "@destructive"],
    tools: { x: {}, d: { action: "deny" }, a: { action: "require_approval" }, h: {}, c: {} },
  });
  test.each([
    [facts("x"), "shown"],
    [facts("d"), "shown"],
    [facts("a"), "shown"],
    [facts("h"), "left_out"],
    [facts("c", { class: "destructive" }), "left_out"],
    [facts("other"), "left_out"],
    [facts("x", { quarantined: true }), "left_out"],
  ])("%j: %s", (tool, expected) => {
    expect(policy.decideVisibility(tool)).toBe(expected);
  });

  test("under default allow what no entry selects is shown", () => {
    expect(compile({ default: "allow" }).decideVisibility(facts("other"))).toBe("shown");
  });
});

describe("the order of the steps", () => {
  const everything = {
    all_tools: { require: always.map(() => never[0]), deny_if: always, approve_if: always, limits: [{ window: "hour", max: 1 }] },
    tools: {
      x: {
        action: "deny",
        validate: { required_args: ["a"] },
        require: never,
        deny_if: always,
        approve_if: always,
        limits: [{ window: "hour", max: 1 }],
      },
    },
  };

  test("each step gives way to the next when it is taken away", () => {
    const misfit = facts("x", { inputSchema: schema("The arguments do not fit.") });
    const fit = facts("x", { inputSchema: schema(undefined) });
    const told: string[] = [];
    const all = structuredClone(everything.all_tools) as Record<string, unknown>;
    const entry = structuredClone(everything.tools.x) as Record<string, unknown>;
    const ask = (tool: ToolFacts) =>
      told.push(brief(compile({ all_tools: all, tools: { x: entry } }).decideCall(call("x", {}, tool), CONTEXT)));
    ask(misfit);
    delete entry.action;
    ask(misfit);
    ask(fit);
    delete entry.validate;
    ask(fit);
    delete all.require;
    ask(fit);
    delete entry.require;
    ask(fit);
    delete all.deny_if;
    ask(fit);
    delete entry.deny_if;
    ask(fit);
    delete all.approve_if;
    ask(fit);
    delete entry.approve_if;
    ask(fit);
    expect(told).toEqual([
      "denied /tools/x/action",
      "invalid_arguments (input schema)",
      "invalid_arguments /tools/x/validate",
      "denied /all_tools/require/0",
      "denied /tools/x/require/0",
      "denied /all_tools/deny_if/0",
      "denied /tools/x/deny_if/0",
      "ask /all_tools/approve_if/0",
      "ask /tools/x/approve_if/0",
      "allow",
    ]);
  });

  test("action: require_approval asks before any rule does", () => {
    const policy = compile({ all_tools: { approve_if: always }, tools: { x: { action: "require_approval", approve_if: always } } });
    expect(brief(policy.decideCall(call("x"), CONTEXT))).toBe("ask /tools/x/action");
  });

  test("a slash or tilde in a selector is escaped in the rule", () => {
    const policy = compile({ tools: { "a/b~c": { action: "deny" } } });
    expect(brief(policy.decideCall(call("a/b~c"), CONTEXT))).toBe("denied /tools/a~1b~0c/action");
  });

  test("all_tools applies to what no entry selects", () => {
    const policy = compile({ default: "allow", all_tools: { deny_if: [{ conditions: [{ path: "args.a", op: "eq", value: 1 }] }] } });
    expect(brief(policy.decideCall(call("x", { a: 1 }), CONTEXT))).toBe("denied /all_tools/deny_if/0");
    expect(brief(policy.decideCall(call("x", { a: 2 }), CONTEXT))).toBe("allow");
  });

  test("an error inside a step is a denial, and its cause is kept for the program's log", () => {
    const boom = new Error("boom");
    const broken: InputSchema = {
      properties: new Set(),
      check: () => {
        throw boom;
      },
    };
    const denial = compile({ tools: { x: {} } }).decideCall(call("x", {}, facts("x", { inputSchema: broken })), CONTEXT);
    expect(denial).toMatchObject({ decision: "deny", code: "unavailable", error: boom });
    expect(JSON.stringify(denial)).not.toContain("boom");
  });
});

describe("arguments", () => {
  const decide = (validate: unknown, args: unknown, tool?: ToolFacts) =>
    compile({ tools: { x: { validate } } }).decideCall(call("x", args, tool), CONTEXT);

  test("required_args are there, if only as null", () => {
    expect(brief(decide({ required_args: ["a", "b"] }, { a: null, b: 0 }))).toBe("allow");
    expect(decide({ required_args: ["a", "b"] }, { a: 1 })).toMatchObject({
      code: "invalid_arguments",
      rule: "/tools/x/validate",
      message: "Required and missing: argument `b`.",
    });
    expect(brief(decide({ required_args: ["toString"] }, {}))).toBe("invalid_arguments /tools/x/validate");
  });

  test("unknown_args: known are both schemas' properties and required_args", () => {
    const validate = { unknown_args: "deny", required_args: ["r"], schema: { properties: { p: {} } } };
    const tool = facts("x", { inputSchema: schema(undefined, ["t"]) });
    expect(brief(decide(validate, { r: 1, p: 1, t: 1 }, tool))).toBe("allow");
    expect(decide(validate, { r: 1, u: 1 }, tool)).toMatchObject({ rule: "/tools/x/validate", message: "Not known: argument `u`." });
    expect(brief(decide({ ...validate, unknown_args: "allow" }, { r: 1, u: 1 }, tool))).toBe("allow");
    expect(brief(decide({ unknown_args: "deny" }, {}))).toBe("allow");
  });

  test("the policy's schema is over all arguments", () => {
    const validate = { schema: { properties: { n: { type: "integer", minimum: 5 } } } };
    expect(brief(decide(validate, { n: 5 }))).toBe("allow");
    expect(brief(decide(validate, { n: 4 }))).toBe("invalid_arguments /tools/x/validate");
  });

  test("arguments that are no object do not pass", () => {
    const policy = compile({ tools: { x: {} } });
    for (const args of [null, [], "text", 1]) {
      expect(brief(policy.decideCall({ name: "x", args: toJson(args), tool: undefined }, CONTEXT))).toBe(
        "invalid_arguments (input schema)",
      );
    }
  });
});

describe("what the agent is told", () => {
  const rule = (on_deny?: string) => [{ conditions: [], ...(on_deny === undefined ? {} : { on_deny }) }];
  const messageOf = (members: Record<string, unknown>) => {
    const decision = compile(members).decideCall(call("x"), CONTEXT);
    return decision.decision === "deny" ? decision.message : decision.approval?.message;
  };

  test("on_deny, else the entry's reason, else a plain sentence", () => {
    expect(messageOf({ tools: { x: { reason: "R", deny_if: rule("D") } } })).toBe("D");
    expect(messageOf({ tools: { x: { reason: "R", deny_if: rule() } } })).toBe("R");
    expect(messageOf({ tools: { x: { deny_if: rule() } } })).toBe("A rule of the policy does not allow this call.");
    expect(messageOf({ tools: { x: { reason: "R", action: "deny" } } })).toBe("R");
    expect(messageOf({ tools: { x: { action: "deny" } } })).toBe('Tool "x" is denied by policy.');
    expect(messageOf({ tools: { x: { approve_if: rule("D") } } })).toBe("D");
    expect(messageOf({ tools: { x: { reason: "R", action: "require_approval" } } })).toBe("R");
  });

  test("the reason stands in for the rules of all tools too", () => {
    expect(messageOf({ all_tools: { deny_if: rule() }, tools: { x: { reason: "R" } } })).toBe("R");
    expect(messageOf({ all_tools: { deny_if: rule("D") }, tools: { x: { reason: "R" } } })).toBe("D");
  });

  test("limits and arguments have sentences of their own", () => {
    expect(messageOf({ tools: { x: { reason: "R", validate: { required_args: ["a"] } } } })).toBe("Required and missing: argument `a`.");
    const policy = compile({ tools: { x: { reason: "R", limits: [{ window: "90s", max: "2.5" }] } } });
    const [limit] = policy.limits;
    if (!limit) throw new Error("no limit");
    expect(denyByLimit(limit, 41_200)).toEqual({
      decision: "deny",
      code: "limit_exceeded",
      rule: "/tools/x/limits/0",
      message: "The limit of 2.5 in 90 seconds is reached. Try again in 42 seconds.",
      retryAfterMs: 41_200,
    });
    expect(denyByLimit(limit, undefined)).not.toHaveProperty("retryAfterMs");
    expect(denyByLimit({ limit, amount: 0n, per: undefined, refused: "amount" }, undefined).message).toContain("amount");
    expect(denyByLimit({ limit, amount: 0n, per: undefined, refused: "per" }, undefined).message).toContain("counted by");
  });

  test("denials that need no policy", () => {
    expect(denyNoPolicy()).toMatchObject({ code: "no_policy", rule: "(no policy)" });
    expect(denyUnavailable("(audit unavailable)")).toMatchObject({ code: "unavailable", rule: "(audit unavailable)" });
    expect(denyUnavailable("(audit unavailable)")).not.toHaveProperty("error");
  });
});

describe("terms of an approval", () => {
  const approval = { quorum: 2, expires: "1h", hold: 0, approvers: ["role:admin", "cfo@example.com"] };
  const defaults = { quorum: 1, expiresMs: 1_800_000, holdMs: 25_000, approvers: ["role:admin"] };
  const askOf = (members: Record<string, unknown>) => {
    const decision = compile(members).decideCall(call("x"), CONTEXT);
    return decision.decision === "permit" ? decision.approval : undefined;
  };

  test("the entry's, else the defaults", () => {
    expect(askOf({ tools: { x: { action: "require_approval" } } })).toMatchObject(defaults);
    expect(askOf({ tools: { x: { approve_if: always, approval } } })).toMatchObject({ quorum: 2, expiresMs: 3_600_000, holdMs: 0 });
    expect(askOf({ tools: { x: { approve_if: always, approval: { quorum: 3 } } } })).toMatchObject({ ...defaults, quorum: 3 });
    expect(askOf({ all_tools: { approval }, tools: { x: { approve_if: always } } })).toMatchObject(defaults);
  });

  test("for a rule of all tools the entry's, else those of all tools, else the defaults", () => {
    const all = { approve_if: always };
    expect(askOf({ all_tools: { ...all, approval }, tools: { x: {} } })).toMatchObject({ quorum: 2 });
    expect(askOf({ all_tools: { ...all, approval }, tools: { x: { approval: { quorum: 3 } } } })).toMatchObject({ ...defaults, quorum: 3 });
    expect(askOf({ all_tools: all, tools: { x: {} } })).toMatchObject(defaults);
    expect(askOf({ default: "allow", all_tools: { ...all, approval } })).toMatchObject({ quorum: 2 });
  });

  test("who is asked and does not answer leaves a denial", () => {
    const ask = askOf({ tools: { x: { action: "require_approval", reason: "R" } } });
    if (!ask) throw new Error("nobody was asked");
    expect(denyApproval(ask)).toEqual({ decision: "deny", code: "approval_required", rule: "/tools/x/action", message: "R" });
  });

  test("a policy knows whether it can ask", () => {
    expect(compile({ tools: { x: { approve_if: always } } }).canAsk).toBe(true);
    expect(compile({ tools: { x: { action: "require_approval" } } }).canAsk).toBe(true);
    expect(compile({ all_tools: { approve_if: always } }).canAsk).toBe(true);
    expect(compile({ tools: { x: { approve_if: [], approval } } }).canAsk).toBe(false);
  });
});
