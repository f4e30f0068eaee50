/**
 * Puts a new revision of a policy into force, by hand. It is active from the next request on everywhere, or it is refused
 * and nothing has changed: another origin or server, counters that disagree with those of other policies, classes that
 * the server's tools do not have.
 */
import { checkName } from "../config/text-checks.ts";
import { type Failure, fail, type Result, succeed } from "../kernel/failure.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { bumpGeneration } from "../store/generation.ts";
import type { Batch } from "../store/store.ts";
import type { AdminChange, Origin } from "./admin-change.ts";
import { findObstacles, type HasClasses, prepareCandidate, readSharedCounters } from "./candidate.ts";
import { listPolicies, readPolicyByName } from "./policy.ts";
import { listServers } from "./server.ts";
import { writePolicy } from "./write-policy.ts";

export interface PutPolicy {
  readonly name: string;
  readonly server: string;
  readonly document: PolicyDocument;
  readonly origin: Exclude<Origin, "file">;
  readonly by: string;
  readonly nowMs: number;
  readonly hasClasses: HasClasses;
}

export interface ChangedPolicy {
  readonly id: string;
  /** Hash of the active revision. */
  readonly revision: string;
  /** Whether a person may be asked under it; the grants that it decides for then need owners. */
  readonly canAsk: boolean;
  /** Undefined where that revision was active already. */
  readonly change: AdminChange | undefined;
}

export async function putPolicy(batch: Batch, put: PutPolicy): Promise<Result<ChangedPolicy>> {
  const fault = checkName(put.name);
  if (fault !== undefined) return fail({ code: "usage", message: `The policy's name can't be used. ${fault}` });
  const policies = await listPolicies(batch);
  const stored = policies.find((policy) => policy.name === put.name);
  const held = stored?.present === true ? stored : undefined;
  if (held?.origin === "file") return fail(heldByFile(put.name));
  if (held !== undefined && held.server !== put.server) {
    const message = `The policy \`${put.name}\` is for the server \`${held.server}\`.`;
    return fail({ code: "conflict", message, hint: "Choose another name, or remove it first." });
  }
  if (!(await listServers(batch)).some((server) => server.name === put.server)) {
    return fail({ code: "not_found", message: "There is no server of that name.", hint: "`sallyport server list` names them." });
  }
  const candidate = prepareCandidate(put.name, put.server, put.document);
  const answer = { revision: candidate.hash, canAsk: candidate.compiled.canAsk };
  if (held?.revision === candidate.hash) return succeed({ ...answer, id: held.id, change: undefined });
  const others = await readSharedCounters(
    batch,
    policies.filter((policy) => policy.name !== put.name),
  );
  const obstacles = findObstacles(candidate, others, put.hasClasses, (pointer) => ({ pointer }));
  if (obstacles.length > 0) return fail(...obstacles);
  const id = await writePolicy(batch, { candidate, stored, origin: put.origin, by: put.by, nowMs: put.nowMs });
  await bumpGeneration(batch);
  const action = held === undefined ? "policy.added" : "policy.changed";
  const details = { server: put.server, revision: candidate.hash };
  return succeed({ ...answer, id, change: { action, name: put.name, by: put.by, details } });
}

/** Takes a policy out of force; every call that it decided is then denied. */
export async function removePolicy(batch: Batch, name: string, by: string): Promise<Result<{ readonly change: AdminChange }>> {
  const stored = await readPolicyByName(batch, name);
  if (stored?.present !== true) return fail({ code: "not_found", message: "There is no policy of that name." });
  if (stored.origin === "file") return fail(heldByFile(name));
  await batch.run("UPDATE policy SET present = 0 WHERE id = ?", [stored.id]);
  await bumpGeneration(batch);
  return succeed({ change: { action: "policy.removed", name, by, details: { server: stored.server } } });
}

function heldByFile(name: string): Failure {
  return { code: "conflict", message: `The policy \`${name}\` stands in the configuration file.`, hint: "Change it there." };
}
