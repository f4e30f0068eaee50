/** What an act of administration changed, for the entry that records it. Names and hashes, never a secret. */

export interface AdminChange {
  readonly action: "server.added" | "server.changed" | "server.removed" | "policy.added" | "policy.changed" | "policy.removed";
  /** The name of the server or policy. */
  readonly name: string;
  /** Who did it: a member's e-mail, an API token's name, `file`, `cli`. */
  readonly by: string;
  readonly details: Readonly<Record<string, string>>;
}

export type Origin = "file" | "cli" | "demo";
export const BY_FILE = "file";
