/** Writes a policy's rows: the revision, which never changes, and which of them is active. Announces nothing. */
import { createId } from "../kernel/id.ts";
import type { Batch } from "../store/store.ts";
import type { Origin } from "./admin-change.ts";
import type { Candidate } from "./candidate.ts";
import type { PolicyRecord } from "./policy.ts";

export interface WritePolicy {
  readonly candidate: Candidate;
  readonly stored: PolicyRecord | undefined;
  readonly origin: Origin;
  readonly by: string;
  readonly nowMs: number;
}

/** Gives the policy's id. */
export async function writePolicy(batch: Batch, { candidate, stored, origin, by, nowMs }: WritePolicy): Promise<string> {
  const { name, server, hash, text } = candidate;
  const shares = candidate.counters.limits.length > 0 ? 1 : 0;
  const id = stored?.id ?? createId(nowMs);
  if (stored === undefined) {
    await batch.run(
      `INSERT INTO policy (id, name, server, origin, present, active_hash, shares_counters, created_ms, changed_ms)
       VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?)`,
      [id, name, server, origin, hash, shares, nowMs, nowMs],
    );
  } else {
    await batch.run(
      "UPDATE policy SET server = ?, origin = ?, present = 1, active_hash = ?, shares_counters = ?, changed_ms = ? WHERE id = ?",
      [server, origin, hash, shares, nowMs, id],
    );
  }
  await batch.run(
    `INSERT INTO policy_revision (policy_id, hash, document, created_ms, created_by) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (policy_id, hash) DO NOTHING`,
    [id, hash, text, nowMs, by],
  );
  return id;
}
