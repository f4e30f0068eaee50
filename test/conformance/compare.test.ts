/** The comparison itself: a check counts as lost when it is worse, twice there or not there. */
import { expect, it } from "vitest";
import { explainLoss, findLosses, rate } from "./compare.ts";
import { fillPage, readTable } from "./report.ts";
import type { Check } from "./suite.ts";

const check = (id: string, status: Check["status"], errorMessage = "why"): Check => ({ id, status, name: id, errorMessage });
const of = (...checks: readonly Check[]): [{ scenario: string; checks: readonly Check[] }] => [{ scenario: "s", checks }];

it("finds what went well alone and not through", () => {
  const well = of(check("a", "SUCCESS"), check("b", "SUCCESS"));
  expect(findLosses(well, well)).toEqual([]);
  expect(findLosses(well, of(check("a", "SUCCESS"), check("b", "FAILURE")))).toEqual(["s:b"]);
  expect(findLosses(well, of(check("a", "WARNING"), check("b", "SUCCESS")))).toEqual(["s:a"]);
  expect(findLosses(well, of(check("b", "SUCCESS")))).toEqual(["s:a"]);
  expect(findLosses(well, of(check("a", "SUCCESS"), check("b", "SUCCESS"), check("b", "FAILURE")))).toEqual(["s:b"]);
  expect(findLosses(well, [])).toEqual(["s:a", "s:b"]);
  expect(findLosses(of(check("a", "FAILURE"), check("b", "INFO")), [])).toEqual([]);
});

it("says why", () => {
  expect(explainLoss("s:b", of(check("b", "FAILURE", "no answer")))).toBe("s:b: FAILURE: no answer");
  expect(explainLoss("s:b", of(check("timeout", "FAILURE", "too late")))).toBe("s:b: FAILURE: too late");
  expect(explainLoss("s:b", [])).toBe("s:b: was not made");
});

it("calls a scenario good only when something was checked", () => {
  expect(rate({ scenario: "s", checks: [] }).isGood).toBe(false);
  expect(rate({ scenario: "s", checks: [check("a", "SUCCESS"), check("b", "WARNING")] })).toMatchObject({ isGood: true, warned: 1 });
  expect(rate({ scenario: "s", checks: [check("a", "SUCCESS"), check("b", "FAILURE")] }).isGood).toBe(false);
});

it("puts a table where the page keeps it", () => {
  const page = "a\n<!-- figures -->\nold\n<!-- /figures -->\nb";
  expect(readTable(fillPage(page, "new\n"))).toBe("new\n");
  expect(() => fillPage("no place", "")).toThrow("no place");
});
