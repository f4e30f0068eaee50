/**
 * Every key of the gateway, all from one master key: a subkey for each purpose by HKDF-SHA-256, one that seals, one that
 * signs checkpoints. Promises that a subkey tells nothing of another or of the master key, which never leaves here.
 */
import { hkdfSync } from "node:crypto";
import { assert } from "../kernel/assert.ts";
import { type Result, succeed } from "../kernel/failure.ts";
import { loadMasterKey, MASTER_KEY_BYTES, parseMasterKey } from "./master-key.ts";
import { createSealer, type SealPlace } from "./seal.ts";
import { createSigningKey, type SigningKey } from "./signing-key.ts";

/** Digests of grant and API tokens, as they are kept. */
export const TOKEN_PURPOSE = "token";
/** Digests of a call's arguments, in the log. */
export const ARGUMENT_PURPOSE = "argument";
/** Cursors of lists that several servers make up. */
export const CURSOR_PURPOSE = "cursor";
/** What the ids of protocol sessions hold. */
export const SESSION_PURPOSE = "session";
/** The state of calls of several rounds. */
export const ROUND_PURPOSE = "round";
const PURPOSE = /^[a-z][a-z0-9-]{0,31}$/;

export type KeySource = { readonly masterKey: string } | { readonly keyFile: string };

export interface Keys {
  /** Names the master key without telling anything of it; stands in front of what it sealed. */
  readonly id: string;
  /** 32 bytes, the same for the same master key and purpose (a name such as `token`). Callers keep what they got. */
  deriveKey(purpose: string): Buffer;
  seal(plaintext: string, place: SealPlace): string;
  open(sealed: string, place: SealPlace): Result<string>;
  /** Signs the log's checkpoints. */
  readonly signing: SigningKey;
}

export interface OpenKeysOptions {
  readonly source: KeySource;
  /** Make the key file where it is absent. */
  readonly create: boolean;
  readonly randomBytes: (size: number) => Uint8Array;
}

const SALT = "sallyport";

function derive(master: Uint8Array, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync("sha256", master, SALT, `sallyport/1/${purpose}`, bytes));
}

/** The keys of a master key that is at hand. */
export function createKeys(master: Uint8Array, randomBytes: (size: number) => Uint8Array): Keys {
  const id = derive(master, "id", 8).toString("hex");
  const sealer = createSealer(derive(master, "seal", MASTER_KEY_BYTES), id, randomBytes);
  return {
    id,
    deriveKey(purpose) {
      assert(PURPOSE.test(purpose), "the purpose of a subkey is a short name");
      return derive(master, `purpose/${purpose}`, MASTER_KEY_BYTES);
    },
    seal: sealer.seal,
    open: sealer.open,
    signing: createSigningKey(derive(master, "sign", MASTER_KEY_BYTES)),
  };
}

/** Reads the master key, makes its file where asked to, and gives the keys; a `key_unusable` failure where it can't. */
export async function openKeys(options: OpenKeysOptions): Promise<Result<Keys>> {
  const { source, create, randomBytes } = options;
  const master = "masterKey" in source ? parseMasterKey(source.masterKey) : await loadMasterKey(source.keyFile, create, randomBytes);
  return master.ok ? succeed(createKeys(master.value, randomBytes)) : master;
}
