/** What is held survives, has a bound, and is gone when it is removed. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { type Connection, MAX_CONNECTIONS, openConnections } from "../../../samples/sendit/connections.ts";
import { createSealer } from "../../../samples/sendit/seal.ts";
import { makeFolder } from "./support.ts";

const HOUR_MS = 60 * 60 * 1000;
const sealer = createSealer(Buffer.alloc(32, 1));
const row = (id: string, more: Partial<Connection> = {}): Connection => ({
  id,
  connector: "notion",
  kind: "api_key",
  status: "connected",
  createdAt: 1000,
  sealed: `sealed-${id}`,
  ...more,
});
const now = () => 1000;

test("rows come back after a restart, for the owner's eyes only", () => {
  const dir = makeFolder();
  openConnections(dir, sealer, now).insert(row("a"));
  expect(openConnections(dir, sealer, now).list()).toEqual([row("a")]);
  expect(readdirSync(dir)).toEqual(["connections.json"]);
  expect(statSync(path.join(dir, "connections.json")).mode & 0o777).toBe(0o600);
});

test("a removed row leaves nothing in the file; others stay", () => {
  const dir = makeFolder();
  const held = openConnections(dir, sealer, now);
  for (const one of [row("a"), row("b"), row("c", { connector: "slack" })]) held.insert(one);
  expect([held.remove("notion"), held.remove("notion")]).toEqual([2, 0]);
  const text = readFileSync(path.join(dir, "connections.json"), "utf8");
  expect(text).not.toMatch(/sealed-[ab]/);
  expect(text).toContain("sealed-c");
});

test("a row that was removed meanwhile is not brought back", () => {
  const held = openConnections(makeFolder(), sealer, now);
  held.insert(row("a"));
  expect(held.update(row("a", { reason: "x" }))).toBe(true);
  held.remove("notion");
  expect([held.update(row("a")), held.list()]).toEqual([false, []]);
});

test("an attempt that led to nothing is forgotten after an hour, a connection is not", () => {
  let nowMs = 1000;
  const held = openConnections(makeFolder(), sealer, () => nowMs);
  for (const one of [row("a"), row("b", { status: "failed" }), row("c", { status: "pending" })]) held.insert(one);
  nowMs += HOUR_MS - 1;
  held.insert(row("d", { createdAt: nowMs }));
  expect(held.list().map(({ id }) => id)).toEqual(["a", "b", "c", "d"]);
  nowMs += 1;
  held.insert(row("e", { createdAt: nowMs }));
  expect(held.list().map(({ id }) => id)).toEqual(["a", "d", "e"]);
});

test("there is a bound", () => {
  const dir = makeFolder();
  const rows = Array.from({ length: MAX_CONNECTIONS }, (_, index) => row(String(index)));
  writeFileSync(path.join(dir, "connections.json"), JSON.stringify({ format: 1, check: sealer.seal("check", "check"), connections: rows }));
  const held = openConnections(dir, sealer, now);
  expect([held.insert(row("more")), held.list().length]).toEqual([false, MAX_CONNECTIONS]);
});

test("another key is noticed at once, and so is a file of another kind", () => {
  const dir = makeFolder();
  openConnections(dir, sealer, now).insert(row("a"));
  expect(() => openConnections(dir, createSealer(Buffer.alloc(32, 2)), now)).toThrow(/another key/);
  writeFileSync(path.join(dir, "connections.json"), '{"format":2}');
  expect(() => openConnections(dir, sealer, now)).toThrow(/not a file of this version/);
});
