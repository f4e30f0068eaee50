import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printCanonicalJson } from "../../src/kernel/canonical-json.ts";
import {
  canonicalDecimal,
  compareDecimals,
  type Decimal,
  isIntegral,
  parseDecimal,
  printAmount,
  scaleAmount,
} from "../../src/kernel/decimal.ts";
import { JsonNumber } from "../../src/kernel/json.ts";

const decimal = (text: string): Decimal => {
  const value = parseDecimal(text);
  if (!value) throw new Error(text);
  return value;
};
const spelling = fc
  .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.integer({ min: 0, max: 12 }))
  .map(([negative, digits, places]) => {
    const text = String(digits).padStart(places + 1, "0");
    const body = places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`;
    return { text: negative ? `-${body}` : body, scaled: (negative ? -digits : digits) * 10n ** BigInt(12 - places) };
  });

describe("decimals", () => {
  it("compares exactly, whatever the spelling", () => {
    fc.assert(
      fc.property(spelling, spelling, (left, right) => {
        const wanted = left.scaled < right.scaled ? -1 : left.scaled > right.scaled ? 1 : 0;
        expect(compareDecimals(decimal(left.text), decimal(right.text))).toBe(wanted);
      }),
    );
  });

  it.each([
    ["1e2", "100"],
    ["50.00", "50"],
    ["-0", "0"],
    ["0.10", "0.1"],
    ["1E-3", "0.001"],
    ["12345678901234567890.5", "12345678901234567890.5"],
  ])("%s is %s", (text, canonical) => expect(canonicalDecimal(decimal(text))).toBe(canonical));

  it("knows whole numbers", () => {
    expect([isIntegral(decimal("1.0")), isIntegral(decimal("1e2")), isIntegral(decimal("0.5")), isIntegral(decimal("0"))]).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  it("scales amounts of up to nine places and never rounds", () => {
    expect(scaleAmount(decimal("0.000000001"))).toBe(1n);
    expect(scaleAmount(decimal("0.0000000001"))).toBeUndefined();
    expect(scaleAmount(decimal("-2.5"))).toBe(-2500000000n);
    expect(scaleAmount(decimal("1e40"))).toBeUndefined();
    expect(printAmount(2500000000n)).toBe("2.5");
    expect(printAmount(-1n)).toBe("-0.000000001");
  });

  it("refuses what is no decimal", () => {
    for (const text of ["", "1.", ".1", "0x1", "1e", "NaN", "1e9999", " 1"]) expect(parseDecimal(text)).toBeUndefined();
  });
});

describe("canonical JSON", () => {
  it("orders keys by code points and numbers by value", () => {
    expect(printCanonicalJson({ "\ud83d\ude00": 1, "\uffee": 2, b: new JsonNumber("1.0"), a: [new JsonNumber("1e2"), -0] })).toBe(
      '{"a":[100,0],"b":1,"\uffee":2,"\ud83d\ude00":1}',
    );
  });
});
