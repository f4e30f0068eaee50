import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createManualClock } from "../../src/kernel/clock.ts";
import { FailureError } from "../../src/kernel/failure.ts";
import { openStore, parseStoreUrl } from "../../src/store/open-store.ts";

let folder = "";
const clock = createManualClock(1_000);
const open = (file: string, durability: "process" | "disk" = "process", busyTimeoutMs = 5_000) =>
  openStore({ file, clock, durability, busyTimeoutMs, migrations: [] });
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => (error instanceof FailureError ? error.failures[0] : error),
  );

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-open-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(script: string, args: readonly string[]): Promise<{ code: number | null; error: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "children", script), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, NODE_COMPILE_CACHE: join(folder, "compiled") },
  });
  let error = "";
  child.stderr.on("data", (chunk: Buffer) => (error += chunk.toString()));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, error })));
}

test("sixteen processes open one fresh folder at once", { timeout: 120_000 }, async () => {
  const file = join(folder, "fresh", "store.db");
  const ended = await Promise.all(Array.from({ length: 16 }, (_, own) => run("open-once.ts", [file, String(own)])));
  expect(ended.filter(({ code }) => code !== 0).map(({ error }) => error)).toEqual([]);
  const database = new DatabaseSync(file, { timeout: 5_000 });
  expect(database.prepare("SELECT count(*) AS rows FROM note").get()?.["rows"]).toBe(16);
  database.close();
});

test("files are the owner's alone, also one that was found open to others", async () => {
  const file = join(folder, "a", "b", "store.db");
  const store = await open(file);
  await store.write((batch) => batch.run("CREATE TABLE t (id bigint NOT NULL)"));
  expect(statSync(join(folder, "a", "b")).mode & 0o777).toBe(0o700);
  const names = readdirSync(join(folder, "a", "b"));
  expect(names.length).toBeGreaterThan(1);
  for (const name of names) expect(`${name} ${(statSync(join(folder, "a", "b", name)).mode & 0o777).toString(8)}`).toBe(`${name} 600`);
  await store.close();
  chmodSync(file, 0o644);
  await (await open(file)).close();
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("durability is the database's own setting", async () => {
  for (const [durability, level] of [
    ["process", 1],
    ["disk", 2],
  ] as const) {
    const store = await open(join(folder, `${durability}.db`), durability);
    const read = (pragma: string) => store.write(async (batch) => Object.values((await batch.all(`PRAGMA ${pragma}`))[0] ?? {})[0]);
    expect([await read("synchronous"), await read("journal_mode"), await read("foreign_keys")]).toEqual([level, "wal", 1]);
    await store.close();
  }
});

test("what was told as written is there after kill -9", async () => {
  const file = join(folder, "store.db");
  const child = spawn(process.execPath, [join(import.meta.dirname, "children", "count-up.ts"), file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said.length > 400) child.kill("SIGKILL");
  });
  await new Promise((resolve) => child.on("close", resolve));
  const told = said.split("\n").slice(0, -1).length;
  expect(told).toBeGreaterThan(50);
  const database = new DatabaseSync(file, { timeout: 5_000 });
  expect(Number(database.prepare("SELECT max(id) AS last FROM note").get()?.["last"])).toBeGreaterThanOrEqual(told);
  database.close();
});

test("a write waits for another process within its time, with the event loop free, and is refused after it", async () => {
  const file = join(folder, "store.db");
  const store = await open(file, "process", 400);
  const other = new DatabaseSync(file, { timeout: 0 });
  other.exec("BEGIN IMMEDIATE");
  let turns = 0;
  const turning = setInterval(() => turns++, 5);
  expect(await failureOf(store.write(async () => 1))).toMatchObject({
    code: "storage_unavailable",
    message: expect.stringContaining("Another process"),
  });
  clearInterval(turning);
  expect(turns).toBeGreaterThan(3);
  const write = store.write(async () => 2);
  setTimeout(() => other.exec("COMMIT"), 100);
  expect(await write).toBe(2);
  other.close();
  await store.close();
});

test("what can't be opened is a failure in words, with the file", async () => {
  const file = join(folder, "store.db");
  writeFileSync(file, "this is no database, but it is long enough to be looked at as one by SQLite itself");
  expect(await failureOf(open(file))).toMatchObject({ code: "storage_unavailable", message: "The file is not a database.", at: { file } });
  mkdirSync(join(folder, "dir.db"));
  expect(await failureOf(open(join(folder, "dir.db")))).toMatchObject({ code: "storage_unavailable" });
  writeFileSync(join(folder, "plain"), "");
  expect(await failureOf(open(join(folder, "plain", "store.db")))).toMatchObject({ code: "storage_unavailable" });
});

test("an address names a file of SQLite's, or is refused", () => {
  expect(parseStoreUrl("sqlite:./data/sallyport.db")).toBe("./data/sallyport.db");
  expect(parseStoreUrl("sqlite:/var/lib/sallyport.db")).toBe("/var/lib/sallyport.db");
  for (const url of [
    "",
    "sqlite:",
    "postgres://user:secret@host/db",
    "sqlite://host/x",
    "sqlite::memory:",
    "sqlite:file:x.db",
    "data.db",
  ]) {
    expect(() => parseStoreUrl(url)).toThrow("not one that can be opened");
    expect(() => parseStoreUrl(url)).not.toThrow("secret");
  }
});
