/**
 * Several gateways' stores: PostgreSQL for the log, Redis for the counters, all on this machine. Told are calls a second,
 * transactions and round trips for each call, and what two processes carry beside one: by processor time at equal load
 * where there are few cores, by throughput where there are four.
 */
import { randomBytes } from "node:crypto";
import os from "node:os";
import { CALL_BODY } from "./call-body.ts";
import { countTrips, type TripCounter } from "./count-trips.ts";
import { CORES_TO_SCALE, MEASURED_CORE, SECOND_CORE, type System } from "./launch.ts";
import { writeLoadScript } from "./load-script.ts";
import { divide, median, pairUp, printSpread, round as roundTo, type Spread, spreadOf } from "./numbers.ts";
import { benchPolicy } from "./policies.ts";
import type { Row } from "./print-table.ts";
import { DISTURBED_CORES, type Sample, takeOpenSample, takeSample } from "./sample.ts";
import { type Postgres, type Redis, startPostgres, startRedis } from "./start-stores.ts";
import { startSallyport, type Workshop } from "./systems.ts";

const CONNECTIONS = 64;
const MARK_CALLS_PER_SECOND = 5_000;
const MARK_TRIPS = 1;
/** Two processes carry so many times what one does. */
const MARK_TWO = 1.8;

export interface StoresOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly say: (text: string) => void;
}

export interface StoresFound {
  readonly rows: readonly Row[];
  readonly words: string;
  /** Undefined: the machine was too busy to judge. */
  readonly kept: boolean | undefined;
}

interface Ports {
  readonly postgres: number;
  readonly redis: number;
}

interface Bench {
  readonly workshop: Workshop;
  readonly upstream: System;
  readonly options: StoresOptions;
  readonly postgres: Postgres;
  readonly redis: Redis;
  /** Replicas share their keys. */
  readonly env: Readonly<Record<string, string>>;
}

async function startReplica({ workshop, postgres, env }: Bench, name: string, ports: Ports, core = MEASURED_CORE): Promise<System> {
  const { user, password, database } = postgres;
  const config = {
    store: { url: `postgres://${user}:${password}@127.0.0.1:${ports.postgres}/${database}` },
    limits: { url: `redis://127.0.0.1:${ports.redis}` },
  };
  return await startSallyport(workshop, { name, policy: benchPolicy(1), config, env, core });
}

function othersOf({ upstream, postgres, redis }: Bench): readonly number[] {
  return [...upstream.pids(), ...postgres.pids(), ...redis.pids()];
}

interface Trips {
  readonly connections: number;
  readonly postgres: number;
  readonly redis: number;
}

/** Round trips for each call of a gateway that reaches its stores through counters. */
async function measureTrips(bench: Bench): Promise<Trips[]> {
  const counters: TripCounter[] = [await countTrips(bench.postgres.port), await countTrips(bench.redis.port)];
  const [postgres, redis] = counters as [TripCounter, TripCounter];
  try {
    const system = await startReplica(bench, "sallyport: counted", { postgres: postgres.port, redis: redis.port });
    try {
      const script = writeLoadScript(bench.workshop.folder, system, CALL_BODY);
      const found: Trips[] = [];
      for (const connections of [1, CONNECTIONS]) {
        const before = [postgres.trips, redis.trips] as const;
        const { calls } = await takeSample(system, othersOf(bench), { script, connections, seconds: bench.options.seconds });
        found.push({ connections, postgres: (postgres.trips - before[0]) / calls, redis: (redis.trips - before[1]) / calls });
      }
      return found;
    } finally {
      await system.stop();
    }
  } finally {
    await Promise.all(counters.map((counter) => counter.stop()));
  }
}

interface Scaled {
  /** How many times one process two carry, pair by pair. */
  readonly times: Spread;
  readonly how: string;
  readonly foreignCores: readonly number[];
}

/** Both halves of one load at the same time, seen as one system. */
function join(first: System, second: System): System {
  return { ...first, name: "two processes", pids: () => [...first.pids(), ...second.pids()] };
}

async function scaleByTime(bench: Bench, first: System, second: System, callsPerSecond: number): Promise<Scaled> {
  const { rounds, seconds } = bench.options;
  const [one, two]: [number[], number[]] = [[], []];
  const foreignCores: number[] = [];
  const base = { headers: first.headers, sessions: [], body: CALL_BODY, callsPerSecond, seconds, connections: CONNECTIONS };
  for (let round = 0; round < rounds; round++) {
    for (const isTwo of round % 2 === 0 ? [false, true] : [true, false]) {
      const system = isTwo ? join(first, second) : first;
      const urls = isTwo ? [first.url, second.url] : [first.url];
      const sample = await takeOpenSample(system, othersOf(bench), { ...base, urls });
      (isTwo ? two : one).push(sample.cpuUs);
      foreignCores.push(sample.foreignCores);
    }
  }
  // Whoever spends as much for each call as one alone carries twice as much with two.
  return { times: pairUp(one, two, (left, right) => (2 * left) / right), how: "by processor time at equal load", foreignCores };
}

async function scaleByThroughput(bench: Bench, first: System, second: System): Promise<Scaled> {
  const { rounds, seconds } = bench.options;
  const [one, two]: [number[], number[]] = [[], []];
  const foreignCores: number[] = [];
  const load = (system: System, others: readonly number[]): Promise<Sample> => {
    const script = writeLoadScript(bench.workshop.folder, system, CALL_BODY);
    return takeSample(system, others, { script, connections: CONNECTIONS, seconds });
  };
  for (let round = 0; round < rounds; round++) {
    const alone = await load(first, othersOf(bench));
    const both = await Promise.all([load(first, othersOf(bench)), load(second, othersOf(bench))]);
    one.push(alone.callsPerSecond);
    two.push(both[0].callsPerSecond + both[1].callsPerSecond);
    foreignCores.push(alone.foreignCores);
  }
  return { times: pairUp(two, one, divide), how: "by throughput", foreignCores };
}

async function scale(bench: Bench, first: System, callsPerSecond: number): Promise<Scaled> {
  const ports = { postgres: bench.postgres.port, redis: bench.redis.port };
  const hasCores = os.availableParallelism() >= CORES_TO_SCALE;
  const second = await startReplica(bench, "sallyport: second", ports, hasCores ? SECOND_CORE : MEASURED_CORE);
  try {
    return hasCores ? await scaleByThroughput(bench, first, second) : await scaleByTime(bench, first, second, callsPerSecond);
  } finally {
    await second.stop();
  }
}

async function measure(bench: Bench): Promise<StoresFound> {
  const { workshop, postgres, redis, options } = bench;
  const { rounds, seconds, warmUpSeconds, say } = options;
  const first = await startReplica(bench, "sallyport: stores", { postgres: postgres.port, redis: redis.port });
  const samples: Sample[] = [];
  let transactions = 0;
  let scaled: Scaled;
  try {
    const script = writeLoadScript(workshop.folder, first, CALL_BODY);
    const load = { script, connections: CONNECTIONS, seconds };
    await takeSample(first, othersOf(bench), { ...load, seconds: warmUpSeconds });
    const before = await postgres.countTransactions();
    for (let round = 0; round < rounds; round++) {
      samples.push(await takeSample(first, othersOf(bench), load));
      say(`stores: round ${round + 1}/${rounds}`);
    }
    // Their server tells them once a second.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    transactions = (await postgres.countTransactions()) - before;
    say("stores: two processes");
    scaled = await scale(bench, first, median(samples.map(({ callsPerSecond }) => callsPerSecond)) / 2);
  } finally {
    await first.stop();
  }
  say("stores: round trips");
  const trips = await measureTrips(bench);
  return describe(bench, samples, transactions, trips, scaled);
}

function describe(bench: Bench, samples: readonly Sample[], transactions: number, trips: readonly Trips[], scaled: Scaled): StoresFound {
  const throughput = spreadOf(samples.map(({ callsPerSecond }) => callsPerSecond));
  const calls = samples.reduce((sum, sample) => sum + sample.calls, 0);
  const errors = samples.reduce((sum, sample) => sum + sample.errors, 0);
  const many = trips.find(({ connections }) => connections === CONNECTIONS) as Trips;
  const foreign = [...samples.map(({ foreignCores }) => foreignCores), ...scaled.foreignCores];
  const busy = foreign.filter((cores) => cores > DISTURBED_CORES).length * 2 > foreign.length;
  const marks: readonly (readonly [string, string, boolean])[] = [
    ["calls a second", `${printSpread(throughput, 0)} (mark ≥ ${MARK_CALLS_PER_SECOND})`, throughput.value >= MARK_CALLS_PER_SECOND],
    ["PostgreSQL, round trips a call", `${many.postgres.toFixed(2)} (mark ≤ ${MARK_TRIPS})`, many.postgres <= MARK_TRIPS],
    ["Redis, round trips a call", `${many.redis.toFixed(2)} (mark ≤ ${MARK_TRIPS})`, many.redis <= MARK_TRIPS],
    [`two processes ÷ one, ${scaled.how}`, `${printSpread(scaled.times, 2)} (mark ≥ ${MARK_TWO})`, scaled.times.value >= MARK_TWO],
  ];
  const word = (met: boolean): string => (busy ? "not judged" : met ? "met" : "NOT met");
  return {
    rows: [
      {
        stores: `${bench.postgres.version}, Redis ${bench.redis.version}`,
        "calls/s": printSpread(throughput, 0),
        "CPU µs/call": printSpread(spreadOf(samples.map(({ cpuUs }) => cpuUs)), 1),
        "p50 µs": Math.round(median(samples.map(({ p50Us }) => p50Us))),
        "transactions/call": roundTo(transactions / calls, 3),
        ...Object.fromEntries(
          trips.map((one) => [`trips/call at ${one.connections}`, `${one.postgres.toFixed(2)} + ${one.redis.toFixed(2)}`]),
        ),
        errors,
      },
    ],
    words: marks.map(([mark, told, met]) => `  ${word(met).padEnd(10)} ${mark}: ${told}`).join("\n"),
    kept: busy ? undefined : errors === 0 && marks.every(([, , met]) => met),
  };
}

export async function measureStores(workshop: Workshop, upstream: System, options: StoresOptions): Promise<StoresFound> {
  const postgres = await startPostgres(workshop.folder);
  try {
    const redis = await startRedis(workshop.folder);
    try {
      const env = { SALLYPORT_MASTER_KEY: randomBytes(32).toString("base64") };
      return await measure({ workshop, upstream, options, postgres, redis, env });
    } finally {
      await redis.stop();
    }
  } finally {
    await postgres.stop();
  }
}
