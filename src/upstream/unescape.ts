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

const CONTROLS: ReadonlyMap<number, number> = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
]);

/** The code unit of `\uXXXX` at this place; -1 where there is none. */
function readUnicodeEscape(bytes: Buffer, at: number): number {
  if (bytes[at] !== BACKSLASH || bytes[at + 1] !== 0x75 || at + 6 > bytes.length) return -1;
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
  let at = bytes.indexOf(BACKSLASH);
  if (at === -1) return bytes;
  const out = Buffer.allocUnsafe(bytes.length);
  let from = 0;
  let length = 0;
  while (at !== -1 && at + 1 < bytes.length) {
    length += bytes.copy(out, length, from, at);
    const code = readUnicodeEscape(bytes, at);
    if (code === -1) {
      const letter = bytes[at + 1] as number;
      out[length++] = CONTROLS.get(letter) ?? letter;
      from = at + 2;
    } else if (code < 0x80) {
      out[length++] = code;
      from = at + 6;
    } else {
      const isHigh = code >= 0xd800 && code <= 0xdbff;
      const low = isHigh ? readUnicodeEscape(bytes, at + 6) : -1;
      const isPair = low >= 0xdc00 && low <= 0xdfff;
      length += out.write(isPair ? String.fromCharCode(code, low) : String.fromCharCode(code), length, "utf8");
      from = at + (isPair ? 12 : 6);
    }
    at = bytes.indexOf(BACKSLASH, from);
  }
  length += bytes.copy(out, length, from);
  return out.subarray(0, length);
}

/** `%XX`; a percent sign before anything else stays. */
export function decodePercent(bytes: Buffer): Buffer {
  let at = bytes.indexOf(PERCENT);
  if (at === -1) return bytes;
  const out = Buffer.allocUnsafe(bytes.length);
  let from = 0;
  let length = 0;
  let changed = false;
  while (at !== -1 && at + 2 < bytes.length) {
    const high = HEX[bytes[at + 1] as number] as number;
    const low = HEX[bytes[at + 2] as number] as number;
    if (high === 255 || low === 255) {
      at = bytes.indexOf(PERCENT, at + 1);
      continue;
    }
    changed = true;
    length += bytes.copy(out, length, from, at);
    out[length++] = high * 16 + low;
    from = at + 3;
    at = bytes.indexOf(PERCENT, from);
  }
  if (!changed) return bytes;
  length += bytes.copy(out, length, from);
  return out.subarray(0, length);
}

/** Takes out line breaks, written as themselves or as JSON's escapes of any depth. */
export function joinLines(bytes: Buffer): Buffer {
  if (!bytes.includes(LINE_FEED) && !bytes.includes(BACKSLASH)) return bytes;
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
