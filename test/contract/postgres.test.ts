import { afterAll, beforeAll, describe } from "vitest";
import { createStoreClock } from "../../src/kernel/clock.ts";
import { openStore } from "../../src/store/open-store.ts";
import { isLeftOut, type PostgresCluster, startPostgres } from "../support/postgres.ts";
import { describeStore } from "./store-contract.ts";

describe.skipIf(isLeftOut)("on a real server", () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startPostgres();
    process.stdout.write(`The store's contract runs on ${cluster.version}.\n`);
  });
  afterAll(() => cluster.stop());

  describeStore(
    "PostgreSQL",
    async () => {
      const url = await cluster.createDatabase();
      const clock = createStoreClock();
      return {
        open: (migrations) => openStore({ url, clock, durability: "process", migrations }),
        remove: async () => void (await cluster.run(`DROP DATABASE ${url.slice(url.lastIndexOf("/") + 1)} WITH (FORCE)`)),
      };
    },
    true,
  );
});
