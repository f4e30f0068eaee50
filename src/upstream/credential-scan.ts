/**
 * Finds a server's own credential in what the server answers: as it is, with any of its characters JSON-escaped or
 * percent-encoded (also one in the other, a few layers deep), or in base64 at any alignment, URL-safe and wrapped too.
 * It looks at whole answers and whole events; what it finds it never tells, only that it found something.
 */
import { assert } from "../kernel/assert.ts";
import { decodePercent, hasWrappedLine, joinLines, unescapeJson } from "./unescape.ts";

/** A shorter text can't be told from ordinary words, so it is not looked for. */
export const MIN_SECRET_BYTES = 6;
export const MAX_SECRETS = 64;
/** Layers of escaping that are taken off before the search ends. */
const MAX_LAYERS = 3;

export interface CredentialScan {
  /** Whether these bytes (a whole answer, or the data of a whole event) hold a credential. */
  finds(bytes: Buffer): boolean;
  /** Nothing to look for: `finds` is always false. */
  readonly isEmpty: boolean;
}

export function createCredentialScan(secrets: readonly string[]): CredentialScan {
  assert(secrets.length <= MAX_SECRETS, "more credentials of one server than are looked for");
  const plain = new Set<string>();
  const encoded = new Set<string>();
  for (const secret of secrets) {
    for (const encoding of ["utf8", "latin1"] as const) {
      const bytes = Buffer.from(secret, encoding);
      if (bytes.length < MIN_SECRET_BYTES) continue;
      plain.add(bytes.toString("latin1"));
      for (const form of listBase64Forms(bytes)) encoded.add(form);
    }
  }
  const inBase64 = [...encoded].map((needle) => Buffer.from(needle, "latin1"));
  const needles = [...plain].map((needle) => Buffer.from(needle, "latin1")).concat(inBase64);

  const needsEscapes = secrets.some((secret) => NEEDS_ESCAPE.test(secret));

  return {
    isEmpty: needles.length === 0,
    finds(bytes) {
      if (needles.length === 0) return false;
      let layer = [bytes];
      for (let depth = 0; ; depth++) {
        const next: Buffer[] = [];
        for (const text of layer) {
          if (holds(text, needles)) return true;
          if (hasWrappedLine(text) && holds(joinLines(text), inBase64)) return true;
          if (depth === MAX_LAYERS) continue;
          const isEscaped = needsEscapes ? text.includes("\\") : hidesLetters(text);
          for (const opened of [isEscaped ? unescapeJson(text) : text, decodePercent(text)]) {
            if (opened !== text && !next.some((other) => other.equals(opened))) next.push(opened);
          }
        }
        if (next.length === 0) return false;
        layer = next;
      }
    },
  };
}

/** What JSON can't write as itself. */
const NEEDS_ESCAPE = /["\\\u0000-\u001f]/;

/** Whether there are escapes that can stand for a letter, now or a layer deeper; `\n` and `\"` can't. */
function hidesLetters(text: Buffer): boolean {
  return text.includes("\\u") || text.includes("\\/") || text.includes("\\\\");
}

function holds(text: Buffer, needles: readonly Buffer[]): boolean {
  for (const needle of needles) if (text.indexOf(needle) !== -1) return true;
  return false;
}

/** What base64 makes of these bytes wherever they stand in a longer text, without the characters that neighbours share. */
function listBase64Forms(bytes: Buffer): string[] {
  const forms: string[] = [];
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const first = Math.ceil((before * 8) / 6);
    const end = Math.floor(((before + bytes.length) * 8) / 6);
    const form = text.slice(first, end);
    forms.push(form, form.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return forms;
}
