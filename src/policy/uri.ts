/**
 * Which resource URIs are refused before any selector is asked, and what a template's literal prefix can expand to.
 * Never rewrites a URI: what is not refused is compared as it was received.
 */
import type { Selector } from "./selector.ts";
import { matchGlob } from "./selector.ts";

export const MAX_URI_CHARACTERS = 16_384;

const CONTROL_OR_BACKSLASH = /[\p{Cc}\\]/u;
/** Percent-encoded dot, slash or backslash. */
const ENCODED = /%(?:2e|2f|5c)/i;
const DOT_SEGMENT = /(?:^|[/:?#])\.{1,2}(?:$|[/?#;])/;
const USER_INFO = /^[^:/?#]*:\/\/[^/?#]*@/;
/** Schemes whose authority readers find behind any number of slashes. */
const LOOSE_USER_INFO = /^(?:https?|wss?|ftp):\/*[^/?#]*@/i;

/** Whether a URI has dot segments, `%2e`, `%2f`, `%5c`, a backslash, control characters or user info. */
export function isRefusedUri(uri: string): boolean {
  return (
    uri.length > MAX_URI_CHARACTERS ||
    CONTROL_OR_BACKSLASH.test(uri) ||
    ENCODED.test(uri) ||
    DOT_SEGMENT.test(uri) ||
    USER_INFO.test(uri) ||
    LOOSE_USER_INFO.test(uri)
  );
}

export interface UriTemplate {
  /** Everything before the first expression. */
  readonly prefix: string;
  /** There is no expression: the template is one URI. */
  readonly isLiteral: boolean;
  /** What every expansion holds is refused already. */
  readonly isRefused: boolean;
}

/** Parses the shape of an RFC 6570 template; undefined where its braces don't pair. */
export function parseUriTemplate(template: string): UriTemplate | undefined {
  if (template.length > MAX_URI_CHARACTERS) return undefined;
  const filled = template.replace(/\{[^{}]*\}/g, "x");
  if (/[{}]/.test(filled)) return undefined;
  const start = template.indexOf("{");
  const prefix = start === -1 ? template : template.slice(0, start);
  return { prefix, isLiteral: start === -1, isRefused: isRefusedUri(filled) };
}

/** Whether some text that begins with `prefix` fits the selector. */
export function canMatchBeyond(selector: Selector, prefix: string): boolean {
  if (selector.kind === "exact") return selector.name.startsWith(prefix);
  if (selector.kind === "class") return false;
  const [first = ""] = selector.pieces;
  // From the first star on a glob can still become anything, so that only the bound start can rule it out.
  return first.startsWith(prefix) || prefix.startsWith(first);
}

/**
 * Whether every text that begins with `prefix` fits the selector: a glob with a star at its end that fits the prefix
 * itself. No set of other selectors covers what no single one does, for a text may go on with characters of none.
 */
export function coversBeyond(selector: Selector, prefix: string): boolean {
  return selector.kind === "glob" && selector.pieces.at(-1) === "" && matchGlob(selector.pieces, prefix);
}
