import { describe, expect, test } from "vitest";
import { JsonNumber, toJson } from "../../src/kernel/json.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import { parsePolicy, readPolicy } from "../../src/policy/parse.ts";
import { hashPolicy, printPolicy } from "../../src/policy/print.ts";
import { faultsOf, pointersOf, read, unwrap } from "./support.ts";

const inTool = (entry: unknown) => faultsOf({ tools: { x: entry } });
const inRule = (rule: unknown, list = "deny_if") => inTool({ [list]: [rule] });
const inCondition = (condition: unknown, list = "deny_if") => inRule({ conditions: [condition] }, list);
const RULE = "/tools/x/deny_if/0";
const CONDITION = `${RULE}/conditions/0`;
const C = { path: "args.a", op: "eq", value: 1 };

describe("the document", () => {
  test.each([
    [{ version: "2" }, ["/version"]],
    [{ version: 1 }, ["/version"]],
    [{ version: undefined }, ["/version"]],
    [{ default: "block" }, ["/default"]],
    [{ default: undefined }, ["/default"]],
    [{ $schema: "https://example.com/policy.json", description: "d", timezone: "Europe/Berlin" }, []],
    [{ $schema: 1 }, ["/$schema"]],
    [{ description: 1 }, ["/description"]],
    [{ timezone: "Berlin" }, ["/timezone"]],
    [{ timezone: "+01:00" }, ["/timezone"]],
    [{ timezone: "UTC" }, []],
    [{ hide: "a" }, ["/hide"]],
    [{ hide: ["a", 1] }, ["/hide/1"]],
    [{ hide: ["a", "b", "a", "a"] }, ["/hide/2", "/hide/3"]],
    [{ hide: ["@read", "a*"] }, []],
    [{ tools: [] }, ["/tools"]],
    [{ tools: null }, ["/tools"]],
    [{ tools: { x: null } }, ["/tools/x"]],
    [{ tools: { "a/b~c": { acton: 1 } } }, ["/tools/a~1b~0c/acton"]],
    [{ tool: {} }, ["/tool"]],
    [
      { all_tools: { limit: [], reason: "r", validate: {}, action: "deny" } },
      ["/all_tools/action", "/all_tools/limit", "/all_tools/reason", "/all_tools/validate"],
    ],
    [{ resources: { default: "deny", allow: ["a*"], deny: ["b"], hide: ["c"] } }, []],
    [{ resources: { allowed: [] } }, ["/resources/allowed"]],
    [
      { resources: { allow: ["@read"], hide: ["a", "a"], deny: ["\\x"] } },
      ["/resources/allow/0", "/resources/deny/0", "/resources/hide/1"],
    ],
    [{ prompts: { default: "maybe", allow: "a" } }, ["/prompts/allow", "/prompts/default"]],
    [{ prompts: { hide: ["@write"] } }, ["/prompts/hide/0"]],
  ])("%j", (members, pointers) => {
    expect(faultsOf(members)).toEqual(pointers);
  });

  test.each([null, [], "text", 1, true])("%j is no document", (value) => {
    expect(pointersOf(readPolicy(toJson(value)))).toEqual([""]);
  });

  test("the smallest document", () => {
    expect(unwrap(parsePolicy('{"version":"1","default":"deny"}'))).toEqual({ version: "1", default: "deny" });
  });
});

describe("entries and rules", () => {
  test.each([
    [{}, []],
    [{ action: "allow", reason: "r" }, []],
    [{ action: "evaluate" }, ["/tools/x/action"]],
    [{ reason: 1 }, ["/tools/x/reason"]],
    [{ require: {} }, ["/tools/x/require"]],
    [{ require: ["r"] }, ["/tools/x/require/0"]],
    [{ rate_limit: "5/hour" }, ["/tools/x/rate_limit"]],
    [{ validate: [] }, ["/tools/x/validate"]],
    [{ validate: { required: [] } }, ["/tools/x/validate/required"]],
    [{ validate: { required_args: ["a", 1] } }, ["/tools/x/validate/required_args/1"]],
    [{ validate: { unknown_args: "refuse" } }, ["/tools/x/validate/unknown_args"]],
    [{ validate: { schema: { requierd: [] } } }, ["/tools/x/validate/schema/requierd"]],
    [{ validate: { schema: { $schema: "http://json-schema.org/draft-07/schema#" } } }, ["/tools/x/validate/schema/$schema"]],
    [{ validate: { schema: { properties: { a: { format: "phone" } } } } }, ["/tools/x/validate/schema/properties/a/format"]],
  ])("entry %j", (entry, pointers) => {
    expect(inTool(entry)).toEqual(pointers);
  });

  test.each([
    [{ conditions: [] }, []],
    [{ name: "n", conditions: [C], on_deny: "no" }, []],
    [{ name: "n" }, [`${RULE}/conditions`]],
    [{ name: 1, conditions: {}, on_deny: 2 }, [`${RULE}/conditions`, `${RULE}/name`, `${RULE}/on_deny`]],
    [{ conditions: [], on_denial: "no" }, [`${RULE}/on_denial`]],
  ])("rule %j", (rule, pointers) => {
    expect(inRule(rule)).toEqual(pointers);
  });

  test("a requirement without conditions asks nothing, the other lists may be without", () => {
    expect(inRule({ conditions: [] }, "require")).toEqual(["/tools/x/require/0/conditions"]);
    expect(inRule({ conditions: [] }, "approve_if")).toEqual([]);
  });

  test.each([
    [C, []],
    [{ any: [C, { not: C }] }, []],
    [{}, [CONDITION]],
    ["text", [CONDITION]],
    [[C], [CONDITION]],
    [{ ...C, any: [C] }, [CONDITION]],
    [{ any: [C], not: C }, [CONDITION]],
    [{ missing: "match" }, [CONDITION]],
    [{ all: [C] }, [CONDITION]],
    [{ any: [] }, [`${CONDITION}/any`]],
    [{ any: C }, [`${CONDITION}/any`]],
    [{ any: [C, {}] }, [`${CONDITION}/any/1`]],
    [{ any: [C], missing: "match" }, [`${CONDITION}/missing`]],
    [{ not: [C] }, [`${CONDITION}/not`]],
    [{ not: { not: { ...C, op: "is" } } }, [`${CONDITION}/not/not/op`]],
    [{ path: "args.a", op: "eq" }, [`${CONDITION}/value`]],
    [{ op: "eq", value: 1 }, [`${CONDITION}/path`]],
    [{ path: "args.a", value: 1 }, [`${CONDITION}/op`]],
    [{ ...C, values: [1] }, [`${CONDITION}/values`]],
    [{ ...C, missing: "match" }, []],
    [{ ...C, missing: "skip" }, [`${CONDITION}/missing`]],
    [{ ...C, allow: ["redirection"] }, [`${CONDITION}/allow`]],
    [{ ...C, path: 5 }, [`${CONDITION}/path`]],
    [{ path: "amount", op: "equals", value: 1, vlaue: 2 }, [`${CONDITION}/op`, `${CONDITION}/path`, `${CONDITION}/vlaue`]],
  ])("condition %j", (condition, pointers) => {
    expect(inCondition(condition)).toEqual(pointers);
  });

  test("missing: match has no place in require, however deep", () => {
    const missing = { ...C, missing: "match" };
    expect(inCondition(missing, "require")).toEqual(["/tools/x/require/0/conditions/0/missing"]);
    expect(inCondition({ any: [{ not: missing }] }, "require")).toEqual(["/tools/x/require/0/conditions/0/any/0/not/missing"]);
    expect(inCondition(missing, "approve_if")).toEqual([]);
  });

  test("conditions nested beyond all bounds are refused", () => {
    const nest = (depth: number): unknown => (depth === 0 ? C : { not: nest(depth - 1) });
    expect(inCondition(nest(24))).toEqual([]);
    expect(inCondition(nest(25))).toHaveLength(1);
  });

  test.each([
    ["in", "a"],
    ["not_in", { a: 1 }],
    ["lt", "ten"],
    ["gte", true],
    ["lte", "1,5"],
    ["gt", null],
    ["regex", "(open"],
    ["regex", "(a)\\1"],
    ["not_regex", "(?!a)"],
    ["regex", 1],
    ["starts_with", 1],
    ["ends_with", ["a"]],
    ["exists", "true"],
    ["length_lte", "5"],
    ["length_gte", 1.5],
  ])("%s takes no %j", (op, value) => {
    expect(inCondition({ path: "args.a", op, value })).toEqual([`${CONDITION}/value`]);
  });

  test.each([
    ["lt", "0.5"],
    ["gte", "1e3"],
    ["length_lte", new JsonNumber("5.0")],
    ["in", []],
    ["contains", { a: 1 }],
    ["eq", null],
  ])("%s takes %s", (op, value) => {
    expect(inCondition({ path: "args.a", op, value })).toEqual([]);
  });

  test.each([
    "amount",
    "",
    "args.",
    "args..a",
    "args.a.",
    ".args",
    "args.a[",
    "args.a[-1]",
    "args.a[01]",
    "args.a['b']",
    'args.a["b]',
    'args["\\x"]',
    "args.*",
    "args.a b",
    "args .a",
    "Args.a",
    "grant",
    "grant.name",
    "grant.tags",
    "grant.tags.a.b",
    "grant.tags[0]",
    "grant.tags[*]",
    "grant.label.x",
    "session",
    "tool.annotations",
    "tool.annotations.a.b",
    "time.minute",
    "time.hour[0]",
    "server.url",
    `args.${"a".repeat(2000)}`,
  ])("%j is no path", (path) => {
    expect(inCondition({ path, op: "exists", value: true })).toEqual([`${CONDITION}/path`]);
  });

  test.each([
    "args",
    "args.a-b_c",
    "args.ünï",
    "args[0]",
    "args[*].a",
    'args["*"]',
    'args["a\\"]\\u005b"].b',
    'grant.tags["a.b"]',
    "tool.annotations.readOnlyHint",
  ])("%j is one", (path) => {
    expect(inCondition({ path, op: "exists", value: true })).toEqual([]);
  });
});

describe("terms of approvals", () => {
  const inApproval = (approval: unknown) => inTool({ action: "require_approval", approval });
  const at = (key: string) => [`/tools/x/approval/${key}`];
  test.each([
    [{ quorum: 0 }, at("quorum")],
    [{ quorum: 1.5 }, at("quorum")],
    [{ quorum: "2" }, at("quorum")],
    [{ quorum: 2, approvers: ["a@example.com"] }, at("quorum")],
    [{ quorum: 2, approvers: ["a@example.com", "A@example.com"] }, at("quorum")],
    [{ quorum: 2, approvers: ["a@example.com", "b@example.com"] }, []],
    [{ quorum: 9, approvers: ["a@example.com", "role:admin"] }, []],
    [{ quorum: 9, approvers: ["group:finance"] }, []],
    [{ quorum: 9 }, []],
    [{ approvers: [] }, at("approvers")],
    [{ quorum: 1, approvers: [] }, [...at("approvers"), ...at("quorum")]],
    [{ approvers: ["alice"] }, at("approvers/0")],
    [{ approvers: ["role:boss"] }, at("approvers/0")],
    [{ approvers: ["group:"] }, at("approvers/0")],
    [{ approvers: ["a@b", "a b@c", 5] }, [...at("approvers/1"), ...at("approvers/2")]],
    [{ hold: "0s" }, []],
    [{ hold: 55 }, []],
    [{ hold: "55s" }, []],
    [{ hold: "56s" }, at("hold")],
    [{ hold: "1m" }, at("hold")],
    [{ hold: -1 }, at("hold")],
    [{ expires: "30m" }, []],
    [{ expires: "0s" }, at("expires")],
    [{ expires: "soon" }, at("expires")],
    [{ expires: "9999d" }, at("expires")],
    [{ timeout: "1m" }, at("timeout")],
  ])("%j", (approval, pointers) => {
    expect(inApproval(approval)).toEqual(pointers);
  });
});

describe("errors", () => {
  test("all are told at once, in the order of the text, with line and column", () => {
    const result = parsePolicy(
      [
        'version: "1"',
        "default: no-way",
        "tools:",
        "  files/write: { acton: deny }",
        "  b:",
        "    limits:",
        "      - { window: hour, max: -1, align: rolling }",
        "",
      ].join("\n"),
      { file: "p.yaml" },
    );
    expect(result.ok ? [] : result.failures.map(({ at }) => [at?.file, at?.line, at?.column, at?.pointer])).toEqual([
      ["p.yaml", 2, 10, "/default"],
      ["p.yaml", 4, 18, "/tools/files~1write/acton"],
      ["p.yaml", 7, 30, "/tools/b/limits/0/max"],
      ["p.yaml", 7, 41, "/tools/b/limits/0/align"],
    ]);
  });

  test("a doubled key is told beside the others", () => {
    expect(pointersOf(parsePolicy('{"version":"1","default":"no","default":"allow","tool":{}}'))).toEqual([
      "/default",
      "/default",
      "/tool",
    ]);
    expect(pointersOf(parsePolicy('version: "1"\ndefault: deny\ntools:\n  x: {}\n  x: { action: no }\n'))).toEqual(["/tools/x"]);
  });

  test("of a missing key, the pointer is its own and the place its parent's", () => {
    const result = parsePolicy('{\n  "version": "1",\n  "default": "deny",\n  "tools": { "x": { "limits": [{ "max": 1 }] } }\n}');
    expect(result.ok ? [] : result.failures.map(({ at }) => at)).toEqual([{ line: 4, column: 32, pointer: "/tools/x/limits/0/window" }]);
  });

  test("a document inside of another tells the other's places", () => {
    const result = readPolicy(toJson({ version: "1" }), (pointer, { key }) => ({
      file: "c.yaml",
      line: key ? 1 : 2,
      pointer: `/policies/p/document${pointer}`,
    }));
    expect(result.ok ? [] : result.failures.map(({ at }) => at)).toEqual([
      { file: "c.yaml", line: 2, pointer: "/policies/p/document/default" },
    ]);
  });

  test("there is an end to telling", () => {
    const tools = Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`x${index}`, { acton: 1 }]));
    expect(faultsOf({ tools })).toHaveLength(1001);
  });
});

describe("printing", () => {
  const document = read({
    default: "allow",
    tools: {
      "z/1": {
        limits: [{ max: new JsonNumber("0.10"), window: 60, counter: "c" }],
        validate: { schema: { type: "object", properties: { b: {}, a: {} } } },
      },
      a: { deny_if: [{ conditions: [{ value: { b: 1, a: [new JsonNumber("1.0")] }, op: "eq", path: "args.x" }] }] },
      tools: { action: "deny" },
    },
    hide: ["b", "a"],
  });

  test("the language's keys stand in the language's order, the rest in code points'", () => {
    expect(printPolicy(document)).toBe(`{
  "version": "1",
  "default": "allow",
  "hide": ["b", "a"],
  "tools": {
    "a": {
      "deny_if": [{ "conditions": [{ "path": "args.x", "op": "eq", "value": { "a": [1.0], "b": 1 } }] }]
    },
    "tools": { "action": "deny" },
    "z/1": {
      "limits": [{ "counter": "c", "window": 60, "max": 0.10 }],
      "validate": { "schema": { "properties": { "a": {}, "b": {} }, "type": "object" } }
    }
  }
}
`);
  });

  test("parsing it gives the document again", () => {
    expect(unwrap(parsePolicy(printPolicy(document)))).toEqual(document);
    expect(hashPolicy(unwrap(parsePolicy(printPolicy(document))))).toBe(hashPolicy(document));
  });

  test("the hash is that of the meaning's spelling, not of the text's", () => {
    const hash = (text: string) => hashPolicy(unwrap(parsePolicy(text)));
    const json = '{"version":"1","default":"deny","tools":{"a":{},"b":{"action":"deny"}}}';
    expect(hash(json)).toMatch(/^[0-9a-f]{64}$/);
    expect(hash('version: "1"\ntools: { b: { action: deny }, a: {} }\ndefault: deny')).toBe(hash(json));
    expect(hash(json.replace('"deny"}}', '"allow"}}'))).not.toBe(hash(json));
  });

  test("what would grow too long with indents is printed without", () => {
    const nested = (depth: number): unknown => (depth === 0 ? Array(45_000).fill(1) : [nested(depth - 1)]);
    for (const value of [nested(50), ["y".repeat(600_000), 1]]) {
      const long = read({ tools: { x: { deny_if: [{ conditions: [{ path: "args.a", op: "eq", value }] }] } } });
      const text = printPolicy(long);
      expect(text.slice(0, -1)).not.toMatch(/\n|": /);
      expect(unwrap(parsePolicy(text))).toEqual(long);
    }
  });

  test("a policy that could not be parsed again is an error", () => {
    expect(
      faultsOf({
        hide: ["a"],
        description: "d",
        tools: { x: { deny_if: [{ conditions: [{ path: "args.a", op: "eq", value: "y".repeat(4_194_304) }] }] } },
      }),
    ).toEqual([""]);
  });

  test("so is one whose values are nested deeper than a text may be", () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    const deep = (depth: number) => ({ tools: { x: { deny_if: [{ conditions: [{ path: "args.a", op: "eq", value: nested(depth) }] }] } } });
    expect(unwrap(parsePolicy(printPolicy(read(deep(57)))))).toEqual(read(deep(57)));
    expect(faultsOf(deep(58))).toEqual([""]);
  });

  test("a document is frozen", () => {
    expect(Object.isFrozen(document) && Object.isFrozen(document.tools) && Object.isFrozen(document.tools?.a?.deny_if?.[0])).toBe(true);
    expect(Object.isFrozen(compilePolicy(document))).toBe(true);
  });
});
