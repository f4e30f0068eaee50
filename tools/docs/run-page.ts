/**
 * Runs the steps of a page in order in one fresh folder, one environment passed from step to step, and gives what each
 * said. Every step has a time limit; what a page starts in the background ends with it.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Command, Page } from "./read-page.ts";
import { createWorkspace, type Workspace } from "./workspace.ts";

const STEP_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 5_000;
const STATE_FILE = "../state.sh";

export interface RanCommand {
  readonly command: Command;
  readonly exit: number | null;
  readonly said: string;
}

export async function runPage(page: Page): Promise<readonly RanCommand[]> {
  const workspace = await createWorkspace();
  const background: ChildProcess[] = [];
  const ran: RanCommand[] = [];
  writeFileSync(path.resolve(workspace.dir, STATE_FILE), "");
  try {
    for (const step of page.steps) {
      if (step.kind === "file") {
        const file = path.join(workspace.dir, step.name);
        mkdirSync(path.dirname(file), { recursive: true });
        writeFileSync(file, workspace.toReal(step.text));
        continue;
      }
      const { exit, said } = step.background ? await startCommand(step, workspace, background) : await runCommand(step, workspace);
      ran.push({ command: step, exit, said: workspace.toShown(said) });
      if (exit !== step.exit) break;
    }
    return ran;
  } finally {
    await Promise.all(background.map((child) => end(child)));
    workspace.remove();
  }
}

interface Ended {
  readonly exit: number | null;
  readonly said: string;
}

function spawnScript(script: string, workspace: Workspace): ChildProcess {
  const options: SpawnOptions = { cwd: workspace.dir, env: workspace.env, detached: true, stdio: ["ignore", "pipe", "pipe"] };
  return spawn("sh", ["-c", workspace.toReal(script)], options);
}

/** A step hands on what it exported, as lines in one terminal do. */
function withState(command: Command): string {
  return `. ${STATE_FILE}\n${command.script}\ncode=$?\nexport -p > ${STATE_FILE}\nexit $code`;
}

function collect(child: ChildProcess, onText: (said: string) => void): () => string {
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      onText(said);
    });
  }
  return () => said;
}

async function runCommand(command: Command, workspace: Workspace): Promise<Ended> {
  const child = spawnScript(withState(command), workspace);
  const read = collect(child, () => undefined);
  const timer = setTimeout(() => kill(child, "SIGKILL"), STEP_TIMEOUT_MS);
  const exit = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  return { exit, said: read() };
}

/** Good once it says that it listens; ended before that, it has failed. */
async function startCommand(command: Command, workspace: Workspace, background: ChildProcess[]): Promise<Ended> {
  const child = spawnScript(`. ${STATE_FILE}\n${command.script}`, workspace);
  background.push(child);
  return await new Promise((resolve) => {
    const timer = setTimeout(() => settle(null), STEP_TIMEOUT_MS);
    const read = collect(child, (said) => {
      if (!/listening/i.test(said)) return;
      // The tools of the servers are looked at meanwhile; what is said of that belongs to the start.
      setTimeout(() => settle(0), 400);
    });
    const settle = (exit: number | null): void => {
      clearTimeout(timer);
      resolve({ exit, said: read() });
    };
    child.once("close", (code) => settle(code ?? -1));
  });
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // It has ended by itself.
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  kill(child, "SIGTERM");
  const timer = setTimeout(() => kill(child, "SIGKILL"), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}
