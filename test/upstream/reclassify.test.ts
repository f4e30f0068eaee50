/** Another version of the classifier: what is worse or new is taken by itself, what is milder waits for a person. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createManualClock } from "../../src/kernel/clock.ts";
import { parseListPage } from "../../src/mcp/lists.ts";
import { readGeneration } from "../../src/store/generation.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { Store } from "../../src/store/store.ts";
import { readDefinitions } from "../../src/upstream/definition.ts";
import { type ClassifyTool, observeList } from "../../src/upstream/observe-list.ts";
import { canRaiseClasses, listReclassifications, raiseClasses, takeReclassifications } from "../../src/upstream/reclassify.ts";
import { readStoredServer, type StoredTool, upstreamMigrations } from "../../src/upstream/tables.ts";
import { loadToolIndex, SET_BY_HAND } from "../../src/upstream/tool-index.ts";

let folder = "";
let store: Store;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "reclassify-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
beforeEach(async () => {
  await store?.close();
  store = await openStore({
    file: join(folder, `${++count}.db`),
    clock: createManualClock(1),
    durability: "process",
    migrations: [upstreamMigrations],
  });
});
afterAll(() => store.close());

const says =
  (version: string, words: Readonly<Record<string, readonly [string, string]>>): ClassifyTool =>
  ({ name }) => {
    const [toolClass, risk] = words[name] ?? ["write", "medium"];
    return { class: toolClass, risk, version };
  };

async function observe(names: readonly string[], classify?: ClassifyTool): Promise<void> {
  const page = parseListPage(JSON.stringify({ tools: names.map((name) => ({ name, inputSchema: { type: "object" } })) }), "tools");
  if (page.kind === "invalid") throw new Error(page.reason);
  const definitions = readDefinitions(page.items);
  await store.write((batch) => observeList(batch, "s", definitions, { complete: true, mode: "accept", nowMs: 1, classify }));
}

const stored = async (): Promise<readonly StoredTool[]> => (await readStoredServer(store.query, "s")).tools;
const told = async (): Promise<unknown> =>
  (await stored()).map(({ name, class: toolClass, risk, classifierVersion }) => [name, toolClass, risk, classifierVersion]);

test("tools that were accepted before there was a classifier get their class", async () => {
  await observe(["a"]);
  const classify = says("1", { a: ["destructive", "critical"] });
  expect(await canRaiseClasses(store.query, classify, "1")).toBe(true);
  const before = await readGeneration(store.query);
  expect(await store.write((batch) => raiseClasses(batch, classify, "1", 5))).toBe(1);
  expect(await told()).toEqual([["a", "destructive", "critical", "1"]]);
  expect(await readGeneration(store.query)).toBeGreaterThan(before);
  expect(await canRaiseClasses(store.query, classify, "1")).toBe(false);
});

test("a newer version raises by itself, lowers by a person's word alone, and asks no tool of its own version again", async () => {
  const first = {
    up: ["read", "low"],
    down: ["destructive", "critical"],
    riskier: ["write", "medium"],
    milder: ["write", "high"],
    same: ["read", "low"],
  } as const;
  const second = {
    up: ["execute", "high"],
    down: ["read", "low"],
    riskier: ["write", "high"],
    milder: ["write", "medium"],
    same: ["read", "low"],
  } as const;
  await observe(Object.keys(first), says("1", first));
  const newer = says("2", second);
  await store.write((batch) => raiseClasses(batch, newer, "2", 5));
  expect(await told()).toEqual([
    ["down", "destructive", "critical", "1"],
    ["milder", "write", "high", "1"],
    ["riskier", "write", "high", "2"],
    ["same", "read", "low", "2"],
    ["up", "execute", "high", "2"],
  ]);
  // What is only milder takes no writer's turn when a folder is opened.
  expect(await canRaiseClasses(store.query, newer, "2")).toBe(false);
  const waiting = listReclassifications(await stored(), newer, "2");
  expect(waiting.map(({ name, isLower }) => [name, isLower])).toEqual([
    ["down", true],
    ["milder", true],
  ]);
  await store.write(async (batch) => takeReclassifications(batch, "s", await stored(), waiting.slice(0, 1), 6));
  expect(await told()).toContainEqual(["down", "read", "low", "2"]);
  expect(listReclassifications(await stored(), says("2", first), "2").map(({ name }) => name)).toEqual(["milder"]);
});

test("a class by hand goes before, and entries say that it is a person's", async () => {
  await observe(["a", "b"], says("1", { a: ["read", "low"] }));
  const index = await loadToolIndex(store.query, "s", { a: "destructive" });
  expect(index.tools.get("a")).toMatchObject({ classifierVersion: SET_BY_HAND, facts: { class: "destructive", risk: "low" } });
  expect(index.tools.get("b")).toMatchObject({ classifierVersion: "1", facts: { class: "write" } });
});
