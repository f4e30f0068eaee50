/**
 * The published conformance suite as a child process of the checkout's own Node: one run gives, for every scenario, what
 * became of its checks. Bounded in time; its output folder is read and removed.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const ROOT = path.resolve(import.meta.dirname, "../..");
const PACKAGE = path.join(ROOT, "node_modules/@modelcontextprotocol/conformance");
export const SUITE: string = path.join(PACKAGE, "dist/index.js");
const PRELOAD = path.join(import.meta.dirname, "children/bearer.ts");
const SCENARIO_TIMEOUT_MS = 20_000;
export const RUN_TIMEOUT_MS = 300_000;

export type Revision = "2025-11-25" | "2026-07-28";
export type Role = "server" | "client";

export interface Check {
  readonly id: string;
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";
  readonly name: string;
  readonly errorMessage?: string;
}

export interface ScenarioResult {
  readonly scenario: string;
  readonly checks: readonly Check[];
}

export const suiteVersion = (): string =>
  (JSON.parse(readFileSync(path.join(PACKAGE, "package.json"), "utf8")) as { version: string }).version;

/** The scenarios that a revision scores, as the package names them. */
export function listScored(revision: Revision, role: Role): string[] {
  const lines = readFileSync(path.join(PACKAGE, "requirements", `${revision}.yaml`), "utf8").split("\n");
  const from = lines.indexOf(`${role}:`);
  const rest = lines.slice(from + 1);
  const end = rest.findIndex((line) => /^\S/.test(line) && !line.startsWith("#"));
  return rest.slice(0, end).flatMap((line) => /^ {2}- (\S+)$/.exec(line)?.[1] ?? []);
}

export interface ServerRun {
  readonly url: string;
  readonly revision: Revision;
  /** Sent to the server's own origin. */
  readonly token?: string | undefined;
  /** One scenario; left out: all that the revision scores, and those that it runs without a score. */
  readonly scenario?: string | undefined;
}

export async function runServerSuite({ url, revision, token, scenario }: ServerRun): Promise<ScenarioResult[]> {
  const what = scenario === undefined ? ["--requirements", revision] : ["--scenario", scenario, "--spec-version", revision];
  const env = token === undefined ? {} : { CONFORMANCE_TOKEN: token, CONFORMANCE_ORIGIN: new URL(url).origin };
  return await run(["server", "--url", url, ...what, "--timeout", String(SCENARIO_TIMEOUT_MS)], env);
}

export interface ClientRun {
  /** Where the suite's command asks for its client. */
  readonly clients: string;
  readonly revision: Revision;
}

/** All scenarios of a revision, which the suite starts at once; whoever has the clients sees to it that few run. */
export async function runClientSuite({ clients, revision }: ClientRun): Promise<ScenarioResult[]> {
  const command = `node test/conformance/children/ask-runner.mjs ${clients}`;
  return await run(["client", "--command", command, "--requirements", revision, "--timeout", String(RUN_TIMEOUT_MS)], {});
}

async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<ScenarioResult[]> {
  const dir = mkdtempSync(path.join(os.tmpdir(), "sallyport-conformance-"));
  try {
    const said = await start([...args, "-o", dir], env);
    const found = readResults(dir);
    if (found.length === 0) throw new Error(`the conformance suite left no results:\n${said.slice(-2000)}`);
    return found;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", PRELOAD, SUITE, ...args], {
      cwd: ROOT,
      env: { PATH: `${path.dirname(process.execPath)}:${process.env["PATH"] ?? ""}`, HOME: os.tmpdir(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => void (said += text));
    const timer = setTimeout(() => child.kill("SIGKILL"), RUN_TIMEOUT_MS);
    child.once("error", reject);
    child.once("close", (_code, signal) => {
      clearTimeout(timer);
      if (signal === null) resolve(said);
      else reject(new Error(`the conformance suite was ended by ${signal}:\n${said.slice(-2000)}`));
    });
  });
}

/** Each scenario has a folder, named after it and the time. */
function readResults(dir: string): ScenarioResult[] {
  const results: ScenarioResult[] = [];
  for (const entry of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
    const scenario = /^(?:server-)?(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(entry)?.[1];
    const file = path.join(dir, entry, "checks.json");
    if (scenario === undefined || !existsSync(file)) continue;
    results.push({ scenario, checks: JSON.parse(readFileSync(file, "utf8")) as Check[] });
  }
  return results;
}
