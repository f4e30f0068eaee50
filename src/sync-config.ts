/**
 * A configuration becomes what the store says: servers, policies and grants from the file, all or none, each change with
 * an entry in the log.
 */
import type { Config } from "./config/config.ts";
import type { DataFolder } from "./data-folder.ts";
import { syncGrants } from "./identity/sync-grants.ts";
import { type Failure, FailureError, type Result, succeed } from "./kernel/failure.ts";
import { syncPolicies } from "./revision/sync-policies.ts";
import { listServers, syncServers } from "./revision/server.ts";
import type { Batch } from "./store/store.ts";
import { loadToolIndex } from "./upstream/tool-index.ts";

interface Change {
  readonly action: string;
  readonly by: string;
  readonly grant?: string;
  readonly name?: string;
  readonly details: Readonly<Record<string, string>>;
}

/** Carries failures out of the transaction, so that it is undone. */
class Refused extends Error {
  readonly failures: readonly Failure[];
  constructor(failures: readonly Failure[]) {
    super("refused");
    this.failures = failures;
  }
}

function accept<T>(result: Result<T>): T {
  if (!result.ok) throw new Refused(result.failures);
  return result.value;
}

export function recordChanges(folder: Pick<DataFolder, "audit">, batch: Batch, changes: readonly Change[]): void {
  for (const { action, by, grant, name, details } of changes) {
    folder.audit.append(batch, { kind: "admin", actor: by, action, object: grant ?? name, detail: details });
  }
}

export async function syncConfig(folder: DataFolder, config: Config): Promise<Result<{ readonly changes: number }>> {
  const classified = await readClassified(folder, config);
  const nowMs = folder.clock.now();
  try {
    const changes = await folder.store.write(async (batch) => {
      const servers = accept(await syncServers(batch, config.servers, { nowMs }));
      const policies = accept(await syncPolicies(batch, config.policies, { nowMs, hasClasses: (server) => classified.get(server) }));
      const grants = accept(await syncGrants(batch, config.grants, { key: folder.tokenKey, nowMs }));
      const all = [...servers.changes, ...policies.changes, ...grants.changes];
      recordChanges(folder, batch, all);
      return all.length;
    });
    return succeed({ changes });
  } catch (error) {
    if (error instanceof Refused) return { ok: false, failures: error.failures };
    if (error instanceof FailureError) return { ok: false, failures: error.failures };
    throw error;
  }
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
