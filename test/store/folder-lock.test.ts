import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createManualClock } from "../../src/kernel/clock.ts";
import { FailureError } from "../../src/kernel/failure.ts";
import { acquireFolder, LOCK_FILE } from "../../src/store/folder-lock.ts";
import { openStore } from "../../src/store/open-store.ts";

let folder = "";
let child: ChildProcess | undefined;
const self = { pid: process.pid, nowMs: Date.UTC(2026, 0, 5, 9) };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-lock-"));
});
afterEach(() => {
  child?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function holdElsewhere(): Promise<ChildProcess> {
  const script = join(import.meta.dirname, "children", "hold-folder.ts");
  child = spawn(process.execPath, [script, folder, String(self.nowMs)], { stdio: ["ignore", "pipe", "inherit"] });
  const { stdout } = child;
  await new Promise((resolve) => stdout?.once("data", resolve));
  return child;
}

function refusal(): string {
  try {
    acquireFolder(folder, self).release();
    return "";
  } catch (error) {
    if (!(error instanceof FailureError) || error.failures[0]?.code !== "folder_in_use") throw error;
    return error.message;
  }
}

test("a second start in this process is refused until the first lets go", () => {
  const lock = acquireFolder(folder, self);
  expect(refusal()).toContain(`(process ${process.pid}, started 2026-01-05T09:00:00.000Z)`);
  expect(refusal()).toContain(`\`${folder}\``);
  lock.release();
  lock.release();
  expect(refusal()).toBe("");
  expect(statSync(join(folder, LOCK_FILE)).mode & 0o777).toBe(0o600);
});

test("a start in another process is refused with its number, and kill -9 leaves nothing stale", async () => {
  const other = await holdElsewhere();
  expect(refusal()).toContain(`process ${other.pid},`);
  expect(refusal()).toContain(`process ${other.pid},`);
  const ended = new Promise((resolve) => other.on("close", resolve));
  other.kill("SIGKILL");
  await ended;
  expect(refusal()).toBe("");
});

test("the database of a held folder stays open to everybody", async () => {
  const lock = acquireFolder(folder, self);
  const clock = createManualClock(0);
  const stores = await Promise.all(
    [1, 2].map(() => openStore({ file: join(folder, "store.db"), clock, durability: "process", migrations: [] })),
  );
  expect(await Promise.all(stores.map((store) => store.write(async () => "written")))).toEqual(["written", "written"]);
  for (const store of stores) await store.close();
  lock.release();
});
