import { describe, expect, test } from "vitest";
import { toJson } from "../../src/kernel/json.ts";
import { type LintedTool, lintPolicy } from "../../src/policy/lint.ts";
import { isAnchored } from "../../src/policy/lint-rule.ts";
import { read } from "./support.ts";

function warn(members: Record<string, unknown>, tools?: readonly LintedTool[]): string[] {
  return lintPolicy(read(members), tools).map(({ code, pointer, tool }) => `${code} ${pointer}${tool === undefined ? "" : ` ${tool}`}`);
}

const inTool = (entry: unknown, tools?: readonly LintedTool[]) => warn({ tools: { x: entry } }, tools);
const rule = (...conditions: unknown[]) => [{ conditions }];

describe("rules that are likely to be open", () => {
  const C = "/tools/x/deny_if/0/conditions/0";
  test.each([
    [{ path: "args.a", op: "neq", value: 1 }, [`open_when_missing ${C}`]],
    [{ path: "args.a", op: "not_in", value: [1] }, [`open_when_missing ${C}`]],
    [{ path: "args.a", op: "not_regex", value: "a" }, [`open_when_missing ${C}`]],
    [{ path: "args.a", op: "not_contains", value: "a" }, [`open_when_missing ${C}`]],
    [{ not: { path: "args.a", op: "eq", value: 1 } }, [`open_when_missing ${C}/not`]],
    [{ any: [{ not: { path: "args.a", op: "eq", value: 1 } }] }, [`open_when_missing ${C}/any/0/not`]],
    [{ path: "grant.tags.team", op: "neq", value: "a" }, [`open_when_missing ${C}`]],
    [{ path: "args.a", op: "neq", value: 1, missing: "match" }, []],
    [{ path: "args.a", op: "eq", value: 1 }, []],
    [{ path: "time.hour", op: "neq", value: 1 }, []],
    [{ not: { path: "args.a", op: "exists", value: true } }, []],
    [{ path: "args.a", op: "exists", value: true, missing: "match" }, [`no_effect ${C}/missing`]],
  ])("%j in deny_if", (condition, expected) => {
    expect(inTool({ deny_if: rule(condition) })).toEqual(expected);
  });

  test("approve_if too, and require never", () => {
    const condition = { path: "args.a", op: "neq", value: 1 };
    expect(inTool({ approve_if: rule(condition) })).toEqual(["open_when_missing /tools/x/approve_if/0/conditions/0"]);
    expect(inTool({ require: rule(condition) })).toEqual([]);
  });

  test("a default of the tool's schema is named", () => {
    const inputSchema = toJson({
      properties: { a: { default: 1 }, b: { properties: { c: { default: 2 } } }, d: { items: { default: 3 } }, e: {} },
    });
    const tools = [{ name: "x", inputSchema }];
    for (const [path, named] of [
      ["args.a", true],
      ["args.b.c", true],
      ["args.d[*]", true],
      ["args.e", false],
      ["args.f.g", false],
    ] as const) {
      expect(inTool({ deny_if: rule({ path, op: "neq", value: 1 }) }, tools)).toEqual([`open_when_missing ${C}${named ? " x" : ""}`]);
    }
  });

  test("a mail domain at which anybody can have an address, where the list lets in", () => {
    const at = "/tools/x/require/0/conditions/0";
    const mail = (...value: string[]) => ({ path: "args.to", op: "email_domain_in", value });
    expect(inTool({ require: rule(mail("example.com", "*.GMAIL.com.")) })).toEqual([`public_mail_domain ${at}/value`]);
    expect(inTool({ require: rule({ any: [mail("gmx.de"), { path: "args.to", op: "in", value: [] }] }) })).toEqual([
      `public_mail_domain ${at}/any/0/value`,
    ]);
    expect(inTool({ deny_if: rule({ not: mail("qq.com") }) })).toContain(`public_mail_domain ${C}/not/value`);
    expect(inTool({ require: rule(mail("example.com", "notgmail.com")) })).toEqual([]);
    expect(inTool({ deny_if: rule(mail("gmail.com")), require: rule({ not: mail("gmail.com") }) })).toEqual([]);
  });

  test("an unanchored pattern in require", () => {
    const pattern = (value: string) => ({ path: "args.a", op: "regex", value });
    const at = "/tools/x/require/0/conditions/0";
    expect(inTool({ require: rule(pattern("a")) })).toEqual([`unanchored_regex ${at}/value`]);
    expect(inTool({ require: rule(pattern("^(a|b)$")) })).toEqual([]);
    expect(inTool({ require: rule({ not: pattern("a") }) })).toEqual([]);
    expect(inTool({ require: rule({ not: { not: pattern("a") } }) })).toEqual([`unanchored_regex ${at}/not/not/value`]);
    expect(inTool({ deny_if: rule(pattern("a")) })).toEqual([]);
  });

  test.each([
    ["^a$", true],
    ["\\Aa\\z", true],
    ["(?i)^a$", true],
    ["^(a|b)$", true],
    ["^[a|b]$", true],
    ["^[]|]$", true],
    ["^[^]|]$", true],
    ["^a\\|b$", true],
    ["^a\\\\$", true],
    ["^$", true],
    ["^a|b$", false],
    ["a$", false],
    ["^a", false],
    ["^a\\$", false],
    ["(?m)^a$", false],
    ["^", false],
    ["", false],
  ])("%s is anchored: %s", (pattern, expected) => {
    expect(isAnchored(pattern)).toBe(expected);
  });

  test("what the other side says of itself, in require", () => {
    const at = "/tools/x/require/0/conditions/0/path";
    for (const path of ["client.name", "client.version", "session.id", "tool.annotations.readOnlyHint", 'client["name"]']) {
      expect(inTool({ require: rule({ path, op: "eq", value: "a" }) })).toEqual([`claimed_by_other_side ${at}`]);
      expect(inTool({ deny_if: rule({ path, op: "eq", value: "a" }) })).toEqual([]);
    }
    expect(inTool({ require: rule({ path: "grant.label", op: "eq", value: "a" }) })).toEqual([]);
  });

  test("wrappers among shell commands", () => {
    expect(inTool({ require: rule({ path: "args.a", op: "shell_commands_in", value: ["ls", "env"] }) })).toEqual([
      "wrapper_command /tools/x/require/0/conditions/0/value",
    ]);
  });

  test("rules of all tools", () => {
    expect(warn({ all_tools: { deny_if: rule({ path: "args.a", op: "neq", value: 1 }) } })).toEqual([
      "open_when_missing /all_tools/deny_if/0/conditions/0",
    ]);
  });
});

describe("limits that are likely to be open", () => {
  const limit = (more: Record<string, unknown> = {}) => ({ window: "hour", max: 5, ...more });
  test("a session alone", () => {
    expect(inTool({ limits: [limit({ scope: "session" })] })).toEqual(["session_only_limit /tools/x/limits/0"]);
    expect(inTool({ limits: [limit({ scope: "session" }), limit()] })).toEqual([]);
    expect(warn({ all_tools: { limits: [limit()] }, tools: { x: { limits: [limit({ scope: "session" })] } } })).toEqual([]);
    expect(inTool({ rate_limit: { max: 1, window: 1 } })).toEqual(["session_only_limit /tools/x/rate_limit"]);
    expect(inTool({ rate_limit: { max: 1, window: 1 }, limits: [limit()] })).toEqual([]);
  });

  test("a split alone", () => {
    expect(inTool({ limits: [limit({ per: "args.a" })] })).toEqual(["per_only_limit /tools/x/limits/0"]);
    expect(inTool({ limits: [limit({ per: "args.a" }), limit({ per: "args.b" })] })).toHaveLength(2);
    expect(inTool({ limits: [limit({ per: "args.a" }), limit()] })).toEqual([]);
  });

  test("a durable one, where all are", () => {
    expect(inTool({ limits: [limit({ durable: true })] })).toEqual(["no_effect /tools/x/limits/0/durable"]);
    expect(warn({ all_tools: { limits: [limit({ durable: true })] } })).toEqual(["no_effect /all_tools/limits/0/durable"]);
    expect(inTool({ limits: [limit({ durable: false })] })).toEqual([]);
  });
});

describe("what can't be reached", () => {
  test.each<[Record<string, unknown>, string[]]>([
    [{ hide: ["a*"], tools: { ab: {}, b: {} } }, ["unreachable /tools/ab"]],
    [{ hide: ["a*"], tools: { "a*": {} } }, ["unreachable /tools/a*"]],
    [{ hide: ["**"], tools: { "b*": {} } }, ["unreachable /tools/b*"]],
    [{ hide: ["@read"], tools: { "@read": {}, "@write": {} } }, ["unreachable /tools/@read"]],
    [{ tools: { "*": {}, "**": {} } }, ["unreachable /tools/**"]],
    [{ tools: { "a@b": {}, "a\\@b": {} } }, ["unreachable /tools/a\\@b"]],
    [{ tools: { "a*b": {}, "a**b": {} } }, ["unreachable /tools/a*b"]],
    [{ tools: { x: { action: "deny", reason: "r", limits: [] } } }, ["unreachable /tools/x/limits"]],
    [{ tools: { x: { action: "require_approval", approve_if: [{ conditions: [] }] } } }, ["unreachable /tools/x/approve_if"]],
    [{ tools: { x: { deny_if: [{ conditions: [] }, { conditions: [] }] } } }, ["unreachable /tools/x/deny_if/1"]],
    [{ tools: { a: {}, b: { deny_if: [{ conditions: [] }] } } }, []],
  ])("%j", (members, expected) => {
    expect(warn(members)).toEqual(expected);
  });
});

describe("with the server's tools", () => {
  const tools: LintedTool[] = [
    { name: "get_user", class: "read" },
    { name: "get_keys", class: "financial" },
    { name: "wipe_user", class: "destructive" },
  ];

  test("names that nothing answers to", () => {
    expect(warn({ hide: ["wipe_all"], tools: { get_user: {}, get_usr: {}, "put_*": {}, "@write": {} } }, tools)).toEqual([
      "unknown_tool /hide/0",
      "unknown_tool /tools/get_usr",
      "unknown_tool /tools/put_*",
      "unknown_tool /tools/@write",
    ]);
    expect(warn({ hide: ["wipe_all"], tools: { get_usr: {} } })).toEqual([]);
  });

  test("every tool for which a glob allows what a class would not", () => {
    const classes = { "@financial": { action: "deny" }, "@destructive": { action: "require_approval" }, "@read": {} };
    const glob = (entry: unknown, more: Record<string, unknown> = {}) =>
      warn({ ...more, tools: { ...classes, "*_user": entry, "get_*": entry } }, tools).filter((warning) =>
        warning.startsWith("glob_over_class"),
      );
    expect(glob({})).toEqual(["glob_over_class /tools/*_user wipe_user", "glob_over_class /tools/get_* get_keys"]);
    expect(glob({ action: "require_approval" })).toEqual(["glob_over_class /tools/get_* get_keys"]);
    expect(glob({ action: "deny" })).toEqual([]);
    expect(glob({}, { hide: ["get_keys", "@destructive"] })).toEqual([]);
  });

  test("a class entry that asks or denies by rules", () => {
    const always = [{ conditions: [] }];
    const codes = (ofClass: unknown, entry: unknown) => warn({ tools: { "@read": ofClass, "get_*": entry } }, tools.slice(0, 1));
    expect(codes({ approve_if: always }, {})).toEqual(["glob_over_class /tools/get_* get_user"]);
    expect(codes({ deny_if: always }, {})).toEqual(["glob_over_class /tools/get_* get_user"]);
    expect(codes({ deny_if: always }, { deny_if: always })).toEqual([]);
    expect(codes({ approve_if: always }, { approve_if: always })).toEqual([]);
  });

  test("the bare star and exact names stand in no class's way unseen", () => {
    expect(warn({ tools: { "*": {}, "@read": { action: "deny" } } }, tools)).toEqual([]);
    expect(warn({ tools: { get_user: {}, "@read": { action: "deny" } } }, tools)).toEqual([]);
  });
});

test("a long document is linted in time", () => {
  const tools = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`tool_${index}_*`, {}]));
  const started = performance.now();
  expect(lintPolicy(read({ hide: ["x*"], tools }))).toEqual([]);
  expect(performance.now() - started).toBeLessThan(5000);
});
