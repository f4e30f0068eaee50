/**
 * How the cost of one call grows: with the entries of the policy (one of which is selected) and with the grants that are
 * known. Both ends are sampled in turn, with the small end measured twice: the difference between its two halves is the
 * noise that a slope is held against.
 */
import { randomBytes } from "node:crypto";
import path from "node:path";
import { openDataFolder } from "../src/data-folder.ts";
import { addGrant } from "../src/identity/change-grants.ts";
import { benchPolicy } from "./policies.ts";
import { median, type Sample } from "./sample.ts";
import { type System, startSallyport, type Workshop } from "./systems.ts";

const CONNECTIONS = 32;
/** A program that compiles as it runs is measured when it has. */
const WARM_UP_SAMPLES = 3;
const ALLOWED_SLOPE = 0.05;
const GRANTS_IN_ONE_WRITE = 1_000;

export interface GrowthRow {
  readonly what: string;
  readonly size: number;
  readonly "CPU µs/call": number;
  readonly "÷ smallest": number;
}

export interface Growth {
  readonly rows: readonly GrowthRow[];
  readonly words: string;
}

export type TakeOne = (system: System, connections: number) => Promise<Sample>;

async function seedGrants(workshop: Workshop, name: string, count: number): Promise<void> {
  const dir = path.join(workshop.folder, name, "data");
  const folder = await openDataFolder({ dir, env: {} });
  for (let from = 0; from < count; from += GRANTS_IN_ONE_WRITE) {
    await folder.store.write(async (batch) => {
      for (let index = from; index < Math.min(count, from + GRANTS_IN_ONE_WRITE); index++) {
        const added = await addGrant(batch, {
          label: `seeded-${index}`,
          identity: `agent-${index}`,
          owner: undefined,
          tags: {},
          servers: [{ server: "bench", policy: "bench" }],
          expiresMs: undefined,
          origin: "cli",
          canAsk: false,
          by: "bench",
          nowMs: folder.clock.now(),
          key: folder.tokenKey,
          randomBytes,
        });
        if (!added.ok) throw new Error(added.failures.map((failure) => failure.message).join("\n"));
      }
    });
  }
  await folder.close();
}

/** Measures each size in turn, the smallest also a second time, over `rounds` rounds. */
async function measureCurve(
  what: string,
  sizes: readonly number[],
  start: (size: number, name: string) => Promise<System>,
  rounds: number,
  take: TakeOne,
  say: (text: string) => void,
): Promise<Growth> {
  const systems: { readonly size: number; readonly system: System; readonly samples: number[] }[] = [];
  try {
    for (const [index, size] of [sizes[0] as number, ...sizes].entries()) {
      systems.push({ size, system: await start(size, `${what}-${size}-${index}`), samples: [] });
    }
    for (let time = 0; time < WARM_UP_SAMPLES; time++) for (const { system } of systems) await take(system, CONNECTIONS);
    for (let round = 0; round < rounds; round++) {
      for (const one of round % 2 === 0 ? systems : [...systems].reverse()) {
        one.samples.push((await take(one.system, CONNECTIONS)).cpuUs);
      }
      say(`growth of ${what}: round ${round + 1}/${rounds}`);
    }
  } finally {
    await Promise.all(systems.map(({ system }) => system.stop()));
  }
  const [again, smallest] = systems as [(typeof systems)[0], (typeof systems)[0]];
  const largest = systems.at(-1) as (typeof systems)[0];
  const ratios = (one: { samples: number[] }) => one.samples.map((value, index) => value / (smallest.samples[index] as number));
  const spread = Math.abs(median(ratios(again)) - 1);
  const slope = median(ratios(largest)) - 1;
  const allowed = Math.max(ALLOWED_SLOPE, 2 * spread);
  const rows = systems.slice(1).map((one) => ({
    what,
    size: one.size,
    "CPU µs/call": Number(median(one.samples).toFixed(1)),
    "÷ smallest": Number(median(ratios(one)).toFixed(3)),
  }));
  const verdict = slope <= allowed ? "flat" : "NOT flat";
  const words = `${what} ${sizes[0]} → ${sizes.at(-1)}: ${(slope * 100).toFixed(1)} % (A/A spread ${(spread * 100).toFixed(1)} %, allowed ${(allowed * 100).toFixed(1)} %): ${verdict}`;
  return { rows, words };
}

export async function measureGrowth(workshop: Workshop, rounds: number, take: TakeOne, say: (text: string) => void): Promise<Growth> {
  const entries = await measureCurve(
    "entries",
    [1, 100, 10_000],
    (size, name) => startSallyport(workshop, name, benchPolicy(size)),
    rounds,
    take,
    say,
  );
  const grants = await measureCurve(
    "grants",
    [1, 1_000, 100_000],
    async (size, name) => {
      await seedGrants(workshop, name, size - 1);
      return await startSallyport(workshop, name, benchPolicy(1));
    },
    rounds,
    take,
    say,
  );
  return { rows: [...entries.rows, ...grants.rows], words: `${entries.words}\n${grants.words}` };
}
