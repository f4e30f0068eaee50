/** Writes the rows of one grant. Whoever calls has judged that it may, and announces the change. */
import type { Batch } from "../store/store.ts";
import { type GrantRecord, printTags } from "./grant.ts";

export type GrantServers = readonly { readonly server: string; readonly policy: string | undefined }[];

export interface GrantTerms {
  readonly label: string;
  readonly servers: GrantServers;
  readonly identity: string | undefined;
  readonly owner: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly expiresMs: number | undefined;
}

export interface NewGrant extends GrantTerms {
  readonly id: string;
  readonly origin: GrantRecord["origin"];
  readonly tokenId: string;
  readonly tokenHash: string;
  readonly nowMs: number;
  readonly by: string;
}

export async function insertGrant(batch: Batch, grant: NewGrant): Promise<void> {
  await batch.run(
    `INSERT INTO access_grant (id, label, identity, owner, tags, expires_ms, origin, present, token_id, token_hash,
       created_ms, created_by, rotated_ms, rotated_by, revoked_ms, revoked_by)
     VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, 0, '', 0, '')`,
    [
      grant.id,
      grant.label,
      grant.identity ?? "",
      grant.owner ?? "",
      printTags(grant.tags),
      grant.expiresMs ?? 0,
      grant.origin,
      grant.tokenId,
      grant.tokenHash,
      grant.nowMs,
      grant.by,
    ],
  );
  await writeServers(batch, grant.id, grant.servers);
}

/** Everything but the token and who made it. */
export async function updateTerms(batch: Batch, id: string, terms: GrantTerms): Promise<void> {
  await batch.run("UPDATE access_grant SET identity = ?, owner = ?, tags = ?, expires_ms = ?, present = 1 WHERE id = ?", [
    terms.identity ?? "",
    terms.owner ?? "",
    printTags(terms.tags),
    terms.expiresMs ?? 0,
    id,
  ]);
  await batch.run("DELETE FROM access_grant_server WHERE grant_id = ?", [id]);
  await writeServers(batch, id, terms.servers);
}

export async function updateToken(batch: Batch, id: string, tokenId: string, tokenHash: string): Promise<void> {
  await batch.run("UPDATE access_grant SET token_id = ?, token_hash = ? WHERE id = ?", [tokenId, tokenHash, id]);
}

async function writeServers(batch: Batch, id: string, servers: GrantServers): Promise<void> {
  for (const { server, policy } of servers) {
    await batch.run("INSERT INTO access_grant_server (grant_id, server, policy) VALUES (?, ?, ?)", [id, server, policy ?? ""]);
  }
}
