/**
 * A real PostgreSQL and a real Redis for one run: in the bench's own folder, on free ports of the loopback address, as
 * durable as they come. Ended with the run.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import pg from "pg";
import { endChild, familyOf, findPort, insist, STORE_CORES, track } from "./launch.ts";

const REDIS = "redis-server";
const INSTALLED = "/usr/lib/postgresql";
const STOP_TIMEOUT_MS = 20_000;

export interface Postgres {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly version: string;
  readonly pids: () => readonly number[];
  /** Transactions that were committed in the database so far. */
  countTransactions(): Promise<number>;
  stop(): Promise<void>;
}

export interface Redis {
  readonly port: number;
  readonly version: string;
  readonly pids: () => readonly number[];
  stop(): Promise<void>;
}

/** PostgreSQL does not run as root. */
function findOwner(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const ask = (flag: string): number => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: ask("-u"), gid: ask("-g") };
}

function findPrograms(): string {
  const versions = existsSync(INSTALLED) ? readdirSync(INSTALLED).sort((left, right) => Number(right) - Number(left)) : [];
  const found = versions.map((version) => path.join(INSTALLED, version, "bin")).find((folder) => existsSync(path.join(folder, "initdb")));
  if (found === undefined) throw new Error("PostgreSQL is not installed: apt-get install postgresql");
  return found;
}

export async function startPostgres(workshopFolder: string): Promise<Postgres> {
  const programs = findPrograms();
  const owner = findOwner();
  const folder = path.join(workshopFolder, "postgres");
  mkdirSync(folder, { mode: 0o700 });
  const [user, password, database] = ["bench", randomBytes(12).toString("hex"), "postgres"];
  const [data, words] = [path.join(folder, "data"), path.join(folder, "password")];
  writeFileSync(words, password, { mode: 0o600 });
  if (owner) {
    // Whoever runs it must be able to come to its folder.
    chmodSync(workshopFolder, 0o711);
    for (const place of [folder, words]) chownSync(place, owner.uid, owner.gid);
  }
  const how = ["-D", data, "-U", user, "-A", "scram-sha-256", "--pwfile", words, "-E", "UTF8", "--no-locale", "--no-sync"];
  execFileSync(path.join(programs, "initdb"), how, { ...owner, cwd: folder, stdio: "pipe" });
  const version = execFileSync(path.join(programs, "postgres"), ["--version"], { encoding: "utf8" }).trim();
  const port = await findPort();
  const settings = ["-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=128MB", "-c", "log_min_messages=fatal"];
  const program = [path.join(programs, "postgres"), "-D", data, "-p", String(port), "-k", folder, ...settings];
  const child = track(spawn("taskset", ["-c", STORE_CORES, ...program], { ...owner, cwd: folder, stdio: "ignore" }));

  async function ask(sql: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ host: "127.0.0.1", port, user, password, database });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows as Record<string, unknown>[];
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  const postgres: Postgres = {
    port,
    user,
    password,
    database,
    version,
    pids: familyOf(child),
    countTransactions: async () =>
      Number((await ask("SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'"))[0]?.["xact_commit"]),
    stop: () => stopAtOnce(child),
  };
  try {
    await insist(child, "PostgreSQL", () => ask("SELECT 1"));
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  return postgres;
}

async function stopAtOnce(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  // Ends with everyone who is connected.
  child.kill("SIGINT");
  const timer = setTimeout(() => child.kill("SIGQUIT"), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

function ping(port: number): Promise<true> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.setTimeout(5_000, () => socket.destroy(new Error("Redis does not answer")));
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => {
      socket.destroy();
      if (chunk.toString().startsWith("+PONG")) resolve(true);
      else reject(new Error("Redis does not answer"));
    });
  });
}

export async function startRedis(workshopFolder: string): Promise<Redis> {
  const folder = path.join(workshopFolder, "redis");
  mkdirSync(folder);
  const version = /v=([\d.]+)/.exec(execFileSync(REDIS, ["--version"], { encoding: "utf8" }))?.[1] ?? "";
  const port = await findPort();
  const words = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
  const child = track(spawn("taskset", ["-c", STORE_CORES, REDIS, ...words], { stdio: "ignore" }));
  const redis: Redis = { port, version, pids: familyOf(child), stop: () => endChild(child) };
  try {
    await insist(child, "Redis", () => ping(port));
  } catch (error) {
    await redis.stop();
    throw error;
  }
  return redis;
}
