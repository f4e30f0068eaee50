/**
 * The servers of a configuration as the gateway serves them: an address guard, pinned connections, a credential scan and
 * a tool snapshot each. A changed entry gets new connections; what did not change keeps its own.
 */
import type { ServerConfig } from "./config/config.ts";
import type { DataFolder } from "./data-folder.ts";
import { isAskKind } from "./gateway/asks.ts";
import type { Endpoint } from "./gateway/desk.ts";
import { createCaps } from "./gateway/result-caps.ts";
import { createServedTools } from "./gateway/served-tools.ts";
import { wordsOf } from "./gateway/spend.ts";
import type { Log } from "./observe/log.ts";
import { listServers } from "./revision/server.ts";
import { tellDrift } from "./tell-drift.ts";
import { createAddressGuard, resolveBySystem } from "./upstream/address-guard.ts";
import { createCredentialScan, MAX_SECRETS } from "./upstream/credential-scan.ts";
import { createHttpUpstream } from "./upstream/http-upstream.ts";
import { listServerTools } from "./upstream/list-tools.ts";
import { listServerSecrets } from "./upstream/server-secrets.ts";
import type { EraVerdict } from "./upstream/server-session.ts";

export const CLIENT_NAME = "sallyport";

interface Served {
  readonly key: string;
  readonly endpoint: Endpoint;
}

export class EndpointTable {
  /** By name and by id. */
  readonly endpoints: Map<string, Endpoint> = new Map();
  readonly #folder: DataFolder;
  readonly #version: string;
  readonly #log: Log;
  #served = new Map<string, Served>();

  constructor(folder: DataFolder, version: string, log: Log) {
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
      next.set(config.name, before?.key === key ? before : { key, endpoint: this.#open(record.id, config) });
    }
    const closing = [...this.#served.values()].filter((served) => next.get(served.endpoint.name) !== served);
    this.#served = next;
    this.endpoints.clear();
    for (const { endpoint } of next.values()) this.endpoints.set(endpoint.id, endpoint);
    for (const { endpoint } of next.values()) this.endpoints.set(endpoint.name, endpoint);
    for (const { endpoint } of closing) {
      endpoint.tools.close();
      void endpoint.upstream.close();
    }
    for (const { endpoint } of next.values()) void this.#lookAt(endpoint);
  }

  async #lookAt(endpoint: Endpoint): Promise<void> {
    await endpoint.tools.sync(this.#folder.access.version);
    if (endpoint.tools.era === undefined) await endpoint.tools.refresh();
  }

  #open(id: string, config: ServerConfig): Endpoint {
    const { clock, store } = this.#folder;
    const guard = createAddressGuard({ allow: config.networkAllow, resolve: resolveBySystem });
    const upstream = createHttpUpstream({ url: config.url, headers: config.headers, guard });
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
      onObserved: (observation) => {
        const teller = { folder: this.#folder, log: this.#log, server: config.name, serverId: id };
        tellDrift(teller, observation).catch((error: unknown) => this.#log.warn("tools.untold", wordsOf(error), { server: config.name }));
      },
      onFailed: (message) => this.#log.warn("server.unavailable", `The tools of \`${config.name}\` can't be listed: ${message}`),
    });
    const secrets = new Set([...config.credentials, ...listServerSecrets({ url: config.url, headers: config.headers })]);
    const scan = createCredentialScan([...secrets].slice(0, MAX_SECRETS));
    return {
      id,
      name: config.name,
      upstream,
      tools,
      scan: scan.isEmpty ? undefined : scan,
      results: createCaps(config.results),
      asks: { kinds: new Set(config.asks.filter(isAskKind)), label: config.name },
      extraMeta: config.meta,
      recordsValues: config.recordsValues,
    };
  }

  async close(): Promise<void> {
    for (const { endpoint } of this.#served.values()) endpoint.tools.close();
    await Promise.all([...this.#served.values()].map(({ endpoint }) => endpoint.upstream.close()));
  }
}
