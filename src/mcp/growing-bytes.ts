/**
 * Bytes that arrive in pieces of any size, gathered in one buffer that grows by doubling: a peer that sends single bytes
 * costs what it sends, not an object for each. Never bounds itself; whoever fills it does.
 */
const FIRST_BYTES = 1024;
const NONE: Buffer = Buffer.alloc(0);

export class GrowingBytes {
  #buffer: Buffer = NONE;
  length = 0;

  append(piece: Uint8Array): void {
    const length = this.length + piece.length;
    if (length > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(FIRST_BYTES, length, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, this.length));
      this.#buffer = grown;
    }
    this.#buffer.set(piece, this.length);
    this.length = length;
  }

  /** A copy of the first bytes. */
  peek(maxBytes: number): Uint8Array {
    return Buffer.from(this.#buffer.subarray(0, Math.min(this.length, maxBytes)));
  }

  /** What was gathered so far, as it stands. */
  look(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  /** Hands over what was gathered and starts anew. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.length);
    this.clear();
    return taken;
  }

  clear(): void {
    this.#buffer = NONE;
    this.length = 0;
  }
}
