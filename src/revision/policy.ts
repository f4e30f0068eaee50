/** Policies as the store knows them: which revision is active, and every one that there was. Reads, never writes. */
import { type Readable, readRows } from "../store/read-rows.ts";
import type { SqlRow } from "../store/store.ts";
import type { Origin } from "./admin-change.ts";

export interface PolicyRecord {
  readonly id: string;
  readonly name: string;
  /** Name of the server that it is for. */
  readonly server: string;
  readonly origin: Origin;
  /** Whether the file that it came from still has it, or nobody has removed it. */
  readonly present: boolean;
  /** Hash of the active revision. */
  readonly revision: string;
  /** Whether a counter of it is shared with other policies. */
  readonly sharesCounters: boolean;
  readonly createdMs: number;
  readonly changedMs: number;
}

/** One immutable version of a policy. */
export interface RevisionRecord {
  readonly hash: string;
  /** The document, as `printPolicy` writes it. */
  readonly document: string;
  readonly createdMs: number;
  readonly createdBy: string;
}

const COLUMNS = "id, name, server, origin, present, active_hash, shares_counters, created_ms, changed_ms";

/** All policies by name, those that are gone too. */
export async function listPolicies(source: Readable): Promise<PolicyRecord[]> {
  return (await readRows(source, `SELECT ${COLUMNS} FROM policy ORDER BY name`)).map(toPolicy);
}

export async function readPolicyByName(source: Readable, name: string): Promise<PolicyRecord | undefined> {
  const [row] = await readRows(source, `SELECT ${COLUMNS} FROM policy WHERE name = ?`, [name]);
  return row === undefined ? undefined : toPolicy(row);
}

/** The revisions of a policy, the latest first. */
export async function listRevisions(source: Readable, policyId: string): Promise<RevisionRecord[]> {
  const sql = "SELECT hash, document, created_ms, created_by FROM policy_revision WHERE policy_id = ? ORDER BY created_ms DESC, hash";
  return (await readRows(source, sql, [policyId])).map(toRevision);
}

export async function readRevision(source: Readable, policyId: string, hash: string): Promise<RevisionRecord | undefined> {
  const sql = "SELECT hash, document, created_ms, created_by FROM policy_revision WHERE policy_id = ? AND hash = ?";
  const [row] = await readRows(source, sql, [policyId, hash]);
  return row === undefined ? undefined : toRevision(row);
}

/** A policy with its active revision, of one moment. */
export async function readActive(
  source: Readable,
  name: string,
): Promise<{ readonly policy: PolicyRecord; readonly document: string } | undefined> {
  const columns = COLUMNS.split(", ").map((column) => `p.${column}`);
  const [row] = await readRows(
    source,
    `SELECT ${columns.join(", ")}, r.document FROM policy p JOIN policy_revision r ON r.policy_id = p.id AND r.hash = p.active_hash
     WHERE p.name = ? AND p.present = 1`,
    [name],
  );
  return row === undefined ? undefined : { policy: toPolicy(row), document: String(row["document"]) };
}

function toPolicy(row: SqlRow): PolicyRecord {
  return Object.freeze({
    id: String(row["id"]),
    name: String(row["name"]),
    server: String(row["server"]),
    origin: String(row["origin"]) as Origin,
    present: Number(row["present"]) === 1,
    revision: String(row["active_hash"]),
    sharesCounters: Number(row["shares_counters"]) === 1,
    createdMs: Number(row["created_ms"]),
    changedMs: Number(row["changed_ms"]),
  });
}

function toRevision(row: SqlRow): RevisionRecord {
  return Object.freeze({
    hash: String(row["hash"]),
    document: String(row["document"]),
    createdMs: Number(row["created_ms"]),
    createdBy: String(row["created_by"]),
  });
}
