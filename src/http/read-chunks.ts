/**
 * Reads the chunked coding of RFC 9112 (7.1) off its bytes: sizes in hexadecimal digits and nothing around them, extensions
 * by their grammar and bounded, CRLF alone as the end of a line. Tells where data stands; keeps none of it. Trailers begin
 * where it says `last`.
 */
import { CR, LF, TOKEN_OCTETS, VALUE_OCTETS } from "./octets.ts";

/** Digits of a chunk's size: more than memory holds, less than a number is exact for. */
const MAX_SIZE_DIGITS = 12;
/** Bytes of all chunks' extensions together; nobody has a use for them. */
export const MAX_EXTENSION_BYTES = 4096;

export type ChunkFault = "invalid_chunk_size" | "invalid_chunk_extension" | "invalid_chunk_end" | "chunk_extensions_too_long";

const SIZE_START = 0;
const SIZE = 1;
const EXTENSION = 2;
const EXTENSION_NAME = 3;
const EXTENSION_VALUE_START = 4;
const EXTENSION_TOKEN = 5;
const EXTENSION_QUOTED = 6;
const EXTENSION_ESCAPED = 7;
const EXTENSION_END = 8;
const SIZE_LF = 9;
const DATA = 10;
const DATA_CR = 11;
const DATA_LF = 12;
const LAST = 13;

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export class ChunkReader {
  #state = SIZE_START;
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  /** Where the data of the last `data` begins; it ends at `at`. */
  from = 0;
  /** How far the bytes were read. */
  at = 0;

  reset(): void {
    this.#state = SIZE_START;
    this.#size = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
  }

  /** Goes on at `start` until there is data, or the bytes end, or the last chunk's line has been read. */
  read(bytes: Buffer, start: number, end: number): "data" | "more" | "last" | ChunkFault {
    let at = start;
    while (at < end) {
      if (this.#state === DATA) {
        this.from = at;
        this.at = Math.min(end, at + this.#size);
        this.#size -= this.at - at;
        if (this.#size === 0) this.#state = DATA_CR;
        return "data";
      }
      const fault = this.#take(bytes[at++] as number);
      if (fault !== undefined) return fault;
      if (this.#state === LAST) {
        this.at = at;
        return "last";
      }
    }
    this.at = at;
    return "more";
  }

  #take(octet: number): ChunkFault | undefined {
    switch (this.#state) {
      case SIZE_START:
      case SIZE:
        return this.#takeSize(octet);
      case SIZE_LF:
        if (octet !== LF) return "invalid_chunk_size";
        this.#state = this.#size === 0 ? LAST : DATA;
        return undefined;
      case DATA_CR:
        if (octet !== CR) return "invalid_chunk_end";
        this.#state = DATA_LF;
        return undefined;
      case DATA_LF:
        if (octet !== LF) return "invalid_chunk_end";
        this.#state = SIZE_START;
        return undefined;
      default:
        return ++this.#extensionBytes > MAX_EXTENSION_BYTES ? "chunk_extensions_too_long" : this.#takeExtension(octet);
    }
  }

  #takeSize(octet: number): ChunkFault | undefined {
    const digit = readHexDigit(octet);
    if (digit >= 0) {
      if (this.#state === SIZE_START) this.#digits = this.#size = 0;
      if (++this.#digits > MAX_SIZE_DIGITS) return "invalid_chunk_size";
      this.#size = this.#size * 16 + digit;
      this.#state = SIZE;
      return undefined;
    }
    if (this.#state === SIZE_START) return "invalid_chunk_size";
    if (octet === CR) this.#state = SIZE_LF;
    else if (octet === SEMICOLON) this.#state = EXTENSION;
    else return "invalid_chunk_size";
    return undefined;
  }

  /** `;name`, `;name=token`, `;name="quoted"`, without the blanks that the grammar calls bad. */
  #takeExtension(octet: number): ChunkFault | undefined {
    const isToken = TOKEN_OCTETS[octet] === 1;
    switch (this.#state) {
      case EXTENSION:
        return isToken ? this.#to(EXTENSION_NAME) : "invalid_chunk_extension";
      case EXTENSION_NAME:
        if (isToken) return undefined;
        return octet === EQUALS ? this.#to(EXTENSION_VALUE_START) : this.#endExtension(octet);
      case EXTENSION_VALUE_START:
        if (octet === QUOTE) return this.#to(EXTENSION_QUOTED);
        return isToken ? this.#to(EXTENSION_TOKEN) : "invalid_chunk_extension";
      case EXTENSION_TOKEN:
        return isToken ? undefined : this.#endExtension(octet);
      case EXTENSION_QUOTED:
        if (octet === QUOTE) return this.#to(EXTENSION_END);
        if (octet === BACKSLASH) return this.#to(EXTENSION_ESCAPED);
        return VALUE_OCTETS[octet] === 1 ? undefined : "invalid_chunk_extension";
      case EXTENSION_ESCAPED:
        return VALUE_OCTETS[octet] === 1 ? this.#to(EXTENSION_QUOTED) : "invalid_chunk_extension";
      default:
        return this.#endExtension(octet);
    }
  }

  #endExtension(octet: number): ChunkFault | undefined {
    if (octet === CR) return this.#to(SIZE_LF);
    return octet === SEMICOLON ? this.#to(EXTENSION) : "invalid_chunk_extension";
  }

  #to(state: number): undefined {
    this.#state = state;
  }
}

function readHexDigit(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
