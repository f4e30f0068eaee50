/** How right the classifier is, against labels. They lie beside a checkout; without them the test says so and holds the set itself. */
import { describe, expect, it } from "vitest";
import {
  hasData,
  indexCorpus,
  measureHand,
  measureLabelled,
  readCorpus,
  readDisputed,
  readHandLabels,
  readLabelled,
} from "../../bench/classifier/measure.ts";
import { TOOL_CLASSES } from "../../src/policy/decision.ts";

const labels = readHandLabels();

it("the hand set is 300 definitions, each once, of every class, in two halves", () => {
  expect(new Set(labels.map(({ definition }) => definition)).size).toBe(300);
  for (const name of TOOL_CLASSES) expect(labels.filter((label) => label.class === name).length, name).toBeGreaterThan(20);
  expect(labels.filter(({ half }) => half === "held-out").length).toBeGreaterThan(120);
});

it(`${hasData() ? "the labels are here" : "the labels are not here: nothing is held against them"}`, () => {
  expect(hasData() ? readLabelled().length : 0).toBe(hasData() ? 535 : 0);
});

describe("against the labels", () => {
  const corpus = hasData() ? indexCorpus(readCorpus()) : new Map();

  it.each(["tuning", "held-out"] as const)("macro-F1 of the %s half is at least 0.95", (half) => {
    const chosen = corpus.size === 0 ? [] : labels.filter((label) => label.half === half);
    const measure = measureHand(chosen, corpus);
    expect(corpus.size === 0 ? 1 : measure.macroF1, measure.wrong.join("\n")).toBeGreaterThanOrEqual(0.95);
    expect(measure.unsafe.length).toBeLessThanOrEqual(chosen.length / 100);
  });

  it("of the vendors' labels at most 1 % changing tools are Read, and at most 5 % reading ones are not", () => {
    const { unsafe, changing, strict, reading } = hasData()
      ? measureLabelled(readLabelled(), readDisputed())
      : { unsafe: [], changing: 1, strict: [], reading: 1 };
    expect(unsafe.length, unsafe.join("\n")).toBeLessThanOrEqual(changing / 100);
    expect(strict.length, strict.join("\n")).toBeLessThanOrEqual(reading / 20);
  });

  it("no tool that changes something and deletes, pays or runs by its name is Read", () => {
    const { unsafe } = hasData() ? measureLabelled(readLabelled()) : { unsafe: [] };
    expect(
      unsafe.filter((name) => /delete|remove|drop|purge|revoke|cancel|pay|refund|charge|transfer|run|execute|invoke|deploy/i.test(name)),
    ).toEqual([]);
  });
});
