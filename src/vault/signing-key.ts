/**
 * An Ed25519 key pair made from a 32-byte seed, so that every process with the same master key signs alike and there is
 * no second secret to keep. Never exports the private key.
 */
import { createPrivateKey, createPublicKey, sign } from "node:crypto";

/** DER of a PKCS #8 Ed25519 private key up to its seed (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
export const PUBLIC_KEY_BYTES = 32;

export interface SigningKey {
  /** The raw public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
}

export function createSigningKey(seed: Uint8Array): SigningKey {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
  const publicDer = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return {
    publicKey: new Uint8Array(publicDer.subarray(publicDer.length - PUBLIC_KEY_BYTES)),
    sign: (bytes) => sign(null, bytes, privateKey),
  };
}
