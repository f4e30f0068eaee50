/**
 * A configuration becomes what the store says: servers, policies and grants from the file, all or none, each change with
 * an entry in the log.
 */
import type { Config } from "./config/config.ts";
import type { DataFolder } from "./data-folder.ts";
import { syncLoginGrants } from "./identity/login-grants.ts";
import { syncGrants } from "./identity/sync-grants.ts";
import { type Result, succeed } from "./kernel/failure.ts";
import { listServers, syncServers } from "./revision/server.ts";
import { syncPolicies } from "./revision/sync-policies.ts";
import type { Batch } from "./store/store.ts";
import { loadToolIndex } from "./upstream/tool-index.ts";

interface Change {
  readonly action: string;
  readonly by: string;
  readonly grant?: string;
  readonly name?: string;
  readonly details: Readonly<Record<string, string>>;
}

export function recordChanges(folder: Pick<DataFolder, "audit">, batch: Batch, changes: readonly Change[]): void {
  for (const { action, by, grant, name, details } of changes) {
    folder.audit.append(batch, { kind: "admin", actor: by, action, object: grant ?? name, detail: details });
  }
}

export async function syncConfig(folder: DataFolder, config: Config): Promise<Result<{ readonly changes: number }>> {
  const classified = await readClassified(folder, config);
  const nowMs = folder.clock.now();
  return await folder.store.write(async (batch) => {
    // Judged as a whole first: a throw would undo the calls that share this group.
    const judged = await syncAll(folder, batch, config, classified, { nowMs, dryRun: true });
    if (!judged.ok) return judged;
    const done = await syncAll(folder, batch, config, classified, { nowMs, dryRun: false });
    if (done.ok) recordChanges(folder, batch, done.value);
    return done.ok ? succeed({ changes: done.value.length }) : done;
  });
}

async function syncAll(
  folder: DataFolder,
  batch: Batch,
  config: Config,
  classified: ReadonlyMap<string, boolean>,
  how: { readonly nowMs: number; readonly dryRun: boolean },
): Promise<Result<readonly Change[]>> {
  const servers = await syncServers(batch, config.servers, how);
  const policies = await syncPolicies(batch, config.policies, { ...how, hasClasses: (server) => classified.get(server) });
  const grants = await syncGrants(batch, config.grants, { ...how, key: folder.tokenKey });
  const logins = await syncLoginGrants(batch, config.login?.issuer, how);
  const failures = [servers, policies, grants].flatMap((result) => (result.ok ? [] : result.failures));
  if (!servers.ok || !policies.ok || !grants.ok) return { ok: false, failures };
  return succeed([...servers.value.changes, ...policies.value.changes, ...grants.value.changes, ...logins]);
}

/** Whether the accepted tools of each server have classes; servers without accepted tools are left out. */
async function readClassified(folder: DataFolder, config: Config): Promise<Map<string, boolean>> {
  const records = await listServers(folder.store.query);
  const classified = new Map<string, boolean>();
  for (const { name, id } of records) {
    const classes = config.servers.find((server) => server.name === name)?.classes ?? {};
    const index = await loadToolIndex(folder.store.query, id, classes);
    if (index.hasAcceptedList) classified.set(name, index.isClassified);
  }
  return classified;
}
