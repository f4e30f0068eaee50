/**
 * Names → what is in force now: the active revision of a policy, compiled, and a server. Answers from memory while
 * nothing has changed; a compiled revision is kept by its hash for as long as there is room, since it never changes.
 */
import { BoundedMap } from "../kernel/bounded-map.ts";
import { compilePolicy } from "../policy/compile.ts";
import type { CompiledPolicy } from "../policy/decision.ts";
import type { Store } from "../store/store.ts";
import { parseStored } from "./candidate.ts";
import { readActive } from "./policy.ts";
import { listServers, type ServerRecord } from "./server.ts";

export const MAX_COMPILED_REVISIONS = 1000;
export const MAX_INDEXED_POLICIES = 10_000;

export interface ActivePolicy {
  readonly id: string;
  readonly name: string;
  /** Name of the server that it is for. */
  readonly server: string;
  /** Hash of the revision, for records of what it decided. */
  readonly revision: string;
  readonly compiled: CompiledPolicy;
}

export interface RevisionIndex {
  /** Takes the version that stands now (see the index of grants) and forgets names when it is another. */
  refresh(version: number): void;
  /** Undefined where there is no policy of that name in force. Rejects where its revision can't be read: then deny. */
  activePolicy(name: string): ActivePolicy | undefined | Promise<ActivePolicy | undefined>;
  /** By name or id. */
  findServer(nameOrId: string): ServerRecord | undefined | Promise<ServerRecord | undefined>;
}

type Servers = ReadonlyMap<string, ServerRecord>;

class StoredRevisionIndex implements RevisionIndex {
  readonly #store: Store;
  readonly #compiled = new BoundedMap<string, CompiledPolicy>(MAX_COMPILED_REVISIONS);
  readonly #policies = new BoundedMap<string, ActivePolicy>(MAX_INDEXED_POLICIES);
  #servers: Servers | undefined;
  #version: number | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  refresh(version: number): void {
    if (version === this.#version) return;
    this.#version = version;
    this.#policies.clear();
    this.#servers = undefined;
  }

  activePolicy(name: string): ActivePolicy | undefined | Promise<ActivePolicy | undefined> {
    return this.#policies.get(name) ?? this.#loadPolicy(name);
  }

  findServer(nameOrId: string): ServerRecord | undefined | Promise<ServerRecord | undefined> {
    return this.#servers ? this.#servers.get(nameOrId) : this.#loadServers().then((servers) => servers.get(nameOrId));
  }

  async #loadPolicy(name: string): Promise<ActivePolicy | undefined> {
    const version = this.#version;
    const active = await readActive(this.#store.query, name);
    if (active === undefined) return undefined;
    const { id, server, revision } = active.policy;
    const compiled = this.#compiled.get(revision) ?? compilePolicy(parseStored(active.document, name));
    this.#compiled.set(revision, compiled);
    const policy = Object.freeze({ id, name, server, revision, compiled });
    // What was read before a change must not be remembered after it.
    if (version === this.#version) this.#policies.set(name, policy);
    return policy;
  }

  async #loadServers(): Promise<Servers> {
    const version = this.#version;
    const servers = new Map<string, ServerRecord>();
    const listed = await listServers(this.#store.query);
    for (const server of listed) servers.set(server.id, server);
    for (const server of listed) servers.set(server.name, server);
    if (version === this.#version) this.#servers = servers;
    return servers;
  }
}

export function createRevisionIndex(store: Store): RevisionIndex {
  return new StoredRevisionIndex(store);
}
