import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TOOL_CLASSES, type ToolClass } from "../../src/policy/decision.ts";
import { compareSelectors, isSelector, matchGlob, parseSelector, type Selector } from "../../src/policy/selector.ts";
import { createSelectorIndex } from "../../src/policy/selector-index.ts";
import { brief, CONTEXT, call, compile, faultsOf } from "./support.ts";

function selector(text: string): Selector {
  const parsed = parseSelector(text);
  if (!isSelector(parsed)) throw new Error(parsed.fault);
  return parsed;
}

describe("one selector", () => {
  test.each([
    ["get_*", "get_", true],
    ["get_*", "get_user", true],
    ["get_*", "Get_user", false],
    ["*_user", "_user", true],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*c", "axxbyyc", true],
    ["a*b*c", "acb", false],
    ["*ab*ab*", "ab", false],
    ["*ab*ab*", "xabyab", true],
    ["*", "", true],
    ["**", "anything\nat all", true],
    ["a**b", "ab", true],
    ["😀*", "😀x", true],
    ["*.*.*", "a.b.c", true],
    ["*.*.*", "a.b", false],
    ["a\\**", "a*b", true],
    ["a\\**", "ab", false],
  ])("%s on %j: %s", (text, name, fits) => {
    const glob = selector(text);
    expect(glob.kind === "glob" && matchGlob(glob.pieces, name)).toBe(fits);
  });

  test("escapes are literal, and so is @ inside of a name", () => {
    expect(selector("\\@read")).toMatchObject({ kind: "exact", name: "@read" });
    expect(selector("report_\\*")).toMatchObject({ kind: "exact", name: "report_*" });
    expect(selector("a\\\\b")).toMatchObject({ kind: "exact", name: "a\\b" });
    expect(selector("a@b")).toMatchObject({ kind: "exact", name: "a@b" });
    expect(selector("@read")).toMatchObject({ kind: "class", class: "read" });
  });

  test.each(["", "@", "@reading", "@Read", "@re*", "a\\b", "a\\", "\\"])("%j is an error", (text) => {
    expect(isSelector(parseSelector(text))).toBe(false);
    expect(faultsOf({ tools: { [text]: {} } })).toEqual([`/tools/${text}`]);
    expect(faultsOf({ hide: ["a", text] })).toEqual(["/hide/1"]);
  });
});

describe("of several selectors", () => {
  const order = ["exact", "*ab*", "ab*", "*", "@read", "b*a", "\\*\\*\\*\\*a*", "**"].map(selector).toSorted(compareSelectors);

  test("name, then literals, then code points, then class, then the bare star", () => {
    expect(order.map(({ text }) => text)).toEqual(["exact", "\\*\\*\\*\\*a*", "*ab*", "ab*", "b*a", "@read", "*", "**"]);
  });

  test("literal characters are code points", () => {
    // Two emoji are two characters though four UTF-16 units.
    const [first] = [selector("😀😀*"), selector("abc*")].toSorted(compareSelectors);
    expect(first?.text).toBe("abc*");
    // U+FFFD comes before U+1F600, though not by UTF-16 units.
    const [low] = [selector("😀*"), selector("\ufffd*")].toSorted(compareSelectors);
    expect(low?.text).toBe("\ufffd*");
  });

  test("the class decides before the bare star, and only for tools that have one", () => {
    const policy = compile({ tools: { "*": { action: "deny" }, "@read": {}, "delete_*": { action: "deny" } } });
    const decide = (name: string, toolClass?: ToolClass) => brief(policy.decideCall(call(name, {}, { name, class: toolClass }), CONTEXT));
    expect(decide("list", "read")).toBe("allow");
    expect(decide("list", "write")).toBe("denied /tools/*/action");
    expect(decide("list")).toBe("denied /tools/*/action");
    expect(decide("delete_it", "read")).toBe("denied /tools/delete_*/action");
    expect(brief(policy.decideCall(call("list"), CONTEXT))).toBe("denied /tools/*/action");
    expect(policy.selectsByClass).toBe(true);
    expect(compile({ hide: ["@destructive"] }).selectsByClass).toBe(true);
    expect(compile({ tools: { "*": {} } }).selectsByClass).toBe(false);
  });
});

describe("the index", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "*", "_"), minLength: 1, maxLength: 6 });
  const anySelector = fc.oneof(
    { weight: 8, arbitrary: text },
    { weight: 1, arbitrary: fc.constantFrom(...TOOL_CLASSES).map((name) => `@${name}`) },
    { weight: 1, arbitrary: text.map((name) => name.replaceAll("*", "\\*")) },
  );
  const name = fc.string({ unit: fc.constantFrom("a", "b", "*", "_"), maxLength: 8 });

  test("answers as asking every selector in order does", () => {
    fc.assert(
      fc.property(
        fc.array(anySelector, { maxLength: 24 }),
        fc.array(name, { maxLength: 8 }),
        fc.constantFrom(undefined, ...TOOL_CLASSES),
        (texts, names, toolClass) => {
          const selectors = [...new Set(texts)].map(selector).toSorted(compareSelectors);
          const index = createSelectorIndex(selectors.map((value) => ({ selector: value, value: value.text })));
          for (const each of [...names, ...names]) expect(index.find(each, toolClass)).toBe(findNaively(texts, each, toolClass));
        },
      ),
      { numRuns: 400 },
    );
  });

  /** Straight from the contract's sentence, by regular expressions and sorting. */
  function findNaively(texts: readonly string[], wanted: string, toolClass: ToolClass | undefined): string | undefined {
    const literalsOf = (each: string) => each.replace(/\\(.)/g, "$1".length > 0 ? "x" : "").replaceAll("*", "").length;
    const isGlob = (each: string) => each.replace(/\\./g, "").includes("*");
    const toRegExp = (each: string) =>
      new RegExp(
        `^${each.replace(/\\(.)|\*|[^]/g, (whole, escaped: string | undefined) => (whole === "*" ? "[^]*" : `\\u{${(escaped ?? whole).codePointAt(0)?.toString(16)}}`))}$`,
        "u",
      );
    const fitting = texts.filter((each) => (each.startsWith("@") ? each.slice(1) === toolClass : toRegExp(each).test(wanted)));
    const rank = (each: string) => (each.startsWith("@") ? 2 : !isGlob(each) ? 0 : literalsOf(each) === 0 ? 3 : 1);
    const [best] = fitting.toSorted(
      (a, b) => rank(a) - rank(b) || (rank(a) === 1 ? literalsOf(b) - literalsOf(a) : 0) || (a < b ? -1 : a > b ? 1 : 0),
    );
    return best;
  }

  test("ten thousand globs do not slow a call", () => {
    const texts = Array.from(
      { length: 10_000 },
      (_, index) => [`get_${index}_*`, `*_${index}`, `*x${index}y*`, `get_*_${index}`][index % 4] as string,
    );
    const selectors = texts.map(selector).toSorted(compareSelectors);
    const index = createSelectorIndex(selectors.map((value) => ({ selector: value, value: value.text })));
    expect(index.find("get_4_name")).toBe("get_4_*");
    expect(index.find("put_5")).toBe("*_5");
    expect(index.find("ax6yb")).toBe("*x6y*");
    expect(index.find("nothing")).toBeUndefined();
    let names = 0;
    const time = (rounds: number, act: (name: string) => unknown) => {
      const started = performance.now();
      for (let round = 0; round < rounds; round++) act(`some_tool_name_x${names++}`);
      return (performance.now() - started) / rounds;
    };
    // Every name is new, so that none is answered from memory.
    const indexed = Math.min(...[1, 2, 3].map(() => time(200, (each) => index.find(each))));
    const naive = time(10, (each) => selectors.filter((one) => one.kind === "glob" && matchGlob(one.pieces, each)));
    expect(indexed).toBeLessThan(naive / 4);
  });
});
