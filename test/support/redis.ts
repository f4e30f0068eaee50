/** A real `redis-server` on a port of its own, in a temporary folder, ended with its test or by whoever started it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

const READY_TIMEOUT_MS = 20_000;

/** `npm test` says which programs it could not get; without that word a missing one is an error. */
export const HAS_REDIS: boolean = !(process.env["SALLYPORT_MISSING_PROGRAMS"] ?? "").split(",").includes("redis-server");

export interface RedisOptions {
  /** Keeps what it holds over a restart. */
  readonly persists?: boolean;
  readonly password?: string;
  /** Further words of the command line. */
  readonly args?: readonly string[];
}

export interface TestRedis {
  readonly port: number;
  readonly url: string;
  readonly version: string;
  /** Runs one command, on a connection of its own, and gives the raw reply. */
  send(...words: readonly string[]): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** Kills it, and settles when it has gone. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function talk(port: number, password: string | undefined, words: readonly string[]): Promise<string> {
  const encode = (parts: readonly string[]) =>
    `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`;
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setTimeout(5_000, () => socket.destroy(new Error("redis-server does not answer")));
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.on("close", () => resolve(text));
    socket.write((password === undefined ? "" : encode(["AUTH", password])) + encode(words) + encode(["QUIT"]));
  });
}

export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const { persists = false, password, args = [] } = options;
  const folder = mkdtempSync(path.join(tmpdir(), "sallyport-redis-"));
  const version = /v=([\d.]+)/.exec(execFileSync("redis-server", ["--version"]).toString())?.[1] ?? "";
  let port = await findFreePort();
  let child: ChildProcess | undefined;
  const launch = async (): Promise<void> => {
    const words = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", persists ? "yes" : "no"];
    const own = password === undefined ? [] : ["--requirepass", password];
    const started = spawn("redis-server", [...words, "--appendfsync", "always", "--repl-diskless-sync-delay", "0", ...own, ...args], {
      stdio: "ignore",
    });
    child = started;
    const giveUpMs = Date.now() + READY_TIMEOUT_MS;
    for (;;) {
      const answer = await talk(port, password, ["PING"]).catch(() => "");
      if (answer.includes("PONG")) return;
      if (started.exitCode !== null || Date.now() > giveUpMs) throw new Error("redis-server did not start");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const kill = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await gone;
  };
  try {
    await launch();
  } catch {
    // Somebody else was quicker with the port.
    await kill();
    port = await findFreePort();
    await launch();
  }
  return {
    port,
    url: password === undefined ? `redis://127.0.0.1:${port}` : `redis://:${encodeURIComponent(password)}@127.0.0.1:${port}`,
    version,
    send: (...words) => talk(port, password, words),
    signal: (signal) => void child?.kill(signal),
    kill,
    start: launch,
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
