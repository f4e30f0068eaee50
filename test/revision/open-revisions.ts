/** A real store in a folder of its own, with the tables of servers and policies, for the tests of this room. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import type { PolicyConfig, ServerConfig } from "../../src/config/config.ts";
import { createManualClock } from "../../src/kernel/clock.ts";
import type { Result } from "../../src/kernel/failure.ts";
import type { PolicyDocument } from "../../src/policy/document.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import { revisionMigrations } from "../../src/revision/migrations.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { Store } from "../../src/store/store.ts";

export const NOW_MS: number = Date.UTC(2026, 0, 5, 9);

export function makeFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "revisions-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function openRevisions(folder: string = makeFolder()): Promise<Store> {
  const store = await openStore({
    file: path.join(folder, "test.db"),
    clock: createManualClock(NOW_MS),
    durability: "process",
    migrations: [revisionMigrations],
  });
  onTestFinished(() => store.close());
  return store;
}

export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.failures));
  return result.value;
}

export function policyOf(rest: object = {}): PolicyDocument {
  return unwrap(parsePolicy(JSON.stringify({ version: "1", default: "deny", ...rest })));
}

/** A policy with one limit that shares a counter. */
export function countingPolicy(scope: string, limit: object = {}, rest: object = {}): PolicyDocument {
  return policyOf({ all_tools: { limits: [{ counter: "spend", window: "day", max: 10, scope, ...limit }] }, ...rest });
}

export function serverOf(name: string): ServerConfig {
  const none = {
    headers: {},
    credentials: [],
    networkAllow: [],
    classes: {},
    results: { maxBytes: undefined, maxDepth: undefined, timeoutSeconds: undefined, types: undefined },
    asks: [],
    meta: [],
    recordsValues: false,
  };
  return { name, url: `https://${name}.example.com/mcp`, tools: "accept", ...none };
}

export function filePolicy(name: string, server: string, document: PolicyDocument, file?: string): PolicyConfig {
  return { name, server, document, file };
}
