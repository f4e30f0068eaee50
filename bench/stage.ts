/**
 * The gateway with parts of it that do nothing, to tell what each part costs: `policy` decides and neither counts nor
 * records, `limits` counts and records nothing, `whole` is all of it. No way leads from the product to this: the stages
 * are other data folders for `startApp`. Run as a program: `node bench/stage.ts STAGE CONFIG DATA PORT [PROFILE]`; with a
 * profile's name, `SIGUSR2` begins a CPU profile and the next one writes it.
 */
import { renameSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { startApp } from "../src/app.ts";
import type { Audit } from "../src/audit/writer.ts";
import { type DataFolder, type OpenDataFolder, openDataFolder } from "../src/data-folder.ts";
import { createId } from "../src/kernel/id.ts";
import type { Limits } from "../src/limit/limits.ts";
import { createLog } from "../src/observe/log.ts";
import type { Batch, Store } from "../src/store/store.ts";

const PROFILE_INTERVAL_US = 500;

/** Thrown at a job that needs the database after all. */
class NeedsDatabase extends Error {}

/** A batch for jobs that write nothing. */
function createIdleBatch(epoch: number): { readonly batch: Batch; readonly hooks: (() => void)[] } {
  const hooks: (() => void)[] = [];
  const refuse = (): never => {
    throw new NeedsDatabase("this job needs the database");
  };
  const batch: Batch = {
    epoch,
    nowMs: Date.now(),
    generation: undefined,
    locks: undefined,
    send: refuse,
    raiseEpoch: refuse,
    all: refuse,
    run: refuse,
    get query(): never {
      return refuse();
    },
    beforeCommit: refuse,
    afterCommit: (job) => void hooks.push(job),
    afterRollback: () => undefined,
  };
  return { batch, hooks };
}

/** A store that opens a transaction only for jobs that use it. */
function skipIdleWrites(store: Store): Store {
  const write: Store["write"] = async (job, ...rest) => {
    const { batch, hooks } = createIdleBatch(store.readEpoch());
    try {
      const outcome = await job(batch);
      for (const hook of hooks) hook();
      return outcome;
    } catch (error) {
      if (error instanceof NeedsDatabase) return await store.write(job, ...rest);
      throw error;
    }
  };
  return withChanges(store, { write });
}

/** The same object with some of its members in others' place; the rest runs on the object itself. */
function withChanges<T extends object>(of: T, changes: Partial<T>): T {
  const changed = {} as T;
  for (let level: object | null = of; level !== null && level !== Object.prototype; level = Object.getPrototypeOf(level) as object | null) {
    for (const key of Object.getOwnPropertyNames(level)) {
      if (Object.hasOwn(changed, key)) continue;
      const value = key === "constructor" ? undefined : (Object.getOwnPropertyDescriptor(level, key)?.value as unknown);
      if (typeof value === "function") Object.defineProperty(changed, key, { value: value.bind(of) as unknown, configurable: true });
      else Object.defineProperty(changed, key, { get: () => of[key as keyof T], configurable: true });
    }
  }
  for (const key of Object.keys(changes)) {
    Object.defineProperty(changed, key, { value: changes[key as keyof T], configurable: true });
  }
  return changed;
}

/** Every call fits, and nothing is counted. */
function ignoreLimits(limits: Limits): Limits {
  return withChanges(limits, {
    take: async () => ({ ok: true, reservation: undefined }),
    takeNow: () => ({ ok: true, reservation: undefined }),
    peek: async () => ({ ok: true }),
    settle: async () => false,
    settleNow: () => false,
  });
}

function silence(audit: Audit): Audit {
  return withChanges(audit, { append: () => createId(Date.now()) });
}

async function openStage(stage: string, options: OpenDataFolder): Promise<DataFolder> {
  const folder = await openDataFolder(options);
  if (stage === "whole") return folder;
  const audit = silence(folder.audit);
  if (stage === "limits") return { ...folder, audit };
  return { ...folder, audit, limits: ignoreLimits(folder.limits), store: skipIdleWrites(folder.store) };
}

function offerProfile(file: string): void {
  const session = new Session();
  session.connect();
  let running = false;
  const turn = async (): Promise<void> => {
    running = !running;
    if (running) {
      await session.post("Profiler.enable");
      await session.post("Profiler.setSamplingInterval", { interval: PROFILE_INTERVAL_US });
      await session.post("Profiler.start");
      return;
    }
    const { profile } = await session.post("Profiler.stop");
    // Whoever waits for the file sees it whole.
    writeFileSync(`${file}.part`, JSON.stringify(profile));
    renameSync(`${file}.part`, file);
  };
  process.on("SIGUSR2", () => void turn());
}

const [stage = "", configFile = "", dataDir = "", port = "0", profileFile = ""] = process.argv.slice(2);
const app = await startApp({
  configFile,
  dataDir,
  port: Number(port),
  env: process.env,
  log: createLog({ form: "words", write: (line) => void process.stderr.write(line), now: () => Date.now() }),
  openFolder: (options) => openStage(stage, options),
});
if (profileFile !== "") offerProfile(profileFile);
process.once("SIGTERM", () => void app.stop().then(() => process.exit(0)));
