/**
 * The servers of a configuration as the gateway serves them: an address guard, pinned connections, a credential scan and
 * a tool snapshot each. A changed entry gets new connections; what did not change keeps its own.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { ServerConfig } from "./config/config.ts";
import type { DataFolder } from "./data-folder.ts";
import type { Endpoint } from "./gateway/desk.ts";
import { createServedTools, FAILED_LOOK_PAUSE_MS } from "./gateway/served-tools.ts";
import type { Log } from "./observe/log.ts";
import { createServerLogin, openConnection } from "./open-connection.ts";
import { listServers } from "./revision/server.ts";
import { type AddressGuard, createAddressGuard, resolveBySystem } from "./upstream/address-guard.ts";
import { createAuthorizedUpstream } from "./upstream/authorized-upstream.ts";
import { createHttpUpstream } from "./upstream/http-upstream.ts";
import { listServerTools } from "./upstream/list-tools.ts";
import type { ConnectableServer, ConnectionDesk } from "./upstream/oauth/connection-desk.ts";
import type { Observation } from "./upstream/observe-list.ts";
import { createRollingScan, type RollingScan } from "./upstream/rolling-scan.ts";
import { listServerSecrets } from "./upstream/server-secrets.ts";
import type { EraVerdict } from "./upstream/server-session.ts";

export const CLIENT_NAME = "sallyport";
/** How often the tools of a server are looked for that was connected just now. */
const CONNECTED_LOOKS = 5;

interface Served {
  readonly key: string;
  readonly endpoint: Endpoint;
  /** Where the gateway signs in by itself. */
  readonly connection: ConnectableServer | undefined;
}

export class EndpointTable {
  /** By name and by id. */
  readonly endpoints: Map<string, Endpoint> = new Map();
  readonly #folder: DataFolder;
  readonly #version: string;
  readonly #log: Log;
  readonly #connections: ConnectionDesk;
  #served = new Map<string, Served>();

  constructor(folder: DataFolder, version: string, log: Log, connections: ConnectionDesk) {
    this.#connections = connections;
    this.#folder = folder;
    this.#version = version;
    this.#log = log;
  }

  /** Makes what is served equal to the configuration; a server that is new is looked at in the background. */
  async apply(servers: readonly ServerConfig[]): Promise<void> {
    const records = new Map((await listServers(this.#folder.store.query)).map((record) => [record.name, record]));
    const next = new Map<string, Served>();
    for (const config of servers) {
      const record = records.get(config.name);
      if (!record) continue;
      const key = JSON.stringify([record.id, config]);
      const before = this.#served.get(config.name);
      next.set(config.name, before?.key === key ? before : { key, ...this.#open(record.id, config) });
    }
    const closing = [...this.#served.values()].filter((served) => next.get(served.endpoint.name) !== served);
    for (const { connection } of closing) if (connection) this.#connections.remove(connection);
    await Promise.all([...next.values()].map(({ connection }) => connection && this.#connections.add(connection)));
    this.#served = next;
    this.endpoints.clear();
    for (const { endpoint } of next.values()) this.endpoints.set(endpoint.id, endpoint);
    for (const { endpoint } of next.values()) this.endpoints.set(endpoint.name, endpoint);
    for (const { endpoint } of closing) void endpoint.upstream.close();
    for (const { endpoint, connection } of next.values()) {
      if (connection?.source.current().kind === "absent") this.#askForPerson(endpoint);
      else void this.#lookAt(endpoint);
    }
  }

  #askForPerson(endpoint: Endpoint): void {
    const { name } = endpoint;
    const words = `The gateway is not signed in to \`${name}\`. Connect it: sallyport server connect ${name}`;
    this.#log.warn("connection.missing", words, { server: name });
  }

  /** A look that failed is not repeated at once, so this one waits for its turn. */
  async #lookWhenConnected(name: string): Promise<void> {
    for (let attempt = 0; attempt < CONNECTED_LOOKS; attempt++) {
      const endpoint = this.#served.get(name)?.endpoint;
      if (endpoint === undefined) return;
      await this.#lookAt(endpoint);
      if (endpoint.tools.era !== undefined) return;
      await pause(FAILED_LOOK_PAUSE_MS, undefined, { ref: false });
    }
  }

  async #lookAt(endpoint: Endpoint): Promise<void> {
    await endpoint.tools.sync(this.#folder.access.version);
    if (endpoint.tools.era === undefined) await endpoint.tools.refresh();
  }

  #open(id: string, config: ServerConfig): Omit<Served, "key"> {
    const { clock, store } = this.#folder;
    const guard = createAddressGuard({ allow: config.networkAllow, resolve: resolveBySystem });
    const secrets = [...new Set([...config.credentials, ...listServerSecrets({ url: config.url, headers: config.headers })])];
    const scan = createRollingScan(secrets);
    const connection = this.#connect(id, config, guard, scan);
    const direct = createHttpUpstream({ url: config.url, headers: config.headers, guard });
    const upstream = connection ? createAuthorizedUpstream(direct, connection.source) : direct;
    let known: EraVerdict | undefined;
    const list = async (): Promise<Awaited<ReturnType<typeof listServerTools>>> => {
      const clientInfo = { name: CLIENT_NAME, version: this.#version };
      const listing = await listServerTools({ upstream, clientInfo, known, nowMs: clock.now() });
      if (listing.ok) known = listing.value.verdict;
      return listing;
    };
    const tools = createServedTools({
      store,
      serverId: id,
      mode: config.tools,
      classes: config.classes,
      now: () => clock.now(),
      list,
      onObserved: (observation) => this.#tell(config.name, observation),
      onFailed: (message) => this.#log.warn("server.unavailable", `The tools of \`${config.name}\` can't be listed: ${message}`),
    });
    const endpoint: Endpoint = {
      id,
      name: config.name,
      upstream,
      tools,
      scan: scan.isEmpty && !connection ? undefined : scan,
      login: connection && createServerLogin(this.#connections, connection),
      extraMeta: config.meta,
      recordsValues: config.recordsValues,
    };
    return { endpoint, connection };
  }

  #connect(id: string, config: ServerConfig, guard: AddressGuard, scan: RollingScan): ConnectableServer | undefined {
    const { oauth, name } = config;
    if (oauth === undefined) return undefined;
    const onConnected = (): void => void this.#lookWhenConnected(name);
    const onSecrets = (secrets: readonly string[]): void => scan.replace(secrets);
    return openConnection({ folder: this.#folder, log: this.#log, id, config: { ...config, oauth }, guard, onSecrets, onConnected });
  }

  #tell(name: string, observation: Observation): void {
    const { isFirst, accepted, changed, added, missing } = observation;
    const words = isFirst
      ? `The first list of \`${name}\` is accepted: ${accepted.length} tools.`
      : `The tools of \`${name}\` changed: ${changed.length} changed and ${added.length} new ones are quarantined, ${missing.length} are gone.`;
    this.#log.info(isFirst ? "tools.accepted" : "tools.drifted", words, { server: name });
    const detail = { accepted: accepted.length, changed: changed.length, added: added.length, missing: missing.length };
    void this.#folder.store
      .write(async (batch) => {
        const action = isFirst ? "tools.accepted" : "tools.drifted";
        this.#folder.audit.append(batch, { kind: "admin", server: name, actor: "gateway", action, object: name, detail });
      })
      .catch(() => undefined);
  }

  async close(): Promise<void> {
    for (const { connection } of this.#served.values()) if (connection) this.#connections.remove(connection);
    await Promise.all([...this.#served.values()].map(({ endpoint }) => endpoint.upstream.close()));
  }
}
