/**
 * A real gateway for tests: the product's own `startApp` on a free port, a data folder of its own that is removed at the
 * end, and a look into its log. Says nothing on standard error; what it said is kept for the test to read.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { type RunningApp, startApp } from "../../src/app.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { type DataFolder, openDataFolder } from "../../src/data-folder.ts";
import { revokeGrant } from "../../src/identity/change-grants.ts";
import { createLog } from "../../src/observe/log.ts";

const READY_TIMEOUT_MS = 30_000;

export interface GatewayServer {
  readonly url?: string;
  /** In place of an address: all of its `upstream`. */
  readonly upstream?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly meta?: readonly string[];
  readonly asks?: readonly string[];
}

export interface GatewayGrant {
  /** Server → policy. */
  readonly servers: Readonly<Record<string, string>>;
  readonly token: string;
}

export interface GatewayOptions {
  readonly servers: Readonly<Record<string, GatewayServer>>;
  /** Name → the document, and the server that it is for. */
  readonly policies: Readonly<Record<string, { readonly server: string; readonly document: unknown }>>;
  readonly grants: Readonly<Record<string, GatewayGrant>>;
  /** Further parts of the configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** One entry of the log, as it stands in the folder. */
export type LogEntry = Readonly<Record<string, unknown>>;

export interface TestGateway {
  readonly dataDir: string;
  readonly app: RunningApp;
  /** What the gateway said to people, line by line. */
  readonly said: readonly string[];
  /** The address of one server behind the gateway. */
  addressOf(server: string): URL;
  /** Every entry, oldest first. */
  readLog(): Promise<readonly LogEntry[]>;
  revoke(label: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a gateway and waits until it has seen the tools of every server that can be reached. */
export async function startGateway(options: GatewayOptions): Promise<TestGateway> {
  const dataDir = mkdtempSync(path.join(os.tmpdir(), "sallyport-interop-"));
  const configFile = path.join(dataDir, "sallyport.json");
  writeFileSync(configFile, printConfig(options));
  const said: string[] = [];
  const log = createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() });
  const app = await startApp({ configFile, dataDir, port: 0, env: {}, log });
  const folder = await openDataFolder({ dir: dataDir, env: {} });
  await waitUntil(() => Object.keys(options.servers).every((name) => said.some((line) => line.includes(`\`${name}\``))));
  return {
    dataDir,
    app,
    said,
    addressOf: (server) => new URL(`${app.url}/mcp/${server}`),
    readLog: () => readLog(folder),
    async revoke(label) {
      const done = await folder.store.write((batch) => revokeGrant(batch, label, { by: "test", nowMs: folder.clock.now() }));
      if (!done.ok) throw new Error(done.failures.map((failure) => failure.message).join(" "));
    },
    async stop() {
      await folder.close();
      await app.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function printConfig(options: GatewayOptions): string {
  const servers = Object.entries(options.servers).map(([name, { url, upstream, headers = {}, meta = [], asks = [] }]) => [
    name,
    { ...(upstream ? { upstream } : { upstream: { url, headers }, network: { allow: ["127.0.0.1/32"] } }), meta, asks },
  ]);
  const grants = Object.entries(options.grants).map(([label, grant]) => [label, { ...grant, identity: `${label}@example.com` }]);
  return JSON.stringify({
    servers: Object.fromEntries(servers),
    policies: options.policies,
    grants: Object.fromEntries(grants),
    ...options.config,
  });
}

async function readLog(folder: DataFolder): Promise<readonly LogEntry[]> {
  const entries: LogEntry[] = [];
  let before: string | undefined;
  do {
    const page = await searchEntries(folder.store, {}, { limit: 1000, before });
    entries.push(...page.entries.map(({ line }) => JSON.parse(line) as LogEntry));
    before = page.next;
  } while (before !== undefined);
  return entries.reverse();
}

/** Looks again and again until it is true; fails loudly when it never is. */
export async function waitUntil(isTrue: () => boolean | Promise<boolean>, timeoutMs: number = READY_TIMEOUT_MS): Promise<void> {
  const giveUpMs = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > giveUpMs) throw new Error(`still not true after ${timeoutMs} ms: ${isTrue.toString().slice(0, 200)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
