/**
 * Server-sent events: a parser that takes bytes in any pieces and gives whole events, with their data as bytes, and a
 * writer. An event over the bound is reported with its beginning and skipped; the stream goes on behind it.
 */
import { assert } from "../kernel/assert.ts";
import { GrowingBytes } from "./growing-bytes.ts";

export const DEFAULT_EVENT_LIMIT_BYTES: number = 32 * 1024 * 1024;
/** How much of an overlong event or line is kept, to find out whose answer it was. */
export const OVERLONG_HEAD_BYTES = 4096;
const MAX_RETRY_DIGITS = 9;

export interface SseEvent {
  readonly kind: "event";
  readonly event: string;
  /** The data lines joined by line feeds. */
  readonly data: Uint8Array;
  /** The id that this event set; undefined where it set none. */
  readonly id: string | undefined;
}

export interface SseOverlong {
  readonly kind: "overlong";
  /** The beginning of its data. */
  readonly head: Uint8Array;
}

export type SseItem = SseEvent | SseOverlong;

const EMPTY = new Uint8Array(0);
const LINE_FEED = new Uint8Array([10]);
const LF = 10;
const CR = 13;

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

export class SseParser {
  /** The last id that the stream set, for a request to go on from there. */
  lastEventId: string | undefined;
  /** The wait before asking again, where the stream gave one. */
  retryMs: number | undefined;
  readonly #limitBytes: number;
  #items: SseItem[] = [];
  /** The line that is not complete yet. */
  readonly #line = new GrowingBytes();
  /** The first data line of the event as a view, the joined lines once there are several. */
  #firstData: Uint8Array | undefined;
  readonly #moreData = new GrowingBytes();
  #event = "";
  #id: string | undefined;
  #atStart = true;
  #afterCr = false;
  #lineCut = false;
  #overlong: Uint8Array | undefined;

  constructor(limitBytes: number = DEFAULT_EVENT_LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** Takes the next bytes and gives what they complete. The bytes must not be changed afterwards. */
  push(chunk: Uint8Array): readonly SseItem[] {
    this.#items = [];
    let at = 0;
    let lf = -2;
    let cr = -2;
    if (this.#afterCr && chunk.length > 0) {
      this.#afterCr = false;
      if (chunk[0] === LF) at = 1;
    }
    while (at < chunk.length) {
      if (lf !== -1 && lf < at) lf = chunk.indexOf(LF, at);
      if (cr !== -1 && cr < at) cr = chunk.indexOf(CR, at);
      const end = lf === -1 ? cr : cr === -1 ? lf : Math.min(lf, cr);
      if (end === -1) {
        if (this.#fits(chunk.subarray(at))) this.#line.append(chunk.subarray(at));
        break;
      }
      this.#endLine(chunk.subarray(at, end));
      at = end + 1;
      if (chunk[end] === CR) {
        if (at === chunk.length) this.#afterCr = true;
        else if (chunk[at] === LF) at++;
      }
    }
    return this.#items;
  }

  /** True where the stream ended inside an event, which is then lost. */
  get isCut(): boolean {
    return this.#line.length > 0 || this.#lineCut || this.#firstData !== undefined || this.#overlong !== undefined;
  }

  #dataBytes(): number {
    return this.#moreData.length > 0 ? this.#moreData.length : (this.#firstData?.length ?? 0);
  }

  /** Whether the piece may be added to the line; else the event is marked, and the rest of the line skipped. */
  #fits(piece: Uint8Array): boolean {
    if (this.#lineCut) return false;
    if (this.#line.length + piece.length + this.#dataBytes() <= this.#limitBytes) return true;
    this.#lineCut = true;
    if (!this.#overlong) this.#overlong = this.#readHead(piece);
    this.#line.clear();
    this.#clearData();
    return false;
  }

  #readHead(piece: Uint8Array): Uint8Array {
    if (this.#moreData.length > 0) return this.#moreData.peek(OVERLONG_HEAD_BYTES);
    if (this.#firstData) return Buffer.from(this.#firstData.subarray(0, OVERLONG_HEAD_BYTES));
    this.#line.append(piece.subarray(0, OVERLONG_HEAD_BYTES));
    const head = this.#line.peek(OVERLONG_HEAD_BYTES);
    const brace = head.indexOf(123);
    return brace === -1 ? EMPTY : head.subarray(brace);
  }

  #endLine(rest: Uint8Array): void {
    if (!this.#fits(rest)) {
      this.#lineCut = false;
      this.#atStart = false;
      return;
    }
    let line = rest;
    if (this.#line.length > 0) {
      this.#line.append(rest);
      line = this.#line.take();
    }
    if (this.#atStart) {
      this.#atStart = false;
      if (line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf) line = line.subarray(3);
    }
    if (line.length === 0) this.#dispatch();
    else this.#takeLine(line);
  }

  #takeLine(line: Uint8Array): void {
    const colon = line.indexOf(58);
    if (colon === 0) return;
    const field = decode(colon === -1 ? line : line.subarray(0, colon));
    const value = colon === -1 ? EMPTY : line.subarray(line[colon + 1] === 32 ? colon + 2 : colon + 1);
    if (field === "data") this.#addData(value);
    else if (field === "event") this.#event = decode(value);
    else if (field === "id") {
      if (!value.includes(0)) this.#id = decode(value);
    } else if (field === "retry") {
      const digits = decode(value);
      if (/^\d+$/.test(digits) && digits.length <= MAX_RETRY_DIGITS) this.retryMs = Number(digits);
    }
  }

  #addData(value: Uint8Array): void {
    if (this.#overlong) return;
    if (!this.#firstData) {
      this.#firstData = value;
      return;
    }
    if (this.#moreData.length === 0) {
      // A first line may be empty: the line feed alone then says that there is more.
      this.#moreData.append(this.#firstData);
    }
    this.#moreData.append(LINE_FEED);
    this.#moreData.append(value);
  }

  #clearData(): void {
    this.#firstData = undefined;
    this.#moreData.clear();
  }

  #dispatch(): void {
    if (this.#id !== undefined) this.lastEventId = this.#id;
    if (this.#overlong) this.#items.push({ kind: "overlong", head: this.#overlong });
    else if (this.#firstData) {
      const data = this.#moreData.length > 0 ? this.#moreData.take() : this.#firstData;
      this.#items.push({ kind: "event", event: this.#event === "" ? "message" : this.#event, data, id: this.#id });
    }
    this.#clearData();
    this.#event = "";
    this.#id = undefined;
    this.#overlong = undefined;
  }
}

export interface SseWrite {
  readonly data: Uint8Array | string;
  readonly event?: string | undefined;
  readonly id?: string | undefined;
  readonly retryMs?: number | undefined;
}

/** A comment: nothing but a sign of life. */
export const SSE_KEEP_ALIVE: Uint8Array = Buffer.from(":\n\n");

function assertOneLine(value: string): void {
  assert(!/[\r\n\0]/.test(value), "a field of an event is one line");
}

/** One event as bytes. Line breaks in the data (white space of JSON) become lines of their own. */
export function writeSseEvent(write: SseWrite): Buffer {
  let head = "";
  if (write.event !== undefined) {
    assertOneLine(write.event);
    head += `event: ${write.event}\n`;
  }
  if (write.id !== undefined) {
    assertOneLine(write.id);
    head += `id: ${write.id}\n`;
  }
  if (write.retryMs !== undefined) head += `retry: ${Math.trunc(write.retryMs)}\n`;
  const data = typeof write.data === "string" ? Buffer.from(write.data, "utf8") : write.data;
  if (data.includes(LF) || data.includes(CR)) {
    return Buffer.from(`${head}data: ${decode(data).replaceAll(/\r\n|\r|\n/g, "\ndata: ")}\n\n`, "utf8");
  }
  const written = Buffer.allocUnsafe(Buffer.byteLength(head) + data.length + 8);
  let at = written.write(`${head}data: `, "utf8");
  written.set(data, at);
  at += data.length;
  written[at] = LF;
  written[at + 1] = LF;
  return written;
}
