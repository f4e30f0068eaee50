/** The registry: which operators there are, and where it says that a condition is wrong. */

import * as fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { toJson } from "../../../src/kernel/json.ts";
import { compileTextOperator, loadOperators, TEXT_OPERATORS, takesAllow } from "../../../src/policy/operators/registry.ts";
import { compileOperator, judge, listFaults } from "./judge.ts";

beforeAll(loadOperators);

const VALUES: Readonly<Record<string, readonly string[]>> = {
  host_in: ["example.com"],
  path_under: ["/srv"],
  email_domain_in: ["example.com"],
  ip_in: ["192.0.2.0/24"],
  sql_verbs_in: ["select"],
  shell_commands_in: ["ls"],
};

test("the operators are the language's six", () => {
  expect([...TEXT_OPERATORS].sort()).toEqual(Object.keys(VALUES).sort());
});

test("loading again is nothing", async () => {
  await expect(Promise.all([loadOperators(), loadOperators()])).resolves.toEqual([undefined, undefined]);
});

test.each(Object.keys(VALUES))("%s takes a list of texts alone", (op) => {
  const value = VALUES[op] as readonly string[];
  for (const wrong of [null, true, 1, value[0] as string, toJson({ a: value })]) expect(listFaults(op, wrong)).toEqual(["/value"]);
  expect(listFaults(op, [value[0] as string, 1, null])).toEqual(["/value/1", "/value/2"]);
  expect(listFaults(op, [[value[0] as string]])).toEqual(["/value/0"]);
  expect(listFaults(op, [...value, "\u0000", ""])).toEqual(["/value/1", "/value/2"]);
  expect(listFaults(op, [1, ...value, "\u0000"]).toSorted()).toEqual(["/value/0", "/value/2"]);
  expect(listFaults(op, [...value, ...value])).toEqual([]);
});

test.each(Object.keys(VALUES))("%s of an empty list is a list that holds nothing", (op) => {
  const good: Readonly<Record<string, string>> = {
    host_in: "http://a.example",
    path_under: "/a",
    email_domain_in: "a@b.example",
    ip_in: "192.0.2.1",
    sql_verbs_in: "select 1",
    shell_commands_in: "ls",
  };
  expect(judge(op, [], good[op] as string)).toBe("n");
  expect(judge(op, [], "")).toBe("?");
});

test("only shell_commands_in takes allow", () => {
  expect([...TEXT_OPERATORS].filter(takesAllow)).toEqual(["shell_commands_in"]);
  expect(listFaults("host_in", ["example.com"], [])).toEqual(["/allow"]);
  expect(listFaults("shell_commands_in", ["ls"], ["substitution", "redirection", "assignment"])).toEqual([]);
  expect(listFaults("shell_commands_in", ["ls"], "substitution")).toEqual(["/allow"]);
  expect(listFaults("shell_commands_in", ["ls"], null)).toEqual(["/allow"]);
  expect(listFaults("shell_commands_in", ["ls"], ["substitution", "Redirection", 1])).toEqual(["/allow/2", "/allow/1"]);
  expect(listFaults("shell_commands_in", ["ls"], ["substitution", "Redirection", "globs"])).toEqual(["/allow/1", "/allow/2"]);
  expect(listFaults("shell_commands_in", ["ls", "a;b"], ["globs"])).toEqual(["/allow/0", "/value/1"]);
});

test("an operator of another kind is a fault of the name", () => {
  expect(compileTextOperator("regex", "a", undefined)).toEqual({
    faults: [{ pointer: "/op", message: expect.stringContaining("`regex`") }],
  });
});

test.each([
  ["192.0.2.0", "y"],
  ["192.0.2.255", "y"],
  ["::ffff:192.0.2.7", "y"],
  ["::FFFF:C000:0207", "y"],
  ["192.0.3.0", "n"],
  ["2001:db8::1", "y"],
  ["2001:DB8:0:0::1", "y"],
  ["2001:db9::1", "n"],
  ["10.0.0.1", "y"],
  ["10.0.0.2", "n"],
  ["::ffff:10.0.0.1", "y"],
  ["127.0.0.1", "n"],
  ["::1", "n"],
  ["172.16.5.5", "y"],
  ["", "?"],
  [" 10.0.0.1", "?"],
  ["10.0.0.1 ", "?"],
  ["10.0.0.01", "?"],
  ["010.0.0.1", "?"],
  ["10.0.0.1/32", "?"],
  ["10.0.1", "?"],
  ["167772161", "?"],
  ["0x0a000001", "?"],
  ["10.0.0.256", "?"],
  ["10.0.0.1\n", "?"],
  ["10.0.0.1\u0000", "?"],
  ["localhost", "?"],
  ["[::1]", "?"],
  ["fe80::1%eth0", "?"],
  ["::1%1", "?"],
  ["10.0.0.1:80", "?"],
  ["http://10.0.0.1", "?"],
  ["１0.0.0.1", "?"],
  ["::ffff:10.0.0.01", "?"],
  ["10.0.0.1,10.0.0.2", "?"],
  ["*", "?"],
])("ip_in, %j: %s", (text, expected) => {
  expect(judge("ip_in", ["192.0.2.0/24", "2001:db8::/32", "10.0.0.1", "::ffff:172.16.0.0/108"], text)).toBe(expected);
});

test.each([
  "",
  "*",
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0/8",
  "010.0.0.0/8",
  "::/129",
  "fe80::%eth0/64",
  "example.com",
  "10.0.0.0-10.0.0.9",
  " 10.0.0.1",
  "10.0.0.0/08",
  "[::1]",
])("ip_in, %j is no entry", (entry) => {
  expect(listFaults("ip_in", ["10.0.0.0/8", entry])).toEqual(["/value/1"]);
});

test.each(Object.keys(VALUES))("%s never throws, and has an answer for each part or none at all", (op) => {
  const operator = compileOperator(op, [...(VALUES[op] as readonly string[])]);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.string({ unit: "grapheme-ascii", maxLength: 40 })), (text) => {
      const parts = operator.judge(text);
      expect(parts === undefined || parts.length > 0).toBe(true);
      expect(operator.judge(text)).toEqual(parts);
    }),
    { numRuns: 500 },
  );
});
