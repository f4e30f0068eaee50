import { describe, expect, test } from "vitest";
import { explainCall } from "../../src/policy/explain.ts";
import { CONTEXT, call, compile } from "./support.ts";

const policy = compile({
  hide: ["secret*"],
  all_tools: { limits: [{ window: "day", max: 30 }] },
  tools: {
    "ref*": {
      require: [{ name: "currency", conditions: [{ path: "args.currency", op: "eq", value: "EUR" }] }],
      deny_if: [
        {
          conditions: [
            { path: "args.amount", op: "gt", value: 100 },
            { path: "args.vip", op: "eq", value: true },
          ],
        },
      ],
      approve_if: [{ conditions: [{ path: "args.amount", op: "gt", value: 50 }] }],
      limits: [{ window: "hour", max: 250, add: "args.amount", per: "args.order", align: "calendar" }],
      validate: { required_args: ["amount"] },
    },
  },
});

function explain(name: string, args: unknown = {}) {
  const { steps, decision } = explainCall(policy, call(name, args), CONTEXT);
  return {
    steps: steps.map(({ step, rule, answer, conditions }) =>
      [step, rule ?? "", answer, ...(conditions ? [conditions.join(" ")] : [])].join(" | "),
    ),
    decision,
  };
}

describe("an explanation", () => {
  test("goes as far as the decision went", () => {
    expect(explain("secret_x").steps).toEqual(["4 |  | hidden by secret*"]);
    expect(explain("other").steps).toEqual(["4 |  | not hidden", "5 |  | default deny"]);
    expect(explain("refund", {}).steps.at(-1)).toContain("Required and missing");
  });

  test("names every rule that was asked, with what its conditions came to", () => {
    expect(explain("refund", { amount: 60, currency: "EUR", order: "o_1" }).steps).toEqual([
      "4 |  | not hidden",
      "5 | /tools/ref* | selected by ref*",
      "6 |  | not asked",
      "7 | /tools/ref*/action | allow",
      "8 | (input schema) | not asked",
      "8 | /tools/ref*/validate | the arguments fit",
      "9 | /tools/ref*/require/0 | yes: true (currency) | true",
      "9 | /tools/ref*/deny_if/0 | no: false | false missing",
      "10 | /tools/ref*/limits/0 | charges 60 of 250 for each grant and calendar hour, split by text:o_1",
      "10 | /all_tools/limits/0 | charges 1 of 30 for each grant and day",
      "11 | /tools/ref*/approve_if/0 | yes: true | true",
      "11 | /tools/ref*/approve_if/0 | 1 of role:admin",
    ]);
  });

  test("decides as the policy does", () => {
    for (const args of [
      {},
      { amount: 1 },
      { amount: 60, currency: "EUR" },
      { amount: "x", currency: "EUR" },
      { amount: 500, currency: "EUR", vip: true },
    ]) {
      expect(explain("refund", args).decision).toEqual(policy.decideCall(call("refund", args), CONTEXT));
    }
  });
});
