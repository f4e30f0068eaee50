/**
 * What is measured side by side: no gateway, nginx, the raw relay, Sallyport. Each is started once, pinned to the second
 * core, and stopped at the end; load and upstream share the first.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";

const ROOT = path.resolve(import.meta.dirname, "..");
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;

export interface System {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly pids: () => readonly number[];
  /** Settles when the process has ended. */
  readonly stop: () => Promise<void>;
}

export interface Workshop {
  readonly folder: string;
  readonly upstreamPort: number;
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

function launch(core: 0 | 1, command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  return spawn("taskset", ["-c", String(core), command, ...args], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...env },
  });
}

async function waitFor(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<void> {
  const giveUpMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
      const text = await answer.text();
      if (answer.ok && text.includes('"isError":false')) return;
      if (performance.now() > giveUpMs) throw new Error(`${url} answers ${answer.status}: ${text}`);
    } catch (error) {
      if (performance.now() > giveUpMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export const CALL_BODY: string = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: {
    name: "echo",
    arguments: { text: "a text of ordinary length, said again", note: "n".repeat(240) },
    _meta: { progressToken: 7 },
  },
});

async function started(child: ChildProcess, name: string, url: string, headers: Readonly<Record<string, string>> = {}): Promise<System> {
  await waitFor(url, headers, CALL_BODY);
  return { name, url, headers, pids: () => [child.pid as number, ...childrenOf(child.pid as number)], stop: () => endChild(child) };
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

export async function startUpstream(port: number): Promise<System> {
  const child = launch(0, process.execPath, ["bench/upstream.ts", String(port)]);
  return await started(child, "no gateway", `http://127.0.0.1:${port}/mcp`);
}

export async function startNginx(workshop: Workshop): Promise<System> {
  const port = await findPort();
  const folder = path.join(workshop.folder, "nginx");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    path.join(folder, "nginx.conf"),
    `worker_processes 1; daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  upstream up { server 127.0.0.1:${workshop.upstreamPort}; keepalive 64; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}`,
  );
  const child = launch(1, "nginx", ["-c", path.join(folder, "nginx.conf"), "-p", folder, "-e", path.join(folder, "error.log")], {
    PATH: `${process.env["PATH"] ?? ""}:/usr/sbin`,
  });
  return await started(child, "nginx proxy_pass", `http://127.0.0.1:${port}/mcp`);
}

export async function startRelay(workshop: Workshop, name = "raw relay"): Promise<System> {
  const port = await findPort();
  const child = launch(1, process.execPath, ["bench/relay.ts", String(port), String(workshop.upstreamPort)]);
  return await started(child, name, `http://127.0.0.1:${port}/mcp`);
}

export const BENCH_TOKEN = "bench-token-of-no-value-0001";

/** Configuration of a gateway for the bench; `policy` is a document. */
export function writeConfig(workshop: Workshop, name: string, policy: unknown): string {
  const folder = path.join(workshop.folder, name);
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, "sallyport.json");
  writeFileSync(
    file,
    JSON.stringify({
      servers: { bench: { upstream: { url: `http://127.0.0.1:${workshop.upstreamPort}/mcp` }, network: { allow: ["127.0.0.1/32"] } } },
      policies: { bench: { server: "bench", document: policy } },
      grants: { bench: { server: "bench", policy: "bench", identity: "bench", token: BENCH_TOKEN } },
    }),
  );
  return file;
}

export async function startSallyport(workshop: Workshop, name: string, policy: unknown): Promise<System> {
  const port = await findPort();
  const config = writeConfig(workshop, name, policy);
  const data = path.join(workshop.folder, name, "data");
  const child = launch(1, process.execPath, ["bin/sallyport.js", "start", "--config", config, "--data", data, "--port", String(port)]);
  return await started(child, name, `http://127.0.0.1:${port}/mcp/bench`, { authorization: `Bearer ${BENCH_TOKEN}` });
}
