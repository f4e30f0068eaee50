/** The suite of all limits, over Redis. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HAS_REDIS, startRedis, type TestRedis, tellMissingRedis } from "../../support/redis.ts";
import { describeLimits } from "../limits-contract.ts";
import { createRedisRig } from "./rig.ts";

let redis: TestRedis;
if (HAS_REDIS) {
  beforeAll(async () => {
    redis = await startRedis();
    process.stdout.write(`Redis ${redis.version}\n`);
  });
  afterAll(() => redis?.stop());
  describeLimits([{ name: "Redis", boundsSessions: true, create: () => createRedisRig(redis.url) }]);
} else {
  describe("counters in Redis", () => {
    test("are left out, and that is said", () => {
      tellMissingRedis();
      expect(HAS_REDIS).toBe(false);
    });
  });
}
