/**
 * A body that is read whole: one piece stays the very bytes that came, several are joined as they come. Whoever sends a
 * body byte by byte makes nobody keep an object for each of them. Never bounds itself; whoever fills it does.
 */
import { GrowingBytes } from "./growing-bytes.ts";

const NONE: Buffer = Buffer.alloc(0);

export class GatheredBody {
  #only: Buffer | undefined;
  readonly #joined = new GrowingBytes();

  get length(): number {
    return this.#only?.length ?? this.#joined.length;
  }

  append(piece: Buffer): void {
    if (this.length === 0) {
      this.#only = piece;
      return;
    }
    if (this.#only) this.#joined.append(this.#only);
    this.#only = undefined;
    this.#joined.append(piece);
  }

  /** What came so far; it goes on growing. */
  look(): Buffer {
    return this.#only ?? asBuffer(this.#joined.look());
  }

  /** Hands the body over and starts anew. */
  take(): Buffer {
    const taken = this.#only ?? (this.#joined.length === 0 ? NONE : asBuffer(this.#joined.take()));
    this.#only = undefined;
    return taken;
  }

  clear(): void {
    this.#only = undefined;
    this.#joined.clear();
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
