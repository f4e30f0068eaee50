/**
 * A real gateway process before hostile servers, reached in every way that there is: what each call is answered, how
 * often, and the most memory that the process had meanwhile.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { call, openSession, post, type RawAnswer } from "../../interop/raw-client.ts";
import { type FaultCase, toolOf } from "./cases.ts";
import { startHostileServer, startHostileSseServer } from "./http-servers.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const STDIO_SERVER = fileURLToPath(new URL("./children/stdio-server.ts", import.meta.url));
const TOKEN = "token-of-the-fault-rig-0001";
const START_TIMEOUT_MS = 60_000;
const RECOVERY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "faults", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

export interface Way {
  readonly name: string;
  /** The server's name; undefined: one of several behind `/mcp`. */
  readonly server: string | undefined;
  readonly client: "legacy" | "modern";
  /** Whether cases of HTTP alone can happen on it. */
  readonly isHttp: boolean;
}

export const WAYS: readonly Way[] = [
  { name: "HTTP, legacy", server: "legacy", client: "legacy", isHttp: true },
  { name: "HTTP, modern", server: "modern", client: "modern", isHttp: true },
  { name: "legacy front", server: "modern", client: "legacy", isHttp: true },
  { name: "modern front", server: "legacy", client: "modern", isHttp: true },
  { name: "stdio, shared", server: "shared", client: "legacy", isHttp: false },
  { name: "stdio, session", server: "apart", client: "legacy", isHttp: false },
  { name: "HTTP+SSE", server: "sse", client: "legacy", isHttp: false },
  { name: "/mcp", server: undefined, client: "legacy", isHttp: true },
];

export interface Outcome {
  readonly way: string;
  readonly name: string;
  /** Messages that answer the request; each has exactly one. */
  readonly answers: number;
  readonly answer: "result" | "fault" | "other";
  /** The most that the process had while the call was under way, over what it had when it was idle. */
  readonly peakMiB: number;
}

export interface FaultRig {
  readonly idleMiB: number;
  run(way: Way, one: FaultCase): Promise<Outcome>;
  /** Whatever happened before, a good call is answered; false: not in time. */
  recovers(way: Way): Promise<boolean>;
  stop(): Promise<void>;
}

/** `callTimeoutSeconds`: after it a server that says nothing is not waited for. */
export async function startFaultRig(callTimeoutSeconds: number): Promise<FaultRig> {
  const folder = mkdtempSync(path.join(tmpdir(), "sallyport-faults-"));
  const servers = [await startHostileServer("legacy"), await startHostileServer("modern"), await startHostileSseServer()] as const;
  const [legacy, modern, sse] = servers;
  const network = { allow: ["127.0.0.1/32"] };
  const results = { timeoutSeconds: callTimeoutSeconds };
  const child = { command: process.execPath, args: [STDIO_SERVER] };
  const entries = {
    legacy: { upstream: { url: legacy.url }, network, results },
    modern: { upstream: { url: modern.url }, network, results },
    sse: { upstream: { url: sse.url }, network, results },
    shared: { upstream: { ...child, process: "server" }, results },
    apart: { upstream: { ...child, process: "session" }, results },
  };
  const names = Object.keys(entries);
  const config = {
    servers: entries,
    policies: Object.fromEntries(names.map((name) => [name, { server: name, document: { version: "1", default: "allow" } }])),
    grants: { all: { servers: Object.fromEntries(names.map((name) => [name, name])), identity: "faults", token: TOKEN } },
  };
  const file = path.join(folder, "sallyport.json");
  writeFileSync(file, JSON.stringify(config));
  const gateway = startProcess(folder, file);
  const sessions = new Map<Way, string>();
  let nextId = 1;

  const urlOf = (way: Way): URL => new URL(way.server === undefined ? "/mcp" : `/mcp/${way.server}`, gateway.url);
  const send = async (way: Way, tool: string): Promise<{ readonly id: number; readonly got: RawAnswer }> => {
    const id = nextId++;
    const url = urlOf(way);
    if (way.client === "modern") {
      const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool };
      return { id, got: await post(url, call(id, tool, {}, ENVELOPE), { token: TOKEN, headers }) };
    }
    const session = sessions.get(way) ?? (await openSession(url, TOKEN));
    sessions.set(way, session);
    const got = await post(url, call(id, way.server === undefined ? `legacy__${tool}` : tool), { token: TOKEN, session });
    if (got.status === 404) sessions.delete(way);
    return { id, got };
  };
  const stop = async (): Promise<void> => {
    await gateway.stop();
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };

  const rig: FaultRig = {
    get idleMiB() {
      return gateway.idleMiB;
    },
    async run(way, one) {
      gateway.resetPeak();
      const { id, got } = await send(way, toolOf(one));
      const answers = got.messages.filter((message) => message["id"] === id);
      return {
        way: way.name,
        name: one.name,
        answers: answers.length,
        answer: judge(answers[0]),
        peakMiB: Math.max(0, gateway.readPeakMiB() - gateway.idleMiB),
      };
    },
    async recovers(way) {
      const giveUpMs = performance.now() + RECOVERY_TIMEOUT_MS;
      while (performance.now() < giveUpMs) {
        const { id, got } = await send(way, "answers").catch(() => ({ id: 0, got: undefined }));
        if (judge(got?.messages.find((message) => message["id"] === id)) === "result") return true;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return false;
    },
    stop,
  };
  try {
    await gateway.ready;
    for (const way of WAYS) if (!(await rig.recovers(way))) throw new Error(`${way.name} is not there:\n${gateway.said()}`);
    gateway.rest();
    return rig;
  } catch (error) {
    await stop();
    throw error;
  }
}

function judge(message: Record<string, unknown> | undefined): Outcome["answer"] {
  const result = message?.["result"] as { isError?: unknown } | undefined;
  if (message === undefined) return "other";
  return result === undefined || result.isError === true ? "fault" : "result";
}

interface GatewayChild {
  readonly ready: Promise<void>;
  readonly url: string;
  readonly idleMiB: number;
  said(): string;
  /** What it has now is what it has when idle. */
  rest(): void;
  resetPeak(): void;
  readPeakMiB(): number;
  stop(): Promise<void>;
}

function startProcess(folder: string, file: string): GatewayChild {
  const args = [path.join(ROOT, "bin/sallyport.js"), "start", "--config", file, "--data", path.join(folder, "data"), "--port", "0"];
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder };
  const child: ChildProcess = spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const started = Promise.withResolvers<void>();
  let said = "";
  let url = "";
  let idleMiB = 0;
  const timer = setTimeout(() => started.reject(new Error(`the gateway did not start:\n${said}`)), START_TIMEOUT_MS);
  const hear = (text: Buffer): void => {
    said = `${said}${text}`.slice(-4096);
    const found = /gateway\s+(http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1];
    if (found === undefined || url !== "") return;
    url = found;
    clearTimeout(timer);
    started.resolve();
  };
  child.stdout?.on("data", hear);
  child.stderr?.on("data", hear);
  void ended.then(() => started.reject(new Error(`the gateway ended:\n${said}`)));
  started.promise.catch(() => undefined);
  const proc = (name: string): string => `/proc/${child.pid}/${name}`;
  const readMiB = (field: string): number =>
    Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(proc("status"), "utf8"))?.[1] ?? Number.NaN) / 1024;
  return {
    ready: started.promise,
    get url() {
      return url;
    },
    get idleMiB() {
      return idleMiB;
    },
    said: () => said,
    rest() {
      idleMiB = readMiB("VmRSS");
    },
    // "5" has the kernel begin the high-water mark anew.
    resetPeak: () => writeFileSync(proc("clear_refs"), "5"),
    readPeakMiB: () => readMiB("VmHWM"),
    async stop() {
      clearTimeout(timer);
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      const kill = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(kill);
    },
  };
}
