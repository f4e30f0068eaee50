import { beforeAll, expect, test } from "vitest";
import { loadOperators } from "../../src/policy/operators/registry.ts";
import { faultsOf, judge, judgeBoth } from "./support.ts";

beforeAll(loadOperators);

const HOLDS = { met: true, matched: true };
const FAILS = { met: false, matched: false };
const WRONG = { met: false, matched: true };
/** Some parts hold and some do not: `require` wants every, `deny_if` any. */
const MIXED = { met: false, matched: true };

test.each<[string, unknown, unknown, typeof HOLDS]>([
  ["sql_verbs_in", ["select"], "select 1; select 2", HOLDS],
  ["sql_verbs_in", ["select"], "select 1; drop table x", MIXED],
  ["sql_verbs_in", ["select"], "drop table x", FAILS],
  ["sql_verbs_in", ["select"], "not sql", WRONG],
  ["sql_verbs_in", ["select"], 5, WRONG],
  ["sql_verbs_in", ["select"], null, WRONG],
  ["sql_verbs_in", ["select"], undefined, FAILS],
  ["shell_commands_in", ["ls"], "ls && ls -l", HOLDS],
  ["shell_commands_in", ["ls"], "ls && rm x", MIXED],
  ["shell_commands_in", ["ls"], "ls > x", WRONG],
  ["email_domain_in", ["example.com"], "a@example.com, b@example.com", HOLDS],
  ["email_domain_in", ["example.com"], "a@example.com, b@example.net", MIXED],
  ["host_in", ["*.example.com"], "https://a.example.com/", HOLDS],
  ["host_in", ["*.example.com"], "https://example.com/", FAILS],
  ["path_under", ["/srv"], "/srv/a", HOLDS],
  ["path_under", ["/srv"], "../srv", WRONG],
  ["ip_in", ["192.0.2.0/24"], "192.0.2.9", HOLDS],
  ["ip_in", ["192.0.2.0/24"], ["192.0.2.9"], WRONG],
])("%s %j on %j", (op, value, found, expected) => {
  expect(judgeBoth({ path: "args.a", op, value }, found === undefined ? {} : { a: found })).toEqual(expected);
});

test("not turns the parts from every to any and back", () => {
  const drop = { path: "args.a", op: "sql_verbs_in", value: ["drop"] };
  const mixed = { a: "select 1; drop table x" };
  expect(judgeBoth({ not: drop }, mixed)).toEqual({ met: false, matched: true });
  expect(judgeBoth({ not: drop }, { a: "select 1" })).toEqual(HOLDS);
  expect(judgeBoth({ not: drop }, { a: "drop table x" })).toEqual(FAILS);
  expect(judge("require", [{ not: drop }], { a: "no sql" })).not.toBe("allow");
});

test("parts of a text and elements of a list count together", () => {
  const inside = { path: "args.a[*]", op: "email_domain_in", value: ["example.com"] };
  expect(judgeBoth(inside, { a: ["a@example.com", "b@example.com, c@example.com"] })).toEqual(HOLDS);
  expect(judgeBoth(inside, { a: ["a@example.com", "b@example.com, c@example.net"] })).toEqual(MIXED);
  expect(judgeBoth(inside, { a: ["x@example.net"] })).toEqual(FAILS);
});

test("faults stand at the entry that is wrong", () => {
  const at = "/tools/x/require/0/conditions/0";
  const faults = (condition: unknown) => faultsOf({ tools: { x: { require: [{ conditions: [condition] }] } } });
  expect(faults({ path: "args.a", op: "path_under", value: ["/srv", "docs"] })).toEqual([`${at}/value/1`]);
  expect(faults({ path: "args.a", op: "host_in", value: "a.example" })).toEqual([`${at}/value`]);
  expect(faults({ path: "args.a", op: "ip_in", value: ["300.1.1.1", 5] })).toContain(`${at}/value/1`);
  expect(faults({ path: "args.a", op: "shell_commands_in", value: ["ls"], allow: ["substitution", "pipes"] })).toEqual([`${at}/allow/1`]);
  expect(faults({ path: "args.a", op: "shell_commands_in", value: ["ls"], allow: ["redirection"] })).toEqual([]);
  expect(faults({ path: "args.a", op: "host_in", value: ["a.example"], allow: [] })).toEqual([`${at}/allow`]);
});

test("allow opens what a command line may hold", () => {
  const condition = { path: "args.a", op: "shell_commands_in", value: ["ls", "date"], allow: ["substitution"] };
  expect(judgeBoth(condition, { a: "ls $(date)" })).toEqual(HOLDS);
  expect(judgeBoth(condition, { a: "ls $(rm x)" })).toEqual(MIXED);
  expect(judgeBoth(condition, { a: "ls > x" })).toEqual(WRONG);
});
