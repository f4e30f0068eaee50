/** Counting: exact, bounded in words, and printed as the format wants it whatever the words are. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createExposition } from "../../src/observe/exposition.ts";
import { DURATION_EDGES, Durations, MAX_WORDS, Meter, Tally } from "../../src/observe/meter.ts";

test("words beyond the bound are counted as others, and nothing is lost", () => {
  const tally = new Tally();
  for (let index = 0; index < MAX_WORDS * 2; index++) tally.add(`word${index}`);
  const counts = new Map(tally);
  expect(counts.size).toBe(MAX_WORDS + 1);
  expect(counts.get("other")).toBe(MAX_WORDS);
  const { decisions } = new Meter().server("a");
  for (let index = 0; index < MAX_WORDS * 2; index++) decisions.at(`word${index}`).add("x");
  expect([...decisions].reduce((sum, [, one]) => sum + (new Map(one).get("x") ?? 0), 0)).toBe(MAX_WORDS * 2);
});

test("every duration lies in the one bucket that its edge says", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 200_000, noNaN: true }), (milliseconds) => {
      const durations = new Durations();
      durations.add(milliseconds);
      const index = durations.counts.indexOf(1);
      expect(durations.counts.reduce((sum, count) => sum + count, 0)).toBe(1);
      const seconds = milliseconds / 1000;
      if (index < DURATION_EDGES.length) expect(seconds).toBeLessThanOrEqual(DURATION_EDGES[index] as number);
      if (index > 0) expect(seconds).toBeGreaterThan(DURATION_EDGES[index - 1] as number);
    }),
  );
});

describe("the page", () => {
  test("is read when it is asked for, and escapes what a label may hold", async () => {
    let value = 1;
    const page = createExposition([
      { name: "a_total", type: "counter", help: "A.", labels: ["word"], read: () => [{ labels: { word: 'a"b\\c\nd' }, value: value++ }] },
      { name: "b", type: "gauge", help: "B.", labels: [], read: () => [] },
    ]);
    expect(page.contentType).toContain("text/plain");
    const first = await page.print();
    expect(first).toContain('a_total{word="a\\"b\\\\c\\nd"} 1');
    expect(first).toContain("# TYPE b gauge");
    expect(await page.print()).toContain(" 2\n");
  });

  test("knows nothing of any other registry", async () => {
    expect(await createExposition([]).print()).toBe("\n");
  });
});
