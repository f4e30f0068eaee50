import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonNumber, printJson } from "../../src/kernel/json.ts";
import { isJsonFault, type JsonFault, locateOffset, parseStrictJson } from "../../src/kernel/strict-json.ts";

const read = (text: string) => {
  const parsed = parseStrictJson(text);
  if (isJsonFault(parsed)) throw new Error(parsed.message);
  return parsed.value;
};
const refused = (text: string): boolean => isJsonFault(parseStrictJson(text));

describe("strict JSON", () => {
  it.each([
    ["two values", "1 2"],
    ["nothing", " "],
    ["a byte order mark", "\ufeff{}"],
    ["a duplicate key", '{"a":1,"a":2}'],
    ["a duplicate key, one of them escaped", '{"a":1,"\\u0061":2}'],
    ["a duplicate key below", '[{"x":{"__proto__":1,"__proto__":2}}]'],
    ["a comma too many", "[1,]"],
    ["a comment", "/* */1"],
    ["single quotes", "{'a':1}"],
    ["NaN", "NaN"],
    ["a leading plus", "+1"],
    ["a leading zero", "01"],
    ["a bare fraction", ".5"],
    ["an open fraction", "5."],
    ["an infinite number", "1e400"],
    ["a number that a double reads as zero", "1e-400"],
    ["a control character", '"a\u0001"'],
    ["an unknown escape", '"\\x41"'],
    ["half an escape", '"\\u00g0"'],
    ["a lone surrogate, escaped", '"\\ud800"'],
    ["surrogates in the wrong order", '"\\udc00\\ud800"'],
    ["an open text", '"abc'],
    ["an open list", "[1"],
    ["nesting too deep", "[".repeat(129) + "]".repeat(129)],
    ["a number of too many digits", "1".repeat(1025)],
  ])("refuses %s", (_name, text) => expect(refused(text)).toBe(true));

  it("keeps the spelling of numbers that a double would change", () => {
    expect(read("12345678901234567890")).toEqual(new JsonNumber("12345678901234567890"));
    expect(read("1.0")).toEqual(new JsonNumber("1.0"));
    expect(read("-0")).toEqual(new JsonNumber("-0"));
    expect(read("0.1")).toBe(0.1);
    expect(read("1e3")).toEqual(new JsonNumber("1e3"));
    expect(read("123456789012345")).toBe(123456789012345);
  });

  it("takes numbers beyond doubles only where it is told to", () => {
    for (const spelling of ["1e400", "-1e400", "1e-400"]) {
      const parsed = parseStrictJson(spelling, { anyMagnitude: true });
      expect(isJsonFault(parsed) ? parsed.message : parsed.value).toEqual(new JsonNumber(spelling));
    }
  });

  it("treats __proto__ as data", () => {
    const value = read('{"__proto__":{"admin":true}}') as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect((value as { admin?: unknown }).admin).toBeUndefined();
  });

  it("tells the span of every value it was asked for", () => {
    const text = '{ "id": 7, "params": { "arguments": {"n": 1.0}, "a/b": [1] } }';
    const parsed = parseStrictJson(text, { spanDepth: 2 });
    if (isJsonFault(parsed)) throw new Error(parsed.message);
    const slice = (pointer: string) => {
      const span = parsed.spans.get(pointer);
      return span && text.slice(span.start, span.end);
    };
    expect(slice("/params/arguments")).toBe('{"n": 1.0}');
    expect(slice("/params/a~1b")).toBe("[1]");
    expect(slice("/id")).toBe("7");
    expect(parsed.spans.get("/params/arguments/n")).toBe(undefined);
  });

  it("collects duplicates where it is asked to", () => {
    const duplicates: JsonFault[] = [];
    parseStrictJson('{"a":1,\n"a":2,"b":{"c":1,"c":2}}', { duplicates });
    expect(duplicates.map((fault) => fault.pointer)).toEqual(["/a", "/b/c"]);
  });

  it("locates an offset", () => {
    expect(locateOffset("a\nbc\nd", 3)).toEqual({ line: 2, column: 2 });
  });

  it("reads what the built-in parser prints, alike", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        const parsed = parseStrictJson(text);
        if (isJsonFault(parsed)) {
          // Only lone surrogates and duplicate-free oddities may be refused.
          expect(/\\ud[89a-f]/i.test(text)).toBe(true);
          return;
        }
        expect(JSON.parse(printJson(parsed.value))).toEqual(JSON.parse(text));
      }),
    );
  });

  it("accepts no text that the built-in parser refuses", () => {
    const noise = fc.string({ unit: fc.constantFrom(..."{}[]:,\"\\ue0123456789.-+ \n\ttrufalsn'a") });
    fc.assert(
      fc.property(noise, (text) => {
        if (!refused(text)) expect(() => JSON.parse(text) as unknown).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });
});
