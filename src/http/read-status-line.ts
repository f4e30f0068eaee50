/**
 * Reads the first line of a response: version, three digits, and words that mean nothing. Says at the first byte that is
 * none of it that this is no HTTP/1; the words may be left out, with the blank before them.
 */
import { CR, LF, SP, VALUE_OCTETS } from "./octets.ts";

/** Bytes of the line, CRLF included. */
export const MAX_STATUS_LINE_BYTES = 1024;

export interface StatusLine {
  readonly length: number;
  readonly status: number;
  /** HTTP/1.0. */
  readonly isOld: boolean;
}

const VERSION = Buffer.from("HTTP/1.");
/** `HTTP/1.1 200` */
const CODE_END = VERSION.length + 5;

export function readStatusLine(bytes: Buffer, start: number, end: number): StatusLine | "more" | "invalid_status_line" {
  const limit = Math.min(end, start + MAX_STATUS_LINE_BYTES);
  let status = 0;
  for (let at = start; at < limit && at - start < CODE_END; at++) {
    const place = at - start;
    const octet = bytes[at] as number;
    if (place < VERSION.length ? octet !== VERSION[place] : !fitsCode(place - VERSION.length, octet)) return "invalid_status_line";
    if (place > VERSION.length + 1) status = status * 10 + octet - 0x30;
  }
  let at = start + CODE_END;
  if (at < limit && bytes[at] !== CR && bytes[at] !== SP) return "invalid_status_line";
  while (at < limit && VALUE_OCTETS[bytes[at] as number] === 1) at++;
  if (at < limit && bytes[at] !== CR) return "invalid_status_line";
  if (at + 1 < limit) {
    if (bytes[at + 1] !== LF || status < 100 || status > 599) return "invalid_status_line";
    return { length: at + 2 - start, status, isOld: bytes[start + VERSION.length] === 0x30 };
  }
  return end - start >= MAX_STATUS_LINE_BYTES ? "invalid_status_line" : "more";
}

/** One digit of the version, 0 or 1; a blank; three digits. */
function fitsCode(place: number, octet: number): boolean {
  if (place === 0) return octet === 0x30 || octet === 0x31;
  return place === 1 ? octet === SP : octet >= 0x30 && octet <= 0x39;
}
