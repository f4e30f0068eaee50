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

interface Replica {
  readonly store: Store;
  readonly limits: Limits;
}

/**
 * Several stores of one database, each act in a group that shares, on another store than the one before: as calls that come
 * to replicas in turn. What one took, it settles itself.
 */
export function bindReplicas(replicas: readonly Replica[]): MemoryLimits {
  let turn = 0;
  const next = (): Replica => replicas[turn++ % replicas.length] as Replica;
  const takers = new Map<string, Replica>();
  return {
    take: async (charges, parties, nowMs) => {
      const taker = next();
      const terms = { shared: true, locks: taker.limits.nameTaken(charges, parties) } as const;
      const taken = await taker.store.write((batch) => taker.limits.take(batch, charges, parties, nowMs), terms);
      if (taken.ok && taken.reservation) takers.set(taken.reservation.id, taker);
      return taken;
    },
    peek: (charges, parties, nowMs) => {
      const { store, limits } = next();
      return limits.peek(store.query, charges, parties, nowMs);
    },
    settle: (reservation, outcome) => {
      const { store, limits } = takers.get(reservation.id) ?? next();
      return store.write((batch) => limits.settle(batch, reservation, outcome), { shared: true, locks: limits.nameSettled(reservation) });
    },
  };
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

export const RIGS: readonly { readonly name: string; readonly create: () => Promise<Rig> }[] = [
  { name: "memory", create: async () => ({ limits: createMemoryLimits(), close: async () => undefined }) },
  {
    name: "the store",
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
