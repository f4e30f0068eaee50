/** Outcomes that the store could not take when they were known: written when it is back, once each, and never made up. */
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, test } from "vitest";
import { LateOutcomes, type LateOutcomesOptions, MAX_LATE_OUTCOMES } from "../../src/gateway/late-outcomes.ts";
import { type GatewayProcess, startGatewayProcess, until } from "../support/gateway-process.ts";
import { type Ended, runProgram } from "../support/program.ts";

const TIMEOUT = { timeout: 90_000 };
const TWO = { version: "1", default: "deny", tools: { echo: { limits: [{ window: "day", max: 2, count: "successes" }] } } };

interface Line {
  readonly kind: string;
  readonly exchange: string;
  readonly outcome: string | null;
}

let opened: DatabaseSync | undefined;
afterEach(() => {
  opened?.close();
  opened = undefined;
});

function holdDatabase(gateway: GatewayProcess): { release(): void } {
  const database = new DatabaseSync(path.join(gateway.data, "sallyport.db"), { timeout: 10_000 });
  opened = database;
  database.exec("begin exclusive");
  return { release: () => database.exec("rollback") };
}

async function readLines(gateway: GatewayProcess): Promise<Line[]> {
  const { out }: Ended = await runProgram(["audit", "search", "--tool", "echo", "--json", "--data", gateway.data]);
  return out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

describe("a database that is held while calls end", () => {
  test("has their outcomes once when it is free, and gives back what they give back", TIMEOUT, async () => {
    const waiting: (() => void)[] = [];
    const gateway = await startGatewayProcess({
      policy: TWO,
      respond: (_arrived, { method }) =>
        method !== "tools/call"
          ? undefined
          : {
              act: (response, _socket, id) =>
                void waiting.push(() =>
                  response
                    .writeHead(200, { "content-type": "application/json" })
                    .end(`{"jsonrpc":"2.0","id":${id},"result":{"isError":true,"content":[]}}`),
                ),
            },
    });
    const calls = [gateway.call("echo"), gateway.call("echo")];
    await until(
      async () => waiting.length,
      (count) => count === 2,
    );
    const held = holdDatabase(gateway);
    for (const answer of waiting.splice(0)) answer();
    await gateway.running.says(/could not be put on record yet/, "err");
    held.release();
    await Promise.all(calls);
    const lines = await until(
      () => readLines(gateway),
      (found) => found.filter(({ kind }) => kind === "outcome").length >= 2,
      30_000,
    );
    const outcomes = lines.filter(({ kind }) => kind === "outcome");
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["tool_error", "tool_error"]);
    expect(new Set(outcomes.map(({ exchange }) => exchange)).size).toBe(2);
    // Both failed, so two more have room.
    const more = [gateway.call("echo"), gateway.call("echo")];
    await until(
      async () => waiting.length,
      (count) => count === 2,
    );
    for (const answer of waiting) answer();
    await Promise.all(more);
    const verified = await runProgram(["audit", "verify", "--data", gateway.data]);
    expect(verified.code).toBe(0);
  });
});

describe("outcomes that wait", () => {
  const entry = { kind: "outcome" } as const;
  const late = (number: number) => ({ exchange: `e${number}`, entry, terms: { shared: true, locks: [] } as const, isDoubtful: false });

  test("are bounded, which is said once, and a stop does not wait for a store that is away", async () => {
    const said: string[] = [];
    const store = { write: () => Promise.reject(new Error("away")) } as unknown as LateOutcomesOptions["store"];
    const outcomes = new LateOutcomes({ store, audit: {} as never, limits: {} as never, say: (words) => void said.push(words) });
    for (let number = 0; number < MAX_LATE_OUTCOMES + 10; number++) outcomes.add(late(number));
    expect(outcomes.size).toBe(MAX_LATE_OUTCOMES);
    await outcomes.stop();
    expect(said).toEqual([expect.stringContaining("Too many"), expect.stringContaining(`${MAX_LATE_OUTCOMES} outcomes were never`)]);
  });
});
