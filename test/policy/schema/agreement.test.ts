/** Agreement with an independent validator on random schemas and values, where doubles can't tell them apart. */
import { Validator } from "@cfworker/json-schema";
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
  oneof,
  property,
  record,
} from "fast-check";
import { describe, expect, test } from "vitest";
import { toJson } from "../../../src/kernel/json.ts";
import { declare, judgeByInput, URI_07, URI_2020 } from "./read.ts";

const KEYS = ["a", "b", "ab", "c"];
const key = constantFrom(...KEYS);
const scalar = oneof(
  integer({ min: -3, max: 6 }),
  constantFrom("", "a", "ab", "abc", "💩"),
  boolean(),
  constant(null),
  constantFrom(1.5, -0.5),
);

const { value } = letrec<{ value: unknown }>((tie) => ({
  value: oneof(
    { maxDepth: 3, depthSize: "small" },
    scalar,
    array(tie("value"), { maxLength: 4 }),
    dictionary(key, tie("value"), { maxKeys: 4 }),
  ),
})) as { value: Arbitrary<unknown> };

const count = integer({ min: 0, max: 3 });
const names = array(key, { maxLength: 2 });
const type = constantFrom("string", "integer", "number", "object", "array", "boolean", "null");

function schemaOf(modern: boolean): Arbitrary<unknown> {
  const { schema } = letrec<{ schema: unknown }>((tie) => {
    const sub = tie("schema");
    const subs = array(sub, { minLength: 1, maxLength: 3 });
    const members = dictionary(key, sub, { maxKeys: 3 });
    const shared = {
      type: oneof(type, array(type, { minLength: 1, maxLength: 3 })),
      enum: array(value, { minLength: 1, maxLength: 4 }),
      const: value,
      minimum: integer({ min: -2, max: 4 }),
      exclusiveMaximum: integer({ min: -2, max: 4 }),
      multipleOf: constantFrom(1, 2, 0.5),
      minLength: count,
      maxLength: count,
      pattern: constantFrom("a", "^a*$", "b$", "^.$"),
      minItems: count,
      maxItems: count,
      uniqueItems: boolean(),
      minProperties: count,
      maxProperties: count,
      required: names,
      properties: members,
      patternProperties: dictionary(constantFrom("^a", "b$", "."), sub, { maxKeys: 2 }),
      additionalProperties: sub,
      propertyNames: record({ maxLength: count }),
      contains: sub,
      allOf: subs,
      anyOf: subs,
      oneOf: subs,
      not: sub,
    };
    const branches = ["if", "then", "else"].map((name) => sub.map((made) => ({ [name]: made })));
    const own = modern
      ? {
          prefixItems: subs,
          items: sub,
          unevaluatedItems: sub,
          unevaluatedProperties: sub,
          minContains: count,
          maxContains: count,
          dependentRequired: dictionary(key, names, { maxKeys: 2 }),
          dependentSchemas: members,
        }
      : { items: oneof(sub, subs), additionalItems: sub, dependencies: dictionary(key, oneof(sub, names), { maxKeys: 2 }) };
    const keywords = { ...shared, ...own };
    const some = oneof(
      ...branches,
      ...Object.entries(keywords).map(([name, arbitrary]) => (arbitrary as Arbitrary<unknown>).map((made) => ({ [name]: made }))),
    );
    return {
      schema: oneof(
        { maxDepth: 4, depthSize: "small" },
        { weight: 1, arbitrary: boolean() },
        { weight: 1, arbitrary: constant({ $ref: "#/$defs/shared" }) },
        { weight: 8, arbitrary: array(some, { maxLength: 3 }).map((parts) => Object.assign({}, ...parts) as unknown) },
      ),
    };
  }) as { schema: Arbitrary<unknown> };
  return schema;
}

describe.each([
  ["2020-12", URI_2020, true],
  ["draft-07", URI_07, false],
] as const)("%s", (_, uri, modern) => {
  test("says yes and no as the other does", () => {
    let yes = 0;
    let no = 0;
    holds(
      property(schemaOf(modern), array(value, { minLength: 3, maxLength: 6 }), (document, values) => {
        const full = { allOf: [document], $defs: { shared: { type: ["string", "object"], maxLength: 2, required: ["a"] } } };
        const judge = judgeByInput(declare(toJson(full), uri));
        const other = new Validator(full as never, modern ? "2020-12" : "7", true);
        for (const each of values) {
          const good = judge(toJson(each)) === undefined;
          expect(good).toBe(other.validate(each).valid);
          if (good) yes++;
          else no++;
        }
      }),
      { numRuns: 700 },
    );
    expect(Math.min(yes, no)).toBeGreaterThan(250);
  });
});
