/**
 * How the cost of one call grows. All sizes of a curve run side by side and are sampled in turn, the smallest of them
 * twice: the difference between the two is the noise that a slope is held against.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { CURVES, type Curve, type Started } from "./curves.ts";
import { drawBars, drawSvg, type Point } from "./draw-curve.ts";
import { writeLoadScript } from "./load-script.ts";
import { median, pairUp, round as roundTo } from "./numbers.ts";
import type { Row } from "./print-table.ts";
import { DISTURBED_CORES, type Sample, takeCountedSample, takeSample } from "./sample.ts";
import type { Workshop } from "./systems.ts";

/** A program that compiles as it runs is measured when it has. */
const WARM_UP_SAMPLES = 3;
const ALLOWED_SLOPE = 0.05;
/** For each unit, between the two largest sizes. */
const ALLOWED_RISE = 0.25;

export interface GrowthOptions {
  readonly only: readonly string[] | undefined;
  readonly quick: boolean;
  readonly full: boolean;
  readonly rounds: number;
  readonly seconds: number;
  /** Where the pictures go; undefined: nowhere. */
  readonly drawings: string | undefined;
  readonly say: (text: string) => void;
}

export interface Grown {
  readonly name: string;
  readonly rows: readonly Row[];
  readonly drawing: string;
  readonly words: string;
  readonly errors: number;
  /** Undefined: the machine was too busy to judge. */
  readonly kept: boolean | undefined;
}

interface Measured extends Started {
  readonly size: number;
  readonly samples: Sample[];
}

const cpuOf = (one: Measured): number[] => one.samples.map(({ cpuUs }) => cpuUs);

interface Judged {
  readonly words: string;
  readonly kept: boolean;
}

function judgeFlat(sizes: readonly Measured[], spread: number): Judged {
  const [smallest, largest] = [sizes[0] as Measured, sizes.at(-1) as Measured];
  const slope = pairUp(cpuOf(largest), cpuOf(smallest), (left, right) => left / right).value - 1;
  const allowed = Math.max(ALLOWED_SLOPE, 2 * spread);
  const kept = slope <= allowed;
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  return {
    kept,
    words: `slope ${percent(slope)} (A/A spread ${percent(spread)}, allowed ${percent(allowed)}): ${kept ? "flat" : "NOT flat"}`,
  };
}

/** What each unit beyond the smallest size costs, in nanoseconds. */
function unitCostNs(one: Measured, smallest: Measured): number {
  const more = pairUp(cpuOf(one), cpuOf(smallest), (left, right) => left - right).value;
  return (more * 1000) / (one.size - smallest.size);
}

function judgeLinear(sizes: readonly Measured[], spread: number): Judged {
  const [smallest, before, largest] = [sizes[0] as Measured, sizes.at(-2) as Measured, sizes.at(-1) as Measured];
  const at = unitCostNs(largest, smallest);
  const allowed = Math.max(ALLOWED_RISE, 2 * spread);
  const told = `${at.toFixed(2)} ns for each one more at ${largest.size}`;
  if (before === smallest) return { kept: true, words: told };
  const earlier = unitCostNs(before, smallest);
  const kept = at <= earlier * (1 + allowed);
  return {
    kept,
    words: `${told}, ${earlier.toFixed(2)} at ${before.size} (A/A spread ${(spread * 100).toFixed(1)} %): ${kept ? "linear" : "NOT linear"}`,
  };
}

function describe(name: string, curve: Curve, measured: readonly Measured[], drawings: string | undefined): Grown {
  const [again, ...sizes] = measured as [Measured, ...Measured[]];
  const smallest = sizes[0] as Measured;
  const spread = Math.abs(pairUp(cpuOf(again), cpuOf(smallest), (left, right) => left / right).value - 1);
  const judged = curve.law === "flat" ? judgeFlat(sizes, spread) : judgeLinear(sizes, spread);
  const samples = measured.flatMap((one) => one.samples);
  const busy = samples.filter(({ foreignCores }) => foreignCores > DISTURBED_CORES).length * 2 > samples.length;
  const errors = samples.reduce((sum, sample) => sum + sample.errors, 0);
  const points: Point[] = sizes.map((one) => ({ size: one.size, value: median(cpuOf(one)) }));
  // A picture stays in the tree: only what could be judged is worth one.
  if (drawings !== undefined && !busy) {
    mkdirSync(drawings, { recursive: true });
    writeFileSync(path.join(drawings, `${name}.svg`), drawSvg(`CPU of a call by ${curve.what}`, "µs a call", points));
  }
  const rows = sizes.map((one) => ({
    curve: name,
    size: one.size,
    "CPU µs/call": roundTo(median(cpuOf(one)), 1),
    "÷ smallest": roundTo(pairUp(cpuOf(one), cpuOf(smallest), (left, right) => left / right).value, 3),
    "calls/s": roundTo(median(one.samples.map(({ callsPerSecond }) => callsPerSecond)), 1),
    errors: one.samples.reduce((sum, sample) => sum + sample.errors, 0),
  }));
  return {
    name,
    rows,
    drawing: `${curve.what}, CPU of a call:\n${drawBars(points, "µs")}`,
    words: `  ${busy ? `${judged.words.replace(/: [^:]*$/, "")}: not judged, the machine is too busy` : judged.words}\n`,
    errors,
    kept: busy ? undefined : judged.kept && errors === 0,
  };
}

async function measureCurve(workshop: Workshop, name: string, curve: Curve, options: GrowthOptions): Promise<Grown> {
  const { quick, full, rounds, seconds, say } = options;
  const sizes = quick ? curve.quickSizes : ((full ? curve.fullSizes : undefined) ?? curve.sizes);
  const measured: (Measured & { readonly script: string })[] = [];
  try {
    for (const [index, size] of [sizes[0] as number, ...sizes].entries()) {
      say(`${name}: starting with ${size}`);
      const one = await curve.start(workshop, `${name}-${size}-${index}`, size);
      measured.push({ ...one, size, samples: [], script: writeLoadScript(workshop.folder, one.system, one.body) });
    }
    const { connections } = curve;
    const take = ({ system, upstream, body, script }: (typeof measured)[number]): Promise<Sample> =>
      connections === undefined
        ? takeCountedSample(system, upstream.pids(), { body, seconds })
        : takeSample(system, upstream.pids(), { script, connections, seconds });
    for (let time = 0; time < (quick ? 1 : WARM_UP_SAMPLES); time++) for (const one of measured) await take(one);
    for (let round = 0; round < rounds; round++) {
      for (const one of round % 2 === 0 ? measured : [...measured].reverse()) one.samples.push(await take(one));
      say(`${name}: round ${round + 1}/${rounds}`);
    }
    return describe(name, curve, measured, options.drawings);
  } finally {
    await Promise.all(measured.flatMap(({ system, upstream }) => [system.stop(), upstream.stop()]));
  }
}

/** One curve that can't be had does not take the others with it. */
function giveUp(name: string, curve: Curve, error: unknown): Grown {
  const words = `  could not be measured: ${error instanceof Error ? error.message : "an unknown fault"}\n`;
  return { name, rows: [], drawing: `${curve.what}:\n`, words, errors: 0, kept: false };
}

export async function measureGrowth(workshop: Workshop, options: GrowthOptions): Promise<Grown[]> {
  const grown: Grown[] = [];
  for (const [name, curve] of Object.entries(CURVES)) {
    if (options.only !== undefined && !options.only.includes(name)) continue;
    const found = await measureCurve(workshop, name, curve, options).catch((error: unknown) => giveUp(name, curve, error));
    options.say(`${name}: ${found.words.trim()}`);
    grown.push(found);
  }
  return grown;
}
