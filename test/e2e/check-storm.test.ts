/** The checker of storms finds each thing that must never be. */
import { expect, test } from "vitest";
import { checkStorm, type LogLine, type Storm } from "../support/storm/check-storm.ts";

const AT = Date.UTC(2026, 0, 5);
const line = (kind: string, number: number, more: Partial<LogLine> = {}): LogLine => {
  const names = { tool: "echo", grant: "g", requestId: number, exchange: `e${number}`, policyRevision: "r" };
  return { kind, time: new Date(AT).toISOString(), decision: "allow", outcome: null, ...names, ...more };
};
const asked = (number: number) => ({ number, tool: "echo", grant: "g", gateway: 1, startedMs: AT + number, told: "passed" });
const reached = (number: number) => ({ number, tool: "echo", atMs: AT + number + 10, failed: false });
const NUMBERS = [1, 2, 3];
const GOOD: Storm = {
  asked: NUMBERS.map(asked),
  reached: NUMBERS.map(reached),
  entries: NUMBERS.flatMap((number) => [line("intent", number), line("outcome", number)]),
  bounds: [{ tool: "echo", max: 3 }],
  killed: new Set(),
  revoked: new Map(),
  switched: "switched",
};

test.each<[string, Partial<Storm>, RegExp | undefined]>([
  ["nothing where all is well", {}, undefined],
  ["a call that is not on record", { entries: GOOD.entries.slice(2) }, /call 1 .*not on record/],
  ["a call that arrived twice", { reached: [...GOOD.reached, reached(1)] }, /twice/],
  ["a limit that was exceeded", { bounds: [{ tool: "echo", max: 2 }] }, /of 2/],
  ["a window that was exceeded", { bounds: [{ tool: "echo", max: 2, windowMs: 1_000 }] }, /one window/],
  ["an intent without an outcome", { entries: GOOD.entries.slice(0, -1) }, /call 3.*lived.*0 outcomes/],
  ["none of those of a gateway that was killed", { entries: GOOD.entries.slice(0, -1), killed: new Set([1]) }, undefined],
  ["two outcomes", { entries: [...GOOD.entries, line("outcome", 1)] }, /2 outcomes/],
  ["a call after its grant was revoked", { revoked: new Map([["g", AT + 2]]) }, /call 3 began 1 ms after/],
  ["a call that was told passed and reached nobody", { reached: GOOD.reached.slice(1) }, /call 1 was told passed/],
  [
    "a call on record too late",
    { entries: [line("intent", 1, { time: new Date(AT + 9_000).toISOString() }), ...GOOD.entries.slice(1)] },
    /after it/,
  ],
])("finds %s", (_what, change, found) => {
  const findings = checkStorm({ ...GOOD, ...change });
  if (found === undefined) expect(findings).toEqual([]);
  else expect(findings.join("\n")).toMatch(found);
});
