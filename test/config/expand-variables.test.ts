/** References to the environment: what they become, and what is refused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expandVariables } from "../../src/config/expand-variables.ts";
import type { Json } from "../../src/kernel/json.ts";

const env = { SET: "value", EMPTY: "", NESTED: "${SET}", _under_1: "u" };
const expand = (text: string): { value: Json; faults: number } => {
  const { value, faults } = expandVariables(text, env);
  return { value, faults: faults.length };
};

describe("variables in texts", () => {
  it.each<[string, Json]>([
    ["${SET}", "value"],
    ["a${SET}b${SET}c", "avaluebvaluec"],
    ["${SET:-other}", "value"],
    ["${UNSET:-other}", "other"],
    ["${UNSET:-}", ""],
    ["${UNSET:-a:-b $c 1}", "a:-b $c 1"],
    ["${EMPTY}", ""],
    ["${EMPTY:-other}", "other"],
    ["${NESTED}", "${SET}"],
    ["${_under_1}", "u"],
    ["$SET", "$SET"],
    ["$$", "$$"],
    ["a } b", "a } b"],
    ["$${SET}", "${SET}"],
    ["$$${SET}", "$${SET}"],
    ["^[a-z]{2}$", "^[a-z]{2}$"],
  ])("%s becomes %s", (text, value) => {
    expect(expand(text)).toEqual({ value, faults: 0 });
  });

  it.each(["${UNSET}", "${}", "${1A}", "${A B}", "${SET", "${SET:default}", "${SET:-${UNSET}}", "${a-b}", "${toString}"])(
    "%s is refused",
    (text) => {
      expect(expand(text).faults).toBeGreaterThan(0);
    },
  );

  it("says which variable is missing, at which pointer, and never what another held", () => {
    const { faults } = expandVariables({ a: ["${UNSET} ${SET}"], "b/c": "${" }, env);
    expect(faults).toMatchObject([{ pointer: "/a/0", variable: "UNSET" }, { pointer: "/b~1c" }]);
    expect(JSON.stringify(faults)).not.toContain("value");
  });

  it("are read in texts alone, at any depth, and never in keys", () => {
    const { value, replaced } = expandVariables({ "${SET}": [1, true, null, { x: "${SET}" }] }, env);
    expect(JSON.parse(JSON.stringify(value))).toEqual({ "${SET}": [1, true, null, { x: "value" }] });
    expect([...replaced]).toEqual([["/${SET}/3/x", ["value"]]]);
  });

  it("leave every text without a reference as it is, and give a variable's text whole", () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), (plain, held) => {
        fc.pre(!plain.includes("${") && !plain.endsWith("$"));
        expect(expandVariables(plain, {}).value).toBe(plain);
        expect(expandVariables(`${plain}\${V}${plain}`, { V: held }).value).toBe(plain + held + plain);
      }),
    );
  });
});
