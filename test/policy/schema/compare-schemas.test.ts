/** What a changed schema does to what is accepted: told plainly, and never better than it is. */
import {
  type Arbitrary,
  array,
  boolean,
  constant,
  constantFrom,
  dictionary,
  assert as holds,
  integer,
  letrec,
  nat,
  oneof,
  property,
  tuple,
} from "fast-check";
import { describe, expect, test } from "vitest";
import { isJsonObject, type Json, type JsonObject, toJson } from "../../../src/kernel/json.ts";
import { compareSchemas } from "../../../src/policy/schema/compare-schemas.ts";
import { worstOf } from "../../../src/policy/schema/effect.ts";
import { compileInputSchema } from "../../../src/policy/schema/input-schema.ts";
import { declare, readJson, URI_07, URI_2020 } from "./read.ts";

const verdict = (before: unknown, after: unknown) => worstOf(compareSchemas(toJson(before), toJson(after)));
const object = (properties: object, more: object = {}) => ({ type: "object", properties, ...more });
const text = { type: "string" };

describe("one change", () => {
  test.each([
    ["another description", object({ a: { ...text, description: "x" } }), object({ a: { ...text, description: "y" } }), "rewords"],
    ["a title", text, { ...text, title: "T" }, "rewords"],
    ["an argument more", object({ a: text }), object({ a: text, b: text }), "widens"],
    [
      "an argument more where none else was taken",
      object({}, { additionalProperties: false }),
      object({ a: text }, { additionalProperties: false }),
      "widens",
    ],
    ["an argument more that is required", object({}), object({ a: text }, { required: ["a"] }), "breaks"],
    [
      "an argument less where none else is taken",
      object({ a: text }, { additionalProperties: false }),
      object({}, { additionalProperties: false }),
      "narrows",
    ],
    ["an argument less where all are taken", object({ a: text }), object({}), "widens"],
    ["one is now required", object({ a: text }), object({ a: text }, { required: ["a"] }), "narrows"],
    ["one is no longer required", object({ a: text }, { required: ["a"] }), object({ a: text }), "widens"],
    [
      "another one is required",
      object({ a: text, b: text }, { required: ["a"] }),
      object({ a: text, b: text }, { required: ["b"] }),
      "breaks",
    ],
    ["no others any more", object({ a: text }), object({ a: text }, { additionalProperties: false }), "narrows"],
    ["any others", object({ a: text }, { additionalProperties: false }), object({ a: text }), "widens"],
    ["a value more", { enum: ["a"] }, { enum: ["a", "b"] }, "widens"],
    ["a value less", { enum: ["a", "b"] }, { enum: ["b"] }, "narrows"],
    ["other values", { enum: ["a"] }, { enum: ["b"] }, "breaks"],
    ["another type", { type: "string" }, { type: "integer" }, "breaks"],
    ["a wider type", { type: "integer" }, { type: ["number", "null"] }, "widens"],
    ["a narrower type", { type: "number" }, { type: "integer" }, "narrows"],
    ["a higher bound", { maximum: 5 }, { maximum: 500 }, "widens"],
    ["a lower bound", { maximum: 5 }, { maximum: 4.5 }, "narrows"],
    ["no bound", { minLength: 1 }, {}, "widens"],
    ["another pattern", { pattern: "a" }, { pattern: "b" }, "unclear"],
    ["a pattern", {}, { pattern: "b" }, "narrows"],
    ["another default", { default: true }, { default: false }, "unclear"],
    ["another format", { format: "uri" }, { format: "email" }, "unclear"],
    ["a choice more", { anyOf: [text] }, { anyOf: [text, { type: "null" }] }, "widens"],
    ["a choice less", { anyOf: [text, { type: "null" }] }, { anyOf: [text] }, "narrows"],
    ["one of other things", { oneOf: [text] }, { oneOf: [text, { type: "null" }] }, "unclear"],
    ["more is excluded", { not: { enum: ["a"] } }, { not: { enum: ["a", "b"] } }, "narrows"],
    ["less is excluded", { not: { enum: ["a", "b"] } }, { not: { enum: ["a"] } }, "widens"],
    ["items that are checked", { type: "array" }, { type: "array", items: text }, "narrows"],
    ["a keyword that nobody knows", {}, { "x-mcp-header": "Id" }, "unclear"],
    ["another draft", {}, { $schema: URI_07 }, "unclear"],
    [
      "what a reference leads to",
      { $ref: "#/$defs/a", $defs: { a: { maximum: 1 } } },
      { $ref: "#/$defs/a", $defs: { a: { maximum: 2 } } },
      "widens",
    ],
    ["all, where there was a schema", text, true, "widens"],
    ["nothing any more", text, false, "narrows"],
  ])("%s", (_about, before, after, effect) => {
    expect(verdict(before, after)).toBe(effect);
  });

  test("none is none, whatever the order and spelling", () => {
    expect(compareSchemas(readJson('{"a":1.0,"type":"object"}'), readJson('{"type":"object","a":1}'))).toEqual([]);
    expect(compareSchemas(undefined, undefined)).toEqual([]);
  });

  test("is told at its place, with what was and what is", () => {
    const changes = compareSchemas(
      toJson(object({ "a/b": { maximum: 1 } })),
      toJson(object({ "a/b": { maximum: 2 }, c: text })),
      "/inputSchema",
    );
    expect(changes).toEqual([
      { pointer: "/inputSchema/properties/a~1b/maximum", before: 1, after: 2, effect: "widens", note: undefined },
      { pointer: "/inputSchema/properties/c", before: undefined, after: toJson(text), effect: "widens", note: "a new argument" },
    ]);
  });
});

/** On a machine that does much else. */
const LAW_TIMEOUT_MS = 120_000;
const KEYS = ["a", "b", "ab"];
const key = constantFrom(...KEYS);
const scalar = oneof(integer({ min: -2, max: 5 }), constantFrom("", "a", "ab", 1.5), boolean(), constant(null));
const { value } = letrec<{ value: unknown }>((tie) => ({
  value: oneof(
    { maxDepth: 2, depthSize: "small" },
    scalar,
    array(tie("value"), { maxLength: 3 }),
    dictionary(key, tie("value"), { maxKeys: 3 }),
  ),
})) as { value: Arbitrary<unknown> };
const count = integer({ min: 0, max: 3 });
const type = constantFrom("string", "integer", "number", "object", "array", "boolean", "null");

/** Every keyword, those that turn things round among them. */
const { schema } = letrec<{ schema: unknown }>((tie) => {
  const sub = tie("schema");
  const subs = array(sub, { minLength: 1, maxLength: 3 });
  const members = dictionary(key, sub, { maxKeys: 3 });
  const keywords: Record<string, Arbitrary<unknown>> = {
    type: oneof(type, array(type, { minLength: 1, maxLength: 3 })),
    enum: array(scalar, { minLength: 1, maxLength: 3 }),
    const: scalar,
    minimum: integer({ min: -2, max: 4 }),
    exclusiveMaximum: integer({ min: -2, max: 4 }),
    multipleOf: constantFrom(1, 2, 4, 0.5),
    minLength: count,
    maxLength: count,
    pattern: constantFrom("a", "^a*$"),
    minItems: count,
    maxItems: count,
    uniqueItems: boolean(),
    minProperties: count,
    maxProperties: count,
    required: array(key, { maxLength: 2 }),
    properties: members,
    patternProperties: dictionary(constantFrom("^a", "b$"), sub, { maxKeys: 2 }),
    additionalProperties: sub,
    propertyNames: sub,
    contains: sub,
    minContains: count,
    maxContains: count,
    items: oneof(sub, subs),
    prefixItems: subs,
    additionalItems: sub,
    allOf: subs,
    anyOf: subs,
    oneOf: subs,
    not: sub,
    ...Object.fromEntries(["if", "then", "else"].map((name) => [name, sub])),
    unevaluatedItems: sub,
    unevaluatedProperties: sub,
    dependentRequired: dictionary(key, array(key, { maxLength: 2 }), { maxKeys: 2 }),
    dependentSchemas: members,
    dependencies: dictionary(key, oneof(sub, array(key, { maxLength: 2 })), { maxKeys: 2 }),
    description: constantFrom("one", "two"),
    title: constantFrom("one", "two"),
    $ref: constantFrom("#/$defs/shared", "#/allOf/0"),
  };
  const rare = new Set(["$ref", "unevaluatedItems", "unevaluatedProperties", "oneOf", "if", "maxContains"]);
  const some = oneof(
    ...Object.entries(keywords).map(([name, arbitrary]) => ({
      weight: rare.has(name) ? 1 : name === "properties" ? 8 : 4,
      arbitrary: arbitrary.map((made) => ({ [name]: made })),
    })),
  );
  return {
    schema: oneof(
      { maxDepth: 3, depthSize: "small" },
      { weight: 1, arbitrary: boolean() },
      { weight: 9, arbitrary: array(some, { maxLength: 4 }).map((parts) => Object.assign({}, ...parts) as unknown) },
    ),
  };
}) as { schema: Arbitrary<unknown> };

/** The schema with one member, anywhere in it, taken away, put in or replaced by one of another schema. */
function mutate(document: Json, donor: Json, steps: readonly number[]): Json {
  const [step = 0, ...rest] = steps;
  if (Array.isArray(document) && document.length > 0) {
    const index = step % document.length;
    if (step % 5 === 0) return document.filter((_, at) => at !== index) as Json;
    return document.map((member, at) => (at === index ? mutate(member as Json, donor, rest) : (member as Json)));
  }
  if (!isJsonObject(document)) return donor;
  const keys = Object.keys(document);
  const donated = isJsonObject(donor) ? Object.entries(donor) : [];
  const next: Record<string, Json> = Object.assign(Object.create(null) as Record<string, Json>, document);
  if (donated.length > 0 && (keys.length === 0 || step % 4 === 0)) {
    const [name, member] = donated[step % donated.length] as [string, Json];
    next[name] = member;
  } else if (keys.length > 0) {
    const name = keys[step % keys.length] as string;
    if (step % 4 === 1) delete next[name];
    else next[name] = mutate(next[name] as Json, donor, rest);
  }
  return next;
}

describe.each([
  ["2020-12", URI_2020],
  ["draft-07", URI_07],
] as const)("under %s", (_name, uri) => {
  test(
    "what narrows lets nothing new pass, and what rewords changes nothing",
    () => {
      const told: Record<string, number> = {};
      let judged = 0;
      holds(
        property(
          schema,
          schema,
          array(nat(40), { minLength: 4, maxLength: 4 }),
          array(value, { minLength: 8, maxLength: 16 }),
          schema,
          (base, donor, steps, values, shared) => {
            const full = toJson({ allOf: [base], $defs: { shared } }) as JsonObject;
            const [before, after] = [declare(full, uri), declare(mutate(full, toJson(donor), steps), uri)];
            const [old, now] = [compileInputSchema(before), compileInputSchema(after)];
            if ("unusable" in old || "unusable" in now) return;
            const effect = worstOf(compareSchemas(before, after)) ?? "none";
            told[effect] = (told[effect] ?? 0) + 1;
            for (const each of values) {
              const wasGood = old.schema.check(toJson(each) as JsonObject) === undefined;
              const isGood = now.schema.check(toJson(each) as JsonObject) === undefined;
              if (effect === "narrows") expect(isGood && !wasGood).toBe(false);
              if (effect === "rewords" || effect === "none") expect(isGood).toBe(wasGood);
              if (isGood !== wasGood) judged++;
            }
          },
        ),
        { numRuns: 800 },
      );
      for (const effect of ["rewords", "narrows", "widens", "breaks", "unclear"]) expect(told[effect] ?? 0, effect).toBeGreaterThan(0);
      expect(judged).toBeGreaterThan(50);
    },
    LAW_TIMEOUT_MS,
  );
});

test("what is put together by hand is told the same from both ends", () => {
  holds(
    property(tuple(schema, schema), ([left, right]) => {
      expect(compareSchemas(toJson(left), toJson(left))).toEqual([]);
      if (compareSchemas(toJson(left), toJson(right)).length === 0) expect(compareSchemas(toJson(right), toJson(left))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
