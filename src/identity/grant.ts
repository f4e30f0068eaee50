/**
 * A grant as it is stored: a labelled credential of one identity for one server or several. Reads and writes its rows;
 * judges nothing but whether it is current. A record never holds a token, only the hash's public neighbour, its id.
 */

import { type Readable, readRows } from "../store/read-rows.ts";
import type { SqlRow } from "../store/store.ts";

/** `login`: made when somebody first logged in; it has no token. */
export type GrantOrigin = "file" | "cli" | "demo" | "login";

export interface GrantRecord {
  readonly id: string;
  readonly label: string;
  readonly identity: string | undefined;
  /** The e-mail of who answers for it. */
  readonly owner: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** Name of the server → name of the policy that decides there; undefined: none, and every call is denied. */
  readonly servers: ReadonlyMap<string, string | undefined>;
  readonly origin: GrantOrigin;
  /** Whether the file that it came from still has it; always true for others. */
  readonly present: boolean;
  readonly tokenId: string | undefined;
  readonly expiresMs: number | undefined;
  readonly createdMs: number;
  readonly createdBy: string;
  readonly rotatedMs: number | undefined;
  readonly rotatedBy: string | undefined;
  readonly revokedMs: number | undefined;
  readonly revokedBy: string | undefined;
}

export type GrantState = "current" | "expired" | "revoked" | "removed";

export function stateOfGrant(grant: GrantRecord, nowMs: number): GrantState {
  if (grant.revokedMs !== undefined) return "revoked";
  if (!grant.present) return "removed";
  return grant.expiresMs !== undefined && nowMs >= grant.expiresMs ? "expired" : "current";
}

const COLUMNS = `g.id, g.label, g.identity, g.owner, g.tags, g.expires_ms, g.origin, g.present, g.token_id, g.token_hash, g.created_ms,
  g.created_by, g.rotated_ms, g.rotated_by, g.revoked_ms, g.revoked_by, s.server, s.policy`;
const SERVERS = "LEFT JOIN access_grant_server s ON s.grant_id = g.id";

export interface StoredGrant {
  readonly grant: GrantRecord;
  readonly tokenHash: string;
}

// One statement each, so that a grant and its servers are of one moment.

export async function readGrantByHash(source: Readable, tokenHash: string): Promise<StoredGrant | undefined> {
  const rows = await readRows(source, `SELECT ${COLUMNS} FROM access_grant g ${SERVERS} WHERE g.token_hash = ? AND g.token_hash <> ''`, [
    tokenHash,
  ]);
  return toStoredGrants(rows)[0];
}

export async function readGrantByLabel(source: Readable, label: string): Promise<StoredGrant | undefined> {
  const rows = await readRows(source, `SELECT ${COLUMNS} FROM access_grant g ${SERVERS} WHERE g.label = ?`, [label]);
  return toStoredGrants(rows)[0];
}

/** The grant of whoever logs in: the issuer's word for them, which stays theirs. */
export async function readGrantBySubject(source: Readable, issuer: string, subject: string): Promise<GrantRecord | undefined> {
  const rows = await readRows(
    source,
    `SELECT ${COLUMNS} FROM access_login l JOIN access_grant g ON g.id = l.grant_id ${SERVERS} WHERE l.issuer = ? AND l.subject = ?`,
    [issuer, subject],
  );
  return toStoredGrants(rows)[0]?.grant;
}

export interface ListOptions {
  /** Labels after this one, in their order. */
  readonly after?: string;
  readonly limit?: number;
}

const NO_LIMIT = 2_147_483_647;

/** Grants by label, the revoked ones and those that left their file too. */
export async function listStoredGrants(source: Readable, options: ListOptions = {}): Promise<StoredGrant[]> {
  const page = "SELECT * FROM access_grant WHERE label > ? ORDER BY label LIMIT ?";
  const sql = `SELECT ${COLUMNS} FROM (${page}) g ${SERVERS} ORDER BY g.label, s.server`;
  return toStoredGrants(await readRows(source, sql, [options.after ?? "", options.limit ?? NO_LIMIT]));
}

/** Those that came from a configuration file, by label. */
export async function listFileGrants(source: Readable): Promise<StoredGrant[]> {
  return toStoredGrants(
    await readRows(source, `SELECT ${COLUMNS} FROM access_grant g ${SERVERS} WHERE g.origin = 'file' ORDER BY g.label, s.server`, []),
  );
}

export async function listGrants(source: Readable, options: ListOptions = {}): Promise<GrantRecord[]> {
  return (await listStoredGrants(source, options)).map((stored) => stored.grant);
}

export async function readGrant(source: Readable, label: string): Promise<GrantRecord | undefined> {
  return (await readGrantByLabel(source, label))?.grant;
}

/** Labels of the grants under a policy that have nobody who answers for them. */
export async function listOwnerlessGrants(source: Readable, policy: string): Promise<string[]> {
  const rows = await readRows(
    source,
    `SELECT DISTINCT g.label FROM access_grant g JOIN access_grant_server s ON s.grant_id = g.id
     WHERE s.policy = ? AND g.owner = '' AND g.present = 1 AND g.revoked_ms = 0 ORDER BY g.label`,
    [policy],
  );
  return rows.map((row) => String(row["label"]));
}

/** Rows of the join, those of one grant together. */
function toStoredGrants(rows: readonly SqlRow[]): StoredGrant[] {
  return [...Map.groupBy(rows, (row) => row["id"]).values()].map(toStoredGrant);
}

function toStoredGrant(rows: readonly SqlRow[]): StoredGrant {
  const row = rows[0] as SqlRow;
  const bonds = rows.filter((bond) => bond["server"] !== null);
  const grant: GrantRecord = Object.freeze({
    id: String(row["id"]),
    label: String(row["label"]),
    identity: textOf(row["identity"]),
    owner: textOf(row["owner"]),
    tags: readTags(String(row["tags"])),
    servers: new Map(bonds.map((bond) => [String(bond["server"]), textOf(bond["policy"])])),
    origin: String(row["origin"]) as GrantOrigin,
    present: Number(row["present"]) === 1,
    tokenId: textOf(row["token_id"]),
    expiresMs: timeOf(row["expires_ms"]),
    createdMs: Number(row["created_ms"]),
    createdBy: String(row["created_by"]),
    rotatedMs: timeOf(row["rotated_ms"]),
    rotatedBy: textOf(row["rotated_by"]),
    revokedMs: timeOf(row["revoked_ms"]),
    revokedBy: textOf(row["revoked_by"]),
  });
  return { grant, tokenHash: String(row["token_hash"]) };
}

function textOf(value: SqlRow[string] | undefined): string | undefined {
  return value === "" || value === undefined ? undefined : String(value);
}

function timeOf(value: SqlRow[string] | undefined): number | undefined {
  return Number(value) === 0 ? undefined : Number(value);
}

/** One spelling for the same tags, so that a comparison of texts tells whether they changed. */
export function printTags(tags: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function readTags(text: string): Readonly<Record<string, string>> {
  const tags = Object.create(null) as Record<string, string>;
  for (const [name, value] of JSON.parse(text) as [string, string][]) tags[name] = value;
  return Object.freeze(tags);
}
