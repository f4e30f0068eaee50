/**
 * Sealed texts: AES-256-GCM with a random nonce, the key's id in front, and the place (table, column, row) as associated
 * data, so that a sealed value opens where it was put and nowhere else. What does not open says only that: it never tells
 * a wrong key from a changed value beyond the key's id.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { fail, type Result, succeed } from "../kernel/failure.ts";

const FORM = "sealed1";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Where a sealed value lives. Moving it to another place makes it unreadable. */
export interface SealPlace {
  readonly table: string;
  readonly column: string;
  readonly row: string;
}

export interface Sealer {
  /** `sealed1.<key id>.<base64url>`, for a text column. */
  seal(plaintext: string, place: SealPlace): string;
  open(sealed: string, place: SealPlace): Result<string>;
}

export function createSealer(key: Uint8Array, keyId: string, randomBytes: (size: number) => Uint8Array): Sealer {
  // A list in JSON keeps the parts apart, whatever letters they hold.
  const associate = (place: SealPlace): Buffer => Buffer.from(JSON.stringify([FORM, keyId, place.table, place.column, place.row]));
  const refuse = (message: string, place: SealPlace): Result<string> =>
    fail({ code: "key_unusable", message: `The sealed \`${place.column}\` of \`${place.table}\` ${message}` });
  return {
    seal(plaintext, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(associate(place));
      const sealed = Buffer.concat([nonce, cipher.update(plaintext, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return `${FORM}.${keyId}.${sealed.toString("base64url")}`;
    },
    open(sealed, place) {
      const parts = sealed.split(".");
      if (parts.length !== 3 || parts[0] !== FORM) return refuse("is not a sealed value.", place);
      if (parts[1] !== keyId) return refuse("was sealed with another master key.", place);
      const bytes = Buffer.from(parts[2] as string, "base64url");
      if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString("base64url") !== parts[2]) return refuse("is damaged.", place);
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(associate(place));
      decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
      try {
        const plain = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES)), decipher.final()]);
        return succeed(plain.toString("utf8"));
      } catch {
        return refuse("was changed, or belongs elsewhere.", place);
      }
    },
  };
}
