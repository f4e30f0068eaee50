/**
 * Upstream servers by name, as the store knows them. How one of a configuration file is reached stands in that file
 * alone; of the others the store holds a text that its owner has sealed. A server is never deleted, only gone.
 */
import type { ServerConfig } from "../config/config.ts";
import { checkName } from "../config/text-checks.ts";
import { type Failure, fail, type Result, succeed } from "../kernel/failure.ts";
import { createId } from "../kernel/id.ts";
import { bumpGeneration } from "../store/generation.ts";
import { type Readable, readRows } from "../store/read-rows.ts";
import type { Batch, SqlRow } from "../store/store.ts";
import { type AdminChange, BY_FILE, type Origin } from "./admin-change.ts";

export interface ServerRecord {
  readonly id: string;
  readonly name: string;
  readonly origin: Origin;
  /** Sealed by whoever added it; empty for one of a configuration file. */
  readonly upstream: string;
}

interface StoredServer extends ServerRecord {
  readonly present: boolean;
}

/** Servers by name, without those that are gone. */
export async function listServers(source: Readable): Promise<ServerRecord[]> {
  return (await listStored(source)).filter((server) => server.present);
}

export interface PutServer {
  readonly name: string;
  readonly origin: "cli" | "demo";
  readonly upstream: string;
  readonly by: string;
  readonly nowMs: number;
}

export interface ChangedServer {
  readonly id: string;
  /** Undefined where nothing had to be done. */
  readonly change: AdminChange | undefined;
}

/** Adds a server or changes how it is reached. */
export async function putServer(batch: Batch, put: PutServer): Promise<Result<ChangedServer>> {
  const fault = checkName(put.name);
  if (fault !== undefined) return fail({ code: "usage", message: `The server's name can't be used. ${fault}` });
  const stored = (await listStored(batch)).find((server) => server.name === put.name);
  if (stored?.present === true && stored.origin === "file") return fail(heldByFile(put.name));
  if (stored?.present === true && stored.upstream === put.upstream) return succeed({ id: stored.id, change: undefined });
  const id = await writeServer(batch, stored, put);
  await bumpGeneration(batch);
  const action = stored?.present === true ? "server.changed" : "server.added";
  return succeed({ id, change: { action, name: put.name, by: put.by, details: {} } });
}

export async function removeServer(batch: Batch, name: string, by: string): Promise<Result<ChangedServer>> {
  const stored = (await listStored(batch)).find((server) => server.name === name && server.present);
  if (stored === undefined) return fail({ code: "not_found", message: "There is no server of that name." });
  if (stored.origin === "file") return fail(heldByFile(name));
  await batch.run("UPDATE server SET present = 0, upstream = '' WHERE id = ?", [stored.id]);
  await bumpGeneration(batch);
  return succeed({ id: stored.id, change: { action: "server.removed", name, by, details: {} } });
}

export interface SyncOptions {
  readonly nowMs: number;
  /** Only judge, and say what would change. */
  readonly dryRun?: boolean;
}

/** Makes the servers of a configuration file the ones that come from there. */
export async function syncServers(
  batch: Batch,
  servers: readonly ServerConfig[],
  options: SyncOptions,
): Promise<Result<{ readonly changes: readonly AdminChange[] }>> {
  const stored = new Map((await listStored(batch)).map((server) => [server.name, server]));
  const taken = servers.filter(({ name }) => stored.get(name)?.present === true && stored.get(name)?.origin !== "file");
  if (taken.length > 0) return fail(...taken.map(({ name }) => heldByHand(name)));
  const names = new Set(servers.map((server) => server.name));
  const gone = [...stored.values()].filter(({ name, origin, present }) => origin === "file" && present && !names.has(name));
  const added = [...names].filter((name) => stored.get(name)?.present !== true);
  const change = (action: AdminChange["action"], name: string): AdminChange => ({ action, name, by: BY_FILE, details: {} });
  const changes = [...gone.map(({ name }) => change("server.removed", name)), ...added.map((name) => change("server.added", name))];
  if (changes.length === 0 || options.dryRun === true) return succeed({ changes });
  for (const { id } of gone) await batch.run("UPDATE server SET present = 0 WHERE id = ?", [id]);
  for (const name of added) await writeServer(batch, stored.get(name), { name, origin: "file", upstream: "", nowMs: options.nowMs });
  await bumpGeneration(batch);
  return succeed({ changes });
}

interface ServerRow {
  readonly name: string;
  readonly origin: Origin;
  readonly upstream: string;
  readonly nowMs: number;
}

async function writeServer(batch: Batch, stored: StoredServer | undefined, row: ServerRow): Promise<string> {
  if (stored !== undefined) {
    await batch.run("UPDATE server SET origin = ?, upstream = ?, present = 1 WHERE id = ?", [row.origin, row.upstream, stored.id]);
    return stored.id;
  }
  const id = createId(row.nowMs);
  const sql = "INSERT INTO server (id, name, origin, present, upstream, created_ms) VALUES (?, ?, ?, 1, ?, ?)";
  await batch.run(sql, [id, row.name, row.origin, row.upstream, row.nowMs]);
  return id;
}

async function listStored(source: Readable): Promise<StoredServer[]> {
  return (await readRows(source, "SELECT id, name, origin, present, upstream FROM server ORDER BY name")).map(toServer);
}

function toServer(row: SqlRow): StoredServer {
  return Object.freeze({
    id: String(row["id"]),
    name: String(row["name"]),
    origin: String(row["origin"]) as Origin,
    upstream: String(row["upstream"]),
    present: Number(row["present"]) === 1,
  });
}

function heldByFile(name: string): Failure {
  return { code: "conflict", message: `The server \`${name}\` stands in the configuration file.`, hint: "Change it there." };
}

function heldByHand(name: string): Failure {
  const message = `There is a server \`${name}\` that was not made by a configuration file.`;
  return { code: "conflict", message, at: { pointer: `/servers/${name}` }, hint: "Remove it, or choose another name in the file." };
}
