/** A credential scan whose secrets change while it is in use: a token that was renewed, and the one before it. */
import { type CredentialScan, createCredentialScan, MAX_SECRETS } from "./credential-scan.ts";

export interface RollingScan extends CredentialScan {
  /** From now on it looks for these, besides those it was made with. */
  replace(secrets: readonly string[]): void;
}

/** Where there are more than are looked for, those that change go first: they are worth most. */
export function createRollingScan(fixed: readonly string[]): RollingScan {
  let scan = createCredentialScan(fixed.slice(0, MAX_SECRETS));
  return {
    finds: (bytes) => scan.finds(bytes),
    get isEmpty() {
      return scan.isEmpty;
    },
    replace(secrets) {
      scan = createCredentialScan([...new Set([...secrets, ...fixed])].slice(0, MAX_SECRETS));
    },
  };
}
