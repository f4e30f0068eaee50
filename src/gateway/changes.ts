/**
 * `list_changed` of the gateway's own: clients that listen hear of it when a policy, a grant, an accepted snapshot or a
 * server's death or return changes what they see. Looked at a few times a second while anybody listens, told once things
 * have been quiet for one look, and never later than a bound.
 */
import { hash } from "node:crypto";
import type { GrantRecord } from "../identity/grant.ts";
import { BoundedMap } from "../kernel/bounded-map.ts";
import { compareCodePoints } from "../kernel/canonical-json.ts";
import type { CompiledPolicy } from "../policy/decision.ts";
import type { ToolIndex } from "../upstream/tool-index.ts";
import type { Access } from "./access.ts";
import type { Endpoint } from "./desk.ts";
import { type Health, MAX_DOWN_SERVERS } from "./health.ts";

export const CHANGE_CHECK_MS = 500;
/** Looks after which a change is told though others go on. */
export const MAX_QUIET_LOOKS = 4;
/** Every so many looks everything is looked at, whether or not anything seems to have changed. */
const WHOLE_LOOKS = 10;
/** How often a server that is down is looked at while anybody listens, and one that is up. */
export const RETURN_CHECK_MS = 5_000;
export const PRESENCE_CHECK_MS = 30_000;
/** A server whose look takes longer than this is not back yet. */
export const SOUND_LOOK_MS = 8_000;

export const CHANGED_KINDS = ["tools", "prompts", "resources"] as const;
export type ChangedKind = (typeof CHANGED_KINDS)[number];

export interface ChangeWatch {
  readonly bearer: string;
  readonly grantId: string;
  /** What this client sees of, under the grant as it is now. */
  readonly endpointsOf: (grant: GrantRecord) => readonly Endpoint[];
  /** Whether a server's death takes it out of this client's lists. */
  readonly heedsHealth: boolean;
  readonly tell: (kinds: readonly ChangedKind[]) => void;
}

interface View {
  readonly tools: string;
  readonly others: string;
}

interface Watched {
  readonly watch: ChangeWatch;
  endpoints: readonly Endpoint[];
  stamp: string;
  view: View | undefined;
  readonly changed: Set<ChangedKind>;
  looks: number;
}

export interface ChangePorts {
  readonly access: Access;
  readonly health: Health;
  readonly now: () => number;
}

const visible = new WeakMap<ToolIndex, WeakMap<CompiledPolicy, string>>();

/** A digest of the tools that this policy shows of this snapshot; made once for each pair. */
function digestTools(index: ToolIndex, policy: CompiledPolicy): string {
  let known = visible.get(index);
  if (!known) visible.set(index, (known = new WeakMap()));
  let digest = known.get(policy);
  if (digest === undefined) {
    const shown = [...index.tools].filter(
      ([, { facts, state }]) => facts !== null && state === "accepted" && policy.decideVisibility(facts) === "shown",
    );
    const lines = shown.map(([name, { definitionHash }]) => JSON.stringify([name, definitionHash])).sort(compareCodePoints);
    digest = hash("sha256", lines.join("\n"), "hex");
    known.set(policy, digest);
  }
  return digest;
}

export class ChangeTable {
  readonly #ports: ChangePorts;
  readonly #watched = new Set<Watched>();
  #looks = 0;
  readonly #looking = new Set<string>();
  readonly #nextLook = new BoundedMap<string, number>(MAX_DOWN_SERVERS);

  constructor(ports: ChangePorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** From now on; gives what ends it. */
  watch(watch: ChangeWatch): () => void {
    const watched: Watched = { watch, endpoints: [], stamp: "", view: undefined, changed: new Set(), looks: 0 };
    this.#watched.add(watched);
    void this.#view(watched).catch(() => undefined);
    return () => this.#watched.delete(watched);
  }

  /** One look at everything that is watched. */
  async look(): Promise<void> {
    await this.#ports.access.look();
    this.#lookAtServers();
    // What is served may change without anybody's decision, such as when connections are made anew.
    const isWhole = ++this.#looks % WHOLE_LOOKS === 0;
    const stamp = this.#stamp();
    for (const watched of [...this.#watched]) {
      if (!isWhole && watched.stamp === stamp && watched.changed.size === 0) continue;
      const before = watched.view;
      const view = await this.#view(watched);
      if (before && view) this.#compare(watched, before, view);
    }
  }

  /** While it stands, so does everything that a view is made of. */
  #stamp(): string {
    return `${this.#ports.access.version}/${this.#ports.health.changes}`;
  }

  #compare(watched: Watched, before: View, view: View): void {
    const isSame = before.tools === view.tools && before.others === view.others;
    if (before.tools !== view.tools) watched.changed.add("tools");
    if (before.others !== view.others) watched.changed.add("prompts").add("resources");
    if (watched.changed.size === 0 || (!isSame && ++watched.looks < MAX_QUIET_LOOKS)) return;
    const kinds = CHANGED_KINDS.filter((kind) => watched.changed.has(kind));
    watched.changed.clear();
    watched.looks = 0;
    watched.watch.tell(kinds);
  }

  async #view(watched: Watched): Promise<View | undefined> {
    const { access, health, now } = this.#ports;
    const { watch } = watched;
    const stamp = this.#stamp();
    const { grant } = await access.findGrant(watch.bearer, now());
    // A grant that has ended takes its streams with it; there is nobody left to tell.
    if (grant?.id !== watch.grantId) return undefined;
    const endpoints = watch.endpointsOf(grant);
    const tools: string[] = [];
    const others: string[] = [];
    for (const endpoint of endpoints) {
      if (watch.heedsHealth && health.isDown(endpoint)) continue;
      const name = grant.servers.get(endpoint.name);
      const policy = name === undefined ? undefined : await access.findPolicy(name);
      await endpoint.tools.sync(access.version);
      const index = endpoint.tools.current();
      others.push(`${endpoint.id} ${policy?.revision ?? ""}`);
      tools.push(`${endpoint.id} ${policy && index ? digestTools(index, policy.compiled) : ""}`);
    }
    const view = { tools: tools.join("\n"), others: others.join("\n") };
    Object.assign(watched, { endpoints, stamp, view });
    return view;
  }

  #lookAtServers(): void {
    const endpoints = new Set<Endpoint>();
    for (const { watch, endpoints: own } of this.#watched) if (watch.heedsHealth) for (const endpoint of own) endpoints.add(endpoint);
    for (const endpoint of endpoints) this.#lookAt(endpoint);
  }

  /** Looks at a server in the background: often while it is down, now and then while it is not. */
  #lookAt(endpoint: Endpoint): void {
    const { health, now } = this.#ports;
    const { id, tools } = endpoint;
    const startedMs = now();
    // One that was not looked at before is up as far as anybody knows.
    const due = this.#nextLook.get(id) ?? startedMs + (health.isDown(endpoint) ? 0 : PRESENCE_CHECK_MS);
    this.#nextLook.set(id, due);
    if (startedMs < due && !health.takeSuspicion(endpoint)) return;
    if (this.#looking.has(id)) return;
    this.#looking.add(id);
    const began = performance.now();
    const judge = (): void => {
      this.#looking.delete(id);
      const { lastLook } = tools;
      const isSound = performance.now() - began < SOUND_LOOK_MS;
      if (lastLook && lastLook.atMs >= startedMs) health.note(endpoint, lastLook.ok && (isSound || !health.isDown(endpoint)));
      this.#nextLook.set(id, now() + (health.isDown(endpoint) ? RETURN_CHECK_MS : PRESENCE_CHECK_MS));
    };
    tools.refresh().then(judge, judge);
  }
}

/** Looks while anybody listens; gives a stopper. */
export function watchChanges(changes: ChangeTable): () => void {
  let looking = false;
  const timer = setInterval(() => {
    if (looking || changes.size === 0) return;
    looking = true;
    changes
      .look()
      .catch(() => undefined)
      .finally(() => {
        looking = false;
      });
  }, CHANGE_CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
