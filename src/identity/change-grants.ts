/**
 * What people do to grants: add, rotate, revoke, restore. Each act is judged and written in the caller's transaction and
 * announced, so that it holds from the next request on everywhere; each gives what the log should say of it. What is not
 * possible comes back as a failure, before anything was written.
 */
import { checkEmail, checkName, checkPlainText } from "../config/text-checks.ts";
import { type Failure, fail, type Result, succeed } from "../kernel/failure.ts";
import { createId } from "../kernel/id.ts";
import { bumpGeneration } from "../store/generation.ts";
import type { Batch } from "../store/store.ts";
import type { AdminChange } from "./admin-change.ts";
import { readGrantByLabel, type StoredGrant } from "./grant.ts";
import { createToken, hashToken, prepareTokenKey, type RandomBytes } from "./token.ts";
import { type GrantTerms, insertGrant, updateToken } from "./write-grant.ts";

/** Whose act it is, and when. */
export interface Act {
  readonly by: string;
  readonly nowMs: number;
}

export interface TokenSource {
  /** Derived from the master key for tokens. */
  readonly key: Uint8Array;
  readonly randomBytes: RandomBytes;
}

export interface AddGrant extends GrantTerms, Act, TokenSource {
  readonly origin: "cli" | "demo";
  /** Whether one of its policies can ask a person; it then needs an owner. */
  readonly canAsk: boolean;
}

export interface IssuedGrant {
  readonly label: string;
  /** Shown once, and kept nowhere. */
  readonly token: string;
  readonly change: AdminChange;
}

export async function addGrant(batch: Batch, add: AddGrant): Promise<Result<IssuedGrant>> {
  const failures = judgeTerms(add);
  if (failures.length > 0) return fail(...failures);
  const taken = await readGrantByLabel(batch, add.label);
  if (taken) {
    const hint =
      taken.grant.revokedMs === undefined ? "Choose another label." : "It is revoked: restore and rotate it, or choose another label.";
    return fail({ code: "conflict", message: `There is a grant \`${add.label}\` already.`, hint });
  }
  const { id: tokenId, token } = createToken("spg", add.nowMs, add.randomBytes);
  await insertGrant(batch, { ...add, id: createId(add.nowMs), tokenId, tokenHash: hashToken(prepareTokenKey(add.key), token) });
  await bumpGeneration(batch);
  return succeed({ label: add.label, token, change: describeTerms("grant.added", add, add.by) });
}

export async function rotateGrant(batch: Batch, label: string, act: Act & TokenSource): Promise<Result<IssuedGrant>> {
  const stored = await readGrantByLabel(batch, label);
  if (!stored) return missing(label);
  if (stored.grant.origin === "file") {
    const hint = "Give it another token there.";
    return fail({ code: "conflict", message: `The token of \`${label}\` is set by the configuration file.`, hint });
  }
  if (stored.grant.origin === "login") {
    const hint = "Its holder logs in with the issuer's tokens.";
    return fail({ code: "conflict", message: `The grant \`${label}\` has no token of its own.`, hint });
  }
  if (stored.grant.revokedMs !== undefined) {
    return fail({ code: "conflict", message: `The grant \`${label}\` is revoked.`, hint: "Restore it first." });
  }
  const { id: tokenId, token } = createToken("spg", act.nowMs, act.randomBytes);
  await updateToken(batch, stored.grant.id, tokenId, hashToken(prepareTokenKey(act.key), token));
  await batch.run("UPDATE access_grant SET rotated_ms = ?, rotated_by = ? WHERE id = ?", [act.nowMs, act.by, stored.grant.id]);
  await bumpGeneration(batch);
  return succeed({ label, token, change: { action: "grant.rotated", grant: label, by: act.by, details: { tokenId } } });
}

/** `change` is undefined where nothing had to be done. */
export interface ChangedGrant {
  readonly label: string;
  readonly change: AdminChange | undefined;
}

export async function revokeGrant(batch: Batch, label: string, act: Act): Promise<Result<ChangedGrant>> {
  const stored = await readGrantByLabel(batch, label);
  if (!stored) return missing(label);
  if (stored.grant.revokedMs !== undefined) return succeed({ label, change: undefined });
  return mark(batch, stored, "grant.revoked", act, act.nowMs, act.by);
}

export async function restoreGrant(batch: Batch, label: string, act: Act): Promise<Result<ChangedGrant>> {
  const stored = await readGrantByLabel(batch, label);
  if (!stored) return missing(label);
  if (stored.grant.revokedMs === undefined) return succeed({ label, change: undefined });
  return mark(batch, stored, "grant.restored", act, 0, "");
}

async function mark(
  batch: Batch,
  { grant }: StoredGrant,
  action: AdminChange["action"],
  act: Act,
  revokedMs: number,
  revokedBy: string,
): Promise<Result<ChangedGrant>> {
  await batch.run("UPDATE access_grant SET revoked_ms = ?, revoked_by = ? WHERE id = ?", [revokedMs, revokedBy, grant.id]);
  await bumpGeneration(batch);
  return succeed({ label: grant.label, change: { action, grant: grant.label, by: act.by, details: {} } });
}

/** What the log says of a grant's terms. */
export function describeTerms(action: AdminChange["action"], terms: GrantTerms, by: string): AdminChange {
  const details: Record<string, string> = {
    servers: terms.servers.map(({ server, policy }) => `${server}: ${policy ?? "(no policy)"}`).join(", "),
  };
  if (terms.identity !== undefined) details["identity"] = terms.identity;
  if (terms.owner !== undefined) details["owner"] = terms.owner;
  if (terms.expiresMs !== undefined) details["expires"] = new Date(terms.expiresMs).toISOString();
  return { action, grant: terms.label, by, details };
}

function judgeTerms(add: AddGrant): Failure[] {
  const failures: Failure[] = [];
  const refuse = (message: string): void => void failures.push({ code: "usage", message });
  const nameFault = checkName(add.label);
  if (nameFault !== undefined) refuse(`The label can't be used. ${nameFault}`);
  if (add.servers.length === 0) refuse("A grant is for one server at least.");
  if (new Set(add.servers.map(({ server }) => server)).size < add.servers.length) refuse("A server is named twice.");
  if (add.identity !== undefined && checkPlainText(add.identity) !== undefined) refuse("The identity can't be used.");
  if (add.owner !== undefined && checkEmail(add.owner) !== undefined) refuse("The owner must be an e-mail address.");
  if (add.canAsk && add.owner === undefined) refuse("The grant's policy can ask a person, so the grant needs an owner.");
  if (add.expiresMs !== undefined && !(add.expiresMs > add.nowMs)) refuse("The time at which it expires has passed.");
  return failures;
}

function missing<T>(label: string): Result<T> {
  const shown = checkName(label) === undefined ? `\`${label}\`` : "of that label";
  return fail({ code: "not_found", message: `There is no grant ${shown}.`, hint: "`sallyport grant list` names them." });
}
