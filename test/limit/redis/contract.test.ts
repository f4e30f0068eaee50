/** The suite of all limits, over Redis. */
import { afterAll, beforeAll, describe } from "vitest";
import { HAS_REDIS, startRedis, type TestRedis } from "../../support/redis.ts";
import { describeLimits } from "../limits-suite.ts";
import { createRedisRig } from "./rig.ts";

let redis: TestRedis;

describe.runIf(HAS_REDIS)("over a real server", () => {
  beforeAll(async () => {
    redis = await startRedis();
    process.stdout.write(`Counters in Redis ${redis.version}\n`);
  });
  afterAll(() => redis.stop());
  // Sessions are bounded as values are; `rebuild.test.ts` fills them without ten thousand calls.
  describeLimits("Redis", () => createRedisRig(redis.url));
});
