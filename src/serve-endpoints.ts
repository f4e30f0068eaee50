/**
 * The servers of a configuration as the gateway serves them: an address guard and pinned connections, or a process; a
 * credential scan and a tool snapshot each. A changed entry gets new connections; what did not change keeps its own.
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
import { createBridgedUpstream } from "./upstream/bridged-upstream.ts";
import { createStdioServer } from "./upstream/channel/server.ts";
import { createSseServer } from "./upstream/channel/sse-server.ts";
import { createCredentialScan, MAX_SECRETS } from "./upstream/credential-scan.ts";
import { createEitherTransport } from "./upstream/either-transport.ts";
import { createHttpUpstream, type HttpUpstream } from "./upstream/http-upstream.ts";
import { createLegacyFront } from "./upstream/legacy-front.ts";
import { listServerTools } from "./upstream/list-tools.ts";
import { createModernFront } from "./upstream/modern-front.ts";
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
  readonly #env: Readonly<Record<string, string | undefined>>;
  #served = new Map<string, Served>();
  /** Connections and processes of entries that are gone, on their way out. */
  readonly #closing = new Set<Promise<void>>();

  constructor(folder: DataFolder, version: string, log: Log, env: Readonly<Record<string, string | undefined>>) {
    this.#folder = folder;
    this.#version = version;
    this.#log = log;
    this.#env = env;
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
    for (const { endpoint } of closing) this.#close(endpoint);
    for (const { endpoint } of next.values()) void this.#lookAt(endpoint);
  }

  #close(endpoint: Endpoint): void {
    endpoint.tools.close();
    const closing = endpoint.upstream.close().finally(() => void this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #lookAt(endpoint: Endpoint): Promise<void> {
    await endpoint.tools.sync(this.#folder.access.version);
    if (endpoint.tools.era === undefined) await endpoint.tools.refresh();
  }

  #open(id: string, config: ServerConfig): Endpoint {
    const { clock, store } = this.#folder;
    const { url, headers, command } = config;
    const found = listServerSecrets({ url, headers, environment: command?.env });
    const secrets = [...new Set([...config.credentials, ...found])];
    if (secrets.length > MAX_SECRETS)
      this.#log.warn(
        "server.secrets",
        `\`${config.name}\` has more than ${MAX_SECRETS} credentials; answers are not searched for the rest.`,
      );
    const server = this.#openUpstream(config, secrets);
    const clientInfo = { name: CLIENT_NAME, version: this.#version };
    let known: EraVerdict | undefined;
    const list = async (): Promise<Awaited<ReturnType<typeof listServerTools>>> => {
      const listing = await listServerTools({ upstream: server, clientInfo, known, nowMs: clock.now() });
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
    const upstream = createBridgedUpstream({
      server,
      findEra: () => tools.era ?? tools.refresh().then(() => tools.era),
      createLegacyFront: () =>
        createLegacyFront({
          upstream: server,
          clientInfo,
          paramHeadersOf: (tool) => tools.current()?.tools.get(tool)?.paramHeaders ?? [],
          onDropped: (reason) => this.#log.warn("server.dropped", `A message of the server ${config.name} was dropped: ${reason}.`),
        }),
      createModernFront: () => createModernFront({ upstream: server, clientInfo, onToolsChanged: () => void tools.refresh() }),
      now: () => clock.now(),
    });
    const scan = createCredentialScan(secrets.slice(0, MAX_SECRETS));
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

  #openUpstream(config: ServerConfig, secrets: readonly string[]): HttpUpstream {
    const { name, url, headers, command } = config;
    if (command === undefined) {
      const guard = createAddressGuard({ allow: config.networkAllow, resolve: resolveBySystem });
      const http = createHttpUpstream({ url, headers, guard });
      const now = (): number => performance.now();
      return createEitherTransport({ http, createSse: () => createSseServer({ name, url, server: http, log: this.#log, now }), now });
    }
    const clientInfo = { name: CLIENT_NAME, version: this.#version };
    return createStdioServer({ ...command, name, ownEnv: this.#env, secrets, clientInfo, log: this.#log });
  }

  async close(): Promise<void> {
    for (const { endpoint } of this.#served.values()) endpoint.tools.close();
    await Promise.all([...[...this.#served.values()].map(({ endpoint }) => endpoint.upstream.close()), ...this.#closing]);
  }
}
