/** What an act of administration changed, for the entry that records it. Names and numbers, never a secret. */

export interface AdminChange {
  readonly action: "grant.added" | "grant.changed" | "grant.rotated" | "grant.revoked" | "grant.restored" | "grant.removed";
  readonly grant: string;
  /** Who did it: a member's e-mail, an API token's name, `file`, `cli`. */
  readonly by: string;
  readonly details: Readonly<Record<string, string>>;
}
