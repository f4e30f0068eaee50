/**
 * Makes the policies that come from a configuration file equal to that file. Judges all of them, against each other and
 * against those made by hand, before it writes any; writes and announces nothing where nothing differs.
 */
import type { PolicyConfig } from "../config/config.ts";
import { assert } from "../kernel/assert.ts";
import { type Failure, fail, type Place, type Result, succeed } from "../kernel/failure.ts";
import { hashPolicy } from "../policy/print.ts";
import { bumpGeneration } from "../store/generation.ts";
import type { Batch } from "../store/store.ts";
import { type AdminChange, BY_FILE } from "./admin-change.ts";
import { type Candidate, findObstacles, type HasClasses, prepareCandidate, readSharedCounters } from "./candidate.ts";
import { listPolicies, type PolicyRecord } from "./policy.ts";
import type { SyncOptions } from "./server.ts";
import { writePolicy } from "./write-policy.ts";

export interface SyncPolicies extends SyncOptions {
  readonly hasClasses: HasClasses;
}

/** A policy of the file beside what the store has of it. */
interface Wanted {
  readonly config: PolicyConfig;
  readonly stored: PolicyRecord | undefined;
  readonly hash: string;
  readonly differs: boolean;
}

export async function syncPolicies(
  batch: Batch,
  policies: readonly PolicyConfig[],
  options: SyncPolicies,
): Promise<Result<{ readonly changes: readonly AdminChange[] }>> {
  const all = await listPolicies(batch);
  const byName = new Map(all.map((policy) => [policy.name, policy]));
  const wanted = policies.map((config): Wanted => {
    const stored = byName.get(config.name);
    const hash = hashPolicy(config.document);
    return { config, stored, hash, differs: stored?.present !== true || stored.revision !== hash || stored.server !== config.server };
  });
  const { candidates, failures } = await judge(batch, wanted, all, options.hasClasses);
  if (failures.length > 0) return fail(...failures);

  const names = new Set(policies.map((policy) => policy.name));
  const gone = all.filter(({ name, origin, present }) => origin === "file" && present && !names.has(name));
  const differing = wanted.filter(({ differs }) => differs);
  const changes: AdminChange[] = [
    ...gone.map(({ name, server }) => ({ action: "policy.removed" as const, name, by: BY_FILE, details: { server } })),
    ...differing.map(({ config, stored, hash }) => ({
      action: stored?.present === true ? ("policy.changed" as const) : ("policy.added" as const),
      name: config.name,
      by: BY_FILE,
      details: { server: config.server, revision: hash },
    })),
  ];
  if (changes.length === 0 || options.dryRun === true) return succeed({ changes });
  for (const { id } of gone) await batch.run("UPDATE policy SET present = 0 WHERE id = ?", [id]);
  for (const { config, stored } of differing) {
    const candidate = candidates.get(config.name);
    assert(candidate, "a policy that differs was judged");
    await writePolicy(batch, { candidate, stored, origin: "file", by: BY_FILE, nowMs: options.nowMs });
  }
  await bumpGeneration(batch);
  return succeed({ changes });
}

async function judge(
  batch: Batch,
  wanted: readonly Wanted[],
  all: readonly PolicyRecord[],
  hasClasses: HasClasses,
): Promise<{ candidates: Map<string, Candidate>; failures: Failure[] }> {
  const candidates = new Map<string, Candidate>();
  const failures: Failure[] = [];
  const byHand = all.filter((policy) => policy.present && policy.origin !== "file");
  const held = new Set(byHand.map((policy) => policy.name));
  const earlier = await readSharedCounters(batch, byHand);
  for (const { config, stored, differs } of wanted) {
    const { name, file } = config;
    if (held.has(name)) {
      failures.push(heldByHand(name));
      continue;
    }
    // What has not changed was judged when it was stored; it still counts where others share its counters.
    if (!differs && stored?.sharesCounters !== true) continue;
    const candidate = prepareCandidate(name, config.server, config.document);
    candidates.set(name, candidate);
    const place = (pointer: string): Place & { pointer: string } =>
      file === undefined ? { pointer: `/policies/${name}/document${pointer}` } : { file, pointer };
    failures.push(...findObstacles(candidate, earlier, differs ? hasClasses : () => undefined, place));
    if (candidate.counters.limits.length > 0) earlier.push(candidate.counters);
  }
  return { candidates, failures };
}

function heldByHand(name: string): Failure {
  const message = `There is a policy \`${name}\` that was not made by a configuration file.`;
  return { code: "conflict", message, at: { pointer: `/policies/${name}` }, hint: "Remove it, or choose another name in the file." };
}
