/**
 * One JSON message a line, as stdio carries it: a reader that takes bytes in any pieces, and a writer. A line over the
 * bound is reported with its beginning and skipped. A carriage return inside a line ends nothing and spoils the line:
 * another reader might see two messages there.
 */
import { GrowingBytes } from "./growing-bytes.ts";
import { OVERLONG_HEAD_BYTES } from "./sse.ts";

export const DEFAULT_LINE_LIMIT_BYTES: number = 32 * 1024 * 1024;

export type LineItem =
  | { readonly kind: "line"; readonly bytes: Uint8Array }
  | { readonly kind: "invalid"; readonly reason: string }
  | { readonly kind: "overlong"; readonly head: Uint8Array };

const NOTHING = new Uint8Array(0);
const LF = 10;
const CR = 13;

export class LineReader {
  readonly #limitBytes: number;
  #items: LineItem[] = [];
  readonly #line = new GrowingBytes();
  #head: Uint8Array | undefined;

  constructor(limitBytes: number = DEFAULT_LINE_LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** Takes the next bytes and gives the lines they complete. The bytes must not be changed afterwards. */
  push(chunk: Uint8Array): readonly LineItem[] {
    this.#items = [];
    let at = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, at)) {
      this.#finish(chunk.subarray(at, end));
      at = end + 1;
    }
    if (at < chunk.length && this.#fits(chunk.subarray(at))) this.#line.append(chunk.subarray(at));
    return this.#items;
  }

  /** The last line of a stream that ended without a line feed. */
  end(): readonly LineItem[] {
    this.#items = [];
    this.#finish(NOTHING);
    return this.#items;
  }

  #fits(piece: Uint8Array): boolean {
    if (this.#head) return false;
    if (this.#line.length + piece.length <= this.#limitBytes) return true;
    this.#line.append(piece.subarray(0, OVERLONG_HEAD_BYTES));
    this.#head = this.#line.peek(OVERLONG_HEAD_BYTES);
    this.#line.clear();
    return false;
  }

  #finish(rest: Uint8Array): void {
    if (!this.#fits(rest)) {
      this.#items.push({ kind: "overlong", head: this.#head as Uint8Array });
      this.#head = undefined;
      return;
    }
    let line = rest;
    if (this.#line.length > 0) {
      this.#line.append(rest);
      line = this.#line.take();
    }
    if (line.length > 0 && line[line.length - 1] === CR) line = line.subarray(0, -1);
    if (line.includes(CR)) this.#items.push({ kind: "invalid", reason: "a carriage return stands in the line" });
    else if (!isBlank(line)) this.#items.push({ kind: "line", bytes: line });
  }
}

function isBlank(line: Uint8Array): boolean {
  for (const byte of line) if (byte !== 32 && byte !== 9) return false;
  return true;
}

/** A message as exactly one line. Line breaks between its tokens, which JSON allows, become blanks. */
export function writeLine(message: Uint8Array): Buffer {
  const line = Buffer.allocUnsafe(message.length + 1);
  line.set(message, 0);
  if (message.includes(LF) || message.includes(CR)) {
    for (let at = 0; at < message.length; at++) if (line[at] === LF || line[at] === CR) line[at] = 32;
  }
  line[message.length] = LF;
  return line;
}
