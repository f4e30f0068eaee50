/**
 * Bearer tokens: how they are made and how they are known again. A token is `spg_<id>_<secret>`, letters and digits with
 * 256 random bits; what is stored is an HMAC of the whole text, so that a token of any form is found by one key. The
 * token itself is given once and kept nowhere.
 */
import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { createId } from "../kernel/id.ts";

export type RandomBytes = (size: number) => Uint8Array;

const SECRET_BYTES = 32;
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const MADE_TOKEN = /^sp[a-z]_([0-9a-z]{26})_[0-9a-z]{52}$/;

export interface MadeToken {
  /** Names the token without telling it. */
  readonly id: string;
  readonly token: string;
}

/** A new token; `prefix` tells what it is for. */
export function createToken(prefix: "spg" | "spa", nowMs: number, randomBytes: RandomBytes): MadeToken {
  const id = createId(nowMs);
  return { id, token: `${prefix}_${id}_${spellSecret(randomBytes(SECRET_BYTES))}` };
}

/** The key of the hashes, made ready once: with bare bytes each hash would cost several times as much. */
export function prepareTokenKey(key: Uint8Array): KeyObject {
  return createSecretKey(key);
}

/** What the store holds of a token: 64 hexadecimal digits. */
export function hashToken(key: KeyObject, token: string): string {
  return createHmac("sha256", key).update(token, "utf8").digest("hex");
}

/** The public part of a token that was made here; empty for one that somebody chose. */
export function readTokenId(token: string): string {
  return MADE_TOKEN.exec(token)?.[1] ?? "";
}

function spellSecret(bytes: Uint8Array): string {
  let text = "";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((held >> bits) & 31);
    }
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + ALPHABET.charAt((held << (5 - bits)) & 31) : text;
}
