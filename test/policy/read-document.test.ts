import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatFailure } from "../../src/kernel/failure.ts";
import { type Json, JsonNumber, printJson, toJson } from "../../src/kernel/json.ts";
import { type DocumentOptions, readDocument, scanDocument } from "../../src/policy/read-document.ts";
import { unwrap } from "./support.ts";

const yaml = (text: string): Json => unwrap(readDocument(text, { format: "yaml" })).value;
const faults = (text: string, options: DocumentOptions = { format: "yaml" }): string[] => {
  const result = readDocument(text, options);
  return result.ok ? [] : result.failures.map(formatFailure);
};

describe("YAML", () => {
  test.each<[string, unknown]>([
    ["a: 1", { a: 1 }],
    ["a: 1.0", { a: new JsonNumber("1.0") }],
    ["a: 12345678901234567890", { a: new JsonNumber("12345678901234567890") }],
    ["a: -1.5e3", { a: new JsonNumber("-1.5e3") }],
    ["a: [yes, no, on, off, y]", { a: ["yes", "no", "on", "off", "y"] }],
    ["a: [true, False, TRUE]", { a: [true, false, true] }],
    ["a: [~, null, Null, NULL,]", { a: [null, null, null, null] }],
    ["a:", { a: null }],
    ['a: ["1", \'true\', "null", "~"]', { a: ["1", "true", "null", "~"] }],
    ["a: 2026-01-05T09:00:00Z", { a: "2026-01-05T09:00:00Z" }],
    ["a: 2026-01-05", { a: "2026-01-05" }],
    ["a: 1_000", { a: "1_000" }],
    ["a: 12:30", { a: "12:30" }],
    ["a: 192.0.2.1", { a: "192.0.2.1" }],
    ["a: |\n  one\n  two\n", { a: "one\ntwo\n" }],
    ["a: >-\n  one\n  two\n", { a: "one two" }],
    ["a: one\n  two", { a: "one two" }],
    ["1: x\ntrue: y\nnull: z", { 1: "x", true: "y", null: "z" }],
    ["__proto__: { a: 1 }", JSON.parse('{"__proto__": {"a": 1}}')],
    ["- a\n- b: c\n  d: e", ["a", { b: "c", d: "e" }]],
    ["a: &x { b: 1 }\nc: *x", { a: { b: 1 }, c: { b: 1 } }],
    ["a: &x 1\nb: *x\nc: &x 2\nd: *x", { a: 1, b: 1, c: 2, d: 2 }],
    ["# only a comment", null],
    ["--- # begins\na: 1\n...\n", { a: 1 }],
    ["%YAML 1.2\n---\na: 1", { a: 1 }],
    ["\ufeffa: 1", { a: 1 }],
    ['"a<<": 1\n"<<": 2', { "a<<": 1, "<<": 2 }],
    ["{ a: 1, b: [x, 'y'] }", { a: 1, b: ["x", "y"] }],
  ])("%j", (text, value) => {
    expect(yaml(text)).toEqual(toJson(value));
  });

  test.each([
    ["a: +1"],
    ["a: .5"],
    ["a: 1."],
    ["a: 012"],
    ["a: 0x1F"],
    ["a: 0o17"],
    ["a: .inf"],
    ["a: -.INF"],
    ["a: .NaN"],
    ["a: 1e999"],
    ["a: !!str 1"],
    ["a: !!binary aGk="],
    ["a: !thing x"],
    ["a: !<tag:x> y"],
    ["a: !!set { b }"],
    ["!!map\na: 1"],
    ["? [a]\n: 1"],
    ["? { a: 1 }\n: 1"],
    ["!!str a: 1"],
    [": x"],
    ["b: &b { c: 1 }\na: { <<: *b }"],
    ["a: *nobody"],
    ["a: &a [*a]"],
    ["*a : 1"],
    ["a: 1\na: 2"],
    ['a: 1\n"a": 2'],
    ["a: 1\n---\nb: 2"],
    ["%YAML 1.1\n---\na: 1"],
    ["a: [1, 2"],
    ["a: 'x"],
    ["a:\n\t- b"],
    ["a: b: c"],
    ['a: "\\ud800"'],
    ["a: @b"],
    ["a: `b`"],
  ])("%j is refused", (text) => {
    expect(faults(text)).not.toEqual([]);
  });

  test("aliases that unfold too far are refused, and quickly", () => {
    const bomb = [
      "a0: &a0 [x, x, x, x, x, x, x, x, x]",
      ...Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(", ")}]`),
    ].join("\n");
    const started = performance.now();
    expect(faults(bomb)[0]).toContain("unfold");
    const long = `a: &a "${"x".repeat(100_000)}"\nb: [${Array(5000).fill("*a").join(", ")}]`;
    expect(faults(long)[0]).toContain("unfold");
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test("nesting has a bound, in both writings", () => {
    for (const depth of [65, 10_000]) {
      expect(faults("[".repeat(depth) + "]".repeat(depth))).not.toEqual([]);
      expect(faults("[".repeat(depth) + "]".repeat(depth), { format: "json" })).not.toEqual([]);
    }
    expect(faults("[".repeat(64) + "]".repeat(64))).toEqual([]);
    expect(faults(`${Array.from({ length: 70 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n")}`)).not.toEqual([]);
  });

  test("length has a bound", () => {
    expect(faults("#".repeat(2 * 1024 * 1024 + 1))[0]).toContain("too long");
    expect(faults(" ".repeat(2 * 1024 * 1024) + "1", { format: "json" })).toEqual([]);
    expect(faults(" ".repeat(4 * 1024 * 1024) + "1", { format: "json" })[0]).toContain("too long");
  });

  test("what JSON says, YAML reads alike", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = printJson(toJson(value));
        expect(yaml(text)).toEqual(unwrap(readDocument(text, { format: "json" })).value);
      }),
      { numRuns: 100 },
    );
  });
});

describe("JSON", () => {
  test("is strict, and keeps the spelling of numbers", () => {
    expect(unwrap(readDocument('{"a": 1.0}')).value).toEqual(toJson({ a: new JsonNumber("1.0") }));
    for (const text of ["{a: 1}", '{"a": 1,}', '{"a": NaN}', '{"a": 1} x', "{'a': 1}", '{"a": 01}'])
      expect(faults(text, { format: "json" })).not.toEqual([]);
  });

  test("all doubled keys are told, the first of them kept", () => {
    const scanned = scanDocument('{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}');
    expect(scanned.failures.map(({ at }) => at?.pointer)).toEqual(["/b/c", "/a"]);
    expect(scanned.value).toEqual(toJson({ a: 1, b: { c: 1 } }));
    expect(readDocument('{"a": 1, "a": 1}').ok).toBe(false);
  });
});

describe("the format", () => {
  test.each<[DocumentOptions, string, boolean]>([
    [{}, '{"a": 1}', true],
    [{}, "a: 1", true],
    [{}, "{ a: 1 }", false],
    [{ file: "x.yaml" }, "{ a: 1 }", true],
    [{ file: "x.yml" }, "{ a: 1 }", true],
    [{ file: "x.YAML" }, "{ a: 1 }", true],
    [{ file: "x.json" }, "a: 1", false],
    [{ file: "x.txt" }, "a: 1", true],
    [{ file: "x.json", format: "yaml" }, "a: 1", true],
  ])("%j of %j", (options, text, ok) => {
    expect(readDocument(text, options).ok).toBe(ok);
  });
});

describe("places", () => {
  test.each(["json", "yaml"] as const)("of values and keys, in %s", (format) => {
    const text = '{\n  "a": {\n    "b/c": [10, {"d": 20}]\n  }\n}';
    const { place } = unwrap(readDocument(text, { file: "f", format }));
    expect(place("")).toEqual({ file: "f", line: 1, column: 1, pointer: "" });
    expect(place("/a")).toMatchObject({ line: 2, column: 8 });
    expect(place("/a", "key")).toMatchObject({ line: 2, column: 3 });
    expect(place("/a/b~1c/0")).toMatchObject({ line: 3, column: 13 });
    expect(place("/a/b~1c/1/d")).toMatchObject({ line: 3, column: 23 });
    expect(place("/a/b~1c/1/d", "key")).toMatchObject({ line: 3, column: 18 });
    // What is not there is where its parent is.
    expect(place("/a/x")).toEqual({ file: "f", line: 2, column: 8, pointer: "/a/x" });
    expect(place("/a/b~1c/1/e/f")).toMatchObject({ line: 3, column: 17 });
  });

  test("of block YAML, and behind an alias", () => {
    const { place } = unwrap(readDocument("a: &x\n  b: 1\nc: *x\nd:\n", { format: "yaml" }));
    expect(place("/a/b")).toMatchObject({ line: 2, column: 6 });
    expect(place("/c/b")).toMatchObject({ line: 2, column: 6 });
    expect(place("/c", "key")).toMatchObject({ line: 3, column: 1 });
    expect(place("/d")).toMatchObject({ line: 4 });
  });

  test("of a syntax error, without a pointer", () => {
    const result = readDocument('{\n  "a": nope\n}', { file: "f.json" });
    expect(result.ok ? [] : result.failures[0]).toMatchObject({ code: "invalid_json", at: { file: "f.json", line: 2, column: 8 } });
    expect(result.ok ? {} : result.failures[0]?.at).not.toHaveProperty("pointer");
    const other = readDocument("a: 1\nb: [", { file: "f.yaml" });
    expect(other.ok ? [] : other.failures[0]).toMatchObject({ code: "invalid_yaml", at: { file: "f.yaml", line: 2 } });
  });
});

test.each(["json", "yaml"] as const)("numbers beyond doubles are read where they are asked for, in %s", (format) => {
  const text = '{ "a": [1e400, -1e-400] }';
  expect(readDocument(text, { format }).ok).toBe(false);
  expect(unwrap(readDocument(text, { format, anyMagnitude: true })).value).toEqual(
    toJson({ a: [new JsonNumber("1e400"), new JsonNumber("-1e-400")] }),
  );
});
