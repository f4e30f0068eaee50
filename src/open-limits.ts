/** The counters of limits where the configuration says they are: in Redis or Valkey, else in the store as it was opened. */
import type { Config } from "./config/config.ts";
import type { DataFolder } from "./data-folder.ts";
import type { Limits } from "./limit/limits.ts";
import { openRedisLimits } from "./limit/redis/redis-limits.ts";
import type { Log } from "./observe/log.ts";

export interface OpenedCounters {
  readonly limits: Limits;
  readonly close: () => Promise<void>;
}

export async function openLimits(folder: DataFolder, config: Config | undefined, log: Log): Promise<OpenedCounters> {
  if (config?.limitsUrl === undefined) return { limits: folder.limits, close: async () => undefined };
  const limits = await openRedisLimits({
    url: config.limitsUrl,
    store: folder.store,
    clock: folder.clock,
    home: folder.organisation,
    stored: folder.limits,
    say: (level, words) => log[level]("limits", words),
  });
  return { limits, close: () => limits.close() };
}
