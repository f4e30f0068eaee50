/** RE2 patterns: what is found, what is refused, and in which time. */

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { compilePattern, type Pattern } from "../../../src/policy/operators/pattern.ts";
import { nameRows } from "./judge.ts";

function compile(pattern: string): Pattern {
  const compiled = compilePattern(pattern);
  if ("fault" in compiled) throw new Error(compiled.fault);
  return compiled;
}

test.each([
  ["^(dev|staging)$", "staging", true],
  ["^(dev|staging)$", "staging-eu", false],
  ["^(dev|staging)$", "staging\n", false],
  ["[0-9]{16}", "card 4111111111111111, thanks", true],
  ["[0-9]{16}", "order 4111", false],
  ["\\s", "main 2", true],
  ["\\s", "main\u00a02", false],
  ["^\\d+$", "١٢", false],
  ["^.$", "😀", true],
  ["^.$", "\n", false],
  ["(?s)^.$", "\n", true],
  ["(?i)^ä$", "Ä", true],
  ["", "", true],
  ["", "x", true],
  ["^$", "", true],
  ["^a$", "b\na\nb", false],
  ["(?m)^a$", "b\na\nb", true],
  ["\\Aa\\z", "a", true],
  ["\\bpush\\b", "git push", true],
  ["\\p{Greek}", "ω", true],
  ["(?P<n>a)(?<m>b)", "ab", true],
  ["\\.(pem|key)$", "a.pem", true],
  ["a{1000}", "a".repeat(999), false],
])("%j in %j: %s", (pattern, text, found) => {
  expect(compile(pattern).find(text)).toBe(found);
});

test.each(
  nameRows([
    "(?=a)",
    "(?!a)",
    "(?<=a)b",
    "(?<!a)b",
    "(a)\\1",
    "\\k<n>",
    "(?>a)",
    "a++",
    "[",
    "(",
    ")",
    "*",
    "a{1001}",
    "(a{100}){100}",
    "\\",
    "\\C",
    "[z-a]",
    "(?<n>a)(?<n>b)",
    "\ud800",
    "a".repeat(10_000),
    "x{1000}".repeat(50),
    "(".repeat(4000) + ")".repeat(4000),
  ]),
)("%s is no pattern", (_, pattern) => {
  const compiled = compilePattern(pattern);
  expect(compiled).toEqual({ fault: expect.stringMatching(/^\S.{5,400}\.$/s) });
});

test("lookaround and backreferences are told in words", () => {
  for (const pattern of ["(?=a)", "(?<!a)b", "(a)\\1"])
    expect(compilePattern(pattern)).toEqual({ fault: expect.stringContaining("no lookaround and no backreferences") });
});

test.each(["^(a+)+$", "^(a|a)*$", "^(.*a){12}$", "(x+x+)+y"])("%s is found, or not, in linear time", (pattern) => {
  const compiled = compile(pattern);
  const started = performance.now();
  expect(compiled.find(`${"a".repeat(100_000)}!`)).toBe(false);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test("any text compiles or is a fault, and agrees with JavaScript where both take it alike", () => {
  const piece = fc.constantFrom("a", "b", "[ab]", "(", ")", "|", "*", "+", "?", ".", "^", "$", "\\d", "[^a]", "{2}", "(?:");
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 10 }).map((pieces) => pieces.join("")),
      fc.stringMatching(/^[ab1]{0,8}$/),
      (pattern, text) => {
        const compiled = compilePattern(pattern);
        if ("fault" in compiled) return;
        expect(compiled.find(text)).toBe(toRegExp(pattern)?.test(text) ?? compiled.find(text));
      },
    ),
    { numRuns: 2000 },
  );
});

/** RE2 takes a few texts that JavaScript does not, such as `^*`. */
function toRegExp(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern);
  } catch {
    return undefined;
  }
}
