/** A real gateway with servers on standard streams: the product's own start, and the processes that are its children. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { type RunningApp, startApp } from "../../src/app.ts";
import { createLog } from "../../src/observe/log.ts";
import { waitUntil } from "../support/gateway.ts";

export const MODULES: string = path.resolve(import.meta.dirname, "../../node_modules/@modelcontextprotocol");
export const PUPPET: string = path.resolve(import.meta.dirname, "../upstream/puppet.mjs");

const READY_TIMEOUT_MS = 90_000;

export interface StdioGateway {
  readonly app: RunningApp;
  readonly folder: string;
  readonly configFile: string;
  readonly said: readonly string[];
  addressOf(server: string): URL;
  /** Pids of processes whose command line holds that text, children of this process. */
  pidsOf(text: string): number[];
  write(servers: Readonly<Record<string, object>>): void;
  stop(): Promise<void>;
}

/** One token for every server, and a policy that lets everything pass. */
export async function startStdioGateway(token: string, servers: Readonly<Record<string, object>>): Promise<StdioGateway> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "sallyport-stdio-"));
  const configFile = path.join(folder, "sallyport.json");
  const said: string[] = [];
  const write = (entries: Readonly<Record<string, object>>): void => {
    const names = Object.keys(entries);
    const policies = names.map((name) => [`all-${name}`, { server: name, document: { version: "1", default: "allow" } }]);
    const grants = { alice: { servers: Object.fromEntries(names.map((name) => [name, `all-${name}`])), identity: "alice", token } };
    writeFileSync(configFile, JSON.stringify({ servers: entries, policies: Object.fromEntries(policies), grants }));
  };
  write(servers);
  const log = createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() });
  const env = { PATH: process.env["PATH"], HOME: folder, GATEWAY_SECRET: "never-handed-on" };
  const app = await startApp({ configFile, dataDir: path.join(folder, "data"), port: 0, env, log });
  const stop = async (): Promise<void> => {
    await app.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const isSeen = (name: string): boolean => said.some((line) => line.includes(`first list of \`${name}\``));
  try {
    await waitUntil(() => Object.keys(servers).every(isSeen), READY_TIMEOUT_MS);
  } catch {
    await stop();
    throw new Error(`not every server was seen:\n${said.join("")}`);
  }
  return {
    app,
    folder,
    configFile,
    said,
    write,
    addressOf: (server) => new URL(`${app.url}/mcp/${server}`),
    pidsOf(text) {
      const rows = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" }).split("\n");
      return rows.flatMap((row) => {
        const [, pid, parent, args = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row) ?? [];
        return Number(parent) === process.pid && args.includes(text) ? [Number(pid)] : [];
      });
    },
    stop,
  };
}
