/**
 * One sample: wrk against one system for some seconds, with what the system's own processes spent on a processor
 * (the kernel's schedstat, nanoseconds) and what the rest of the machine did meanwhile.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

export interface Sample {
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Processor time of the system under test for each request, in microseconds. */
  readonly cpuUs: number;
  /** Busy cores that neither the system, the load nor the upstream account for. */
  readonly foreignCores: number;
  readonly errors: number;
  readonly requests: number;
}

export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** A wrk script with method, headers and body. */
  readonly script: string;
}

function spentNs(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]))
      .reduce((sum, value) => sum + value, 0);
  } catch {
    return 0;
  }
}

function busyMs(): number {
  const fields = (readFileSync("/proc/stat", "utf8").split("\n")[0] as string).trim().split(/\s+/).slice(1).map(Number);
  const idle = (fields[3] as number) + (fields[4] as number);
  return (fields.slice(0, 8).reduce((sum, value) => sum + value, 0) - idle) * 10;
}

function microseconds(text: string | undefined): number {
  const match = /([\d.]+)(us|ms|s)/.exec(text ?? "");
  if (!match) return Number.NaN;
  return Number(match[1]) * { us: 1, ms: 1_000, s: 1_000_000 }[match[2] as "us" | "ms" | "s"];
}

export async function runWrk(load: Load): Promise<{ text: string; cpuMs: number }> {
  const args = ["-c", "0", "wrk", "-t1", `-c${load.connections}`, `-d${load.seconds}s`, "--latency", "-s", load.script, load.url];
  const child = spawn("taskset", args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  let cpuMs = 0;
  const watch = setInterval(() => {
    cpuMs = Math.max(cpuMs, spentNs(child.pid as number) / 1e6);
  }, 50);
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await new Promise((resolve) => child.on("close", resolve));
  clearInterval(watch);
  return { text, cpuMs };
}

/** Loads a system whose processes are `pids`; `others` are the upstream's. */
export async function takeSample(load: Load, pids: readonly number[], others: readonly number[]): Promise<Sample> {
  const spent = (list: readonly number[]) => list.map(spentNs).reduce((sum, value) => sum + value, 0) / 1e6;
  const [before, othersBefore, busyBefore, startMs] = [spent(pids), spent(others), busyMs(), performance.now()];
  const { text, cpuMs } = await runWrk(load);
  const elapsedMs = performance.now() - startMs;
  const ownMs = spent(pids) - before;
  const foreignMs = busyMs() - busyBefore - ownMs - (spent(others) - othersBefore) - cpuMs;
  const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? 0);
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const statusErrors = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  return {
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
    p50Us: microseconds(/50%\s+(\S+)/.exec(text)?.[1]),
    p99Us: microseconds(/99%\s+(\S+)/.exec(text)?.[1]),
    cpuUs: (ownMs * 1000) / Math.max(1, requests),
    foreignCores: foreignMs / elapsedMs,
    errors: socketErrors.map(Number).reduce((sum, value) => sum + value, 0) + statusErrors,
    requests,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
