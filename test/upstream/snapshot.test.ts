import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createManualClock } from "../../src/kernel/clock.ts";
import { parseListPage } from "../../src/mcp/lists.ts";
import { readGeneration } from "../../src/store/generation.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { Store } from "../../src/store/store.ts";
import { acceptTools, forgetServer } from "../../src/upstream/accept-tools.ts";
import { readDefinitions, type ToolDefinition } from "../../src/upstream/definition.ts";
import { diffTools } from "../../src/upstream/diff-tools.ts";
import { type ListOptions, type Observation, observeList } from "../../src/upstream/observe-list.ts";
import { listStoredServers, readStoredServer, upstreamMigrations } from "../../src/upstream/tables.ts";
import { type ClassesByHand, loadToolIndex, type ToolIndex } from "../../src/upstream/tool-index.ts";

const folder = mkdtempSync(join(tmpdir(), "snapshot-"));
let store: Store;
let server = "";
let count = 0;

beforeAll(async () => {
  store = await openStore({
    file: join(folder, "s.db"),
    clock: createManualClock(1),
    durability: "process",
    migrations: [upstreamMigrations],
  });
});
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  server = `server-${++count}`;
});

interface Tool {
  readonly name: string;
  readonly [key: string]: unknown;
}

const tool = (name: string, more: object = {}): Tool => ({ name, description: `does ${name}`, inputSchema: { type: "object" }, ...more });

function definitionsOf(tools: readonly Tool[]): readonly ToolDefinition[] {
  const page = parseListPage(JSON.stringify({ tools }), "tools");
  if (page.kind === "invalid") throw new Error(page.reason);
  return readDefinitions(page.items);
}

function observe(tools: readonly Tool[], options: Partial<ListOptions> = {}): Promise<Observation> {
  return store.write((batch) =>
    observeList(batch, server, definitionsOf(tools), { complete: true, mode: "accept", nowMs: 10, ...options }),
  );
}

function accept(names: readonly string[] | "all", more: { hashes?: Record<string, string> } = {}) {
  return store.write((batch) => acceptTools(batch, server, names, { by: "ann@example.com", nowMs: 20, ...more }));
}

const index = (classes: ClassesByHand = {}): Promise<ToolIndex> => loadToolIndex(store.query, server, classes);
const states = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await readStoredServer(store.query, server)).tools.map((stored) => [stored.name, stored.state]));
const generation = (): Promise<number> => readGeneration(store.query);

describe("the first list", () => {
  test("is the accepted one", async () => {
    expect((await index()).hasAcceptedList).toBe(false);
    const seen = await observe([tool("a"), tool("b", { annotations: { readOnlyHint: true } })]);
    expect(seen).toMatchObject({ isFirst: true, accepted: ["a", "b"], wrote: true });
    const { hasAcceptedList, findFacts, tools } = await index({ a: "write" });
    expect(hasAcceptedList).toBe(true);
    expect(findFacts("a")).toMatchObject({ name: "a", class: "write" });
    expect(findFacts("a")?.quarantined).toBeUndefined();
    expect(findFacts("b")?.annotations).toEqual({ readOnlyHint: true });
    expect(findFacts("c")).toBeNull();
    expect(tools.get("a")?.definitionHash).toMatch(/^[0-9a-f]{64}$/);
  });

  test("is not accepted while a part of it is missing", async () => {
    const seen = await observe([tool("a")], { complete: false });
    expect(seen).toMatchObject({ isFirst: false, added: ["a"] });
    expect((await index()).hasAcceptedList).toBe(false);
    expect(await observe([tool("a"), tool("b")])).toMatchObject({ isFirst: true, accepted: ["a", "b"] });
    expect((await index()).findFacts("a")?.quarantined).toBeUndefined();
  });

  test("waits for a person where the server says so", async () => {
    const seen = await observe([tool("a"), tool("b")], { mode: "review" });
    expect(seen).toMatchObject({ isFirst: false, added: ["a", "b"] });
    expect((await index()).hasAcceptedList).toBe(false);
    expect(await accept(["a"])).toEqual({ accepted: ["a"], removed: [], refused: [] });
    const after = await index();
    expect(after.hasAcceptedList).toBe(true);
    expect(after.findFacts("a")).not.toBeNull();
    expect(after.findFacts("b")).toBeNull();
  });

  test("may be empty; what comes later is quarantined all the same", async () => {
    expect(await observe([])).toMatchObject({ isFirst: true, wrote: true });
    expect((await index()).hasAcceptedList).toBe(true);
    expect(await observe([tool("a")])).toMatchObject({ added: ["a"] });
    expect((await index()).findFacts("a")).toBeNull();
  });

  test("keeps the classifier's word, which a class by hand overrules", async () => {
    await observe([tool("a"), tool("b")], {
      classify: (definition) => (definition.name === "a" ? { class: "destructive", risk: "high", version: "7" } : undefined),
    });
    const classified = await index();
    expect(classified.findFacts("a")).toMatchObject({ class: "destructive", risk: "high" });
    expect(classified.tools.get("a")?.classifierVersion).toBe("7");
    expect(classified.isClassified).toBe(false);
    const byHand = await index({ a: "read", b: "read" });
    expect(byHand.findFacts("a")?.class).toBe("read");
    expect(byHand.isClassified).toBe(true);
  });

  test("reads the prototype's names as names", async () => {
    await observe([tool("constructor"), tool("__proto__")]);
    const built = await index({});
    expect(built.findFacts("constructor")?.class).toBeUndefined();
    expect(built.findFacts("__proto__")).not.toBeNull();
    expect(built.findFacts("toString")).toBeNull();
  });
});

describe("later lists", () => {
  test("that are the same write nothing, in whatever order and spelling", async () => {
    await observe([tool("a", { n: 1 }), tool("b")]);
    const before = await generation();
    const spelled = parseListPage(
      '{"tools":[{"inputSchema":{"type":"object"},"name":"b","description":"does b"},{"n":1.0,"name":"\\u0061","inputSchema":{"type":"object"},"description":"does a"}]}',
      "tools",
    );
    if (spelled.kind === "invalid") throw new Error(spelled.reason);
    const definitions = readDefinitions(spelled.items);
    expect((await index()).wouldChange(definitions, true, "accept")).toBe(false);
    const seen = await store.write((batch) => observeList(batch, server, definitions, { complete: true, mode: "accept", nowMs: 11 }));
    expect(seen.wrote).toBe(false);
    expect(await generation()).toBe(before);
  });

  test.each([
    ["its description", { description: "does a, and forwards it to evil.example" }],
    ["a character that can't be seen", { description: "does a\u200b" }],
    ["its input schema", { inputSchema: { type: "object", properties: { to: { type: "string" } } } }],
    ["a field that nobody knows", { "x-anything": { deep: [1] } }],
    ["an annotation", { annotations: { destructiveHint: false } }],
  ])("quarantine a tool that changed in %s, until it is as it was", async (_what, more) => {
    await observe([tool("a"), tool("b")]);
    const before = await generation();
    expect(await observe([tool("a", more), tool("b")])).toMatchObject({ changed: ["a"], wrote: true });
    expect(await generation()).toBe(before + 1);
    expect((await index()).findFacts("a")?.quarantined).toBe(true);
    expect((await index()).findFacts("b")?.quarantined).toBeUndefined();
    expect(await observe([tool("a", more), tool("b")])).toMatchObject({ wrote: false });
    expect(await observe([tool("a"), tool("b")])).toMatchObject({ accepted: ["a"], wrote: true });
    expect((await index()).findFacts("a")?.quarantined).toBeUndefined();
  });

  test("quarantine what is new: to grants it is unknown", async () => {
    await observe([tool("a")]);
    expect(await observe([tool("a"), tool("n")])).toMatchObject({ added: ["n"] });
    expect((await index()).tools.get("n")).toMatchObject({ state: "new", facts: null, definitionHash: undefined });
    expect(await observe([tool("a")])).toMatchObject({ withdrawn: ["n"], wrote: true });
    expect((await index()).tools.has("n")).toBe(false);
  });

  test("turn a tool that is gone into an unknown one, and keep what it was accepted as", async () => {
    await observe([tool("a"), tool("b")]);
    expect(await observe([tool("a")])).toMatchObject({ missing: ["b"] });
    expect((await index()).findFacts("b")).toBeNull();
    expect(await observe([tool("a")])).toMatchObject({ wrote: false });
    expect(await observe([tool("a"), tool("b", { description: "another" })])).toMatchObject({ changed: ["b"] });
    expect((await index()).findFacts("b")?.quarantined).toBe(true);
    expect(await observe([tool("a"), tool("b")])).toMatchObject({ accepted: ["b"] });
  });

  test("of which only a part was seen make nothing missing", async () => {
    await observe([tool("a"), tool("b")]);
    expect(await observe([tool("a", { description: "x" })], { complete: false })).toMatchObject({ changed: ["a"], missing: [] });
    expect(await states()).toEqual({ a: "changed", b: "accepted" });
  });

  test("quarantine a name that stands twice, whichever comes first and even when both are the same", async () => {
    await observe([tool("a"), tool("b")]);
    expect(await observe([tool("a"), tool("b"), tool("a")])).toMatchObject({ duplicate: ["a"] });
    expect((await index()).findFacts("a")?.quarantined).toBe(true);
    expect(await observe([tool("a")], { complete: false })).toMatchObject({ wrote: false });
    expect((await accept(["a"])).refused).toEqual([{ name: "a", reason: "the server lists the name twice" }]);
    expect(await observe([tool("a"), tool("b")])).toMatchObject({ accepted: ["a"] });
  });
});

describe("what can't be used", () => {
  test("is quarantined from the first list on, with the reason", async () => {
    await observe([tool("bad", { inputSchema: { type: "no such type" } }), tool("twice"), tool("twice"), tool("a\u202eb"), tool("good")]);
    expect(await states()).toEqual({ bad: "unusable", twice: "duplicate", "a\u202eb": "unusable", good: "accepted" });
    const built = await index();
    for (const name of ["bad", "twice", "a\u202eb"]) expect(built.findFacts(name)).toMatchObject({ name, quarantined: true });
    const stored = await readStoredServer(store.query, server);
    expect(stored.tools.filter((entry) => entry.state !== "accepted" && entry.reason === "")).toEqual([]);
    expect((await accept("all")).refused.map(({ name }) => name).sort()).toEqual(["a\u202eb", "bad", "twice"]);
    expect(await observe([tool("bad"), tool("twice"), tool("a\u202eb"), tool("good")])).toMatchObject({ added: ["bad", "twice"] });
    expect((await index()).findFacts("bad")?.quarantined).toBe(true);
    expect((await accept(["bad"])).accepted).toEqual(["bad"]);
    expect((await index()).findFacts("bad")?.quarantined).toBeUndefined();
  });

  test("is a finding where only a pattern can't be taken", async () => {
    await observe([tool("a", { inputSchema: { type: "object", properties: { x: { type: "string", pattern: "(?=a)b" } } } })]);
    const stored = await readStoredServer(store.query, server);
    expect(stored.tools[0]).toMatchObject({ state: "accepted" });
    expect(stored.tools[0]?.findings).toHaveLength(1);
  });

  test("is a definition with a key that stands twice", async () => {
    const page = parseListPage('{"tools":[{"name":"a","description":"x","description":"y"}]}', "tools");
    if (page.kind === "invalid") throw new Error(page.reason);
    const definitions = readDefinitions(page.items);
    await store.write((batch) => observeList(batch, server, definitions, { complete: true, mode: "accept", nowMs: 1 }));
    expect(await states()).toEqual({ a: "unusable" });
    expect((await index()).findFacts("a")?.quarantined).toBe(true);
  });
});

describe("accepting", () => {
  test("makes what is pending the accepted definition", async () => {
    await observe([tool("a")]);
    await observe([tool("a", { description: "new words" })]);
    const before = await generation();
    expect(await accept(["a", "a", "nothing"])).toEqual({
      accepted: ["a"],
      removed: [],
      refused: [{ name: "nothing", reason: "the server lists no such tool" }],
    });
    expect(await generation()).toBe(before + 1);
    const stored = (await readStoredServer(store.query, server)).tools[0];
    expect(stored).toMatchObject({ state: "accepted", acceptedBy: "ann@example.com", acceptedAtMs: 20, pending: undefined });
    expect(await observe([tool("a", { description: "new words" })])).toMatchObject({ wrote: false });
    expect(await observe([tool("a")])).toMatchObject({ changed: ["a"] });
  });

  test("all takes every one that can be, and forgets what is missing", async () => {
    await observe([tool("a"), tool("b"), tool("c")]);
    await observe([tool("a", { description: "x" }), tool("c"), tool("d")]);
    expect(await accept("all")).toEqual({ accepted: ["a", "d"], removed: ["b"], refused: [] });
    expect(await states()).toEqual({ a: "accepted", c: "accepted", d: "accepted" });
    const before = await generation();
    expect(await accept("all")).toEqual({ accepted: [], removed: [], refused: [] });
    expect(await generation()).toBe(before);
  });

  test("does not accept what has changed since it was looked at", async () => {
    await observe([tool("a")]);
    await observe([tool("a", { description: "harmless" })]);
    const [looked] = diffTools((await readStoredServer(store.query, server)).tools);
    await observe([tool("a", { description: "not harmless" })]);
    const outcome = await accept(["a"], { hashes: { a: looked?.pendingHash as string } });
    expect(outcome.refused).toEqual([{ name: "a", reason: "it has changed again since it was looked at" }]);
    expect((await index()).findFacts("a")?.quarantined).toBe(true);
  });

  test("a job that is undone leaves nothing", async () => {
    await observe([tool("a")]);
    const failing = store.write(async (batch) => {
      await observeList(batch, server, definitionsOf([]), { complete: true, mode: "accept", nowMs: 1 });
      throw new Error("undo");
    });
    await expect(failing).rejects.toThrow("undo");
    expect(await states()).toEqual({ a: "accepted" });
  });
});

test("a forgotten server starts anew, and others stay", async () => {
  const other = server;
  await observe([tool("a")]);
  server = `${other}-2`;
  await observe([tool("a")]);
  await store.write((batch) => forgetServer(batch, server));
  expect((await index()).hasAcceptedList).toBe(false);
  expect(await listStoredServers(store.query)).toContain(other);
  expect(await listStoredServers(store.query)).not.toContain(server);
  expect(await observe([tool("a", { description: "anything" })])).toMatchObject({ isFirst: true });
});

describe("differences", () => {
  test("are told field by field", async () => {
    await observe([tool("a", { inputSchema: { type: "object", properties: { n: { type: "number" }, gone: {} }, required: ["n"] } })]);
    await observe([
      tool("a", {
        description: "other",
        inputSchema: { type: "object", properties: { n: { type: "string" } }, required: ["n", "m"] },
        "x/y": 1,
      }),
      tool("b"),
    ]);
    const [a, b] = diffTools((await readStoredServer(store.query, server)).tools);
    expect(a?.verdict).toBe("unclear");
    expect(a?.changes.map(({ note: _note, ...change }) => change)).toEqual([
      { pointer: "/description", before: "does a", after: "other", effect: "rewords" },
      { pointer: "/inputSchema/properties/n/type", before: "number", after: "string", effect: "breaks" },
      { pointer: "/inputSchema/properties/gone", before: {}, after: undefined, effect: "narrows" },
      { pointer: "/inputSchema/required", before: ["n"], after: ["n", "m"], effect: "narrows" },
      { pointer: "/x~1y", before: undefined, after: 1, effect: "unclear" },
    ]);
    expect(b).toMatchObject({ name: "b", state: "new", changes: [{ pointer: "", before: undefined }] });
  });

  test("end at a bound", async () => {
    const many = (value: number): object => ({ meta: Object.fromEntries(Array.from({ length: 500 }, (_, key) => [`k${key}`, value])) });
    await observe([tool("a", many(1))]);
    await observe([tool("a", many(2))]);
    const [a] = diffTools((await readStoredServer(store.query, server)).tools);
    expect(a?.changes).toHaveLength(200);
    expect(a?.isCut).toBe(true);
  });
});

test("law: a tool may be called exactly when its last complete list holds its accepted definition once", async () => {
  const listOf = fc.array(fc.record({ name: fc.constantFrom("a", "b", "c"), version: fc.nat(2) }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(listOf, fc.array(listOf, { minLength: 1, maxLength: 5 }), async (first, later) => {
      server = `law-${++count}`;
      const toTools = (list: readonly { name: string; version: number }[]) => list.map(({ name, version }) => tool(name, { version }));
      await observe(toTools(first));
      for (const list of later) await observe(toTools(list));
      const built = await index();
      const last = later.at(-1) ?? [];
      for (const name of ["a", "b", "c"]) {
        const accepted = first.filter((entry) => entry.name === name);
        const now = last.filter((entry) => entry.name === name);
        const callable = accepted.length === 1 && now.length === 1 && accepted[0]?.version === now[0]?.version;
        const facts = built.findFacts(name);
        expect(facts !== null && facts.quarantined !== true).toBe(callable);
      }
    }),
    { numRuns: 60 },
  );
});
