/** A real store in a folder of its own, with the tables of grants, for the tests of this room. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import type { GrantConfig } from "../../src/config/config.ts";
import { identityMigrations } from "../../src/identity/migrations.ts";
import { createManualClock } from "../../src/kernel/clock.ts";
import type { Result } from "../../src/kernel/failure.ts";
import { createId } from "../../src/kernel/id.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { Store } from "../../src/store/store.ts";

export const NOW_MS: number = Date.UTC(2026, 0, 5, 9);
export const KEY: Uint8Array = new Uint8Array(32).fill(7);

let drawn = 0;

/** Bytes that differ from draw to draw and are the same in every run. */
export function randomBytes(size: number): Uint8Array {
  drawn++;
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + drawn * 17) & 255);
}

export function makeFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), `grants-${createId(NOW_MS)}-`));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function openGrants(folder: string = makeFolder()): Promise<Store> {
  const store = await openStore({
    file: path.join(folder, "test.db"),
    clock: createManualClock(NOW_MS),
    durability: "process",
    migrations: [identityMigrations],
  });
  onTestFinished(() => store.close());
  return store;
}

export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.failures.map((failure) => failure.message).join("\n"));
  return result.value;
}

export function fileGrant(label: string, token: string, over: Partial<GrantConfig> = {}): GrantConfig {
  return {
    label,
    servers: [{ server: "sendit", policy: "standard" }],
    identity: "alice@example.com",
    owner: undefined,
    token,
    tags: { team: "support" },
    expiresMs: undefined,
    ...over,
  };
}
