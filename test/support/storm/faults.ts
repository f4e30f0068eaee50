/**
 * The faults of a storm, in lanes that run beside each other: the database, Redis, the wires to them, the gateways, and the
 * people who change things. Each step breaks one thing, waits, and mends what does not mend itself, so that at the end of a
 * lane everything is there.
 */
import { renameSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { PostgresCluster } from "../postgres.ts";
import type { TestRedis } from "../redis.ts";
import type { Relay } from "../relay.ts";
import type { Replica, Replicas } from "../replicas.ts";
import type { Target } from "./load.ts";
import type { Chance } from "./seed.ts";

const MIN_FAULT_MS = 300;
const MAX_FAULT_MS = 4_000;
const MIN_CALM_MS = 500;
const MAX_CALM_MS = 5_000;
/** Changes need a process of their own each, and there are so many grants to revoke. */
const ADMIN_CALM = 2;

export interface Lane {
  readonly name: string;
  /** Breaks something and mends it; gives what it did. */
  step(chance: Chance): Promise<string>;
  readonly calm?: number;
}

const lasting = (chance: Chance): Promise<void> => pause(chance.between(MIN_FAULT_MS, MAX_FAULT_MS));

export async function runLane(lane: Lane, chance: Chance, isOver: () => boolean, say: (words: string) => void): Promise<void> {
  while (!isOver()) {
    await pause(chance.between(MIN_CALM_MS, MAX_CALM_MS) * (lane.calm ?? 1));
    if (!isOver()) say(`${lane.name}: ${await lane.step(chance)}`);
  }
}

export function createDatabaseLane(cluster: PostgresCluster): Lane {
  return {
    name: "database",
    async step(chance) {
      const fault = chance.pick(["frozen", "killed", "stopped"] as const);
      if (fault === "frozen") {
        const frozen = await cluster.freeze();
        await lasting(chance);
        frozen.thaw();
      } else {
        await cluster.kill(fault === "killed" ? "SIGKILL" : "SIGINT");
        await lasting(chance);
        await cluster.start();
      }
      return fault;
    },
  };
}

export function createRedisLane(redis: TestRedis): Lane {
  return {
    name: "Redis",
    async step(chance) {
      const fault = chance.pick(["frozen", "killed, back empty", "emptied", "cut off"] as const);
      if (fault === "frozen") {
        redis.signal("SIGSTOP");
        await lasting(chance);
        redis.signal("SIGCONT");
      } else if (fault === "killed, back empty") {
        await redis.kill();
        await lasting(chance);
        await redis.start();
      } else if (fault === "emptied") await redis.send("FLUSHALL");
      else await redis.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      return fault;
    },
  };
}

export function createWireLane(relays: Readonly<Record<string, Relay>>): Lane {
  return {
    name: "wire",
    async step(chance) {
      const to = chance.pick(Object.keys(relays));
      const relay = relays[to] as Relay;
      const fault = chance.pick(["cut", "half-closed", "late", "silent", "refusing"] as const);
      if (fault === "cut") relay.cut();
      else if (fault === "half-closed") relay.halfClose();
      else {
        if (fault === "late") relay.delay(chance.between(20, 400));
        else if (fault === "silent") relay.silence();
        else relay.refuse();
        await lasting(chance);
        relay.mend();
      }
      return `${to} ${fault}`;
    },
  };
}

/** A gateway that is started again whenever it ends, as by whoever supervises it; each start is another process. */
export interface Slot extends Target {
  readonly ended: ReadonlySet<number>;
  current(): Replica | undefined;
  start(): Promise<void>;
  stop(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
}

export function createSlot(open: (attempt: number) => Promise<Replica>, nextNumber: () => number): Slot {
  let running: { readonly replica: Replica; readonly gateway: number } | undefined;
  let attempts = 0;
  const ended = new Set<number>();
  return {
    ended,
    place: () => running && { port: running.replica.port, gateway: running.gateway },
    current: () => running?.replica,
    async start() {
      while (!running) {
        const replica = await open(++attempts).catch(() => undefined);
        if (replica) running = { replica, gateway: nextNumber() };
      }
    },
    async stop(signal) {
      const was = running;
      if (!was) return;
      ended.add(was.gateway);
      running = undefined;
      await was.replica.running.kill(signal);
    },
  };
}

export function createGatewayLane(slots: readonly Slot[]): Lane {
  return {
    name: "gateway",
    async step(chance) {
      const slot = chance.pick(slots);
      const fault = chance.pick(["frozen", "killed", "killed", "stopped"] as const);
      if (fault === "frozen") {
        const child = slot.current()?.running.child;
        child?.kill("SIGSTOP");
        await lasting(chance);
        child?.kill("SIGCONT");
      } else {
        await slot.stop(fault === "killed" ? "SIGKILL" : "SIGTERM");
        await slot.start();
      }
      return `${slots.indexOf(slot)} ${fault}`;
    },
  };
}

export interface AdminOptions {
  readonly replicas: Replicas;
  /** Grants that may be revoked, in turn. */
  readonly grants: string[];
  readonly revoked: Map<string, number>;
  readonly policies: readonly object[];
}

export function createAdminLane({ replicas, grants, revoked, policies }: AdminOptions): Lane {
  let switches = 0;
  return {
    name: "admin",
    calm: ADMIN_CALM,
    async step(chance) {
      const label = chance.next() < 0.6 ? grants.shift() : undefined;
      if (label === undefined) {
        const next = `${replicas.policy}.next`;
        writeFileSync(next, JSON.stringify(policies[++switches % policies.length]));
        renameSync(next, replicas.policy);
        return "policy changed";
      }
      // Where the database is away, it is asked again; what was done though nobody heard of it is found done.
      for (;;) {
        const done = await replicas.command("grant", "revoke", label).then(
          () => true,
          (error: Error) => /revoked/.test(error.message),
        );
        if (done) break;
      }
      revoked.set(label, Date.now());
      return `${label} revoked`;
    },
  };
}
