import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readLine, sealLine } from "../../src/audit/chain.ts";
import { describeArguments, digestArguments, MAX_ARGUMENT_KEY_BYTES } from "../../src/audit/describe-arguments.ts";
import { type AuditEntry, MAX_LINE_CHARACTERS, MAX_VALUES_CHARACTERS, printEntry } from "../../src/audit/entry.ts";
import { JsonNumber, toJson } from "../../src/kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../src/kernel/strict-json.ts";
import { createIntent, START_MS } from "./fixture.ts";

const PLACE = { seq: 12, id: "01k9zj6m3qk6y8w1s9d2f3g4h5", timeMs: START_MS, prev: "a".repeat(64) };
const ALWAYS = "id time kind server grant identity method tool decision code rule policyRevision requestId outcome".split(" ");

function print(entry: AuditEntry): Record<string, unknown> {
  const { line } = sealLine(printEntry(entry, PLACE));
  const parsed = parseStrictJson(line);
  expect(isJsonFault(parsed)).toBe(false);
  expect(line).not.toContain("\n");
  expect(readLine(line)).toMatchObject({ seq: PLACE.seq, id: PLACE.id, prev: PLACE.prev, whole: true });
  return JSON.parse(line) as Record<string, unknown>;
}

/** Texts of the letters that printing and cutting could get wrong. */
const ODD_LETTERS = [
  "a",
  "Z",
  " ",
  '"',
  "\\",
  "/",
  "\n",
  "\u0000",
  "\u001f",
  "\u007f",
  "\u0085",
  "é",
  "ß",
  "\u2028",
  "\ufeff",
  "\ufffd",
  "\uffff",
  "😀",
];
const ODD_TEXT = fc.string({ unit: fc.constantFrom(...ODD_LETTERS), maxLength: 200 });

describe("an entry's line", () => {
  it("has the promised members, absent ones as null", () => {
    const line = print({ kind: "start" });
    for (const member of ALWAYS) expect(line).toHaveProperty(member);
    expect(line).toMatchObject({ kind: "start", time: "2026-01-05T09:00:00.000Z", server: null, decision: null, outcome: null });
  });

  it("says all that it was told", () => {
    const entry: AuditEntry = {
      ...createIntent(3),
      code: "limit_exceeded",
      rule: "/tools/create_refund/limits/0",
      message: 'No "more".\nToday',
      cause: "missing",
      policy: "standard",
      grantId: "g1",
      session: "s1",
      client: { name: "claude", version: "1.0" },
      toolHash: "ab",
      toolClass: "write",
      toolRisk: "high",
      classifier: "2",
      argumentKeys: ["a", "b"],
      argumentCount: 70,
      argumentDigest: "cd",
      argumentValues: '{"a":1.50,"b":"x"}',
      approval: "p1",
      upstreamStatus: 200,
      outcome: "ok",
      latency: { totalMs: 12.34567, heldMs: 1, upstreamMs: 10.0004 },
      charges: [{ rule: "/limits/0", amount: "1.5", perDigest: "ef" }],
      source: "10.0.0.1",
      count: 2,
      actor: "bob",
      action: "grant.revoke",
      object: "alice-laptop",
      detail: { reason: "lost" },
    };
    const { argumentValues, kind, ...rest } = entry;
    expect(print(entry)).toMatchObject({
      ...rest,
      kind,
      arguments: { a: 1.5, b: "x" },
      latency: { totalMs: 12.346, heldMs: 1, upstreamMs: 10 },
    });
    expect(printEntry(entry, PLACE)).toContain(`"arguments":${argumentValues}`);
  });

  it("keeps the spelling of a request's id", () => {
    expect(printEntry(createIntent(1, { requestId: new JsonNumber("1.0") }), PLACE)).toContain('"requestId":1.0,');
    expect(printEntry(createIntent(1, { requestId: "7" }), PLACE)).toContain('"requestId":"7",');
    expect(print(createIntent(1, { requestId: null })).requestId).toBeNull();
  });

  it("is strict JSON whatever the texts hold", () => {
    fc.assert(
      fc.property(ODD_TEXT, ODD_TEXT, (tool, message) => {
        expect(print(createIntent(1, { tool, message }))).toMatchObject({ tool, message });
      }),
      { numRuns: 200 },
    );
  });

  it("is cut in its free texts, and bounded, where it would be too long", () => {
    for (const unit of ["x", "\u0001", '"', "é", "😀", "\u2028"]) {
      const long = unit.repeat(40_000);
      const everything: AuditEntry = {
        ...createIntent(1, { tool: long, message: long, rule: long, code: long, requestId: long, session: long, identity: long }),
        method: long,
        server: long,
        grant: long,
        exchange: long,
        policyRevision: long,
        outcome: long,
        source: long,
        actor: long,
        action: long,
        object: long,
        approval: long,
        toolHash: long,
        cause: long,
        policy: long,
        grantId: long,
        client: { name: long, version: long },
        argumentKeys: Array.from({ length: 64 }, () => unit.repeat(10)),
        charges: Array.from({ length: 40 }, () => ({ rule: long, amount: "1", perDigest: "ab" })),
        detail: { note: long },
      };
      const line = print(everything);
      expect(JSON.stringify(line).length).toBeLessThanOrEqual(MAX_LINE_CHARACTERS + 200);
      expect(line).toMatchObject({ kind: "intent", decision: "allow", cut: true, chargeCount: 40 });
      expect(String(line.tool).length).toBeLessThanOrEqual(258);
    }
  });

  it("leaves argument values out where they are too long, and tells their length", () => {
    const argumentValues = `{"a":"${"x".repeat(MAX_VALUES_CHARACTERS)}"}`;
    const line = print(createIntent(1, { argumentValues }));
    expect(line.arguments).toBeUndefined();
    expect(line).toMatchObject({ argumentsLeftOut: argumentValues.length, tool: "create_refund" });
    expect(line.cut).toBeUndefined();
  });
});

describe("what is told of arguments", () => {
  it("is their keys, sorted by code points", () => {
    expect(describeArguments(toJson({ b: 1, a: 2, "😀": 3, "\uffff": 4 }))).toEqual({ argumentKeys: ["a", "b", "\uffff", "😀"] });
    expect(describeArguments(undefined)).toEqual({ argumentKeys: [] });
    expect(describeArguments(["x"])).toEqual({ argumentKeys: [] });
  });

  it("is at most 64 keys of 64 bytes, then a count", () => {
    const many = toJson(Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${String(index).padStart(3, "0")}`, 1])));
    const told = describeArguments(many);
    expect(told.argumentKeys).toHaveLength(64);
    expect(told.argumentKeys[0]).toBe("k000");
    expect(told.argumentCount).toBe(65);
    fc.assert(
      fc.property(ODD_TEXT, (key) => {
        const [cut] = describeArguments(toJson({ [key]: 1 })).argumentKeys as [string];
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(MAX_ARGUMENT_KEY_BYTES);
        expect(key.startsWith(cut)).toBe(true);
        expect(cut.isWellFormed()).toBe(true);
        expect(cut === key).toBe(Buffer.byteLength(key) <= MAX_ARGUMENT_KEY_BYTES);
      }),
    );
  });

  it("digests under a key", () => {
    const text = '{"amount":50}';
    expect(digestArguments(Buffer.alloc(32, 1), text)).toMatch(/^[0-9a-f]{64}$/);
    expect(digestArguments(Buffer.alloc(32, 1), text)).toBe(digestArguments(Buffer.alloc(32, 1), text));
    expect(digestArguments(Buffer.alloc(32, 1), text)).not.toBe(digestArguments(Buffer.alloc(32, 2), text));
    // RFC 4231, test case 2.
    expect(digestArguments(Buffer.from("Jefe"), "what do ya want for nothing?")).toBe(
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
  });
});
