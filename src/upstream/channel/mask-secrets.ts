/**
 * Takes a server's credentials out of a line that it wrote on its error output: each is replaced where it stands in
 * clear, and a line that still holds one in another form is not shown at all. A line that was cut does not end in the
 * beginning of one either.
 */
import { createCredentialScan, MAX_SECRETS, MIN_SECRET_BYTES } from "../credential-scan.ts";

const MASK = "[secret]";
const WITHHELD = "[a line that held a credential]";
/** How a line over its bound ends. */
const CUT = " …";
/** As many characters of a credential say something about it. */
const TELLING_CHARACTERS = 4;

export type MaskLine = (line: string) => string;

export function createMask(secrets: readonly string[]): MaskLine {
  // Of a text of several lines each line is a secret.
  const parts = new Set(secrets.flatMap((secret) => [secret, ...secret.split(/[\r\n]+/)]).filter(isLongEnough));
  const longestFirst = [...parts].sort((a, b) => b.length - a.length);
  if (longestFirst.length === 0) return (line) => line;
  const scan = createCredentialScan(longestFirst.slice(0, MAX_SECRETS));
  return (line) => {
    let shown = line;
    for (const secret of longestFirst) if (shown.includes(secret)) shown = shown.replaceAll(secret, MASK);
    if (shown.endsWith(CUT)) shown = trimBeginning(shown.slice(0, -CUT.length), longestFirst) + CUT;
    return scan.finds(Buffer.from(shown)) ? WITHHELD : shown;
  };
}

function isLongEnough(secret: string): boolean {
  return Buffer.byteLength(secret) >= MIN_SECRET_BYTES;
}

/** Without the beginning of a secret at its end. */
function trimBeginning(line: string, secrets: readonly string[]): string {
  for (const secret of secrets) {
    for (let length = Math.min(secret.length - 1, line.length); length >= TELLING_CHARACTERS; length--) {
      if (line.endsWith(secret.slice(0, length))) return line.slice(0, -length) + MASK;
    }
  }
  return line;
}
