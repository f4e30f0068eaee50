/** How often a process asks the disk to keep what it has, told by strace where it is there. */
import { spawn } from "node:child_process";
import { CALL_BODY } from "./call-body.ts";
import { post, type System } from "./launch.ts";

const CALLS = 100;
const STRACE_TIMEOUT_MS = 30_000;

/** Syncs of files for each of some calls, one after the other; undefined where they can't be counted. */
export async function countSyncs(system: System): Promise<number | undefined> {
  const pid = system.pids()[0] as number;
  const tracer = spawn("strace", ["-f", "-c", "-e", "trace=fdatasync,fsync", "-p", String(pid)], { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  let isThere = true;
  const ended = new Promise<void>((resolve) => {
    tracer.once("error", () => {
      isThere = false;
      resolve();
    });
    tracer.once("exit", () => resolve());
  });
  const timer = setTimeout(() => tracer.kill("SIGKILL"), STRACE_TIMEOUT_MS);
  try {
    await new Promise<void>((resolve) => {
      void ended.then(resolve);
      tracer.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (text.includes("attached")) resolve();
      });
    });
    for (let call = 0; isThere && call < CALLS; call++) await post(system.url, system.headers, CALL_BODY);
    tracer.kill("SIGINT");
    await ended;
  } finally {
    clearTimeout(timer);
  }
  if (!isThere || !text.includes("attached")) return undefined;
  const calls = text.split("\n").filter((line) => / f(data)?sync$/.test(line));
  // % time, seconds, µs a call, calls, errors where there are some, name
  return calls.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[3]), 0) / CALLS;
}
