/**
 * The marks, and whether one run met them: figures against nginx, the raw relay and the peers, pair by pair within a
 * round. Where the machine was too busy to tell, nothing is judged.
 */
import { MANY, type Measured, NAMES, ONE, SOME, type Table } from "./measure-table.ts";
import { divide, median, pairUp, printSpread, type Spread, spreadOf, subtract } from "./numbers.ts";
import type { Row } from "./print-table.ts";
import type { Sample } from "./sample.ts";

/** How far the relay may be from itself, as a share. */
const MAX_OWN_DIFFERENCE = 0.15;

export interface Mark {
  readonly mark: string;
  readonly measured: Spread;
  readonly bound: string;
  /** Undefined: it could not be judged. */
  readonly met: boolean | undefined;
}

export interface Verdict {
  readonly judged: boolean;
  /** Why not, or how quiet it was. */
  readonly words: string;
  readonly marks: readonly Mark[];
}

type Figure = "callsPerSecond" | "cpuUs" | "p50Us";

function figures(system: Measured, connections: number, figure: Figure): number[] {
  return (system.at.get(connections) as Sample[]).map((sample) => sample[figure]);
}

function compare(ours: Measured, theirs: Measured, connections: number, figure: Figure, combine: typeof divide): Spread {
  return pairUp(figures(ours, connections, figure), figures(theirs, connections, figure), combine);
}

function compareOpen(ours: Measured, theirs: Measured): Spread {
  const p99 = (system: Measured): number[] => system.open.map((sample) => sample.p99Us);
  return pairUp(p99(ours), p99(theirs), divide);
}

const find = (table: Table, name: string): Measured => table.systems.find((system) => system.name === name) as Measured;
const isPeer = (system: Measured): boolean => !(Object.values(NAMES) as string[]).includes(system.name);

export function judgeTable(table: Table): Verdict {
  const [nginx, relay, again] = [find(table, NAMES.nginx), find(table, NAMES.relay), find(table, NAMES.relayAgain)];
  const [ours, disk, stdio] = [find(table, NAMES.process), find(table, NAMES.disk), find(table, NAMES.stdio)];
  const own = compare(again, relay, MANY, "callsPerSecond", divide);
  const busy = table.disturbed * 2 > table.samples;
  const judged = !busy && Math.abs(own.value - 1) <= MAX_OWN_DIFFERENCE;
  const atLeast = (mark: string, bound: number, measured: Spread): Mark => ({
    mark,
    measured,
    bound: `≥ ${bound}`,
    met: judged ? measured.value >= bound : undefined,
  });
  const atMost = (mark: string, bound: number, measured: Spread): Mark => ({
    mark,
    measured,
    bound: `≤ ${bound}`,
    met: judged && Number.isFinite(measured.value) ? measured.value <= bound : undefined,
  });
  const marks: Mark[] = [
    atLeast("throughput ÷ nginx", 0.4, compare(ours, nginx, MANY, "callsPerSecond", divide)),
    atLeast("throughput ÷ raw relay", 0.8, compare(ours, relay, MANY, "callsPerSecond", divide)),
    atMost("own CPU over the raw relay, µs", 12, compare(ours, relay, MANY, "cpuUs", subtract)),
    atMost("p50 over nginx at one connection, µs", 60, compare(ours, nginx, ONE, "p50Us", subtract)),
    atMost("p99 ÷ raw relay at half load", 1.3, compareOpen(ours, relay)),
    ...table.systems.filter(isPeer).map((peer) => {
      return atLeast(`throughput before stdio ÷ ${peer.name}`, 10, compare(stdio, peer, MANY, "callsPerSecond", divide));
    }),
    atMost("disk: fdatasync a call at one connection", 2, { value: table.syncsPerCall ?? Number.NaN, half: 0 }),
    atMost("disk: p50 over process at one connection, µs", 200, compare(disk, ours, ONE, "p50Us", subtract)),
    atLeast("disk: throughput ÷ process", 0.85, compare(disk, ours, MANY, "callsPerSecond", divide)),
  ];
  const words = `${table.disturbed} of ${table.samples} samples were disturbed, the relay against itself is ${printSpread(own, 2)}`;
  return { judged, words: judged ? words : `The machine is too busy to judge: ${words}.`, marks };
}

/** One row for each system, as it is printed. */
export function listRows(table: Table): Row[] {
  const [nginx, relay] = [find(table, NAMES.nginx), find(table, NAMES.relay)];
  return table.systems.map((system) => {
    const whole = (connections: number): number => Math.round(median(figures(system, connections, "callsPerSecond")));
    const samples = [...[...system.at.values()].flat(), ...system.open];
    return {
      system: system.name,
      "calls/s at 1": whole(ONE),
      "at 16": whole(SOME),
      "at 64": whole(MANY),
      "CPU µs/call": printSpread(spreadOf(figures(system, MANY, "cpuUs")), 1),
      "÷ nginx": printSpread(compare(system, nginx, MANY, "callsPerSecond", divide), 2),
      "÷ relay": printSpread(compare(system, relay, MANY, "callsPerSecond", divide), 2),
      "p50 µs at 1": Math.round(median(figures(system, ONE, "p50Us"))),
      "over nginx": printSpread(compare(system, nginx, ONE, "p50Us", subtract), 0),
      "p99 µs at half load": Math.round(median(system.open.map((sample) => sample.p99Us))),
      "÷ relay's": printSpread(compareOpen(system, relay), 2),
      "entries/call": system.entriesPerCall === undefined ? "–" : system.entriesPerCall.toFixed(2),
      MiB: Math.round(system.residentMiB),
      errors: samples.reduce((sum, sample) => sum + sample.errors, 0),
    };
  });
}

export function printVerdict(verdict: Verdict): string {
  const lines = verdict.marks.map(({ mark, measured, bound, met }) => {
    const word = met === undefined ? "not judged" : met ? "met" : "NOT met";
    return `  ${word.padEnd(10)} ${mark}: ${printSpread(measured, 2)} (mark ${bound})`;
  });
  return `${verdict.words}\n${lines.join("\n")}\n`;
}
