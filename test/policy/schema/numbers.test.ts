/** Numbers are compared as they are written, never as doubles: bounds, multiples, whole numbers. */
import { bigInt, assert as check, integer, property, tuple } from "fast-check";
import { describe, expect, test } from "vitest";
import { JsonNumber, toJson } from "../../../src/kernel/json.ts";
import { judgeByInput, judgeByPolicy, listSurprises, type Row, readJson } from "./read.ts";

const ROWS: readonly Row[] = [
  { about: "minimum", schema: '{"minimum":1.1}', good: ["2.6", "1.1", "1.10", '"x"', "null"], bad: ["0.6", "1.09999999999999999999"] },
  { about: "minimum below zero", schema: '{"minimum":-2}', good: ["-1", "0", "-2", "-2.0", "-2e0"], bad: ["-2.0001", "-3", "-2.1"] },
  { about: "maximum", schema: '{"maximum":3.0}', good: ["2.6", "3", "3.0", "3.00", "[]"], bad: ["3.5", "3.00000000000000000001"] },
  {
    about: "maximum beyond doubles",
    schema: '{"maximum":9007199254740992}',
    good: ["9007199254740992", "9007199254740991.9999"],
    bad: ["9007199254740993", "9007199254740992.0000001", "1e16"],
  },
  {
    about: "minimum beyond doubles",
    schema: '{"minimum":9007199254740993}',
    good: ["9007199254740993", "9007199254740994"],
    bad: ["9007199254740992"],
  },
  {
    about: "a bound of many digits",
    schema: '{"maximum":18446744073709551615}',
    good: ["18446744073709551600", "18446744073709551615"],
    bad: ["18446744073709551616"],
  },
  {
    about: "a lower bound of many digits",
    schema: '{"minimum":-18446744073709551615}',
    good: ["-18446744073709551600"],
    bad: ["-18446744073709551616"],
  },
  {
    about: "exclusiveMaximum",
    schema: '{"exclusiveMaximum":3.0}',
    good: ["2.2", "2.99999999999999999999", '"x"'],
    bad: ["3", "3.0", "3.5"],
  },
  {
    about: "exclusiveMaximum, where doubles round",
    schema: '{"exclusiveMaximum":972783798187987123879878123.18878137}',
    good: ["972783798187987123879878123.18878136"],
    bad: ["972783798187987123879878123.188781371", "972783798187987123879878123.18878137"],
  },
  { about: "exclusiveMinimum", schema: '{"exclusiveMinimum":1.1}', good: ["1.2", "1.10000000000000000001"], bad: ["1.1", "1.100", "0.6"] },
  {
    about: "exclusiveMinimum, where doubles round",
    schema: '{"exclusiveMinimum":-972783798187987123879878123.18878137}',
    good: ["-972783798187987123879878123.18878136"],
    bad: ["-972783798187987123879878123.188781371"],
  },
  {
    about: "multipleOf a whole number",
    schema: '{"multipleOf":2}',
    good: ["10", "0", "-4", "4.0", "1e1", '"foo"', "90071992547409930"],
    bad: ["7", "9007199254740993", "2.5"],
  },
  { about: "multipleOf a fraction", schema: '{"multipleOf":1.5}', good: ["0", "4.5", "-3"], bad: ["35"] },
  {
    about: "multipleOf a hundredth",
    schema: '{"multipleOf":0.01}',
    good: ["4.02", "19.99", "0.07", "1.15", "1e300"],
    bad: ["4.025", "0.001"],
  },
  { about: "multipleOf a small number", schema: '{"multipleOf":0.0001}', good: ["0.0075"], bad: ["0.00751"] },
  { about: "a quotient that overflows doubles", schema: '{"type":"integer","multipleOf":0.123456789}', bad: ["1e308"] },
  {
    about: "a small multiple of a large whole number",
    schema: '{"type":"integer","multipleOf":1e-8}',
    good: ["12391239123", "1e308"],
    bad: ["1e-9"],
  },
  { about: "multipleOf with an exponent", schema: '{"multipleOf":1e2}', good: ["1000", "1e300", "0"], bad: ["150", "1e1"] },
  { about: "a divisor without end", schema: '{"multipleOf":1e-300}', good: ["1e300", "3e-300"], bad: ["1.5e-300"] },
  {
    about: "integers of many digits",
    schema: '{"type":"integer"}',
    good: ["12345678910111213141516171819202122232425262728293031", "1e300", "-9007199254740993.0"],
    bad: ["12345678910111213141516171819202122232425262728293031.5"],
  },
];

describe.each([
  ["input", judgeByInput],
  ["policy", judgeByPolicy],
] as const)("%s", (_, judge) => {
  test.each(ROWS.map((row) => [row.about, row] as const))("%s", (_about, row) => {
    expect(listSurprises(row, judge(readJson(row.schema)))).toEqual([]);
  });
});

/** Digits with a point before the last `places` of them. */
function spell(digits: bigint, places: number): string {
  const text = String(digits < 0n ? -digits : digits).padStart(places + 1, "0");
  const whole = text.slice(0, text.length - places);
  return `${digits < 0n ? "-" : ""}${whole}${places > 0 ? `.${text.slice(-places)}` : ""}`;
}

const decimal = tuple(bigInt({ min: -(10n ** 24n), max: 10n ** 24n }), integer({ min: 0, max: 12 }));

test("bounds order as the decimals do", () => {
  check(
    property(decimal, decimal, ([a, aPlaces], [b, bPlaces]) => {
      const [left, right] = [a * 10n ** BigInt(12 - aPlaces), b * 10n ** BigInt(12 - bPlaces)];
      const value = readJson(spell(a, aPlaces));
      const fits = (keyword: string): boolean => judgeByPolicy(readJson(`{"${keyword}":${spell(b, bPlaces)}}`))(value) === undefined;
      expect([fits("minimum"), fits("maximum"), fits("exclusiveMinimum"), fits("exclusiveMaximum")]).toEqual([
        left >= right,
        left <= right,
        left > right,
        left < right,
      ]);
    }),
    { numRuns: 200 },
  );
});

test("a product is a multiple of its factor, and nothing beside it is", () => {
  check(
    property(
      bigInt({ min: 2n, max: 10n ** 12n }),
      bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
      integer({ min: 0, max: 9 }),
      (factor, times, places) => {
        const judge = judgeByPolicy(readJson(`{"multipleOf":${spell(factor, places)}}`));
        expect(judge(readJson(spell(factor * times, places)))).toBeUndefined();
        expect(judge(readJson(spell(factor * times + 1n, places)))).toBeDefined();
      },
    ),
    { numRuns: 200 },
  );
});

test("doubles of plain data are the numbers that they print", () => {
  expect(judgeByPolicy(toJson({ multipleOf: 0.1 }))(toJson(0.3))).toBeUndefined();
  expect(judgeByPolicy(toJson({ maximum: 0.3 }))(toJson(0.1 + 0.2))).toBeDefined();
});

test("a number beyond what can be compared fits no bound", () => {
  for (const keyword of ["minimum", "maximum", "multipleOf"]) {
    expect(judgeByPolicy(toJson({ [keyword]: 2 }))(new JsonNumber("1e9999"))).toBeDefined();
  }
});
