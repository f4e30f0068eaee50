/**
 * One sample: some seconds of load against one system, with what the system's own processes spent on a processor and what
 * the rest of the machine did meanwhile. Closed loop by wrk, open loop by `open-loop.ts`.
 */
import { spawn } from "node:child_process";
import { GOOD_ANSWER } from "./call-body.ts";
import { LOAD_CORE, post, ROOT, type System, track } from "./launch.ts";
import { BAD_ANSWERS } from "./load-script.ts";
import { quantile } from "./numbers.ts";
import type { OpenLoop, OpenLoopResult } from "./open-loop.ts";
import { readBusyMs, spentMs } from "./processor-time.ts";

/** Foreign load above which a sample is taken again, in cores. */
export const DISTURBED_CORES = 0.15;

export interface Sample {
  readonly callsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Processor time of the system under test for each call, in microseconds. */
  readonly cpuUs: number;
  /** Busy cores that neither the system, the load nor the upstream account for. */
  readonly foreignCores: number;
  readonly errors: number;
  readonly calls: number;
  /** With those of a sample that was taken again, and of its first moments. */
  readonly sent: number;
}

/** What a load program printed, and the time it took. */
interface Ran {
  readonly text: string;
  readonly ownMs: number;
  readonly foreignCores: number;
}

async function run(system: System, others: readonly number[], command: string, args: readonly string[]): Promise<Ran> {
  const pids = system.pids();
  const [before, othersBefore, busyBefore, startMs] = [spentMs(pids), spentMs(others), readBusyMs(), performance.now()];
  const child = spawn("taskset", ["-c", LOAD_CORE, command, ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  track(child);
  let text = "";
  let loadMs = 0;
  const watch = setInterval(() => {
    loadMs = Math.max(loadMs, spentMs([child.pid as number]));
  }, 50);
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await new Promise((resolve) => child.on("close", resolve));
  clearInterval(watch);
  const elapsedMs = performance.now() - startMs;
  const ownMs = spentMs(pids) - before;
  const foreignMs = readBusyMs() - busyBefore - ownMs - (spentMs(others) - othersBefore) - loadMs;
  return { text, ownMs, foreignCores: foreignMs / elapsedMs };
}

function microseconds(text: string | undefined): number {
  const match = /([\d.]+)(us|ms|s)/.exec(text ?? "");
  if (!match) return Number.NaN;
  return Number(match[1]) * { us: 1, ms: 1_000, s: 1_000_000 }[match[2] as "us" | "ms" | "s"];
}

function readWrk({ text, ownMs, foreignCores }: Ran): Sample {
  const calls = Number(/(\d+) requests in/.exec(text)?.[1] ?? 0);
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const statusErrors = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const badAnswers = Number(BAD_ANSWERS.exec(text)?.[1] ?? 0);
  return {
    callsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
    p50Us: microseconds(/^ +50% +(\S+)/m.exec(text)?.[1]),
    p99Us: microseconds(/^ +99% +(\S+)/m.exec(text)?.[1]),
    cpuUs: (ownMs * 1000) / Math.max(1, calls),
    foreignCores,
    errors: socketErrors.map(Number).reduce((sum, value) => sum + value, 0) + statusErrors + badAnswers,
    calls,
    sent: calls,
  };
}

/** Takes a sample again once where the machine was disturbed, and keeps the quieter one. */
async function insistOnQuiet<T extends { readonly foreignCores: number; readonly sent: number }>(take: () => Promise<T>): Promise<T> {
  const first = await take();
  if (first.foreignCores <= DISTURBED_CORES) return first;
  const second = await take();
  const sent = first.sent + second.sent;
  return second.foreignCores < first.foreignCores ? { ...second, sent } : { ...first, sent };
}

export interface ClosedLoad {
  readonly script: string;
  readonly connections: number;
  readonly seconds: number;
  /** Taken once, whatever else runs: nothing will be judged. */
  readonly once?: boolean;
}

/** Beyond this a call is an error. */
const CALL_TIMEOUT_SECONDS = 10;
/** At least so many, however long they take. */
const MIN_COUNTED_CALLS = 3;
const COUNTED_TIMEOUT_MS = 120_000;

/**
 * Calls one after the other, each to its end, for those that take so long that what a time cut off would weigh. They come
 * from this very process, which has the load's core.
 */
export async function takeCountedSample(
  system: System,
  others: readonly number[],
  load: { body: string; seconds: number },
): Promise<Sample> {
  return await insistOnQuiet(async () => {
    const behind = [...others, process.pid];
    const spent = (): readonly [number, number, number] => [spentMs(system.pids()), spentMs(behind), readBusyMs()];
    const before = spent();
    const times: number[] = [];
    let errors = 0;
    const startMs = performance.now();
    for (const endMs = startMs + load.seconds * 1000; times.length < MIN_COUNTED_CALLS || performance.now() < endMs; ) {
      const sentMs = performance.now();
      const { ok, text } = await post(system.url, system.headers, load.body, COUNTED_TIMEOUT_MS);
      if (!ok || !text.includes(GOOD_ANSWER)) errors++;
      times.push((performance.now() - sentMs) * 1000);
    }
    const elapsedMs = performance.now() - startMs;
    const [ownMs, behindMs, busyMs] = spent().map((value, index) => value - (before[index] as number)) as [number, number, number];
    const calls = times.length;
    return {
      callsPerSecond: (calls * 1000) / elapsedMs,
      p50Us: quantile(times, 0.5),
      p99Us: quantile(times, 0.99),
      cpuUs: (ownMs * 1000) / calls,
      foreignCores: (busyMs - ownMs - behindMs) / elapsedMs,
      errors,
      calls,
      sent: calls,
    };
  });
}

/** `others` are the processes behind the system, whose time is not its own. */
export async function takeSample(system: System, others: readonly number[], load: ClosedLoad): Promise<Sample> {
  const { connections, seconds, script } = load;
  const words = [
    "-t1",
    `-c${connections}`,
    `-d${seconds}s`,
    "--timeout",
    `${CALL_TIMEOUT_SECONDS}s`,
    "--latency",
    "-s",
    script,
    system.url,
  ];
  const take = async (): Promise<Sample> => readWrk(await run(system, others, "wrk", words));
  return await (load.once ? take() : insistOnQuiet(take));
}

export type OpenSample = OpenLoopResult & { readonly cpuUs: number; readonly foreignCores: number };

export async function takeOpenSample(system: System, others: readonly number[], load: OpenLoop, once = false): Promise<OpenSample> {
  const take = async (): Promise<OpenSample> => {
    const ran = await run(system, others, process.execPath, ["bench/open-loop.ts", JSON.stringify(load)]);
    const result = JSON.parse(ran.text) as OpenLoopResult;
    return { ...result, cpuUs: (ran.ownMs * 1000) / Math.max(1, result.sent), foreignCores: ran.foreignCores };
  };
  return await (once ? take() : insistOnQuiet(take));
}
