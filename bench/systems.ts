/**
 * What is measured side by side, each started once: no gateway, nginx, the raw relay, and Sallyport in its stages. The
 * gateway with everything on is the product as it is; the stages below it are `stage.ts`.
 */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { CALL_BODY, GOOD_ANSWER, INITIALIZE_BODY, INITIALIZED_BODY, SESSION_REVISION } from "./call-body.ts";
import { endChild, familyOf, findPort, insist, LOAD_CORE, launch, MEASURED_CORE, post, ROOT, type System } from "./launch.ts";

/** Sessions of the systems that know calls in sessions alone. */
const SESSIONS = 8;

export interface Workshop {
  readonly folder: string;
  readonly upstreamPort: number;
}

interface Answering {
  readonly name: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly hasSessions?: boolean;
}

async function openSession(url: string, headers: Readonly<Record<string, string>>): Promise<string | undefined> {
  const { ok, session } = await post(url, headers, INITIALIZE_BODY);
  if (!ok || session === undefined) return undefined;
  await post(url, { ...headers, "mcp-session-id": session }, INITIALIZED_BODY);
  return session;
}

/** Waits until the program answers a call, in each of its sessions where it has some. */
export async function started(child: ChildProcess, { name, url, headers: given = {}, hasSessions = false }: Answering): Promise<System> {
  const headers = hasSessions ? { ...given, "mcp-protocol-version": SESSION_REVISION } : given;
  const sessions: string[] = [];
  try {
    const wanted = hasSessions ? SESSIONS : 0;
    for (let count = 0; count < wanted; count++) {
      sessions.push(await insist(child, name, () => openSession(url, given)));
    }
    for (const session of hasSessions ? sessions : [undefined]) {
      const own = session === undefined ? headers : { ...headers, "mcp-session-id": session };
      let last = "";
      await insist(child, name, async () => {
        const { ok, text } = await post(url, own, CALL_BODY);
        last = text;
        if (!ok || !text.includes(GOOD_ANSWER)) throw new Error(`${name} answers: ${last.slice(0, 300)}`);
        return true;
      });
    }
  } catch (error) {
    await endChild(child);
    throw error;
  }
  return { name, url, headers, sessions, pids: familyOf(child), stop: () => endChild(child) };
}

export interface Upstream {
  readonly tools?: number;
  readonly answerCharacters?: number;
  readonly events?: number;
}

export async function startUpstream(port: number, { tools = 1, answerCharacters = 200, events = 0 }: Upstream = {}): Promise<System> {
  const words = [port, tools, answerCharacters, events].map(String);
  const child = launch(LOAD_CORE, process.execPath, ["bench/upstream.ts", ...words]);
  return await started(child, { name: "no gateway", url: `http://127.0.0.1:${port}/mcp` });
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
  const words = ["-c", path.join(folder, "nginx.conf"), "-p", folder, "-e", path.join(folder, "error.log")];
  return await started(launch(MEASURED_CORE, "nginx", words), { name: "nginx proxy_pass", url: `http://127.0.0.1:${port}/mcp` });
}

export async function startRelay(workshop: Workshop, name = "raw relay"): Promise<System> {
  const port = await findPort();
  const child = launch(MEASURED_CORE, process.execPath, ["bench/relay.ts", String(port), String(workshop.upstreamPort)]);
  return await started(child, { name, url: `http://127.0.0.1:${port}/mcp` });
}

export const BENCH_TOKEN = "bench-token-of-no-value-0001";

/** What of a gateway differs from system to system. */
export interface GatewayChoice {
  readonly name: string;
  readonly policy: unknown;
  /** Left out: the product itself. */
  readonly stage?: "policy" | "limits" | "whole";
  readonly durability?: "process" | "disk";
  /** The server of the bench on standard streams instead of the one over HTTP. */
  readonly stdio?: boolean;
  readonly upstreamPort?: number;
  /** Further keys of the configuration file, such as where its stores are. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** For a stage: where it writes its profile between two `SIGUSR2`. */
  readonly profileFile?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly core?: string;
}

export function dataFolderOf(workshop: Workshop, name: string): string {
  return path.join(workshop.folder, name.replaceAll(/\W+/g, "-"), "data");
}

export function writeConfig(workshop: Workshop, choice: GatewayChoice): string {
  const folder = path.dirname(dataFolderOf(workshop, choice.name));
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, "sallyport.json");
  const http = { url: `http://127.0.0.1:${choice.upstreamPort ?? workshop.upstreamPort}/mcp` };
  const stdio = { command: process.execPath, args: [path.join(ROOT, "bench/stdio-upstream.ts")] };
  writeFileSync(
    file,
    JSON.stringify({
      servers: { bench: choice.stdio ? { upstream: stdio } : { upstream: http, network: { allow: ["127.0.0.1/32"] } } },
      policies: { bench: { server: "bench", document: choice.policy } },
      grants: { bench: { server: "bench", policy: "bench", identity: "bench", token: BENCH_TOKEN } },
      ...(choice.durability ? { audit: { durability: choice.durability } } : {}),
      ...choice.config,
    }),
  );
  return file;
}

export async function startSallyport(workshop: Workshop, choice: GatewayChoice): Promise<System> {
  const port = await findPort();
  const config = writeConfig(workshop, choice);
  const data = dataFolderOf(workshop, choice.name);
  const program = ["bin/sallyport.js", "start", "--config", config, "--data", data, "--port", String(port)];
  const stage = ["bench/stage.ts", choice.stage ?? "", config, data, String(port), choice.profileFile ?? ""];
  const child = launch(choice.core ?? MEASURED_CORE, process.execPath, choice.stage ? stage : program, choice.env);
  return await started(child, {
    name: choice.name,
    url: `http://127.0.0.1:${port}/mcp/bench`,
    headers: { authorization: `Bearer ${BENCH_TOKEN}` },
    hasSessions: choice.stdio === true,
  });
}

/** A figure of the gateway's own page of metrics, without labels. */
export async function readMetric(system: System, name: string): Promise<number> {
  const answer = await fetch(new URL("/metrics", system.url));
  const line = (await answer.text()).split("\n").find((text) => text.startsWith(`${name} `));
  return Number(line?.split(" ")[1]);
}
