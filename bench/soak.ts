/**
 * Memory over time: the whole gateway under full load for some minutes. Told is what is resident each few seconds; judged
 * is whether the second half still grows, by the line that fits it best.
 */
import { CALL_BODY } from "./call-body.ts";
import type { System } from "./launch.ts";
import { writeLoadScript } from "./load-script.ts";
import { median } from "./numbers.ts";
import { benchPolicy } from "./policies.ts";
import { readResidentMiB } from "./processor-time.ts";
import { takeSample } from "./sample.ts";
import { startSallyport, type Workshop } from "./systems.ts";

const LOOK_MS = 2_000;
const CONNECTIONS = 64;
/** What the second half may grow, as a share of what is held, before it is called growth. */
const ALLOWED_GROWTH = 0.05;

export interface Soak {
  readonly minutes: number;
  readonly residentMiB: readonly number[];
  readonly calls: number;
  readonly errors: number;
  /** Growth over the second half, as a share of its median. */
  readonly growth: number;
  readonly flat: boolean;
}

/** The rise over the whole span of the line of least squares. */
function riseOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let [over, under] = [0, 0];
  for (const [index, value] of values.entries()) {
    over += (index - middle) * (value - mean);
    under += (index - middle) ** 2;
  }
  return under === 0 ? 0 : (over / under) * (values.length - 1);
}

export function judgeGrowth(residentMiB: readonly number[]): { readonly growth: number; readonly flat: boolean } {
  const half = residentMiB.slice(Math.floor(residentMiB.length / 2));
  const growth = riseOf(half) / median(half);
  return { growth, flat: growth <= ALLOWED_GROWTH };
}

export async function soak(workshop: Workshop, upstream: System, minutes: number, say: (text: string) => void): Promise<Soak> {
  const system = await startSallyport(workshop, { name: "sallyport: soak", policy: benchPolicy(1) });
  const residentMiB: number[] = [];
  const watch = setInterval(() => residentMiB.push(readResidentMiB(system.pids())), LOOK_MS);
  try {
    const script = writeLoadScript(workshop.folder, system, CALL_BODY);
    let [calls, errors] = [0, 0];
    for (const endMs = performance.now() + minutes * 60_000; performance.now() < endMs; ) {
      const seconds = Math.max(1, Math.min(30, Math.round((endMs - performance.now()) / 1000)));
      const sample = await takeSample(system, upstream.pids(), { script, connections: CONNECTIONS, seconds, once: true });
      calls += sample.calls;
      errors += sample.errors;
      say(`${Math.round((residentMiB.length * LOOK_MS) / 1000)} s: ${Math.round(residentMiB.at(-1) ?? 0)} MiB`);
    }
    return { minutes, residentMiB, calls, errors, ...judgeGrowth(residentMiB) };
  } finally {
    clearInterval(watch);
    await system.stop();
  }
}
