/**
 * The grants of those who log in: a row for each person, found by the issuer's word for them, made at their first login
 * and kept. What they may do comes from their token and the configuration; the row holds their place in counters and log,
 * whether they are revoked, and for people to read, what they could do last.
 */
import { createId } from "../kernel/id.ts";
import { bumpGeneration } from "../store/generation.ts";
import { readRows } from "../store/read-rows.ts";
import type { Batch, Store } from "../store/store.ts";
import type { AdminChange } from "./admin-change.ts";
import { describeTerms } from "./change-grants.ts";
import { type GrantRecord, readGrantByLabel, readGrantBySubject } from "./grant.ts";
import { hasTerms } from "./sync-grants.ts";
import { type GrantTerms, insertGrant, updateTerms } from "./write-grant.ts";

export const MAX_LOGIN_GRANTS = 100_000;
const BY_LOGIN = "login";

export interface LoginHolder {
  readonly issuer: string;
  readonly subject: string;
}

export interface EnsureLoginGrant {
  readonly nowMs: number;
  /** Puts the change on record, in the same transaction. */
  readonly record: (batch: Batch, change: AdminChange) => void;
}

/** The person's grant with these terms; undefined where there is no room for another. */
export async function ensureLoginGrant(
  store: Store,
  holder: LoginHolder,
  terms: GrantTerms,
  how: EnsureLoginGrant,
): Promise<GrantRecord | undefined> {
  const stored = await readGrantBySubject(store.query, holder.issuer, holder.subject);
  const asItIs = stored && (stored.revokedMs !== undefined || (stored.present && hasTerms(stored, terms)));
  const row = asItIs ? stored : await store.write((batch) => write(batch, holder, terms, how));
  return row && withTerms(row, terms);
}

/** Terms of this token, whatever another one's were that wrote the row last. */
function withTerms(row: GrantRecord, terms: GrantTerms): GrantRecord {
  const { identity, owner, tags } = terms;
  return Object.freeze({ ...row, identity, owner, tags, servers: new Map(terms.servers.map(({ server, policy }) => [server, policy])) });
}

// No generation is raised: nobody remembers a grant that was not there, and the terms of others come from their tokens.
async function write(batch: Batch, holder: LoginHolder, terms: GrantTerms, how: EnsureLoginGrant): Promise<GrantRecord | undefined> {
  const { issuer, subject } = holder;
  const stored = await readGrantBySubject(batch, issuer, subject);
  if (stored) {
    if (stored.present && hasTerms(stored, terms)) return stored;
    await updateTerms(batch, stored.id, terms);
    how.record(batch, describeTerms(stored.present ? "grant.changed" : "grant.added", terms, BY_LOGIN));
    return { ...stored, present: true };
  }
  const [counted] = await batch.all("SELECT count(*) AS count FROM access_login");
  if (Number(counted?.["count"]) >= MAX_LOGIN_GRANTS || (await readGrantByLabel(batch, terms.label))) return undefined;
  const id = createId(how.nowMs);
  await insertGrant(batch, { ...terms, id, origin: "login", tokenId: "", tokenHash: "", nowMs: how.nowMs, by: BY_LOGIN });
  await batch.run("INSERT INTO access_login (grant_id, issuer, subject) VALUES (?, ?, ?)", [id, issuer, subject]);
  how.record(batch, describeTerms("grant.added", terms, BY_LOGIN));
  return await readGrantBySubject(batch, issuer, subject);
}

/**
 * Puts the grants of issuers that the configuration names no more out of force; `undefined`: of all. A later login puts
 * each back, unless it was revoked.
 */
export async function syncLoginGrants(
  batch: Batch,
  issuer: string | undefined,
  how: { readonly dryRun: boolean },
): Promise<readonly AdminChange[]> {
  const rows = await readRows(
    batch,
    `SELECT g.id, g.label FROM access_grant g JOIN access_login l ON l.grant_id = g.id
     WHERE g.present = 1 AND l.issuer <> ? ORDER BY g.label`,
    [issuer ?? ""],
  );
  if (rows.length === 0) return [];
  if (!how.dryRun) {
    for (const row of rows) await batch.run("UPDATE access_grant SET present = 0 WHERE id = ?", [row["id"] as string]);
    await bumpGeneration(batch);
  }
  return rows.map((row) => ({ action: "grant.removed", grant: String(row["label"]), by: "file", details: {} }));
}
