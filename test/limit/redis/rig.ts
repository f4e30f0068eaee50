/** Limits in a real Redis over a real store, with the time that the test says. */
import { rmSync } from "node:fs";
import { createManualClock } from "../../../src/kernel/clock.ts";
import { createLimits } from "../../../src/limit/create-limits.ts";
import type { Limits, MemoryLimits } from "../../../src/limit/limits.ts";
import { type OpenedLimits, openRedisLimits } from "../../../src/limit/redis/redis-limits.ts";
import type { Store } from "../../../src/store/store.ts";
import { createFolder, openLimitStore, type Rig } from "../rigs.ts";
import { START } from "../specs.ts";

/** One gateway's way with a call: asked first, then taken in a group, and given back where that does not go on. */
export function bindRedis(store: Store, limits: Limits, setTime: (nowMs: number) => void = () => undefined): MemoryLimits {
  return {
    async take(charges, parties, nowMs) {
      setTime(nowMs);
      const hold = await limits.reserve?.(charges, parties, "take");
      const answer = await store.write(async (batch) => {
        if (hold && !(await hold.holds(batch))) return undefined;
        return await limits.take(batch, charges, parties, nowMs, hold);
      });
      if (answer?.ok !== true) hold?.release();
      if (!answer) throw new Error("the counters were made anew");
      return answer;
    },
    async peek(charges, parties, nowMs) {
      setTime(nowMs);
      const hold = await limits.reserve?.(charges, parties, "peek");
      return await limits.peek(store.query, charges, parties, nowMs, hold);
    },
    settle: (reservation, outcome) => store.write((batch) => limits.settle(batch, reservation, outcome)),
  };
}

export interface RedisRig extends Rig {
  readonly opened: OpenedLimits;
  readonly store: Store;
  readonly said: string[];
}

let homes = 0;

export interface RigOptions {
  readonly folder?: string;
  readonly home?: string;
  /** Time goes on by itself, on the server. */
  readonly ownTime?: boolean;
  readonly commandTimeoutMs?: number;
}

/** Another store for each, unless a folder is given. */
export async function createRedisRig(url: string, options: RigOptions = {}): Promise<RedisRig> {
  const folder = options.folder ?? createFolder();
  const home = options.home ?? `test-${process.pid}-${homes++}`;
  const clock = createManualClock(START);
  const store = await openLimitStore(folder, clock);
  const said: string[] = [];
  let nowMs = START;
  const opened = await openRedisLimits({
    url,
    store,
    clock,
    home,
    stored: createLimits({ clock }),
    say: (level, words) => said.push(`${level}: ${words}`),
    commandTimeoutMs: options.commandTimeoutMs,
    readTime: options.ownTime ? undefined : () => nowMs,
  });
  return {
    opened,
    store,
    said,
    limits: bindRedis(store, opened, (atMs) => {
      nowMs = atMs;
      clock.set(atMs);
    }),
    close: async () => {
      await opened.close();
      await store.close();
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}
