/** All kinds of limits under one face, so that one suite holds for each. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, createManualClock } from "../../src/kernel/clock.ts";
import { limitMigrations } from "../../src/limit/counter-table.ts";
import { createLimits } from "../../src/limit/create-limits.ts";
import type { Limits, MemoryLimits } from "../../src/limit/limits.ts";
import { createMemoryLimits } from "../../src/limit/memory-limits.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { Store } from "../../src/store/store.ts";

export function createFolder(): string {
  return mkdtempSync(join(tmpdir(), "sallyport-limit-"));
}

export function openLimitStore(folder: string, clock: Clock): Promise<Store> {
  return openStore({ file: join(folder, "store.db"), clock, durability: "process", migrations: [limitMigrations] });
}

/** Limits in a store, each act in a group of its own. */
export function bindLimits(store: Store, limits: Limits): MemoryLimits {
  return {
    take: (charges, parties, nowMs) => store.write((batch) => limits.take(batch, charges, parties, nowMs)),
    peek: (charges, parties, nowMs) => limits.peek(store.query, charges, parties, nowMs),
    settle: (reservation, outcome) => store.write((batch) => limits.settle(batch, reservation, outcome)),
  };
}

export interface Rig {
  readonly limits: MemoryLimits;
  close(): Promise<void>;
}

export interface RigKind {
  readonly name: string;
  /** Whether ten thousand sessions are tried here: the bound of the store is memory's, and rows would only take their time. */
  readonly boundsSessions: boolean;
  readonly create: () => Promise<Rig>;
}

export const RIGS: readonly RigKind[] = [
  { name: "memory", boundsSessions: true, create: async () => ({ limits: createMemoryLimits(), close: async () => undefined }) },
  {
    name: "the store",
    boundsSessions: false,
    create: async () => {
      const folder = createFolder();
      const clock = createManualClock(0);
      const store = await openLimitStore(folder, clock);
      return {
        limits: bindLimits(store, createLimits({ clock })),
        close: async () => {
          await store.close();
          rmSync(folder, { recursive: true, force: true });
        },
      };
    },
  },
];
