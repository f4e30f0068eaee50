import { expect, test } from "vitest";
import { listSteps } from "../../src/store/migrate.ts";

const apply = async () => undefined;

test("a name without a number, or one that stands twice, is a bug", () => {
  expect(() => listSteps([{ counters: apply }])).toThrow("`counters` is no name");
  expect(() => listSteps([{ "0001-a": apply }, { "0001-a": apply }])).toThrow("two steps");
});

test("numbers are compared as numbers", () => {
  expect(listSteps([{ "10-a": apply, "9-b": apply }]).map((step) => step.name)).toEqual(["9-b", "10-a"]);
});
