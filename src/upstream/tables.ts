/**
 * The tables of what servers advertise: one row for each server whose tools were accepted, one for each tool that was
 * ever listed. Definitions are kept as the server spelled them. Only this room reads and writes them.
 */
import { type Readable, readRows } from "../store/read-rows.ts";
import type { Batch, Migrations, SqlRow } from "../store/store.ts";

/**
 * `accepted`: advertised, unchanged. `changed`: advertised with another definition than the accepted one. `new`: never
 * accepted. `missing`: accepted, no longer advertised. `duplicate`: advertised twice. `unusable`: its name or its input
 * schema can't be used. Only the first may be called.
 */
export const TOOL_STATES = ["accepted", "changed", "new", "missing", "duplicate", "unusable"] as const;
export type ToolState = (typeof TOOL_STATES)[number];

/** A definition as it stands in the snapshot. */
export interface StoredDefinition {
  /** As the server spelled it. */
  readonly text: string;
  readonly hash: string;
}

export interface StoredTool {
  readonly name: string;
  readonly state: ToolState;
  /** Why it can't be used, for `duplicate` and `unusable`. */
  readonly reason: string;
  readonly accepted: StoredDefinition | undefined;
  /** Seen and not accepted. */
  readonly pending: StoredDefinition | undefined;
  readonly class: string | undefined;
  readonly risk: string | undefined;
  readonly classifierVersion: string | undefined;
  readonly acceptedAtMs: number | undefined;
  readonly acceptedBy: string | undefined;
  /** It was in the list that was accepted: a grant may have seen it before. */
  readonly isKnown: boolean;
  /** What was noticed about its definition and does not keep it from being used. */
  readonly findings: readonly string[];
}

export interface StoredServer {
  readonly acceptedAtMs: number | undefined;
  readonly tools: readonly StoredTool[];
}

export const upstreamMigrations: Migrations = {
  "0300-server-tools": async (batch) => {
    await batch.run(
      `CREATE TABLE upstream_servers (
        server_id text NOT NULL PRIMARY KEY,
        accepted_at bigint
      )`,
    );
    await batch.run(
      `CREATE TABLE upstream_tools (
        server_id text NOT NULL,
        name text NOT NULL,
        state text NOT NULL,
        reason text NOT NULL,
        accepted_definition text,
        accepted_hash text,
        pending_definition text,
        pending_hash text,
        class text,
        risk text,
        classifier_version text,
        accepted_at bigint,
        accepted_by text,
        known integer NOT NULL,
        findings text NOT NULL,
        updated_at bigint NOT NULL,
        PRIMARY KEY (server_id, name)
      )`,
    );
  },
};

export async function readStoredServer(source: Readable, serverId: string): Promise<StoredServer> {
  const servers = await readRows(source, "SELECT accepted_at FROM upstream_servers WHERE server_id = ?", [serverId]);
  const rows = await readRows(source, "SELECT * FROM upstream_tools WHERE server_id = ? ORDER BY name", [serverId]);
  return { acceptedAtMs: readNumber(servers[0]?.["accepted_at"]), tools: rows.map(readTool) };
}

/** Servers of which anything is kept. */
export async function listStoredServers(source: Readable): Promise<readonly string[]> {
  const rows = await readRows(
    source,
    "SELECT server_id FROM upstream_servers UNION SELECT DISTINCT server_id FROM upstream_tools ORDER BY server_id",
  );
  return rows.map((row) => String(row["server_id"]));
}

/** Whether any accepted definition was classified by another version, or by none. */
export async function hasOtherClassifier(source: Readable, version: string): Promise<boolean> {
  const rows = await readRows(
    source,
    "SELECT 1 AS found FROM upstream_tools WHERE accepted_definition IS NOT NULL AND (classifier_version IS NULL OR classifier_version <> ?) LIMIT 1",
    [version],
  );
  return rows.length > 0;
}

export async function writeStoredTool(batch: Batch, serverId: string, tool: StoredTool, nowMs: number): Promise<void> {
  await batch.run(
    `INSERT INTO upstream_tools (server_id, name, state, reason, accepted_definition, accepted_hash, pending_definition, pending_hash,
       class, risk, classifier_version, accepted_at, accepted_by, known, findings, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (server_id, name) DO UPDATE SET state = excluded.state, reason = excluded.reason,
       accepted_definition = excluded.accepted_definition, accepted_hash = excluded.accepted_hash,
       pending_definition = excluded.pending_definition, pending_hash = excluded.pending_hash,
       class = excluded.class, risk = excluded.risk, classifier_version = excluded.classifier_version,
       accepted_at = excluded.accepted_at, accepted_by = excluded.accepted_by, known = excluded.known,
       findings = excluded.findings, updated_at = excluded.updated_at`,
    [
      serverId,
      tool.name,
      tool.state,
      tool.reason,
      tool.accepted?.text ?? null,
      tool.accepted?.hash ?? null,
      tool.pending?.text ?? null,
      tool.pending?.hash ?? null,
      tool.class ?? null,
      tool.risk ?? null,
      tool.classifierVersion ?? null,
      tool.acceptedAtMs ?? null,
      tool.acceptedBy ?? null,
      tool.isKnown ? 1 : 0,
      JSON.stringify(tool.findings),
      nowMs,
    ],
  );
}

export async function removeStoredTool(batch: Batch, serverId: string, name: string): Promise<void> {
  await batch.run("DELETE FROM upstream_tools WHERE server_id = ? AND name = ?", [serverId, name]);
}

export async function writeAcceptance(batch: Batch, serverId: string, nowMs: number): Promise<void> {
  await batch.run(
    `INSERT INTO upstream_servers (server_id, accepted_at) VALUES (?, ?)
     ON CONFLICT (server_id) DO UPDATE SET accepted_at = excluded.accepted_at`,
    [serverId, nowMs],
  );
}

/** Forgets the server: its next list is a first list. */
export async function removeStoredServer(batch: Batch, serverId: string): Promise<void> {
  await batch.run("DELETE FROM upstream_tools WHERE server_id = ?", [serverId]);
  await batch.run("DELETE FROM upstream_servers WHERE server_id = ?", [serverId]);
}

function readTool(row: SqlRow): StoredTool {
  return {
    name: String(row["name"]),
    state: String(row["state"]) as ToolState,
    reason: String(row["reason"]),
    accepted: readDefinition(row["accepted_definition"], row["accepted_hash"]),
    pending: readDefinition(row["pending_definition"], row["pending_hash"]),
    class: readText(row["class"]),
    risk: readText(row["risk"]),
    classifierVersion: readText(row["classifier_version"]),
    acceptedAtMs: readNumber(row["accepted_at"]),
    acceptedBy: readText(row["accepted_by"]),
    isKnown: Number(row["known"]) === 1,
    findings: JSON.parse(String(row["findings"])) as string[],
  };
}

function readDefinition(text: SqlRow[string] | undefined, hash: SqlRow[string] | undefined): StoredDefinition | undefined {
  return typeof text === "string" && typeof hash === "string" ? { text, hash } : undefined;
}

function readText(value: SqlRow[string] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function readNumber(value: SqlRow[string] | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}
