/**
 * Which making of the counters counts. A sentinel in Redis names it, with the server that it was made on; the store names
 * it too. Where the two do not agree (a restart, a flush, a failover, a fresh server), or Redis says that it forgets, calls
 * with limits are refused; under a lease one process makes a new origin from the journal, and everybody goes on there.
 * Keys carry their origin, so that nothing of an earlier one is ever counted.
 */
import { randomBytes } from "node:crypto";
import { releaseLease, takeLease } from "../../store/lease.ts";
import type { Batch, Store } from "../../store/store.ts";
import type { Journal, JournalRow } from "./journal.ts";
import type { Link } from "./link.ts";
import { OPEN_ORIGIN, RESTORE } from "./scripts.ts";

/** How often Redis is asked whether it is still the one that the counters were made on. */
export const CHECK_INTERVAL_MS = 1_000;
/** How soon it is looked again while another process rebuilds. */
const REBUILDING_PAUSE_MS = 100;
const LEASE_MS = 15_000;
const ORIGIN_BYTES = 12;

/** The counters of one making, while they can be trusted. */
export interface Origin {
  readonly id: string;
  /** What the sentinel holds. */
  readonly sentinel: string;
}

export interface OriginOptions {
  readonly link: Link;
  readonly store: Store;
  readonly journal: Journal;
  /** What the keys stand under: counters of another store are others. */
  readonly home: string;
  /** The time of the counters where it is not the server's own, for tests. */
  readonly readTime: () => number | undefined;
  readonly say: (level: "info" | "warn", words: string) => void;
}

/** What all keys of a store's counters begin with; the braces keep them in one slot. */
export function prefixOf(home: string): string {
  return `sallyport:{${home}}:`;
}

export class OriginWatch {
  readonly #options: OriginOptions;
  readonly #holder = randomBytes(ORIGIN_BYTES).toString("hex");
  readonly #timer: NodeJS.Timeout;
  #current: Origin | undefined;
  #obstacle: string | undefined = "the counters of limits in Redis were not looked at yet";
  /** What was said since calls were last counted. */
  readonly #told = new Set<string>();
  /** Rises with every loss: what was seen before one says nothing of the connection after it. */
  #turn = 0;
  #looking: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(options: OriginOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(), CHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Undefined: no call with limits passes now. */
  get current(): Origin | undefined {
    return this.#current;
  }

  get obstacle(): string | undefined {
    return this.#current ? undefined : this.#obstacle;
  }

  /** The counters can't be trusted, or reached, until somebody has looked. */
  lose(words: string): void {
    this.#turn++;
    this.#current = undefined;
    this.#obstacle = words;
    this.#tell(words);
  }

  /** Looks now, or again where somebody looks already. */
  look(): void {
    if (this.#stopped) return;
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = this.#check()
      .catch((error: unknown) => this.lose(wordsOf(error)))
      .finally(() => {
        this.#looking = undefined;
        if (!this.#again) return;
        this.#again = false;
        this.look();
      });
  }

  /** Settles when nobody looks any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #check(): Promise<void> {
    const { link, store, journal } = this.#options;
    if (!link.isReady) return this.lose("Redis, which holds the counters of limits, can't be reached");
    const turn = this.#turn;
    const [server, held] = await Promise.all([readServer(link), link.send(["GET", this.#sentinelKey])]);
    if (server.unfit !== undefined) return this.lose(server.unfit);
    const known = await journal.lookUpOrigin(store);
    const sentinel = known === undefined ? undefined : `${known} ${server.identity}`;
    if (turn !== this.#turn) return this.#lookSoon();
    if (known !== undefined && sentinel !== undefined && held === sentinel) return this.#adopt({ id: known, sentinel });
    const words = "the counters of limits are being rebuilt in Redis";
    // The first making of all is nothing to worry people with.
    if (known === undefined) this.#obstacle = words;
    else this.lose(words);
    await this.#rebuild(typeof held === "string" ? held : "", server.identity);
  }

  get #sentinelKey(): string {
    return `${prefixOf(this.#options.home)}origin`;
  }

  #adopt(origin: Origin): void {
    if (this.#current?.sentinel === origin.sentinel) return;
    this.#current = origin;
    if (this.#told.size > 0) this.#options.say("info", "Limits are counted in Redis again.");
    this.#told.clear();
  }

  #tell(words: string): void {
    if (this.#told.has(words) || this.#stopped) return;
    this.#told.add(words);
    this.#options.say("warn", `Calls with limits are refused: ${words}.`);
  }

  async #rebuild(held: string, identity: string): Promise<void> {
    const turn = this.#turn;
    const { link, store, journal } = this.#options;
    const id = randomBytes(ORIGIN_BYTES).toString("hex");
    // From this commit on nothing that was taken before goes out: what the journal holds is all there is.
    const begun = await store.write(async (batch) => {
      if (!(await this.#hold(batch))) return false;
      await journal.putOrigin(batch, id, batch.nowMs);
      return true;
    });
    if (!begun) return this.#lookSoon();
    try {
      const restored = await this.#restore(id);
      // Everything went over one connection, or it is not known that one server has it all.
      if (restored === undefined || turn !== this.#turn) return this.#lookSoon();
      const sentinel = `${id} ${identity}`;
      const opened = await link.run(OPEN_ORIGIN, [this.#sentinelKey], [held, sentinel]);
      if (opened !== 1 || turn !== this.#turn) return this.#lookSoon();
      this.#options.say("info", `The counters of limits were made in Redis from ${restored} charges on record.`);
      this.#adopt({ id, sentinel });
    } finally {
      await store.write((batch) => releaseLease(batch, this.#leaseName, this.#holder));
    }
  }

  #lookSoon(): void {
    setTimeout(() => this.look(), REBUILDING_PAUSE_MS).unref();
  }

  get #leaseName(): string {
    return `limits/${this.#options.home}`;
  }

  #hold(batch: Batch): Promise<boolean> {
    const { nowMs } = batch;
    return takeLease(batch, { name: this.#leaseName, holder: this.#holder, nowMs, untilMs: nowMs + LEASE_MS });
  }

  /** The number of rows; undefined: another process has taken over. */
  async #restore(id: string): Promise<number | undefined> {
    const { link, store, journal, readTime } = this.#options;
    const given = readTime();
    const nowMs = given ?? (await readServerTime(link));
    const prefix = `${prefixOf(this.#options.home)}${id}:`;
    let count = 0;
    for await (const rows of journal.readLive(store, nowMs)) {
      if (!(await store.write((batch) => this.#hold(batch)))) return undefined;
      await Promise.all(
        [...Map.groupBy(rows, (row) => row.counter).values()].map((ofCounter) => {
          const { keys, args } = planRestore(prefix, ofCounter, given);
          return link.run(RESTORE, keys, args);
        }),
      );
      count += rows.length;
    }
    return count;
  }
}

function planRestore(prefix: string, rows: readonly JournalRow[], givenMs: number | undefined): { keys: string[]; args: string[] } {
  const [first] = rows as [JournalRow];
  const families = [
    [first.family, first.counter],
    [first.sessions, first.session],
  ].filter(([family]) => family !== "") as [string, string][];
  const buckets = [...Map.groupBy(rows, (row) => row.bucket)].map(([index, ofBucket]) => [
    String(index),
    String(Math.max(...ofBucket.map((row) => row.freeMs))),
    String(ofBucket.reduce((sum, row) => sum + row.amount, 0n)),
  ]);
  const members = families.map(([, member]) => member);
  return {
    keys: [`${prefix}c:${first.counter}`, ...families.map(([family]) => `${prefix}f:${family}`)],
    args: [
      givenMs === undefined ? "" : String(givenMs),
      first.isCalendar ? "1" : "0",
      String(Math.max(...rows.map((row) => row.expiresMs))),
      members[0] ?? "",
      members[1] ?? "",
      String(Math.max(...rows.map((row) => row.atMs))),
      ...buckets.flat(),
    ],
  };
}

async function readServerTime(link: Link): Promise<number> {
  const [seconds, micros] = (await link.send(["TIME"])) as [string, string];
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

interface ServerFacts {
  /** Changes with every start of the server, and with every promotion. */
  readonly identity: string;
  /** Why it can't hold counters. */
  readonly unfit: string | undefined;
}

async function readServer(link: Link): Promise<ServerFacts> {
  const text = String(await link.send(["INFO"]));
  const fact = (name: string): string | undefined => new RegExp(`^${name}:([^\r\n]*)`, "m").exec(text)?.[1];
  const identity = `${fact("run_id") ?? ""}.${fact("master_replid") ?? ""}`;
  return { identity, unfit: findUnfitness(identity, fact) };
}

function findUnfitness(identity: string, fact: (name: string) => string | undefined): string | undefined {
  if (!/^[0-9a-f]+\.[0-9a-f]+$/.test(identity)) return "Redis does not say which server it is (INFO)";
  if (fact("cluster_enabled") === "1") return "a Redis Cluster can't hold the counters of limits; one primary with replicas can";
  if (fact("role") !== "master") return "this Redis is a replica and can't be written to";
  const policy = fact("maxmemory_policy");
  if (fact("maxmemory") !== "0" && policy !== "noeviction") return `Redis forgets counters: set \`maxmemory-policy noeviction\` there`;
  return undefined;
}

function wordsOf(error: unknown): string {
  const message = error instanceof Error ? error.message : "an unknown fault";
  return message.replace(/\.$/, "");
}
