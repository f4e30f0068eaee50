/** The program as people start it: a process of its own, with what it printed and how it ended. Gone when the test is. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));
const PROGRAM = path.join(ROOT, "bin/sallyport.js");
/** Others use the machine too. */
const PATIENCE_MS = 30_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  out(): string;
  err(): string;
  /** Settles when standard output (or error) holds it; rejects when the program ends before. */
  says(pattern: RegExp, where?: "out" | "err"): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): Promise<Ended>;
  write(text: string): void;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A command before it, which becomes it: `unshare`, say. */
  readonly within?: readonly string[];
}

/** Nothing of the environment of the tests but what a process needs. */
function createEnvironment(options: ProgramOptions): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "", HOME: options.cwd ?? tmpdir(), USER: "tester", ...options.env };
}

export function startProgram(args: readonly string[], options: ProgramOptions = {}): Running {
  const [command = "", ...words] = [...(options.within ?? []), process.execPath, PROGRAM, ...args];
  const child = spawn(command, words, { cwd: options.cwd ?? ROOT, env: createEnvironment(options), stdio: "pipe" });
  let out = "";
  let err = "";
  const watchers = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    for (const look of watchers) look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    for (const look of watchers) look();
  });
  child.stdin.on("error", () => undefined);
  const ended = new Promise<Ended>((resolve) => child.once("close", (code, signal) => resolve({ code, signal, out, err })));
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
  });
  return {
    child,
    ended,
    out: () => out,
    err: () => err,
    says: (pattern, where = "out") =>
      new Promise((resolve, reject) => {
        const give = (act: () => void): void => {
          clearTimeout(timer);
          watchers.delete(look);
          act();
        };
        const look = (): void => {
          const found = pattern.exec(where === "out" ? out : err);
          if (found) give(() => resolve(found));
        };
        const fail = (why: string): void => give(() => reject(new Error(`${why} before it said ${pattern}:\n${out}\n${err}`)));
        const timer = setTimeout(() => fail("too long a time passed"), PATIENCE_MS);
        watchers.add(look);
        void ended.then(() => {
          look();
          fail("the program ended");
        });
        look();
      }),
    kill: (signal) => {
      child.kill(signal);
      return ended;
    },
    write: (text) => void child.stdin.write(text),
  };
}

export async function runProgram(args: readonly string[], options: ProgramOptions & { readonly input?: string } = {}): Promise<Ended> {
  const running = startProgram(args, options);
  running.child.stdin?.end(options.input ?? "");
  return await running.ended;
}

export function makeFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "sallyport-e2e-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}
