/**
 * What a path says after every decoding that some reader might still do: percent signs are decoded until nothing
 * changes, full-width forms are folded to ASCII. Separators, parents and NUL that only appear that way have no
 * certain reading. Linear in the length of the text, however deep the encoding.
 */

import { isPlainText } from "./text-operator.ts";

/** As long as the longest path that Windows takes. */
const MAX_PATH_BYTES = 32_768;
/** Full-width forms inside percent signs inside full-width forms … */
const MAX_FOLDINGS = 8;
const FULL_WIDTH_OFFSET = 0xfee0;
const PERCENT = 0x25;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;

export function decodePath(text: string): string | undefined {
  if (!isPlainText(text, MAX_PATH_BYTES, "tabs")) return undefined;
  let path = text;
  for (let round = 0; ; round++) {
    const folded = foldFullWidth(path);
    const decoded = folded === undefined ? undefined : decodePercent(folded);
    if (decoded === undefined) return undefined;
    if (decoded === path) break;
    if (round === MAX_FOLDINGS) return undefined;
    path = decoded;
  }
  return isPlainText(path, MAX_PATH_BYTES, "tabs") && !hidesSeparators(path) ? path : undefined;
}

function foldFullWidth(text: string): string | undefined {
  if (/[／＼]/u.test(text)) return undefined;
  return text.replace(/[\uff01-\uff5e]/gu, (form) => String.fromCharCode(form.charCodeAt(0) - FULL_WIDTH_OFFSET)).replaceAll("\u3000", " ");
}

/**
 * Decodes to the fixed point in one pass: an escape that decoding completes (`%25` before `2e`, `%2%65`) is found as
 * soon as its last byte stands. Undefined where a separator was encoded or the bytes are not UTF-8.
 */
function decodePercent(text: string): string | undefined {
  if (!text.includes("%")) return text;
  const bytes = Buffer.from(text);
  let length = 0;
  for (const byte of bytes) {
    bytes[length++] = byte;
    while (length >= 3 && bytes[length - 3] === PERCENT) {
      const high = hexDigit(bytes[length - 2] as number);
      const low = hexDigit(bytes[length - 1] as number);
      if (high === undefined || low === undefined) break;
      const decoded = high * 16 + low;
      if (decoded === SLASH || decoded === BACKSLASH) return undefined;
      length -= 2;
      bytes[length - 1] = decoded;
    }
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, length));
  } catch {
    return undefined;
  }
}

function hexDigit(byte: number): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : undefined;
}

/** Other compatibility forms (`‥`, `℅`) are left as they are, unless a reader that folds them would climb or descend. */
function hidesSeparators(path: string): boolean {
  const compatible = path.normalize("NFKC");
  if (compatible === path) return false;
  const segments = compatible.split(/[\\/]/);
  return segments.length !== path.split(/[\\/]/).length || segments.some((segment) => segment === ".." || segment.startsWith("..;"));
}
