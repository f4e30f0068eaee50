/**
 * A real PostgreSQL for the tests of one file: a cluster of its own in a temporary folder, on a free port of the loopback
 * address, with a password, and a database of its own for each test. Its default collation is not that of bytes, where the
 * version can, so that whatever relies on the order of texts is seen. Stopped and removed when the file is done.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { lookInto, onSmallDisk } from "./small-disk.ts";

const PATIENCE_MS = 30_000;
const INSTALLED = "/usr/lib/postgresql";

/** The newest one that is installed; undefined: none. */
function findPrograms(): string | undefined {
  const versions = existsSync(INSTALLED) ? readdirSync(INSTALLED).sort((left, right) => Number(right) - Number(left)) : [];
  return versions.map((version) => path.join(INSTALLED, version, "bin")).find((folder) => existsSync(path.join(folder, "initdb")));
}

/** `npm test` says which programs it could not get; without that word a missing one is an error. */
export const isLeftOut: boolean = (process.env["SALLYPORT_MISSING_PROGRAMS"] ?? "").split(",").includes("pg_ctlcluster");

export interface PostgresCluster {
  readonly version: string;
  readonly port: number;
  readonly password: string;
  readonly folder: string;
  /** The address of a fresh database. */
  createDatabase(): Promise<string>;
  /** A statement as the administrator. */
  run(sql: string, database?: string): Promise<Record<string, unknown>[]>;
  start(): Promise<void>;
  /** `SIGINT` stops it at once and cleanly, `SIGKILL` as a power cut does. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Stops every process of it where it is, until it is thawed. */
  freeze(): Promise<{ thaw(): void }>;
  stop(): Promise<void>;
  /** Where its tables are, as somebody outside of its disk sees them. */
  seen(): string;
}

export interface ClusterOptions {
  /** Its tables, and not what it writes ahead, lie on a disk of that size, which is gone when it stops. */
  readonly smallDisk?: string;
  /** Lines of `postgresql.conf`. */
  readonly settings?: readonly string[];
  /** Makes the folder ready, such as with a certificate; told who must own what is put there. */
  readonly prepare?: (folder: string, own: (file: string) => void) => void;
}

async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** PostgreSQL does not run as root. */
function findOwner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const ask = (flag: string): number => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: ask("-u"), gid: ask("-g") };
}

export async function startPostgres(options: ClusterOptions = {}): Promise<PostgresCluster> {
  const programs = findPrograms();
  if (programs === undefined) throw new Error("PostgreSQL is not installed: apt-get install postgresql");
  const owner = findOwner();
  const folder = mkdtempSync(path.join(tmpdir(), "sallyport-pg-"));
  const own = (file: string): void => {
    if (owner) chownSync(file, owner.uid, owner.gid);
  };
  own(folder);
  const password = `pw-${randomBytes(12).toString("hex")}`;
  const [data, words] = [path.join(folder, "data"), path.join(folder, "password")];
  writeFileSync(words, password, { mode: 0o600 });
  own(words);
  const run = { ...owner, cwd: folder, stdio: "pipe" as const };
  const version = execFileSync(path.join(programs, "postgres"), ["--version"], { encoding: "utf8" }).trim();
  const collation =
    Number(/ (\d+)/.exec(version)?.[1]) >= 15 ? ["--locale-provider=icu", "--icu-locale=en", "--locale=C"] : ["--no-locale"];
  const how = ["-D", data, "-U", "admin", "-A", "scram-sha-256", "--pwfile", words, "-E", "UTF8", "--no-sync", ...collation];
  if (options.smallDisk !== undefined) how.push("--waldir", path.join(folder, "ahead"));
  execFileSync(path.join(programs, "initdb"), how, run);
  const port = await findPort();
  const settings = [
    "fsync = off",
    "max_connections = 60",
    "shared_buffers = 32MB",
    "log_min_messages = fatal",
    ...(options.settings ?? []),
  ];
  writeFileSync(path.join(data, "postgresql.auto.conf"), `${settings.join("\n")}\n`);
  options.prepare?.(data, own);

  let child: ChildProcess | undefined;
  let ended: Promise<void> = Promise.resolve();
  let databases = 0;

  async function ask(sql: string, database = "postgres"): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ host: "127.0.0.1", port, user: "admin", password, database });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows as Record<string, unknown>[];
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  const disk = path.join(folder, "disk");
  const [command, ...before] = options.smallDisk === undefined ? [] : moveOnto(options.smallDisk);

  /** The words that put the tables on a disk of their own, and become its owner again. */
  function moveOnto(size: string): readonly string[] {
    mkdirSync(disk);
    const become = owner ? `setpriv --reuid=${owner.uid} --regid=${owner.gid} --clear-groups ` : "";
    const give = owner ? ` && chown ${owner.uid}:${owner.gid} "$0"` : "";
    return onSmallDisk(disk, size, `cp -a "${data}/." "$0"${give} && exec ${become}"$@"`);
  }

  function spawnServer(): ChildProcess {
    const program = path.join(programs as string, "postgres");
    const args = ["-D", command === undefined ? data : disk, "-p", String(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"];
    const started =
      command === undefined
        ? spawn(program, args, { ...owner, cwd: folder, stdio: "ignore" })
        : spawn(command, [...before, program, ...args], { cwd: folder, stdio: "ignore" });
    ended = new Promise((resolve) => started.once("exit", () => resolve()));
    return started;
  }

  async function start(): Promise<void> {
    child = spawnServer();
    for (const end = Date.now() + PATIENCE_MS; ; ) {
      try {
        await ask("select 1");
        return;
      } catch (error) {
        if (Date.now() > end) throw error;
      }
      await pause(50);
      // What is left of one that was killed keeps the next one out for a moment.
      if (child.exitCode !== null) child = spawnServer();
    }
  }

  /** Every process of it that is there. */
  async function findProcesses(): Promise<ReadonlySet<number>> {
    const backends = await ask("SELECT pid FROM pg_stat_activity");
    return new Set([child?.pid as number, ...backends.map(({ pid }) => Number(pid))]);
  }

  function signalAll(pids: ReadonlySet<number>, signal: NodeJS.Signals): void {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // One of them was only there to answer.
      }
    }
  }

  async function kill(signal: NodeJS.Signals): Promise<void> {
    // Without the main one the others go on for a moment; a power cut leaves none.
    if (signal === "SIGKILL") signalAll(await findProcesses(), signal);
    else child?.kill(signal);
    await ended;
  }

  await start();
  return {
    version,
    port,
    password,
    folder,
    run: ask,
    start,
    kill,
    seen: () => lookInto(child?.pid as number, disk),
    async createDatabase() {
      const name = `store_${++databases}`;
      await ask(`CREATE DATABASE ${name}`);
      return `postgres://admin:${password}@127.0.0.1:${port}/${name}`;
    },
    async freeze() {
      const all = await findProcesses();
      signalAll(all, "SIGSTOP");
      return { thaw: () => signalAll(all, "SIGCONT") };
    },
    async stop() {
      if (child && child.exitCode === null && child.signalCode === null) {
        child.kill("SIGCONT");
        child.kill("SIGQUIT");
        await ended;
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
