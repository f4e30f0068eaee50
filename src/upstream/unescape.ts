/**
 * Takes one layer of escaping off bytes: JSON's, percent-encoding, the line breaks of wrapped base64. Linear, never
 * fails: what is no escape stays as it stands. Gives the same buffer back where there was nothing to take off.
 */

const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Value of each hexadecimal digit; 255 for every other byte. */
const HEX = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  HEX[text.charCodeAt(0)] = digit;
  HEX[text.toUpperCase().charCodeAt(0)] = digit;
}

/** What a letter after a backslash stands for: itself, but for JSON's five. */
const CONTROLS = Uint8Array.from({ length: 256 }, (_, byte) => byte);
for (const pair of ["b\b", "f\f", "n\n", "r\r", "t\t"]) CONTROLS[pair.charCodeAt(0)] = pair.charCodeAt(1);

/** The code unit of `\uXXXX` at this place; -1 where there is none. */
function readUnicodeEscape(bytes: Buffer, at: number): number {
  if (bytes[at + 1] !== 0x75 || bytes[at] !== BACKSLASH || at + 6 > bytes.length) return -1;
  let code = 0;
  for (let index = at + 2; index < at + 6; index++) {
    const digit = HEX[bytes[index] as number] as number;
    if (digit === 255) return -1;
    code = code * 16 + digit;
  }
  return code;
}

/** JSON's escapes; a backslash before anything else is dropped. */
export function unescapeJson(bytes: Buffer): Buffer {
  const first = bytes.indexOf(BACKSLASH);
  if (first === -1) return bytes;
  const out = Buffer.allocUnsafe(bytes.length);
  let length = bytes.copy(out, 0, 0, first);
  let at = first;
  while (at < bytes.length) {
    const byte = bytes[at] as number;
    if (byte !== BACKSLASH) {
      out[length++] = byte;
      at++;
      continue;
    }
    const code = readUnicodeEscape(bytes, at);
    if (code === -1) {
      const letter = bytes[at + 1];
      if (letter !== undefined) out[length++] = CONTROLS[letter] as number;
      at += 2;
    } else if (code < 0x80) {
      out[length++] = code;
      at += 6;
    } else {
      const isHigh = code >= 0xd800 && code <= 0xdbff;
      const low = isHigh ? readUnicodeEscape(bytes, at + 6) : -1;
      const isPair = low >= 0xdc00 && low <= 0xdfff;
      length += out.write(isPair ? String.fromCharCode(code, low) : String.fromCharCode(code), length, "utf8");
      at += isPair ? 12 : 6;
    }
  }
  return out.subarray(0, length);
}

/** `%XX`; a percent sign before anything else stays. */
export function decodePercent(bytes: Buffer): Buffer {
  const first = bytes.indexOf(PERCENT);
  if (first === -1) return bytes;
  const out = Buffer.allocUnsafe(bytes.length);
  let length = bytes.copy(out, 0, 0, first);
  for (let at = first; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    const high = byte === PERCENT ? (HEX[bytes[at + 1] ?? 0] as number) : 255;
    const low = high === 255 ? 255 : (HEX[bytes[at + 2] ?? 0] as number);
    if (low === 255) out[length++] = byte;
    else {
      out[length++] = high * 16 + low;
      at += 2;
    }
  }
  return length === bytes.length ? bytes : out.subarray(0, length);
}

/** Nobody wraps base64 into shorter lines. */
const SHORTEST_WRAPPED_LINE = 16;

/** 1 for the letters of both alphabets of base64. */
const BASE64 = new Uint8Array(256);
for (const letter of Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")) BASE64[letter] = 1;

/** Whether a line, ended by a break or by JSON's escape of one, could be a line of base64. */
export function hasWrappedLine(bytes: Buffer): boolean {
  if (!bytes.includes(LINE_FEED) && !bytes.includes("\\n") && !bytes.includes(CARRIAGE_RETURN) && !bytes.includes("\\r")) return false;
  let run = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (BASE64[byte] === 1) run++;
    else if (run >= SHORTEST_WRAPPED_LINE && (byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === BACKSLASH)) return true;
    else run = 0;
  }
  return false;
}

/** Takes out line breaks, written as themselves or as JSON's escapes of any depth. */
export function joinLines(bytes: Buffer): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  let changed = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === LINE_FEED || byte === CARRIAGE_RETURN) {
      changed = true;
      continue;
    }
    if (byte === BACKSLASH) {
      let end = at + 1;
      while (bytes[end] === BACKSLASH) end++;
      if (bytes[end] === 0x6e || bytes[end] === 0x72) {
        changed = true;
        at = end;
        continue;
      }
      length += bytes.copy(out, length, at, end);
      at = end - 1;
      continue;
    }
    out[length++] = byte;
  }
  return changed ? out.subarray(0, length) : bytes;
}
