/** A log in a folder of its own, with fixed keys and a clock that stands where it is put. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { AuditEntry } from "../../src/audit/entry.ts";
import { exportLog } from "../../src/audit/export.ts";
import type { AuditFilter } from "../../src/audit/filter.ts";
import { auditMigrations } from "../../src/audit/migrations.ts";
import { type Audit, createAudit } from "../../src/audit/writer.ts";
import { createManualClock } from "../../src/kernel/clock.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { Store } from "../../src/store/store.ts";
import { createKeys, type Keys } from "../../src/vault/keys.ts";

export const START_MS: number = Date.parse("2026-01-05T09:00:00Z");

export interface Log {
  readonly folder: string;
  readonly file: string;
  readonly store: Store;
  readonly audit: Audit;
  readonly clock: ReturnType<typeof createManualClock>;
  readonly keys: Keys;
  append(...entries: readonly AuditEntry[]): Promise<string[]>;
  export(filter?: AuditFilter): Promise<string[]>;
  /** Another writer of the same log, as another process would have it: with a chain of its own. */
  openWriter(): Audit;
  /** Changes the database as somebody with a database tool would. */
  tamper(sql: string, ...parameters: readonly (string | number)[]): void;
  close(): Promise<void>;
}

export function createTestKeys(seed = 7): Keys {
  return createKeys(Buffer.alloc(32, seed), (size) => Buffer.alloc(size, 1));
}

export async function openLog(
  checkpointEvery: { entries?: number; ms?: number } = { entries: 1_000_000, ms: 1e12 },
  chains: "shared" | "own" = "shared",
): Promise<Log> {
  const folder = mkdtempSync(join(tmpdir(), "audit-log-"));
  const file = join(folder, "log.db");
  const clock = createManualClock(START_MS);
  const store = await openStore({ file, clock, durability: "process", migrations: [auditMigrations] });
  const keys = createTestKeys();
  const openWriter = (): Audit => createAudit({ clock, keys, checkpointEvery, chains });
  const audit = openWriter();
  return {
    folder,
    file,
    store,
    audit,
    clock,
    keys,
    openWriter,
    append: (...entries) => store.write(async (batch) => entries.map((entry) => audit.append(batch, entry))),
    async export(filter) {
      let text = "";
      for await (const piece of exportLog({ store, audit, clock, ...(filter ? { filter } : {}) })) text += piece;
      return text.trimEnd().split("\n");
    },
    tamper(sql, ...parameters) {
      const database = new DatabaseSync(file, { timeout: 5000 });
      database.prepare(sql).run(...parameters);
      database.close();
    },
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function createIntent(number: number, more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    kind: "intent",
    exchange: `exchange-${number}`,
    server: "sendit",
    grant: "alice-laptop",
    identity: "alice@example.com",
    method: "tools/call",
    tool: "create_refund",
    decision: "allow",
    policyRevision: "3f2a9c",
    requestId: number,
    ...more,
  };
}

export function toBytes(lines: readonly string[]): Uint8Array[] {
  return [Buffer.from(`${lines.join("\n")}\n`)];
}
