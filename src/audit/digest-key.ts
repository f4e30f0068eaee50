/**
 * HMAC-SHA-256 under one key, many times. A short text is taken through the two hashes of RFC 2104 over buffers that
 * are made ready once, which costs half of an object of the crypto module for each; a long one goes to the module. Gives
 * the same digits either way, and holds the key no longer than whoever holds this.
 */
import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";

/** What a hash takes at a time; a longer key would have to be hashed first. */
const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
const SHORT_TEXT_CHARACTERS = 2048;
/** No text takes more in UTF-8 for each of its UTF-16 units. */
const BYTES_PER_CHARACTER = 3;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

export class DigestKey {
  readonly #key: KeyObject;
  /** The padded key, and room for a text behind it; undefined where the key is too long for that. */
  readonly #inner: Buffer | undefined;
  readonly #outer: Buffer = Buffer.alloc(BLOCK_BYTES + HASH_BYTES);

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
    if (key.length > BLOCK_BYTES) return;
    this.#inner = Buffer.alloc(BLOCK_BYTES + SHORT_TEXT_CHARACTERS * BYTES_PER_CHARACTER);
    for (let at = 0; at < BLOCK_BYTES; at++) {
      this.#inner[at] = (key[at] ?? 0) ^ INNER_PAD;
      this.#outer[at] = (key[at] ?? 0) ^ OUTER_PAD;
    }
  }

  /** The digest of a text, in hex. */
  digest(text: string): string {
    const inner = this.#inner;
    if (inner === undefined || text.length > SHORT_TEXT_CHARACTERS) return createHmac("sha256", this.#key).update(text).digest("hex");
    const end = BLOCK_BYTES + inner.write(text, BLOCK_BYTES, "utf8");
    this.#outer.write(hash("sha256", inner.subarray(0, end), "binary"), BLOCK_BYTES, "latin1");
    return hash("sha256", this.#outer);
  }
}
