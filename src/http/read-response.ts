/**
 * Reads responses of HTTP/1.0 and 1.1 off the bytes of a connection, one at a time and as the bytes come: RFC 9112 where
 * it is plain, a fault wherever two readers could differ. One length or one coding, never both; nothing that is unknown.
 * Informational responses are looked through. Bodies are handed on as places in the bytes that were given.
 */
import type { IncomingHttpHeaders } from "node:http";
import { type ChunkFault, ChunkReader } from "./read-chunks.ts";
import { type FieldFault, FieldReader } from "./read-fields.ts";
import { MAX_STATUS_LINE_BYTES, readStatusLine } from "./read-status-line.ts";

export const MAX_HEAD_BYTES: number = 16 * 1024;
export const MAX_HEAD_FIELDS = 128;
/** Informational responses before the final one. */
export const MAX_INFORMATIONAL = 32;
/** Digits of a length: more than anybody sends, less than a number is exact for. */
const MAX_LENGTH_DIGITS = 15;

export type ResponseFault =
  | FieldFault
  | ChunkFault
  | "invalid_status_line"
  | "unasked_upgrade"
  | "too_many_informational"
  | "repeated_field"
  | "invalid_length"
  | "unknown_coding"
  | "length_and_coding"
  | "forbidden_trailer"
  | "cut_short";

/** `stopped`: whoever takes it wants no more. `complete`: it ended at `end`. */
export type ResponseProgress = "more" | "complete" | "stopped" | ResponseFault;

/** Names in lower case, nothing inherited. What stands more than once is joined by commas; cookies are a list. */
export type ResponseHeaders = IncomingHttpHeaders;

export interface ResponseTaker {
  /** The head of the final response. `false`: no more of it. */
  onHead(status: number, headers: ResponseHeaders): boolean;
  /** A piece of the body; the bytes stand until it returns. */
  onBody(bytes: Buffer, start: number, end: number): boolean;
}

/** Inherits nothing, and is quicker to fill than an object whose prototype is null. */
const NoHeaders = function () {} as unknown as new () => object;
NoHeaders.prototype = Object.create(null) as object;

const HEAD = 0;
const COUNTED = 1;
const UNTIL_CLOSE = 2;
const CHUNKED = 3;
const TRAILERS = 4;
const COMPLETE = 5;

export class ResponseReader {
  readonly #singular: ReadonlySet<string>;
  readonly #fields = new FieldReader({ maxBytes: MAX_HEAD_BYTES, maxFields: MAX_HEAD_FIELDS });
  #chunks: ChunkReader | undefined;
  #phase = COMPLETE;
  #remaining = 0;
  #informational = 0;
  /** Length of the status line that was read; 0 before. */
  #lineLength = 0;
  #status = 0;
  #isOld = false;
  /** The beginning of a head or of trailers that did not come in one piece. */
  #held: Buffer | undefined;
  #heldLength = 0;
  #keepsAlive = false;
  #keepAliveMs: number | undefined;
  /** Where in the bytes that were given last the response ended. */
  end = 0;

  /** `singular`: names of fields that may stand only once, apart from those of the framing. */
  constructor(singular: ReadonlySet<string>) {
    this.#singular = singular;
  }

  /** The connection may carry a further request, as far as the response says. */
  get keepsAlive(): boolean {
    return this.#keepsAlive;
  }

  /** How long the server says that it keeps an idle connection. */
  get keepAliveMs(): number | undefined {
    return this.#keepAliveMs;
  }

  /** Informational responses that were looked through. */
  get informational(): number {
    return this.#informational;
  }

  /** Whether the final head has come. */
  get hasBegun(): boolean {
    return this.#phase !== HEAD;
  }

  reset(): void {
    this.#phase = HEAD;
    this.#informational = 0;
    this.#beginSection();
    this.#lineLength = 0;
  }

  push(bytes: Buffer, length: number, taker: ResponseTaker): ResponseProgress {
    this.end = 0;
    for (;;) {
      switch (this.#phase) {
        case HEAD: {
          const told = this.#readHead(bytes, length, taker);
          if (told !== undefined) return told;
          break;
        }
        case COUNTED: {
          const from = this.end;
          const to = Math.min(length, from + this.#remaining);
          this.#remaining -= to - from;
          this.end = to;
          if (to > from && !taker.onBody(bytes, from, to)) return "stopped";
          if (this.#remaining > 0) return "more";
          this.#phase = COMPLETE;
          break;
        }
        case UNTIL_CLOSE: {
          const from = this.end;
          this.end = length;
          return from < length && !taker.onBody(bytes, from, length) ? "stopped" : "more";
        }
        case CHUNKED: {
          const chunks = this.#chunks as ChunkReader;
          const told = chunks.read(bytes, this.end, length);
          this.end = chunks.at;
          if (told === "data") {
            if (!taker.onBody(bytes, chunks.from, chunks.at)) return "stopped";
          } else if (told === "last") {
            this.#beginSection();
            this.#phase = TRAILERS;
          } else return told;
          break;
        }
        case TRAILERS: {
          const told = this.#readSection(bytes, length);
          if (told !== "done") return told;
          if (this.#fields.find("content-length") >= 0 || this.#fields.find("transfer-encoding") >= 0) return "forbidden_trailer";
          this.#phase = COMPLETE;
          break;
        }
        default:
          return "complete";
      }
    }
  }

  /** The server sends no more. */
  finish(): "complete" | "cut_short" {
    if (this.#phase !== UNTIL_CLOSE && this.#phase !== COMPLETE) return "cut_short";
    this.#phase = COMPLETE;
    return "complete";
  }

  #beginSection(): void {
    this.#fields.reset();
    this.#heldLength = 0;
  }

  /** undefined: the head was read, and what comes next is known. */
  #readHead(bytes: Buffer, length: number, taker: ResponseTaker): ResponseProgress | undefined {
    const told = this.#readSection(bytes, length);
    if (told !== "done") return told;
    const status = this.#status;
    const headers = new NoHeaders() as ResponseHeaders;
    const fault = this.#readFraming(status, headers);
    this.#beginSection();
    this.#lineLength = 0;
    this.#held = undefined;
    if (fault !== undefined) return fault;
    if (this.#phase === HEAD) return undefined;
    return taker.onHead(status, headers) ? undefined : "stopped";
  }

  /** Reads on in the head or the trailers, in one piece wherever they came in one. */
  #readSection(bytes: Buffer, length: number): "more" | "done" | "invalid_status_line" | FieldFault {
    const at = this.end;
    const before = this.#heldLength;
    let from = bytes;
    let start = at;
    let end = length;
    if (before > 0) {
      const held = this.#hold(bytes, at, length);
      from = held;
      start = 0;
      end = this.#heldLength;
    }
    const told = this.#readFrom(from, start, end);
    if (told === "more") {
      if (before === 0) this.#hold(bytes, at, length);
      this.end = length;
    } else if (told === "done") {
      this.end = at + this.#lineLength + this.#fields.length - before;
    }
    return told;
  }

  #readFrom(bytes: Buffer, start: number, end: number): "more" | "done" | "invalid_status_line" | FieldFault {
    if (this.#phase === HEAD && this.#lineLength === 0) {
      const line = readStatusLine(bytes, start, end);
      if (typeof line === "string") return line;
      this.#lineLength = line.length;
      this.#status = line.status;
      this.#isOld = line.isOld;
    }
    return this.#fields.read(bytes, start + this.#lineLength, end);
  }

  /** Puts the bytes behind those that are held; more than a head's are not needed to judge it. */
  #hold(bytes: Buffer, from: number, to: number): Buffer {
    const taken = Math.min(to - from, MAX_STATUS_LINE_BYTES + MAX_HEAD_BYTES - this.#heldLength);
    const length = this.#heldLength + taken;
    let held = this.#held;
    if (held === undefined || held.length < length) {
      held = Buffer.allocUnsafe(Math.max(1024, length * 2));
      this.#held?.copy(held, 0, 0, this.#heldLength);
      this.#held = held;
    }
    bytes.copy(held, this.#heldLength, from, from + taken);
    this.#heldLength = length;
    return held;
  }

  /** Sorts the fields and settles how the body ends. */
  #readFraming(status: number, headers: ResponseHeaders): ResponseFault | undefined {
    const fields = this.#fields;
    let keepAlive: string | undefined;
    let connection = "";
    for (let index = 0; index < fields.count; index++) {
      const name = fields.nameAt(index);
      const value = fields.valueAt(index);
      const former = headers[name];
      if (former === undefined) headers[name] = name === "set-cookie" ? [value] : value;
      else if (typeof former !== "string") former.push(value);
      else if (name === "content-length" || this.#singular.has(name)) return "repeated_field";
      else headers[name] = `${former}, ${value}`;
      if (name === "connection") connection = connection === "" ? value : `${connection},${value}`;
      else if (name === "keep-alive") keepAlive = value;
    }
    const { "content-length": length, "transfer-encoding": coding } = headers;
    if (length !== undefined && coding !== undefined) return "length_and_coding";
    const declared = length === undefined ? -1 : readLength(length);
    if (length !== undefined && declared < 0) return "invalid_length";
    if (coding !== undefined && (this.#isOld || coding.toLowerCase() !== "chunked")) return "unknown_coding";
    if (status < 200) return this.#skipInformational(status, declared >= 0 || coding !== undefined);

    const saysClose = connection !== "" && hasToken(connection, "close");
    this.#keepsAlive = this.#isOld ? !saysClose && hasToken(connection, "keep-alive") : !saysClose;
    this.#keepAliveMs = keepAlive === undefined ? undefined : readKeepAlive(keepAlive);
    if (status === 204 || status === 304) {
      // A body that must not be there would be read as the next response.
      if (declared > 0 || coding !== undefined) this.#keepsAlive = false;
      this.#phase = COMPLETE;
    } else if (coding !== undefined) {
      this.#chunks ??= new ChunkReader();
      this.#chunks.reset();
      this.#phase = CHUNKED;
    } else if (declared >= 0) {
      this.#remaining = declared;
      this.#phase = COUNTED;
    } else {
      this.#keepsAlive = false;
      this.#phase = UNTIL_CLOSE;
    }
    return undefined;
  }

  /** Stays at the head: another one follows. */
  #skipInformational(status: number, hasBody: boolean): ResponseFault | undefined {
    if (status === 101) return "unasked_upgrade";
    if (hasBody) return "invalid_length";
    return ++this.#informational > MAX_INFORMATIONAL ? "too_many_informational" : undefined;
  }
}

/** Decimal digits alone; -1 for anything else. */
function readLength(text: string): number {
  if (text.length === 0 || text.length > MAX_LENGTH_DIGITS) return -1;
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length;
}

function hasToken(list: string, token: string): boolean {
  if (list.length === token.length) return list.toLowerCase() === token;
  return list.split(",").some((part) => part.trim().toLowerCase() === token);
}

function readKeepAlive(value: string): number | undefined {
  const seconds = /(?:^|[\s,;])timeout\s*=\s*"?(\d{1,9})/i.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
