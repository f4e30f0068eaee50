/** A connection in a database of its own, and its credential as one process or several would hold it. */
import { randomBytes } from "node:crypto";
import path from "node:path";
import type { Clock } from "../../../src/kernel/clock.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { Store } from "../../../src/store/store.ts";
import { createAddressGuard } from "../../../src/upstream/address-guard.ts";
import { createGuardedFetch } from "../../../src/upstream/guarded-fetch.ts";
import { type ConnectionEvent, CredentialSource } from "../../../src/upstream/oauth/credential-source.ts";
import { type Connection, connectionMigrations, readConnection, writeConnection } from "../../../src/upstream/oauth/tables.ts";
import type { Tokens } from "../../../src/upstream/oauth/tokens.ts";
import { createKeyringOpener, keyringMigrations, type OpenKeyring } from "../../../src/vault/keyring.ts";
import { createKeys } from "../../../src/vault/keys.ts";

export const SERVER = "server-1";
const MASTER = Buffer.alloc(32, 9);

export interface Opened {
  readonly store: Store;
  readonly openKeyring: OpenKeyring;
  close(): Promise<void>;
}

export async function openFolder(folder: string, clock: Clock): Promise<Opened> {
  const file = path.join(folder, "db");
  const store = await openStore({ file, clock, durability: "process", migrations: [keyringMigrations, connectionMigrations] });
  const openKeyring = createKeyringOpener({ keys: createKeys(MASTER, randomBytes), randomBytes, now: () => clock.now() });
  return { store, openKeyring, close: () => store.close() };
}

export interface Held {
  readonly source: CredentialSource;
  readonly events: ConnectionEvent[];
  readonly said: string[];
  /** What answers are searched for now. */
  secrets: readonly string[];
  connected: number;
}

export function holdConnection({ store, openKeyring }: Opened, clock: Clock, url: string, timeoutMs = 5_000): Held {
  const guard = createAddressGuard({ allow: ["127.0.0.1/32"], resolve: () => Promise.resolve([]) });
  const held: Held = {
    events: [],
    said: [],
    secrets: [],
    connected: 0,
    source: new CredentialSource({
      serverId: SERVER,
      url,
      store,
      openKeyring,
      fetch: createGuardedFetch({ guard, timeoutMs }),
      now: () => clock.now(),
      random: () => 0.5,
      record: (_batch, event) => void held.events.push(event),
      tell: (_level, _event, words) => void held.said.push(words),
      onSecrets: (secrets) => {
        held.secrets = secrets;
      },
      onConnected: () => {
        held.connected++;
      },
    }),
  };
  return held;
}

export interface Put {
  readonly origin: string;
  readonly tokens?: Partial<Tokens>;
  readonly nowMs: number;
  readonly scopes?: readonly string[];
}

/** A connection as signing in leaves it: a token for an hour. */
export async function putConnection({ store, openKeyring }: Opened, put: Put): Promise<void> {
  const tokens: Tokens = { access: "access-token-0", refresh: "refresh-token-0", expiresMs: put.nowMs + 3_600_000, ...put.tokens };
  const connection: Connection = {
    serverId: SERVER,
    state: "connected",
    version: 1,
    issuer: put.origin,
    expiresMs: tokens.expiresMs,
    connectedMs: put.nowMs,
    connectedBy: "tester",
    wantedScopes: [],
    secrets: {
      terms: {
        server: {
          issuer: put.origin,
          authorization_endpoint: `${put.origin}/authorize`,
          token_endpoint: `${put.origin}/token`,
          revocation_endpoint: `${put.origin}/revoke`,
        },
        client: { id: "client", secret: "client-secret", method: "client_secret_basic" },
        resource: `${put.origin}/mcp`,
        redirectUri: "http://127.0.0.1/callback",
        scopes: put.scopes ?? ["read"],
      },
      tokens,
      sinceMs: put.nowMs,
      former: [],
    },
  };
  await store.write(async (batch) => await writeConnection(batch, await openKeyring(batch), connection, put.nowMs));
}

export async function readStored({ store, openKeyring }: Opened): Promise<Connection | undefined> {
  const read = await store.write(async (batch) => await readConnection(batch, await openKeyring(batch), SERVER));
  if (!read.ok) throw new Error("the connection can't be read");
  return read.value;
}
