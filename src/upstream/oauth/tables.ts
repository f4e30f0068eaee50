/**
 * The tables of the gateway's own sign-in at servers: one connection for each server, one registration, and what
 * administrators asked to connect. Everything secret in them is sealed and bound to its row; it is read and written only
 * within a transaction that has opened the keyring. Only this room reads and writes them.
 */
import { type Result, succeed } from "../../kernel/failure.ts";
import { type Readable, readRows } from "../../store/read-rows.ts";
import type { Batch, Migrations, SqlRow } from "../../store/store.ts";
import type { Keyring } from "../../vault/keyring.ts";
import type { SealedColumn } from "../../vault/reseal.ts";
import type { Registration } from "./client-identity.ts";
import type { LoginTerms, Tokens } from "./tokens.ts";

export const connectionMigrations: Migrations = {
  "0310-connections": async (batch) => {
    await batch.run(
      `CREATE TABLE upstream_connection (
        server_id text NOT NULL PRIMARY KEY,
        state text NOT NULL,
        version bigint NOT NULL,
        issuer text NOT NULL,
        wanted_scopes text NOT NULL,
        expires_ms bigint,
        connected_ms bigint,
        connected_by text,
        changed_ms bigint NOT NULL,
        sealed text
      )`,
    );
    await batch.run("CREATE TABLE upstream_client (server_id text NOT NULL PRIMARY KEY, issuer text NOT NULL, sealed text NOT NULL)");
    await batch.run(
      `CREATE TABLE upstream_ask (
        id text NOT NULL PRIMARY KEY,
        server_id text NOT NULL,
        state text NOT NULL,
        asked_by text NOT NULL,
        expires_ms bigint NOT NULL,
        ticket_hash text NOT NULL UNIQUE,
        state_hash text UNIQUE,
        browser_hash text,
        message text NOT NULL,
        sealed text
      )`,
    );
  },
};

/** Every sealed text of this room, for whoever seals anew. */
export const CONNECTION_SEALS: readonly SealedColumn[] = [
  { table: "upstream_connection", column: "sealed", row: "server_id" },
  { table: "upstream_client", column: "sealed", row: "server_id" },
  { table: "upstream_ask", column: "sealed", row: "id" },
];

/** `needs_login`: there was a connection, and a person has to sign in again. */
export type ConnectionState = "connected" | "needs_login";

/** A token that was replaced, and until when answers are searched for it. */
export interface FormerToken {
  readonly token: string;
  readonly untilMs: number;
}

export interface ConnectionSecrets {
  readonly terms: LoginTerms;
  readonly tokens: Tokens;
  /** When the tokens came. */
  readonly sinceMs: number;
  readonly former: readonly FormerToken[];
}

export interface ConnectionFacts {
  readonly serverId: string;
  readonly state: ConnectionState;
  /** Raised with every change. */
  readonly version: number;
  readonly issuer: string;
  readonly expiresMs: number | undefined;
  readonly connectedMs: number | undefined;
  readonly connectedBy: string | undefined;
  /** Scopes that the server asked for and the connection does not have. */
  readonly wantedScopes: readonly string[];
}

export interface Connection extends ConnectionFacts {
  readonly secrets: ConnectionSecrets;
}

const FACTS = "server_id, state, version, issuer, wanted_scopes, expires_ms, connected_ms, connected_by";

export async function listConnections(source: Readable): Promise<readonly ConnectionFacts[]> {
  return (await readRows(source, `SELECT ${FACTS} FROM upstream_connection ORDER BY server_id`)).map(readFacts);
}

export async function readConnection(batch: Batch, keyring: Keyring, serverId: string): Promise<Result<Connection | undefined>> {
  const [row] = await batch.all(`SELECT ${FACTS}, sealed FROM upstream_connection WHERE server_id = ?`, [serverId]);
  if (row === undefined) return succeed(undefined);
  const opened = keyring.open(String(row["sealed"]), placeOf("upstream_connection", serverId));
  return opened.ok ? succeed({ ...readFacts(row), secrets: JSON.parse(opened.value) as ConnectionSecrets }) : opened;
}

/** The caller has read the row in the same transaction, and raises its version. */
export async function writeConnection(batch: Batch, keyring: Keyring, connection: Connection, nowMs: number): Promise<void> {
  const { serverId, secrets } = connection;
  const sealed = keyring.seal(JSON.stringify(secrets), placeOf("upstream_connection", serverId));
  await batch.run(
    `INSERT INTO upstream_connection (${FACTS}, changed_ms, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (server_id) DO UPDATE SET state = excluded.state, version = excluded.version, issuer = excluded.issuer,
       wanted_scopes = excluded.wanted_scopes, expires_ms = excluded.expires_ms, connected_ms = excluded.connected_ms,
       connected_by = excluded.connected_by, changed_ms = excluded.changed_ms, sealed = excluded.sealed`,
    [
      serverId,
      connection.state,
      connection.version,
      connection.issuer,
      connection.wantedScopes.join(" "),
      connection.expiresMs ?? null,
      connection.connectedMs ?? null,
      connection.connectedBy ?? null,
      nowMs,
      sealed,
    ],
  );
}

export async function removeConnection(batch: Batch, serverId: string): Promise<void> {
  await batch.run("DELETE FROM upstream_connection WHERE server_id = ?", [serverId]);
}

export async function readRegistration(batch: Batch, keyring: Keyring, serverId: string): Promise<Registration | undefined> {
  const [row] = await batch.all("SELECT sealed FROM upstream_client WHERE server_id = ?", [serverId]);
  const opened = row && keyring.open(String(row["sealed"]), placeOf("upstream_client", serverId));
  // One that can't be opened is made anew.
  return opened?.ok === true ? (JSON.parse(opened.value) as Registration) : undefined;
}

export async function writeRegistration(batch: Batch, keyring: Keyring, serverId: string, registration: Registration): Promise<void> {
  const sealed = keyring.seal(JSON.stringify(registration), placeOf("upstream_client", serverId));
  await batch.run(
    `INSERT INTO upstream_client (server_id, issuer, sealed) VALUES (?, ?, ?)
     ON CONFLICT (server_id) DO UPDATE SET issuer = excluded.issuer, sealed = excluded.sealed`,
    [serverId, registration.issuer, sealed],
  );
}

export async function removeRegistration(batch: Batch, serverId: string): Promise<void> {
  await batch.run("DELETE FROM upstream_client WHERE server_id = ?", [serverId]);
}

function placeOf(table: string, row: string): { table: string; column: string; row: string } {
  return { table, column: "sealed", row };
}

function readFacts(row: SqlRow): ConnectionFacts {
  const numberOf = (name: string): number | undefined => (row[name] === null || row[name] === undefined ? undefined : Number(row[name]));
  const wanted = String(row["wanted_scopes"]);
  return {
    serverId: String(row["server_id"]),
    state: row["state"] === "connected" ? "connected" : "needs_login",
    version: Number(row["version"]),
    issuer: String(row["issuer"]),
    wantedScopes: wanted === "" ? [] : wanted.split(" "),
    expiresMs: numberOf("expires_ms"),
    connectedMs: numberOf("connected_ms"),
    connectedBy: typeof row["connected_by"] === "string" ? row["connected_by"] : undefined,
  };
}
