/**
 * Programs of the bench: started on a named core, asked until they answer, ended with everything that they started.
 * Knows nothing of what they are.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism } from "node:os";
import path from "node:path";

export const ROOT: string = path.resolve(import.meta.dirname, "..");
/** A gateway on a large data folder, on a busy machine, takes its time. */
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 15_000;
const ASK_TIMEOUT_MS = 10_000;
const MAX_SAID_CHARACTERS = 2_000;

/** Where there are so many cores, load, upstream and stores have those that the gateways leave them. */
export const CORES_TO_SCALE = 4;
const HAS_CORES = availableParallelism() >= CORES_TO_SCALE;
/** Load and upstream have the first core, what is measured the second. */
export const LOAD_CORE: string = HAS_CORES ? "0,3" : "0";
export const MEASURED_CORE = "1";
export const SECOND_CORE = "2";
export const STORE_CORES: string = HAS_CORES ? "0,3" : "0,1";

export interface System {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sessions that calls take in turn; none: calls belong to none. */
  readonly sessions: readonly string[];
  readonly pids: () => readonly number[];
  /** Settles when the process has ended. */
  readonly stop: () => Promise<void>;
}

export async function findPort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

const running = new Set<ChildProcess>();

/** Remembers a program for as long as it lives. */
export function track(child: ChildProcess): ChildProcess {
  running.add(child);
  return child.once("exit", () => running.delete(child));
}

/** Tells everything that still runs to end; for a run that is itself told to. */
export function endAll(): void {
  for (const child of running) child.kill("SIGTERM");
}

/** The last of what each program said of itself, for when it does not start. */
const said = new WeakMap<ChildProcess, string>();

export function launch(core: string, command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const child = track(
    spawn("taskset", ["-c", core, command, ...args], {
      cwd: ROOT,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` },
    }),
  );
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said.set(child, ((said.get(child) ?? "") + text).slice(-MAX_SAID_CHARACTERS));
  });
  return child;
}

function childrenOf(pid: number): number[] {
  const own = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return Number(readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]?.split(" ")[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
  return own.flatMap((child) => [child, ...childrenOf(child)]);
}

/** The process and everything below it. */
export function familyOf(child: ChildProcess): () => readonly number[] {
  return () => [child.pid as number, ...childrenOf(child.pid as number)];
}

export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

/** One message, as a client of Streamable HTTP sends it; gives the answer's text and the session that it names. */
export async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  timeoutMs: number = ASK_TIMEOUT_MS,
): Promise<{ readonly ok: boolean; readonly text: string; readonly session: string | undefined }> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    body,
    signal: AbortSignal.timeout(timeoutMs),
  });
  return { ok: answer.ok, text: await answer.text(), session: answer.headers.get("mcp-session-id") ?? undefined };
}

/** Repeats `attempt` until it gives something, for as long as the program lives and its time is not over. */
export async function insist<T>(child: ChildProcess, what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  const giveUpMs = performance.now() + START_TIMEOUT_MS;
  let last: unknown;
  for (;;) {
    try {
      const found = await attempt();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
    if (child.exitCode !== null) throw new Error(`${what} ended with ${child.exitCode} before it answered\n${said.get(child) ?? ""}`);
    if (performance.now() > giveUpMs) throw new Error(`${what} did not answer in time\n${said.get(child) ?? ""}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
