/**
 * Joins one server that the gateway signs in to: its credential, the guarded way to its authorization server, the scan
 * that follows its tokens, and what an agent is told while a person has to act.
 */
import type { OAuthConfig, ServerConfig } from "./config/config.ts";
import type { DataFolder } from "./data-folder.ts";
import type { ServerLogin } from "./gateway/desk.ts";
import type { Log } from "./observe/log.ts";
import type { Batch } from "./store/store.ts";
import type { AddressGuard } from "./upstream/address-guard.ts";
import { createGuardedFetch } from "./upstream/guarded-fetch.ts";
import type { ConnectableServer, ConnectionDesk } from "./upstream/oauth/connection-desk.ts";
import { type ConnectionEvent, CredentialSource } from "./upstream/oauth/credential-source.ts";

export function recordConnection(folder: Pick<DataFolder, "audit">, batch: Batch, server: string, event: ConnectionEvent): void {
  const { action, actor, detail } = event;
  folder.audit.append(batch, { kind: "admin", server, actor, action, object: server, detail: { ...detail } });
}

export interface OpenConnection {
  readonly folder: DataFolder;
  readonly log: Log;
  readonly id: string;
  readonly config: ServerConfig & { readonly oauth: OAuthConfig };
  readonly guard: AddressGuard;
  readonly onSecrets: (secrets: readonly string[]) => void;
  readonly onConnected: () => void;
}

export function openConnection(options: OpenConnection): ConnectableServer {
  const { folder, log, id, config, guard } = options;
  const fetch = createGuardedFetch({ guard });
  const source = new CredentialSource({
    serverId: id,
    url: config.url,
    store: folder.store,
    openKeyring: folder.openKeyring,
    fetch,
    now: () => folder.clock.now(),
    random: () => Math.random(),
    record: (batch, event) => recordConnection(folder, batch, config.name, event),
    tell: (level, event, words) => log[level](event, words, { server: config.name }),
    onSecrets: options.onSecrets,
    onConnected: options.onConnected,
  });
  return { id, name: config.name, url: config.url, config: config.oauth, guard, fetch, source };
}

/** Names the command and the page that explains it: nobody can sign in with either alone. */
export function createServerLogin(desk: ConnectionDesk, { name, source }: ConnectableServer): ServerLogin {
  return {
    isMissing: () => source.current().kind === "absent",
    words: (fault) => {
      const how = `whoever runs the gateway calls \`sallyport server connect ${name}\` (${desk.pageOf(name)})`;
      return fault === "insufficient_scope"
        ? `The server \`${name}\` asks for further permissions: ${how}.`
        : `The server \`${name}\` has to be connected first: ${how}.`;
    },
  };
}
