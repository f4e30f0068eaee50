/** How often a process asks the disk to keep what it has, told by strace where it is there. */
import { spawn } from "node:child_process";
import { CALL_BODY } from "./call-body.ts";
import { post, type System } from "./launch.ts";

const STRACE = "strace";
const CALLS = 100;
/** What it says when it has begun. */
const ATTACHED = " attached";
const STRACE_TIMEOUT_MS = 30_000;

/** Syncs of files for each of some calls, one after the other; undefined where they can't be counted. */
export async function countSyncs(system: System): Promise<number | undefined> {
  const pid = system.pids()[0] as number;
  const tracer = spawn(STRACE, ["-f", "-c", "-e", "trace=fdatasync,fsync", "-p", String(pid)], { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  const ended = new Promise<void>((resolve) => {
    tracer.once("error", () => resolve());
    tracer.once("close", () => resolve());
  });
  const timer = setTimeout(() => tracer.kill("SIGKILL"), STRACE_TIMEOUT_MS);
  try {
    await new Promise<void>((resolve) => {
      void ended.then(resolve);
      tracer.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (text.includes(ATTACHED)) resolve();
      });
    });
    if (!text.includes(ATTACHED)) return undefined;
    for (let call = 0; call < CALLS; call++) await post(system.url, system.headers, CALL_BODY);
    tracer.kill("SIGINT");
    await ended;
  } finally {
    clearTimeout(timer);
    if (tracer.exitCode === null) tracer.kill("SIGKILL");
  }
  // Whoever was ended in the middle has not told what it saw.
  if (tracer.signalCode === "SIGKILL") return undefined;
  const calls = text.split("\n").filter((line) => / f(data)?sync$/.test(line));
  // % time, seconds, µs a call, calls, errors where there are some, name
  return calls.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[3]), 0) / CALLS;
}
