/**
 * What stands in the way: one call of the whole gateway under load, taken apart. The kernel tells how much of the time was
 * spent in system calls, V8's sampling profile who had the rest: our rooms by folder, Node's own code, SQLite, hashing,
 * the garbage collector.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { CALL_BODY } from "./call-body.ts";
import type { System } from "./launch.ts";
import { writeLoadScript } from "./load-script.ts";
import { benchPolicy } from "./policies.ts";
import type { Row } from "./print-table.ts";
import { type Sample, takeSample } from "./sample.ts";
import { startSallyport, type Workshop } from "./systems.ts";

const CONNECTIONS = 64;
const WRITE_TIMEOUT_MS = 60_000;

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Functions of `node:sqlite`, of hashing and of sockets, which run in C++ under the name that JavaScript calls them by. */
const SQLITE = new Set(["all", "run", "get", "iterate", "exec", "prepare", "setReadBigInts"]);
const HASHING = new Set(["hash", "oneShotDigest", "update", "digest", "Hmac", "Hash", "sign", "timingSafeEqual", "init"]);
const SOCKETS = new Set(["writev", "writeBuffer", "writeUtf8String", "writeLatin1String", "writeAsciiString", "readStart", "shutdown"]);

/** The part that a frame's own time belongs to; undefined: it ran for whoever called it. */
function nameFrame({ functionName, url }: ProfileNode["callFrame"]): string | undefined {
  // Starting and ending the profile is no part of a call.
  if (functionName === "(idle)" || url === "node:inspector") return "idle";
  if (functionName === "(garbage collector)") return "garbage collector";
  if (functionName === "(program)") return "event loop and reading, in C++";
  const room = /\/src\/(?:([^/]+)\/)?[^/]+\.ts$/.exec(url);
  if (room) return `ours: ${room[1] ?? "app"}`;
  if (url.startsWith("node:")) return "Node's own JavaScript";
  if (url !== "") return "libraries";
  if (SQLITE.has(functionName)) return "SQLite";
  if (HASHING.has(functionName)) return "hashing";
  if (SOCKETS.has(functionName)) return "writing to sockets, in C++";
  return undefined;
}

export interface Part {
  readonly part: string;
  readonly share: number;
}

/** Shares of the time that was not idle, the largest first. */
export function shareOut(profile: CpuProfile): Part[] {
  const parents = new Map<number, number>();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  for (const node of profile.nodes) for (const child of node.children ?? []) parents.set(child, node.id);
  const names = new Map<number, string>();
  const nameOf = (id: number): string => {
    const known = names.get(id);
    if (known !== undefined) return known;
    const node = nodes.get(id) as ProfileNode;
    const parent = parents.get(id);
    // What V8 runs in C++ without a name of ours is its caller's: parsing, comparing, joining texts.
    const name = nameFrame(node.callFrame) ?? (parent === undefined ? "event loop and reading, in C++" : nameOf(parent));
    names.set(id, name);
    return name;
  };
  const sums = new Map<string, number>();
  for (const [index, id] of profile.samples.entries()) {
    const name = nameOf(id);
    sums.set(name, (sums.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  }
  sums.delete("idle");
  return toShares(sums);
}

const FUNCTIONS_TOLD = 25;

/** Functions by their own time, the dearest first, as shares of the time that was not idle. */
export function listFunctions(profile: CpuProfile): Part[] {
  const names = new Map(
    profile.nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place = url === "" ? "" : ` ${url.replace(/^.*\/((?:src|node_modules)\/)/, "$1")}:${lineNumber + 1}`;
      return [id, `${functionName === "" ? "(anonymous)" : functionName}${place}`];
    }),
  );
  const sums = new Map<string, number>();
  for (const [index, id] of profile.samples.entries()) {
    const name = names.get(id) as string;
    if (name.includes(" node:inspector:")) continue;
    sums.set(name, (sums.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  }
  sums.delete("(idle)");
  return toShares(sums);
}

function toShares(sums: ReadonlyMap<string, number>): Part[] {
  const total = [...sums.values()].reduce((sum, value) => sum + value, 0);
  return [...sums].map(([part, value]) => ({ part, share: value / total })).sort((left, right) => right.share - left.share);
}

/** Clock ticks of the process in its own code and in the kernel, of all its threads. */
function readTicks(pid: number): { readonly user: number; readonly kernel: number } {
  const fields = (readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1] as string).split(" ");
  return { user: Number(fields[11]), kernel: Number(fields[12]) };
}

async function takeProfile(system: System, file: string, load: () => Promise<Sample>): Promise<CpuProfile> {
  const pid = system.pids()[0] as number;
  process.kill(pid, "SIGUSR2");
  await load();
  process.kill(pid, "SIGUSR2");
  for (const endMs = performance.now() + WRITE_TIMEOUT_MS; !existsSync(file); ) {
    if (performance.now() > endMs) throw new Error("the profile was not written in time");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return JSON.parse(readFileSync(file, "utf8")) as CpuProfile;
}

export interface Breakdown {
  readonly rows: readonly Row[];
  readonly functions: readonly Row[];
  readonly words: string;
}

/** Rows in microseconds a call: shares of the profile, laid over what an unprofiled sample spent. */
export async function breakDown(workshop: Workshop, upstream: System, seconds: number, warmUpSeconds: number): Promise<Breakdown> {
  const file = path.join(workshop.folder, "call.cpuprofile");
  const name = "sallyport: whole, profiled";
  const system = await startSallyport(workshop, { name, policy: benchPolicy(1), stage: "whole", profileFile: file });
  try {
    const script = writeLoadScript(workshop.folder, system, CALL_BODY);
    const load = (span: number): Promise<Sample> =>
      takeSample(system, upstream.pids(), { script, connections: CONNECTIONS, seconds: span });
    await load(warmUpSeconds);
    const pid = system.pids()[0] as number;
    const before = readTicks(pid);
    const { cpuUs } = await load(seconds);
    const after = readTicks(pid);
    const kernel = (after.kernel - before.kernel) / Math.max(1, after.kernel - before.kernel + after.user - before.user);
    const profile = await takeProfile(system, file, () => load(seconds));
    const tell = (column: string, parts: readonly Part[]): Row[] =>
      parts.map(({ part, share }) => ({
        [column]: part,
        share: `${(share * 100).toFixed(1)} %`,
        "µs/call": (share * cpuUs).toFixed(1),
      }));
    const rows = tell("part", shareOut(profile));
    const functions = tell("function", listFunctions(profile).slice(0, FUNCTIONS_TOLD));
    const words = `One call takes ${cpuUs.toFixed(1)} µs of a processor, ${(kernel * 100).toFixed(0)} % of it in system calls (part of the lines in C++).`;
    return { rows, functions, words };
  } finally {
    await system.stop();
  }
}
