/**
 * The table: every system in every round, order reversed every other round, at one, at sixteen and at sixty-four
 * connections, and then in an open loop at half of what it carried in that very round.
 */
import { CALL_BODY } from "./call-body.ts";
import { countSyncs } from "./count-syncs.ts";
import type { System } from "./launch.ts";
import { writeLoadScript } from "./load-script.ts";
import { round as roundTo } from "./numbers.ts";
import { benchPolicy } from "./policies.ts";
import { readResidentMiB } from "./processor-time.ts";
import { DISTURBED_CORES, type OpenSample, type Sample, takeOpenSample, takeSample } from "./sample.ts";
import { type GatewayChoice, readMetric, startNginx, startRelay, startSallyport, startUpstream, type Workshop } from "./systems.ts";

export const ONE = 1;
export const SOME = 16;
/** Where throughput is judged. */
export const MANY = 64;
const CONNECTIONS = [ONE, SOME, MANY] as const;

/** Every system's name in the table; the peers' come with their versions. */
export const NAMES = {
  none: "no gateway",
  nginx: "nginx proxy_pass",
  relay: "raw relay",
  relayAgain: "raw relay again (A/A)",
  policy: "sallyport: policy",
  limits: "sallyport: + limits",
  process: "sallyport: + audit (process)",
  disk: "sallyport: + audit (disk)",
  stdio: "sallyport before stdio",
} as const;

export interface Measured {
  readonly name: string;
  readonly at: ReadonlyMap<number, Sample[]>;
  readonly open: OpenSample[];
  /** Entries of the log for each call; undefined: it keeps none. */
  readonly entriesPerCall: number | undefined;
  readonly residentMiB: number;
}

export interface TableOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Nothing will be judged: no sample is taken twice, and those of one system run at the same time. */
  readonly quick: boolean;
  readonly startPeers: () => Promise<readonly System[]>;
  readonly say: (text: string) => void;
}

export interface Table {
  readonly systems: readonly Measured[];
  /** Samples during which the rest of the machine was in the way, of all. */
  readonly disturbed: number;
  readonly samples: number;
  /** With `disk`, syncs for each call at one connection, to a tenth: now and then one more moves the log into the database. */
  readonly syncsPerCall: number | undefined;
}

/** All at the same time, kept in the table's order; where one does not start, the others are still known. */
async function startAll(workshop: Workshop, options: TableOptions, systems: System[]): Promise<void> {
  const policy = benchPolicy(1);
  const gateway = (choice: Omit<GatewayChoice, "policy">): Promise<System> => startSallyport(workshop, { ...choice, policy });
  systems.push(await startUpstream(workshop.upstreamPort));
  const starts = await Promise.allSettled([
    startNginx(workshop),
    startRelay(workshop, NAMES.relay),
    startRelay(workshop, NAMES.relayAgain),
    gateway({ name: NAMES.policy, stage: "policy" }),
    gateway({ name: NAMES.limits, stage: "limits" }),
    gateway({ name: NAMES.process }),
    gateway({ name: NAMES.disk, durability: "disk" }),
    gateway({ name: NAMES.stdio, stdio: true }),
  ]);
  for (const start of starts) if (start.status === "fulfilled") systems.push(start.value);
  for (const start of starts) if (start.status === "rejected") throw start.reason;
  systems.push(...(await options.startPeers()));
}

const isRecorded = (name: string): boolean => name === NAMES.process || name === NAMES.disk || name === NAMES.stdio;

export async function measureTable(workshop: Workshop, options: TableOptions): Promise<Table> {
  const { rounds, seconds, say } = options;
  const systems: System[] = [];
  try {
    await startAll(workshop, options, systems);
    const [upstream] = systems as [System];
    const measured = new Map(
      systems.map((system) => {
        const at = new Map<number, Sample[]>(CONNECTIONS.map((connections) => [connections, []]));
        return [system, { at, open: [] as OpenSample[], script: writeLoadScript(workshop.folder, system, CALL_BODY) }];
      }),
    );
    const others = (system: System): readonly number[] => (system === upstream ? [] : upstream.pids());

    say("warming up");
    for (const [system, { script }] of options.quick ? [] : measured) {
      await takeSample(system, others(system), { script, connections: MANY, seconds: options.warmUpSeconds });
    }
    const entriesBefore = new Map<System, number>();
    for (const system of systems.filter(({ name }) => isRecorded(name))) {
      entriesBefore.set(system, await readMetric(system, "sallyport_audit_entries"));
    }
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? systems : [...systems].reverse();
      for (const system of order) {
        const { at, open, script } = measured.get(system) as { at: Map<number, Sample[]>; open: OpenSample[]; script: string };
        const take = async (connections: number): Promise<void> => {
          const load = { script, connections, seconds, once: options.quick };
          (at.get(connections) as Sample[]).push(await takeSample(system, others(system), load));
        };
        if (options.quick) await Promise.all(CONNECTIONS.map(take));
        else for (const connections of CONNECTIONS) await take(connections);
        const saturation = at.get(MANY)?.at(-1)?.callsPerSecond ?? 0;
        const { url, headers, sessions } = system;
        const callsPerSecond = Math.max(1, saturation / 2);
        const load = { urls: [url], headers, sessions, body: CALL_BODY, callsPerSecond, seconds, connections: MANY };
        open.push(await takeOpenSample(system, others(system), load, options.quick));
        say(`round ${round + 1}/${rounds}: ${system.name}`);
      }
    }
    const list: Measured[] = [];
    for (const [system, { at, open }] of measured) {
      const before = entriesBefore.get(system);
      const calls = [...[...at.values()].flat(), ...open].reduce((sum, sample) => sum + sample.sent, 0);
      const entries = before === undefined ? undefined : (await readMetric(system, "sallyport_audit_entries")) - before;
      const residentMiB = readResidentMiB(system.pids());
      list.push({ name: system.name, at, open, entriesPerCall: entries === undefined ? undefined : entries / calls, residentMiB });
    }
    const all = list.flatMap(({ at, open }) => [...[...at.values()].flat(), ...open]);
    const syncs = await countSyncs(systems.find(({ name }) => name === NAMES.disk) as System);
    return {
      systems: list,
      disturbed: all.filter(({ foreignCores }) => foreignCores > DISTURBED_CORES).length,
      samples: all.length,
      syncsPerCall: syncs === undefined ? undefined : roundTo(syncs, 1),
    };
  } finally {
    await Promise.all(systems.map((system) => system.stop()));
  }
}
