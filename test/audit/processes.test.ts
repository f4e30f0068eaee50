import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { describeArguments, digestArguments } from "../../src/audit/describe-arguments.ts";
import { exportLog } from "../../src/audit/export.ts";
import { auditMigrations } from "../../src/audit/migrations.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { verifyExport } from "../../src/audit/verify-export.ts";
import { verifyStore } from "../../src/audit/verify-store.ts";
import { createLogWitness } from "../../src/audit/witness.ts";
import { createAudit } from "../../src/audit/writer.ts";
import { printCanonicalJson } from "../../src/kernel/canonical-json.ts";
import { createSteadyClock } from "../../src/kernel/clock.ts";
import { toJson } from "../../src/kernel/json.ts";
import { openStore } from "../../src/store/open-store.ts";
import { createIntent, createTestKeys, openLog } from "./fixture.ts";

let folder: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "audit-processes-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** A process that appends intents one after the other and prints each id once it is on record. */
function startWriter(name: string, count: number): ChildProcess {
  const at = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const script = `
    import { openStore } from ${at("store/open-store.ts")};
    import { createAudit } from ${at("audit/writer.ts")};
    import { auditMigrations } from ${at("audit/migrations.ts")};
    import { createKeys } from ${at("vault/keys.ts")};
    import { createSteadyClock } from ${at("kernel/clock.ts")};
    const clock = createSteadyClock();
    const store = await openStore({ file: ${JSON.stringify(join(folder, "log.db"))}, clock, durability: "process", migrations: [auditMigrations] });
    const keys = createKeys(Buffer.alloc(32, 7), (size) => Buffer.alloc(size, 1));
    const audit = createAudit({ clock, keys, checkpointEvery: { entries: 16 } });
    for (let number = 0; number < ${count}; number++) {
      const ids = await Promise.all([0, 1, 2].map((part) => store.write(async (batch) =>
        audit.append(batch, { kind: "intent", exchange: ${JSON.stringify(name)} + "-" + number + "-" + part, decision: "allow" }))));
      console.log(ids.join("\\n"));
    }
    await store.close();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return child;
}

async function openFolder() {
  const clock = createSteadyClock();
  const store = await openStore({ file: join(folder, "log.db"), clock, durability: "process", migrations: [auditMigrations] });
  return { store, audit: createAudit({ clock, keys: createTestKeys() }) };
}

it("a process that is killed between intents leaves a log that verifies and lacks none it told of", async () => {
  const child = startWriter("killed", 1_000_000);
  const told: string[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    told.push(line);
    if (told.length === 150) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  expect(child.signalCode).toBe("SIGKILL");
  const { store, audit } = await openFolder();
  const verdict = await verifyStore(store, { publicKey: audit.publicKey });
  expect(verdict).toMatchObject({ ok: true, signature: "verified" });
  const ids = new Set<string>();
  for (let before: string | undefined = String(2 ** 39); before !== undefined; ) {
    const page = await searchEntries(store, {}, { limit: 1000, before });
    for (const { line } of page.entries) ids.add((JSON.parse(line) as { id: string }).id);
    before = page.next;
  }
  expect(told.length).toBeGreaterThanOrEqual(150);
  expect(told.filter((id) => !ids.has(id))).toEqual([]);
  await store.write(async (batch) => audit.append(batch, createIntent(1)));
  expect(await verifyStore(store)).toMatchObject({ ok: true, entries: verdict.entries + 1 });
  await store.close();
}, 60_000);

it("processes that append at the same time leave one chain with all of their entries, which verifies meanwhile too", async () => {
  const { store, audit } = await openFolder();
  const writers = ["a", "b", "c"].map((name) => startWriter(name, 40));
  const stop = new AbortController();
  const looking = (async () => {
    let looks = 0;
    for (; !stop.signal.aborted; looks++) {
      expect(await verifyStore(store, { publicKey: audit.publicKey })).toMatchObject({ ok: true });
      const pieces: Uint8Array[] = [];
      for await (const piece of exportLog({ store, audit, clock: createSteadyClock() })) pieces.push(Buffer.from(piece));
      expect(await verifyExport(pieces, { publicKey: audit.publicKey, log: createLogWitness(store) })).toMatchObject({ ok: true });
      await pause(20);
    }
    return looks;
  })();
  const codes = await Promise.all(
    writers.map(async (child) => {
      child.stdout?.resume();
      const [code] = (await once(child, "exit")) as [number];
      return code;
    }),
  );
  expect(codes).toEqual([0, 0, 0]);
  stop.abort();
  expect(await looking).toBeGreaterThan(0);
  expect(await verifyStore(store, { publicKey: audit.publicKey })).toMatchObject({ ok: true, entries: 3 * 40 * 3 });
  await store.close();
}, 60_000);

it("no argument value, key or canary stands in the data folder or in an export", async () => {
  const log = await openLog();
  const args = toJson({ card: "canary-4111111111111111", nested: { deep: "canary-deep" } });
  const key = log.keys.deriveKey("argument");
  const argumentDigest = digestArguments(key, printCanonicalJson(args));
  await log.append(createIntent(1, { ...describeArguments(args), argumentDigest }));
  const text = [...(await log.export()), ...readdirSync(log.folder).map((name) => readFileSync(join(log.folder, name), "latin1"))].join(
    "\n",
  );
  expect(text).toContain('"argumentKeys":["card","nested"]');
  expect(text).toContain(argumentDigest);
  for (const secret of [
    "canary",
    key.toString("hex"),
    key.toString("base64"),
    key.toString("latin1"),
    Buffer.alloc(32, 7).toString("base64"),
  ]) {
    expect(text.includes(secret)).toBe(false);
  }
  await log.close();
});
