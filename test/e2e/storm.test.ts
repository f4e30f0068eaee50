/**
 * Faults by chance, under load: two gateways on one PostgreSQL and one Redis behind wires that break, everything killed, frozen,
 * cut off, emptied and started again in an order that a seed decides. At the end a checker holds what reached the server
 * against the log and the limits. SALLYPORT_STORM_SECONDS says for how long, SALLYPORT_STORM_SEED which storm.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../support/gateway-process.ts";
import { isLeftOut, startPostgres } from "../support/postgres.ts";
import { tool } from "../support/raw-upstream.ts";
import { HAS_REDIS, startRedis } from "../support/redis.ts";
import { startRelay, throughRelay } from "../support/relay.ts";
import { startReplicas } from "../support/replicas.ts";
import { type Bound, checkStorm, type LogLine } from "../support/storm/check-storm.ts";
import {
  createAdminLane,
  createDatabaseLane,
  createGatewayLane,
  createRedisLane,
  createSlot,
  createWireLane,
  runLane,
} from "../support/storm/faults.ts";
import { createLoad, FAILING_TOOL } from "../support/storm/load.ts";
import { createChance } from "../support/storm/seed.ts";

const SECONDS = Number(process.env["SALLYPORT_STORM_SECONDS"] ?? 40);
const SEED = Number(process.env["SALLYPORT_STORM_SEED"] ?? Date.now() % 1_000_000);
const CALLERS_OF_EACH = 5;
const RETURN_MS = 60_000;
const SWITCHED = "switched";
const TOOLS = ["free", "swift", "total", "kept", "monthly", FAILING_TOOL, SWITCHED];
const BOUNDS: readonly Bound[] = [
  { tool: "swift", max: 12, windowMs: 3_000 },
  { tool: "total", max: 150 },
  { tool: "kept", max: 150 },
  { tool: "monthly", max: 150 },
  { tool: FAILING_TOOL, max: 60, successes: true },
];
/** All grants share each count. */
const sharing = { scope: "server" };
const LIMITED = {
  free: {},
  swift: { limits: [{ window: "3s", max: 12, ...sharing }] },
  total: { limits: [{ window: "day", max: 150, ...sharing }] },
  kept: { limits: [{ window: "day", max: 150, durable: true, ...sharing }] },
  monthly: { limits: [{ window: "month", max: 150, align: "calendar", ...sharing }] },
  [FAILING_TOOL]: { limits: [{ window: "day", max: 60, count: "successes", ...sharing }] },
};
const OPEN = { version: "1", default: "deny", tools: { ...LIMITED, [SWITCHED]: {} } };
const CLOSED = { version: "1", default: "deny", tools: { ...LIMITED, [SWITCHED]: { action: "deny", reason: "Closed." } } };
const LABELS = ["stays", ...Array.from({ length: 6 }, (_, index) => `goes-${index}`)];
const tokenOf = (label: string): string => `the-token-of-the-grant-${label}`;

test.skipIf(isLeftOut || !HAS_REDIS)(
  "a storm of faults lets no call pass unjudged, uncounted or unrecorded, and all is well after it",
  {
    timeout: SECONDS * 1000 + 180_000,
  },
  async () => {
    process.stdout.write(`The storm has the seed ${SEED} and takes ${SECONDS} s.\n`);
    const [cluster, redis] = await Promise.all([startPostgres(), startRedis()]);
    onTestFinished(() => cluster.stop());
    onTestFinished(() => redis.stop());
    const url = await cluster.createDatabase();
    const names = ["store 0", "store 1", "Redis 0", "Redis 1"] as const;
    const relays = await Promise.all(names.map((name) => startRelay(name.startsWith("store") ? cluster.port : redis.port)));
    for (const relay of relays) onTestFinished(() => relay.stop());
    const envOf = (index: number) => ({
      STORE_URL: throughRelay(url, relays[index] as (typeof relays)[number]),
      LIMITS_URL: throughRelay(redis.url, relays[2 + index] as (typeof relays)[number]),
    });
    const tokens = new Map(LABELS.map((label) => [label, tokenOf(label)]));
    const load = createLoad(tokens);
    const grantOf = (label: string) => ({ server: "alpha", policy: "standard", identity: `${label}@example.com`, token: tokenOf(label) });
    const replicas = await startReplicas({
      url,
      policy: OPEN,
      count: 0,
      envOf,
      config: { limits: { url: "${LIMITS_URL}" }, grants: Object.fromEntries(LABELS.map((label) => [label, grantOf(label)])) },
      tools: `[${TOOLS.map((name) => tool(name)).join(",")}]`,
      respond: load.respond,
    });
    let gateways = 0;
    const slots = [0, 1].map((slot) =>
      createSlot(
        (attempt) => replicas.start(`data-${slot}-${attempt}`, envOf(slot)),
        () => ++gateways,
      ),
    );
    await Promise.all(slots.map((slot) => slot.start()));
    const isBack = async (slot: (typeof slots)[number], name: string): Promise<boolean> => {
      const told = await until(
        async () => (await load.call(slot, name, "stays"))?.told ?? "away",
        (code) => code === "passed",
        RETURN_MS,
      );
      return told === "passed";
    };
    for (const slot of slots) expect(await isBack(slot, "free")).toBe(true);

    const chance = createChance(SEED);
    const fork = () => createChance(chance.between(0, 2 ** 31));
    const callers = slots.flatMap((slot) => Array.from({ length: CALLERS_OF_EACH }, () => load.run(slot, TOOLS, fork())));
    const endMs = performance.now() + SECONDS * 1000;
    const revoked = new Map<string, number>();
    const happened: string[] = [];
    const lanes = [
      createDatabaseLane(cluster),
      createRedisLane(redis),
      createWireLane(Object.fromEntries(names.map((name, index) => [name, relays[index] as (typeof relays)[number]]))),
      createGatewayLane(slots),
      createAdminLane({ replicas, grants: LABELS.slice(1), revoked, policies: [OPEN, CLOSED] }),
    ];
    await Promise.all(
      lanes.map((lane) =>
        runLane(
          lane,
          fork(),
          () => performance.now() > endMs,
          (words) => void happened.push(words),
        ),
      ),
    );
    // Everything is there again, and nobody does anything: service returns.
    const back = await Promise.all(slots.flatMap((slot) => [isBack(slot, "free"), isBack(slot, "swift")]));
    const ready = await Promise.all(
      slots.map((slot) =>
        until(
          async () => (await slot.current()?.get("/readyz"))?.status,
          (status) => status === 200,
          RETURN_MS,
        ),
      ),
    );
    load.stop();
    await Promise.all(callers);
    const last = await Promise.all(slots.map(async (slot) => await slot.current()?.running.kill("SIGTERM")));
    const verified = await replicas.command("audit", "verify");
    const file = path.join(replicas.folder, "log.jsonl");
    await replicas.command("audit", "export", "--out", file);
    const entries = readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as LogLine);
    const killed = new Set(slots.flatMap(({ ended }) => [...ended]));
    const findings = checkStorm({ ...load, entries, bounds: BOUNDS, killed, revoked, switched: SWITCHED });
    const count = (told: string) => load.asked.filter((one) => one.told === told).length;
    process.stdout.write(
      `${happened.length} faults; ${load.asked.length} calls, of which ${load.reached.length} reached the server, ${count("unavailable") + count("503")} were refused and ${count("cut")} cut; ${entries.length} entries.\n`,
    );
    expect(findings, `seed ${SEED}: ${happened.join(", ")}`).toEqual([]);
    expect([back, ready]).toEqual([
      [true, true, true, true],
      [200, 200],
    ]);
    expect(last.map((ended) => ended?.code)).toEqual([0, 0]);
    expect(verified).toBeTruthy();
    // It was one: faults happened, calls passed, and calls were refused.
    expect(happened.length).toBeGreaterThan(SECONDS / 4);
    expect(load.reached.length).toBeGreaterThan(100);
    expect(count("unavailable") + count("503")).toBeGreaterThan(0);
  },
);
