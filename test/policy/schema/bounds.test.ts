/** Work is bounded, whatever schema and value say: by steps, by depth, by patterns, by the size of a schema. */
import { type Arbitrary, array, constantFrom, dictionary, assert as holds, jsonValue, letrec, oneof, property } from "fast-check";
import { expect, test } from "vitest";
import { type Json, printJson, toJson } from "../../../src/kernel/json.ts";
import { compileInputSchema } from "../../../src/policy/schema/input-schema.ts";
import { MAX_SCHEMA_DEPTH, MAX_SCHEMA_VALUES } from "../../../src/policy/schema/place.ts";
import { compilePolicySchema } from "../../../src/policy/schema/policy-schema.ts";
import { judgeByInput, judgeByPolicy } from "./read.ts";

/** Processor time, so that a busy machine does not count; a bound that does not hold takes many times as long. */
const SLOW_MS = 3000;
const TOO_MUCH = "The arguments take more work to check than is allowed.";
const TOO_DEEP = "The arguments take too many references or levels to check.";

function time<T>(act: () => T): T {
  const start = process.cpuUsage();
  const result = act();
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(SLOW_MS);
  return result;
}

function doubleUp(keyword: string, leaf: unknown, levels = 18): Record<string, unknown> {
  const defs: Record<string, unknown> = { d0: leaf };
  for (let level = 1; level <= levels; level++) {
    const before = { $ref: `#/$defs/d${level - 1}` };
    defs[`d${level}`] = { [keyword]: [before, before] };
  }
  return { $ref: `#/$defs/d${levels}`, $defs: defs };
}

test.each(["allOf", "anyOf", "oneOf"])("definitions that name the one before twice: %s", (keyword) => {
  const judge = judgeByInput(toJson(doubleUp(keyword, keyword === "allOf" ? { type: "integer" } : false)));
  expect(time(() => judge(5))).toBe(TOO_MUCH);
});

test("the same under not, which can't turn a bound into a yes", () => {
  for (const not of [
    { not: { $ref: "#/$defs/d18" } },
    { anyOf: [{ $ref: "#/$defs/d18" }, true] },
    { if: { $ref: "#/$defs/d18" }, else: true },
  ]) {
    const judge = judgeByPolicy(toJson({ ...not, $defs: doubleUp("allOf", { type: "integer" })["$defs"] }));
    expect(time(() => judge(5))).toBe(TOO_MUCH);
  }
});

test("the same with what was evaluated collected on the way", () => {
  const judge = judgeByPolicy(toJson({ ...doubleUp("anyOf", { properties: { a: true, b: true } }), unevaluatedProperties: false }));
  expect(time(() => judge(toJson({ a: 1, b: 2 })))).toBe(TOO_MUCH);
});

test("a ring of references is refused before it runs, a dynamic one while it does", () => {
  expect(compileInputSchema(toJson({ $ref: "#" }))).toHaveProperty("unusable");
  expect(compilePolicySchema(toJson({ anyOf: [{ type: "null" }, { $ref: "#" }] }))).toMatchObject({
    faults: [{ pointer: "/anyOf/1/$ref" }],
  });
  const judge = judgeByInput(toJson({ $dynamicAnchor: "x", $dynamicRef: "#x" }));
  expect(time(() => judge(toJson({})))).toBe(TOO_DEEP);
});

test("a long chain of references is compiled without recursion and refused at its depth", () => {
  const defs: Record<string, unknown> = { d0: true };
  for (let level = 1; level <= 10_000; level++) defs[`d${level}`] = { $ref: `#/$defs/d${level - 1}` };
  const judge = time(() => judgeByInput(toJson({ $ref: "#/$defs/d10000", $defs: defs })));
  expect(judge(1)).toBe(TOO_DEEP);
});

test("a recursive schema takes a value as deep as values may be", () => {
  let list: unknown = null;
  for (let level = 0; level < 120; level++) list = { next: list };
  const judge = judgeByInput(
    toJson({
      $ref: "#/$defs/node",
      $defs: {
        node: {
          anyOf: [{ type: "null" }, { type: "object", properties: { next: { $ref: "#/$defs/node" } }, additionalProperties: false }],
        },
      },
    }),
  );
  expect(judge(toJson(list))).toBeUndefined();
});

test("uniqueItems over 5000 objects", () => {
  const judge = judgeByInput(toJson({ uniqueItems: true }));
  const items = Array.from({ length: 5000 }, (_, id) => ({ id, name: `n${id}`, tags: ["a", "b"] }));
  expect(time(() => judge(toJson(items)))).toBeUndefined();
  expect(judge(toJson([...items, items[4321]]))).toBe("The value of `arguments` can't hold the same item twice.");
});

test("uniqueItems at every level of a deep list", () => {
  let list: unknown = Array.from({ length: 5000 }, (_, index) => `item ${index}`);
  for (let level = 0; level < 100; level++) list = [list, level];
  const judge = judgeByInput(toJson({ $ref: "#/$defs/l", $defs: { l: { uniqueItems: true, items: { $ref: "#/$defs/l" } } } }));
  expect(time(() => judge(toJson(list)))).toBe(TOO_MUCH);
});

test("patterns that ruin backtracking engines", () => {
  const judge = judgeByInput(toJson({ pattern: "^(a+)+$" }));
  expect(time(() => judge(`${"a".repeat(100_000)}b`))).toBe("The value of `arguments` has to match its schema's pattern.");
});

test("a large pattern over a long text, and a small one over many texts", () => {
  const large = judgeByInput(toJson({ pattern: "[ab]*a[ab]{900}$" }));
  expect(time(() => large("ab".repeat(500_000)))).toBe("The arguments hold more text than their patterns may be tried on.");
  const many = judgeByInput(toJson({ items: { allOf: Array.from({ length: 50 }, () => ({ pattern: "^(a|b|ab)*$" })) } }));
  expect(time(() => many(toJson(Array.from({ length: 5000 }, () => "ab".repeat(20)))))).toMatch(/^The arguments /);
});

test("a long plain text is nothing special", () => {
  const judge = judgeByInput(toJson({ properties: { content: { type: "string", minLength: 1, pattern: "\\S" } } }));
  expect(time(() => judge(toJson({ content: "a b ".repeat(500_000) })))).toBeUndefined();
});

test("numbers of many digits", () => {
  const judge = judgeByInput(toJson({ items: { multipleOf: 3e-300 } }));
  expect(time(() => judge(toJson(Array.from({ length: 10_000 }, () => 3e300))))).toBe(TOO_MUCH);
});

test("many members against many patterns", () => {
  const schema = { patternProperties: Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`^k${index}x`, true])) };
  const args = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`key${index}`, index]));
  expect(time(() => judgeByInput(toJson(schema))(toJson(args)))).toMatch(/^The arguments (take|hold) more /);
});

test("a schema of too many values, too deep, or with too much of patterns", () => {
  expect(compileInputSchema(toJson({ enum: Array.from({ length: MAX_SCHEMA_VALUES }, (_, index) => index) }))).toMatchObject({
    unusable: expect.stringContaining("more than"),
  });
  let deep: unknown = {};
  for (let level = 0; level < MAX_SCHEMA_DEPTH; level++) deep = { not: deep };
  expect(compileInputSchema(toJson(deep))).toHaveProperty("schema");
  expect(compileInputSchema(toJson({ not: deep }))).toMatchObject({ unusable: expect.stringContaining("deeper") });
  const wide = { allOf: Array.from({ length: 1000 }, (_, index) => ({ pattern: `^(\\pL\\pN${index}){100}$` })) };
  expect(time(() => compileInputSchema(toJson(wide)))).toMatchObject({ unusable: expect.stringContaining("too large") });
  const broken = { allOf: Array.from({ length: 1000 }, () => ({ pattern: "(".repeat(2000) })) };
  expect(time(() => compilePolicySchema(toJson(broken)))).toHaveProperty("faults");
  // One object under many names, as a document with aliases may have it.
  let bomb: Json = {};
  for (let level = 0; level < 30; level++) bomb = { allOf: [bomb, bomb] } as unknown as Json;
  expect(time(() => compilePolicySchema(bomb))).toMatchObject({ faults: [{ pointer: "" }] });
});

test("one name for very many schemas", () => {
  const many = {
    $id: "http://x.test/a",
    $defs: Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`d${index}`, { $id: "http://x.test/a", title: String(index) }])),
  };
  expect(time(() => compileInputSchema(toJson(many)))).toHaveProperty("unusable");
});

const KEYWORDS = [
  "type",
  "properties",
  "required",
  "items",
  "prefixItems",
  "allOf",
  "anyOf",
  "oneOf",
  "not",
  "if",
  "then",
  "$ref",
  "$dynamicRef",
  "$id",
  "$anchor",
  "$dynamicAnchor",
  "$defs",
  "enum",
  "const",
  "minimum",
  "multipleOf",
  "pattern",
  "patternProperties",
  "additionalProperties",
  "unevaluatedProperties",
  "unevaluatedItems",
  "contains",
  "minContains",
  "dependentSchemas",
  "dependencies",
  "uniqueItems",
  "$schema",
  "format",
  "$recursiveRef",
  "$recursiveAnchor",
  "id",
];
const WORDS = [
  "#",
  "#a",
  "a",
  "#/$defs/a",
  "#/allOf/0",
  "http://x.test/a",
  "string",
  "object",
  "integer",
  "^a",
  "(",
  "date",
  "urn:x:y",
  "%",
  "#/%",
  "http://json-schema.org/draft-07/schema#",
  "http://json-schema.org/draft-04/schema#",
  "https://json-schema.org/draft/2019-09/schema",
];

const { node } = letrec<{ node: unknown; map: unknown }>((tie) => ({
  node: oneof(
    { maxDepth: 5, withCrossShrink: true },
    constantFrom<unknown>(...WORDS, 0, 1, 2.5, true, false, null),
    dictionary(constantFrom(...KEYWORDS), tie("node"), { maxKeys: 4 }),
    dictionary(constantFrom(...KEYWORDS), tie("node"), { maxKeys: 4 }),
    tie("map"),
    array(tie("node"), { maxLength: 3 }),
  ),
  map: dictionary(constantFrom("a", "b", "__proto__"), tie("node"), { maxKeys: 3 }),
})) as { node: Arbitrary<unknown> };

test("no document and no value is a bug", () => {
  let usable = 0;
  holds(
    property(node, jsonValue(), (document, value) => {
      const schema = toJson(document);
      const strict = compilePolicySchema(schema);
      if ("check" in strict) strict.check(toJson(value));
      const prepared = compileInputSchema(schema);
      if (!("schema" in prepared)) return;
      usable++;
      const told = prepared.schema.check(toJson(value) as never);
      expect(told === undefined || /^[T`].+\.$/.test(told)).toBe(true);
    }),
    { numRuns: 1500 },
  );
  expect(usable).toBeGreaterThan(50);
});

test("what a policy may say, a server may say too, and it means the same but for formats", () => {
  let shared = 0;
  holds(
    property(node, jsonValue(), (document, value) => {
      const schema = toJson(document);
      const strict = compilePolicySchema(schema);
      if ("faults" in strict || printJson(schema).includes('"format"')) return;
      shared++;
      expect(judgeByInput(schema)(toJson(value))).toBe(strict.check(toJson(value)));
    }),
    { numRuns: 1000 },
  );
  expect(shared).toBeGreaterThan(10);
});
