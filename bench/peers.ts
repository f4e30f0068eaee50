/**
 * Other programs of npm that put a server of standard streams behind Streamable HTTP: installed into the bench's own
 * temporary folder from wherever npm is told to take packages, and never a dependency. What can't be installed is said.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { findPort, launch, MEASURED_CORE, ROOT, type System } from "./launch.ts";
import { started } from "./systems.ts";

const INSTALL_TIMEOUT_MS = 300_000;
const STDIO = path.join(ROOT, "bench/stdio-upstream.ts");

interface Peer {
  readonly name: string;
  /** Its words, as its README says for Streamable HTTP with sessions. */
  readonly words: (port: string) => readonly string[];
}

const PEERS: readonly Peer[] = [
  { name: "mcp-proxy", words: (port) => ["--port", port, "--server", "stream", "--", process.execPath, STDIO] },
  {
    name: "supergateway",
    words: (port) => [
      ...["--stdio", `${process.execPath} ${STDIO}`, "--outputTransport", "streamableHttp", "--stateful"],
      ...["--port", port, "--logLevel", "none"],
    ],
  },
];

export interface StartedPeers {
  readonly systems: readonly System[];
  /** Why one is not there, in words. */
  readonly missing: readonly string[];
}

interface Manifest {
  readonly version: string;
  readonly bin: string | Readonly<Record<string, string>>;
}

function install(folder: string): string | undefined {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "package.json"), '{"private":true}');
  const words = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, ...PEERS.map(({ name }) => name)];
  const done = spawnSync("npm", words, { cwd: folder, stdio: "ignore", timeout: INSTALL_TIMEOUT_MS });
  return done.status === 0 ? undefined : "npm could not install it";
}

export async function startPeers(workshopFolder: string, say: (text: string) => void): Promise<StartedPeers> {
  const folder = path.join(workshopFolder, "peers");
  say("installing the peers");
  const fault = install(folder);
  const systems: System[] = [];
  const missing: string[] = [];
  for (const peer of PEERS) {
    const home = path.join(folder, "node_modules", peer.name);
    if (fault !== undefined || !existsSync(home)) {
      missing.push(`${peer.name}: not installed (${fault ?? "it is not there"})`);
      continue;
    }
    const manifest = JSON.parse(readFileSync(path.join(home, "package.json"), "utf8")) as Manifest;
    const bin = typeof manifest.bin === "string" ? manifest.bin : (manifest.bin[peer.name] as string);
    const port = await findPort();
    const child = launch(MEASURED_CORE, process.execPath, [path.join(home, bin), ...peer.words(String(port))]);
    const name = `${peer.name} ${manifest.version}`;
    try {
      systems.push(await started(child, { name, url: `http://127.0.0.1:${port}/mcp`, hasSessions: true }));
    } catch (error) {
      missing.push(`${name}: did not start (${error instanceof Error ? error.message : "unknown"})`);
    }
  }
  return { systems, missing };
}
