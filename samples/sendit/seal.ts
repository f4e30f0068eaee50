/**
 * Secrets at rest: AES-256-GCM under a key derived from the server's, each bound to the row it belongs to, so that a
 * ciphertext moved to another row does not open. Fingerprints are keyed, so that nobody can try keys against them.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FINGERPRINT_CHARACTERS = 16;
const ALGORITHM = "aes-256-gcm";

export interface Sealer {
  seal(secret: string, row: string): string;
  /** Throws where the key, the row or the text is another. */
  unseal(sealed: string, row: string): string;
  fingerprint(secret: string): string;
}

export function createSealer(key: Uint8Array): Sealer {
  const derive = (use: string): Buffer => Buffer.from(hkdfSync("sha256", key, "", `sample/${use}`, KEY_BYTES));
  const sealKey = derive("seal");
  const fingerprintKey = derive("fingerprint");
  return {
    seal: (secret, row) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, sealKey, nonce).setAAD(Buffer.from(row));
      const sealed = Buffer.concat([nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return `v1.${sealed.toString("base64url")}`;
    },
    unseal: (sealed, row) => {
      if (!sealed.startsWith("v1.")) throw new Error("unknown seal");
      const bytes = Buffer.from(sealed.slice("v1.".length), "base64url");
      const decipher = createDecipheriv(ALGORITHM, sealKey, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(row)).setAuthTag(bytes.subarray(-TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString("utf8");
    },
    fingerprint: (secret) => createHmac("sha256", fingerprintKey).update(secret).digest("hex").slice(0, FINGERPRINT_CHARACTERS),
  };
}
