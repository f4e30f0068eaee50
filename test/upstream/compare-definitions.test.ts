/** What a changed definition means, and which tool a new one was before. */
import { describe, expect, test } from "vitest";
import { toJson } from "../../src/kernel/json.ts";
import { hashDefinition } from "../../src/mcp/lists.ts";
import { compareDefinitions } from "../../src/upstream/compare-definitions.ts";
import { diffTools } from "../../src/upstream/diff-tools.ts";
import type { StoredDefinition, StoredTool, ToolState } from "../../src/upstream/tables.ts";

const base = {
  name: "pay",
  description: "Pays.",
  inputSchema: { type: "object", properties: { amount: { type: "number", maximum: 50 } } },
};
const compare = (after: object, before: object = base) => compareDefinitions(toJson(before), toJson(after));

describe("a changed definition", () => {
  test.each([
    ["its words", { ...base, description: "Pays at once.", title: "Pay" }, "rewords"],
    ["words in its schema", { ...base, inputSchema: { ...base.inputSchema, description: "x" } }, "rewords"],
    [
      "a loosened bound",
      { ...base, inputSchema: { type: "object", properties: { amount: { type: "number", maximum: 5_000 } } } },
      "widens",
    ],
    ["a closed door", { ...base, inputSchema: { ...base.inputSchema, additionalProperties: false } }, "narrows"],
    ["no schema at all any more", { name: "pay", description: "Pays." }, "widens"],
    ["results that say more", { ...base, outputSchema: { type: "object", properties: { id: { type: "string" } } } }, "widens"],
    ["a hint that it does no harm", { ...base, annotations: { readOnlyHint: true } }, "unclear"],
    ["a field that nobody knows", { ...base, "x-anything": 1 }, "unclear"],
    ["where it runs", { ...base, execution: { taskSupport: "required" } }, "unclear"],
  ])("in %s", (_about, after, verdict) => {
    expect(compare(after).verdict).toBe(verdict);
  });

  test.each([
    ["readOnlyHint", true, false],
    ["readOnlyHint", true, undefined],
    ["destructiveHint", false, true],
    ["destructiveHint", false, undefined],
    ["idempotentHint", true, false],
    ["openWorldHint", false, true],
  ])("that takes back %s: %s widens", (hint, was, is) => {
    const annotated = (value: unknown) => ({ ...base, annotations: { title: "Pay", [hint]: value } });
    expect(compare(annotated(is), annotated(was))).toMatchObject({ verdict: "widens", changes: [{ pointer: `/annotations/${hint}` }] });
    expect(compare(annotated(was), annotated(is)).verdict).toBe("unclear");
  });

  test("is judged by its worst change", () => {
    const after = {
      ...base,
      description: "x",
      inputSchema: { type: "object", additionalProperties: false, properties: { amount: { type: "number", maximum: 60 } } },
    };
    const { changes, verdict } = compare(after);
    expect(changes.map(({ pointer, effect }) => [pointer, effect])).toEqual([
      ["/description", "rewords"],
      ["/inputSchema/properties/amount/maximum", "widens"],
      ["/inputSchema/additionalProperties", "narrows"],
    ]);
    expect(verdict).toBe("widens");
  });

  test("is none where only order and spelling differ", () => {
    expect(compare({ inputSchema: base.inputSchema, description: "Pays.", name: "pay" })).toEqual({ changes: [], verdict: undefined });
  });
});

function define(value: object): StoredDefinition {
  return { text: JSON.stringify(value), hash: hashDefinition(toJson(value)) };
}

function stored(name: string, state: ToolState, definition: object): StoredTool {
  const seen = define({ name, ...definition });
  const isAccepted = state === "accepted" || state === "missing";
  return {
    name,
    state,
    reason: "",
    accepted: isAccepted ? seen : undefined,
    pending: isAccepted ? undefined : seen,
    class: undefined,
    risk: undefined,
    classifierVersion: undefined,
    acceptedAtMs: undefined,
    acceptedBy: undefined,
    isKnown: isAccepted,
    findings: [],
  };
}

const mail = {
  description: "Sends one message to a person of the address book.",
  inputSchema: { type: "object", properties: { to: { type: "string" } } },
};
const twinsOf = (tools: StoredTool[], others: Record<string, StoredTool[]> = {}) =>
  Object.fromEntries(diffTools(tools, new Map(Object.entries(others))).map(({ name, twin }) => [name, twin]));

describe("a tool that is gone and one that is new", () => {
  test("are one under another name where schemas and words are the same", () => {
    expect(twinsOf([stored("send_mail", "missing", mail), stored("mail_send", "new", mail)])).toEqual({
      send_mail: { direction: "to", name: "mail_send", server: undefined },
      mail_send: { direction: "from", name: "send_mail", server: undefined },
    });
  });

  test("are one where the words are nearly the same", () => {
    const near = { ...mail, description: "Sends one short message to a person of the address book." };
    expect(twinsOf([stored("a", "missing", mail), stored("b", "new", near)])["b"]).toMatchObject({ name: "a" });
  });

  test.each([
    ["other schemas", { ...mail, inputSchema: { type: "object", properties: { to: { type: "number" } } } }],
    ["other hints", { ...mail, annotations: { destructiveHint: false } }],
    ["other words", { ...mail, description: "Deletes all messages of everybody." }],
  ])("are two with %s", (_about, other) => {
    expect(twinsOf([stored("a", "missing", mail), stored("b", "new", other)])).toEqual({ a: undefined, b: undefined });
  });

  test("are two where nothing is said of either", () => {
    const bare = { inputSchema: { type: "object" } };
    expect(twinsOf([stored("a", "missing", bare), stored("b", "new", bare)])).toEqual({ a: undefined, b: undefined });
  });

  test("are paired once, the nearest first", () => {
    const near = { ...mail, description: "Sends one message to a person of the address book now." };
    const twins = twinsOf([stored("old", "missing", mail), stored("near", "new", near), stored("same", "new", mail)]);
    expect(twins).toEqual({ old: { direction: "to", name: "same" }, same: { direction: "from", name: "old" }, near: undefined });
  });

  test("may be with another server", () => {
    expect(twinsOf([stored("send", "missing", mail)], { post: [stored("send", "accepted", mail)] })).toEqual({
      send: { direction: "to", name: "send", server: "post" },
    });
    expect(twinsOf([stored("send", "new", mail)], { post: [stored("send", "missing", mail), stored("send2", "accepted", mail)] })).toEqual({
      send: { direction: "from", name: "send", server: "post" },
    });
  });
});
