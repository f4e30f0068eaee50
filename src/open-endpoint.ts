/**
 * Opens one server of the configuration: an address guard and pinned connections, or a process; the credential that it
 * wants; a front for clients of the other era; a credential scan and a tool snapshot.
 */
import { classifyDefinition } from "./catalog/classify-definition.ts";
import type { ServerConfig } from "./config/config.ts";
import type { DataFolder } from "./data-folder.ts";
import { isAskKind } from "./gateway/asks.ts";
import type { Endpoint } from "./gateway/desk.ts";
import { createCaps } from "./gateway/result-caps.ts";
import { createServedTools } from "./gateway/served-tools.ts";
import { wordsOf } from "./gateway/spend.ts";
import type { Log } from "./observe/log.ts";
import { createServerLogin, openConnection } from "./open-connection.ts";
import { tellDrift } from "./tell-drift.ts";
import { type AddressGuard, createAddressGuard, resolveBySystem } from "./upstream/address-guard.ts";
import { createAuthorizedUpstream } from "./upstream/authorized-upstream.ts";
import { createBridgedUpstream } from "./upstream/bridged-upstream.ts";
import { createStdioServer } from "./upstream/channel/server.ts";
import { createSseServer } from "./upstream/channel/sse-server.ts";
import { MAX_SECRETS } from "./upstream/credential-scan.ts";
import { createEitherTransport } from "./upstream/either-transport.ts";
import { createHttpUpstream, type HttpUpstream } from "./upstream/http-upstream.ts";
import { createLegacyFront } from "./upstream/legacy-front.ts";
import { listServerTools } from "./upstream/list-tools.ts";
import { createModernFront } from "./upstream/modern-front.ts";
import type { ConnectableServer, ConnectionDesk } from "./upstream/oauth/connection-desk.ts";
import { createRollingScan } from "./upstream/rolling-scan.ts";
import { listServerSecrets } from "./upstream/server-secrets.ts";
import type { EraVerdict } from "./upstream/server-session.ts";

export const CLIENT_NAME = "sallyport";

export interface EndpointParts {
  readonly folder: DataFolder;
  readonly version: string;
  readonly log: Log;
  /** Our own environment, of which a process gets next to nothing. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly connections: ConnectionDesk;
}

export interface OpenedEndpoint {
  readonly endpoint: Endpoint;
  /** Where the gateway signs in by itself. */
  readonly connection: ConnectableServer | undefined;
}

export function openEndpoint(parts: EndpointParts, id: string, config: ServerConfig, onConnected: () => void): OpenedEndpoint {
  const { folder, version, log } = parts;
  const { clock, store } = folder;
  const { name, url, headers, command, oauth } = config;
  const clientInfo = { name: CLIENT_NAME, version };
  const secrets = [...new Set([...config.credentials, ...listServerSecrets({ url, headers, environment: command?.env })])];
  if (secrets.length > MAX_SECRETS) {
    log.warn("server.secrets", `\`${name}\` has more than ${MAX_SECRETS} credentials; answers are not searched for the rest.`);
  }
  const scan = createRollingScan(secrets);
  const guard = createAddressGuard({ allow: config.networkAllow, resolve: resolveBySystem });
  const onSecrets = (renewed: readonly string[]): void => scan.replace(renewed);
  const connection = oauth && openConnection({ folder, log, id, config: { ...config, oauth }, guard, onSecrets, onConnected });
  const server = openServer(parts, config, { secrets, guard, connection });

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
    classify: classifyDefinition,
    now: () => clock.now(),
    list,
    onObserved: (observation) => {
      const teller = { folder, log, server: name, serverId: id };
      tellDrift(teller, observation).catch((error: unknown) => log.warn("tools.untold", wordsOf(error), { server: name }));
    },
    onFailed: (message) => log.warn("server.unavailable", `The tools of \`${name}\` can't be listed: ${message}`),
  });
  const upstream = createBridgedUpstream({
    server,
    findEra: () => tools.era ?? tools.refresh().then(() => tools.era),
    createLegacyFront: () =>
      createLegacyFront({
        upstream: server,
        clientInfo,
        paramHeadersOf: (tool) => tools.current()?.tools.get(tool)?.paramHeaders ?? [],
        onDropped: (reason) => log.warn("server.dropped", `A message of the server ${name} was dropped: ${reason}.`),
      }),
    createModernFront: () =>
      createModernFront({
        upstream: server,
        clientInfo,
        asksAlone: command?.process === "session",
        onToolsChanged: () => void tools.refresh(),
      }),
    now: () => clock.now(),
  });
  const endpoint: Endpoint = {
    id,
    name,
    upstream,
    tools,
    scan: scan.isEmpty && !connection ? undefined : scan,
    login: connection && createServerLogin(parts.connections, connection),
    results: createCaps(config.results),
    asks: { kinds: new Set(config.asks.filter(isAskKind)), label: name },
    extraMeta: config.meta,
    recordsValues: config.recordsValues,
  };
  return { endpoint, connection };
}

interface ServerMeans {
  readonly secrets: readonly string[];
  readonly guard: AddressGuard;
  readonly connection: ConnectableServer | undefined;
}

/** The server itself, in whatever era and by whatever transport it speaks. */
function openServer(parts: EndpointParts, config: ServerConfig, { secrets, guard, connection }: ServerMeans): HttpUpstream {
  const { log, version, env } = parts;
  const { name, url, headers, command } = config;
  if (command !== undefined) {
    return createStdioServer({ ...command, name, ownEnv: env, secrets, clientInfo: { name: CLIENT_NAME, version }, log });
  }
  const direct = createHttpUpstream({ url, headers, guard });
  const http = connection ? createAuthorizedUpstream(direct, connection.source) : direct;
  const now = (): number => performance.now();
  return createEitherTransport({ http, createSse: () => createSseServer({ name, url, server: http, log, now }), now });
}
