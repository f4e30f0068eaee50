/**
 * Makes the grants that come from a configuration file equal to that file: new ones added, changed ones changed, those
 * that left it put out of force. What was revoked stays revoked by its label, whatever the file says. Judges all before
 * it writes any, and writes and announces nothing where nothing differs.
 */
import type { GrantConfig } from "../config/config.ts";
import { type Failure, fail, type Result, succeed } from "../kernel/failure.ts";
import { createId } from "../kernel/id.ts";
import { bumpGeneration } from "../store/generation.ts";
import type { Batch } from "../store/store.ts";
import type { AdminChange } from "./admin-change.ts";
import { describeTerms } from "./change-grants.ts";
import { type GrantRecord, listFileGrants, printTags, readGrantByHash, readGrantByLabel, type StoredGrant } from "./grant.ts";
import { hashToken, prepareTokenKey, readTokenId } from "./token.ts";
import { type GrantTerms, insertGrant, updateTerms, updateToken } from "./write-grant.ts";

const BY_FILE = "file";

export interface SyncGrants {
  /** Derived from the master key for tokens. */
  readonly key: Uint8Array;
  readonly nowMs: number;
  /** Only judge, and say what would change. */
  readonly dryRun?: boolean;
}

interface Wanted {
  readonly terms: GrantTerms;
  readonly tokenId: string;
  readonly tokenHash: string;
  readonly stored: StoredGrant | undefined;
}

export async function syncGrants(
  batch: Batch,
  grants: readonly GrantConfig[],
  options: SyncGrants,
): Promise<Result<{ readonly changes: readonly AdminChange[] }>> {
  const key = prepareTokenKey(options.key);
  const hashed = grants.map(({ token, ...terms }) => ({
    terms,
    ...(token === undefined ? { tokenId: "", tokenHash: "" } : { tokenId: readTokenId(token), tokenHash: hashToken(key, token) }),
  }));
  const byLabel = await readConcerned(batch, hashed);
  const stored = [...byLabel.values()];
  const wanted = hashed.map((each): Wanted => ({ ...each, stored: byLabel.get(each.terms.label) }));
  const labels = new Set(grants.map((grant) => grant.label));
  const leaving = stored.filter(({ grant }) => grant.origin === "file" && !labels.has(grant.label));
  const failures = findConflicts(wanted, stored, labels);
  if (failures.length > 0) return fail(...failures);

  const changes = [
    ...leaving.filter(({ grant }) => grant.present).map(({ grant }) => describeChange("grant.removed", grant.label)),
    ...wanted.flatMap(describeWanted),
  ];
  const freeing = leaving.filter(({ grant, tokenHash }) => grant.revokedMs === undefined && tokenHash !== "");
  if ((changes.length === 0 && freeing.length === 0) || options.dryRun === true) return succeed({ changes });

  // Hashes are unique, and two grants may change their tokens with each other: all that change are cleared first. Of a
  // revoked grant that leaves the file the hash stays, so that its token can't come back under another label.
  for (const { grant } of freeing) await updateToken(batch, grant.id, "", "");
  for (const { stored } of wanted.filter(hasNewToken)) if (stored) await updateToken(batch, stored.grant.id, "", "");
  for (const { grant } of leaving) await batch.run("UPDATE access_grant SET present = 0 WHERE id = ?", [grant.id]);
  for (const each of wanted) await writeWanted(batch, each, options.nowMs);
  await bumpGeneration(batch);
  return succeed({ changes });
}

/** The file's own, and whoever else has a label or a token of it: the others may be a million. */
async function readConcerned(batch: Batch, wanted: readonly Omit<Wanted, "stored">[]): Promise<Map<string, StoredGrant>> {
  const own = await listFileGrants(batch);
  const byLabel = new Map(own.map((each) => [each.grant.label, each]));
  const hashes = new Set(own.map(({ tokenHash }) => tokenHash));
  for (const { terms, tokenHash } of wanted) {
    const namesake = byLabel.has(terms.label) ? undefined : await readGrantByLabel(batch, terms.label);
    const holder = tokenHash === "" || hashes.has(tokenHash) ? undefined : await readGrantByHash(batch, tokenHash);
    for (const found of [namesake, holder]) if (found) byLabel.set(found.grant.label, found);
  }
  return byLabel;
}

function hasNewToken({ tokenHash, stored }: Wanted): boolean {
  return stored !== undefined && stored.tokenHash !== tokenHash;
}

function hasNewTerms({ terms, stored }: Wanted): boolean {
  return stored !== undefined && (!stored.grant.present || !hasTerms(stored.grant, terms));
}

function describeWanted(wanted: Wanted): AdminChange[] {
  const { terms, stored } = wanted;
  if (stored === undefined || !stored.grant.present) return [describeTerms("grant.added", terms, BY_FILE)];
  const changes: AdminChange[] = [];
  if (hasNewTerms(wanted)) changes.push(describeTerms("grant.changed", terms, BY_FILE));
  if (hasNewToken(wanted)) changes.push(describeChange("grant.rotated", terms.label));
  return changes;
}

function describeChange(action: AdminChange["action"], grant: string): AdminChange {
  return { action, grant, by: BY_FILE, details: {} };
}

async function writeWanted(batch: Batch, wanted: Wanted, nowMs: number): Promise<void> {
  const { terms, tokenId, tokenHash, stored } = wanted;
  if (stored === undefined) {
    await insertGrant(batch, { ...terms, id: createId(nowMs), origin: "file", tokenId, tokenHash, nowMs, by: BY_FILE });
    return;
  }
  if (hasNewTerms(wanted)) await updateTerms(batch, stored.grant.id, terms);
  if (!hasNewToken(wanted)) return;
  await updateToken(batch, stored.grant.id, tokenId, tokenHash);
  await batch.run("UPDATE access_grant SET rotated_ms = ?, rotated_by = ? WHERE id = ?", [nowMs, BY_FILE, stored.grant.id]);
}

export function hasTerms(grant: GrantRecord, terms: GrantTerms): boolean {
  return (
    grant.identity === terms.identity &&
    grant.owner === terms.owner &&
    grant.expiresMs === terms.expiresMs &&
    printTags(grant.tags) === printTags(terms.tags) &&
    grant.servers.size === terms.servers.length &&
    terms.servers.every(({ server, policy }) => grant.servers.has(server) && grant.servers.get(server) === policy)
  );
}

function findConflicts(wanted: readonly Wanted[], stored: readonly StoredGrant[], labels: ReadonlySet<string>): Failure[] {
  const failures: Failure[] = [];
  const conflict = (label: string, key: string, message: string, hint: string): void => {
    failures.push({ code: "conflict", message, at: { pointer: `/grants/${label}${key}` }, hint });
  };
  // A grant that the file still has gets its token from there, so only the others' tokens can be in the way.
  const kept = stored.filter(({ grant, tokenHash }) => tokenHash !== "" && !(grant.origin === "file" && labels.has(grant.label)));
  const holders = new Map(kept.map(({ grant, tokenHash }) => [tokenHash, grant]));
  for (const { terms, tokenHash, stored } of wanted) {
    const { label } = terms;
    if (stored && stored.grant.origin !== "file") {
      conflict(label, "", `There is a grant \`${label}\` that was not made by a configuration file.`, "Choose another label in the file.");
      continue;
    }
    const holder = holders.get(tokenHash);
    if (holder === undefined || (holder.origin === "file" && holder.revokedMs === undefined)) continue;
    const was = holder.revokedMs === undefined ? "is" : "was revoked as";
    conflict(label, "/token", `This token ${was} that of the grant \`${holder.label}\`.`, "Give the grant a token of its own.");
  }
  return failures;
}
