/** Rounds that are brought to two gateways on one PostgreSQL: each goes on once, and nobody else's call pays for the attempt. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Desk } from "../../src/gateway/desk.ts";
import type { Exchange, OpenRounds } from "../../src/gateway/exchange.ts";
import { createRoundSeal } from "../../src/gateway/rounds.ts";
import { termsOfSpending } from "../../src/gateway/write-terms.ts";
import { createSteadyClock } from "../../src/kernel/clock.ts";
import type { Permission } from "../../src/policy/decision.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { Store } from "../../src/store/store.ts";
import { createSealer } from "../../src/vault/seal.ts";
import { isLeftOut, type PostgresCluster, startPostgres } from "../support/postgres.ts";

const TIMES = 150;
const ROUNDS = 12;
const permission = { charges: [] } as unknown as Permission;

describe.skipIf(isLeftOut)("rounds at two gateways", () => {
  let cluster: PostgresCluster;
  let stores: Store[] = [];
  beforeAll(async () => {
    cluster = await startPostgres();
    const url = await cluster.createDatabase();
    const open = () => openStore({ url, clock: createSteadyClock(), durability: "process", migrations: [] });
    stores = [await open(), await open()];
  });
  afterAll(async () => {
    for (const store of stores) await store.close();
    await cluster.stop();
  });

  test("that come in one order here and in the other there are gone on with once each", { timeout: 120_000 }, async () => {
    const seal = createRoundSeal(createSealer(randomBytes(32), "k", randomBytes), randomBytes);
    const claim = (store: Store, rounds: OpenRounds): Promise<boolean> =>
      store.write((batch) => seal.claim(batch, rounds, 0), termsOfSpending({ store } as Desk, { rounds } as Exchange, permission));
    const open = (): OpenRounds => {
      const state = seal.open("bond", { upstreamState: undefined, reservation: undefined, firstExchange: "e" }, 0);
      return seal.read({ requestState: state, inputResponses: undefined } as never, "bond", 0) as OpenRounds;
    };
    for (let time = 0; time < TIMES; time++) {
      const rounds = Array.from({ length: ROUNDS }, open);
      const [here, there] = stores as [Store, Store];
      const [first, second] = await Promise.all([
        Promise.all(rounds.map((one) => claim(here, one))),
        Promise.all(rounds.toReversed().map((one) => claim(there, one))),
      ]);
      expect(first.map((won, index) => Number(won) + Number(second.toReversed()[index]))).toEqual(rounds.map(() => 1));
    }
  });
});
