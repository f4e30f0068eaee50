/**
 * The demo of a checkout: the bundled sample server as a process of its own, the README's policy, and one grant whose
 * token is shown at the first start and never again.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { getCompileCacheDir } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "./config/config.ts";
import type { DataFolder } from "./data-folder.ts";
import { addGrant } from "./identity/change-grants.ts";
import { readGrant } from "./identity/grant.ts";
import { FailureError } from "./kernel/failure.ts";
import type { Log } from "./observe/log.ts";
import { parsePolicy } from "./policy/parse.ts";
import { recordChanges } from "./sync-config.ts";

export const DEMO_SERVER = "sendit";
export const DEMO_POLICY = "sendit-standard";
export const DEMO_GRANT = "demo";
const SAMPLE_START_TIMEOUT_MS = 10_000;
const SAMPLE_STOP_TIMEOUT_MS = 2_000;
/** What the sample reads of our environment. */
const HANDED_ON = ["SENDIT_OAUTH2", "SENDIT_ALLOW_LOOPBACK"] as const;

export interface Demo {
  readonly config: Config;
  /** The grant's token, on the start that made it; undefined later. */
  token: string | undefined;
  /** Makes the grant where there is none yet. */
  issue(): Promise<void>;
  stop(): Promise<void>;
}

export interface DemoOptions {
  readonly folder: DataFolder;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

const root = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

export async function startDemo(options: DemoOptions): Promise<Demo> {
  const { folder, log } = options;
  const sample = root("samples/sendit/main.ts");
  if (!existsSync(sample)) {
    throw new FailureError({
      code: "not_found",
      message: "The sample server is not part of this installation.",
      hint: "The demo runs in a checkout: `npm ci && npm start`. Elsewhere, start with `--config FILE`.",
    });
  }
  const { child, port } = await startSample(sample, folder, options.env, log);
  const demo: Demo = {
    config: createConfig(port),
    token: undefined,
    issue: async () => {
      demo.token = await issueGrant(folder);
    },
    stop: () => stopSample(child),
  };
  return demo;
}

async function startSample(
  file: string,
  folder: DataFolder,
  env: DemoOptions["env"],
  log: Log,
): Promise<{ child: ChildProcess; port: number }> {
  // A provider of OAuth2 wants to know the callback's address beforehand: SENDIT_PORT fixes it.
  const args = [file, "--port", env["SENDIT_PORT"] ?? "0", "--data", path.join(folder.dir, "sendit")];
  const own = { PATH: env["PATH"], SENDIT_KEY: sampleKey(folder), NODE_COMPILE_CACHE: getCompileCacheDir() };
  const handed = Object.fromEntries(HANDED_ON.filter((name) => env[name] !== undefined).map((name) => [name, env[name]]));
  const child = spawn(process.execPath, args, { env: { ...handed, ...own }, stdio: ["pipe", "pipe", "pipe"] });
  child.stderr.setEncoding("utf8").on("data", (text: string) => log.warn("sample", text.trim()));
  const port = await new Promise<number>((resolve, reject) => {
    const give = (message: string): void => reject(new FailureError({ code: "upstream_unavailable", message }));
    const timer = setTimeout(() => give("The sample server did not start in time."), SAMPLE_START_TIMEOUT_MS);
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(Number(found));
    });
    child.once("exit", (code) => give(`The sample server ended at its start (${code ?? "by a signal"}).`));
  });
  return { child, port };
}

/** The sample seals what it is given under a key of its own, derived from the folder's. */
function sampleKey(folder: DataFolder): string {
  return folder.keys.deriveKey("sample").toString("base64");
}

async function stopSample(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), SAMPLE_STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

function createConfig(port: number): Config {
  const file = root("policies/sendit.json");
  const document = parsePolicy(readFileSync(file, "utf8"), { file });
  if (!document.ok) throw new FailureError(document.failures);
  return {
    file,
    listen: { host: undefined, port: undefined, publicUrl: undefined, allowedHosts: [] },
    storeFile: undefined,
    keyFile: undefined,
    servers: [
      {
        name: DEMO_SERVER,
        url: `http://127.0.0.1:${port}/mcp`,
        headers: {},
        credentials: [],
        networkAllow: ["127.0.0.1/32"],
        classes: {},
        tools: "accept",
        results: { maxBytes: undefined, maxDepth: undefined, timeoutSeconds: undefined, types: undefined },
        asks: [],
        meta: [],
        recordsValues: false,
      },
    ],
    policies: [{ name: DEMO_POLICY, server: DEMO_SERVER, file, document: document.value }],
    grants: [],
    login: undefined,
    audit: { durability: "process" },
    sources: [],
  };
}

async function issueGrant(folder: DataFolder): Promise<string | undefined> {
  return await folder.store.write(async (batch) => {
    if (await readGrant(batch, DEMO_GRANT)) return undefined;
    const added = await addGrant(batch, {
      label: DEMO_GRANT,
      identity: "demo@localhost",
      owner: undefined,
      tags: {},
      servers: [{ server: DEMO_SERVER, policy: DEMO_POLICY }],
      expiresMs: undefined,
      origin: "demo",
      canAsk: false,
      by: "demo",
      nowMs: folder.clock.now(),
      key: folder.tokenKey,
      randomBytes,
    });
    if (!added.ok) throw new FailureError(added.failures);
    recordChanges(folder, batch, [added.value.change]);
    return added.value.token;
  });
}
