/**
 * The HTTP headers that mirror a modern request: read from the raw list (so that a repeated one is seen), decoded,
 * encoded, and chosen for what may go upstream. Of a client's own headers nothing else is ever passed on.
 */
import { isUtf8 } from "node:buffer";

export const MAX_PARAM_HEADERS = 64;
export const MAX_FORWARDED_HEADER_BYTES = 8192;

const VERSION = "mcp-protocol-version";
const METHOD = "mcp-method";
const NAME = "mcp-name";
const SESSION = "mcp-session-id";
const LAST_EVENT = "last-event-id";
export const PARAM_PREFIX = "mcp-param-";

/** Headers of the trace context, which a client may hand through besides the unrecognised `Mcp-Param-*`. */
const TRACE_HEADERS: ReadonlySet<string> = new Set(["traceparent", "tracestate", "baggage"]);

const SENTINEL_START = "=?base64?";
const SENTINEL_END = "?=";

/** One client's headers of the protocol; values are trimmed, not decoded. */
export interface McpHeaders {
  readonly version: string | undefined;
  readonly method: string | undefined;
  readonly name: string | undefined;
  readonly session: string | undefined;
  readonly lastEventId: string | undefined;
  /** `Mcp-Param-*`, by the part after the prefix in lower case. */
  readonly params: ReadonlyMap<string, string>;
  /** Names (lower case) that came more than once: their value can't be relied on. */
  readonly repeated: ReadonlySet<string>;
}

const NO_PARAMS: ReadonlyMap<string, string> = new Map();
const NONE_REPEATED: ReadonlySet<string> = new Set();

function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && (value.charCodeAt(start) === 32 || value.charCodeAt(start) === 9)) start++;
  while (end > start && (value.charCodeAt(end - 1) === 32 || value.charCodeAt(end - 1) === 9)) end--;
  return start === 0 && end === value.length ? value : value.slice(start, end);
}

/** Reads `rawHeaders` of Node's HTTP server: name, value, name, value, in the order and number in which they came. */
export function readMcpHeaders(rawHeaders: readonly string[]): McpHeaders {
  const found: Record<string, string | undefined> = {
    [VERSION]: undefined,
    [METHOD]: undefined,
    [NAME]: undefined,
    [SESSION]: undefined,
    [LAST_EVENT]: undefined,
  };
  let params: Map<string, string> | undefined;
  let repeated: Set<string> | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const spelled = rawHeaders[index] as string;
    const first = spelled.charCodeAt(0) | 32;
    if (spelled.length < 8 || (first !== 109 && first !== 108)) continue;
    const name = spelled.toLowerCase();
    const value = trimBlanks(rawHeaders[index + 1] as string);
    if (Object.hasOwn(found, name)) {
      if (found[name] === undefined) found[name] = value;
      else (repeated ??= new Set()).add(name);
    } else if (name.startsWith(PARAM_PREFIX)) {
      params ??= new Map();
      const param = name.slice(PARAM_PREFIX.length);
      if (params.has(param)) (repeated ??= new Set()).add(name);
      else params.set(param, value);
    }
  }
  return {
    version: found[VERSION],
    method: found[METHOD],
    name: found[NAME],
    session: found[SESSION],
    lastEventId: found[LAST_EVENT],
    params: params ?? NO_PARAMS,
    repeated: repeated ?? NONE_REPEATED,
  };
}

/** Visible ASCII, blanks and tabs. */
export function isPlainValue(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code !== 9 && (code < 32 || code > 126)) return false;
  }
  return true;
}

function isSentinel(value: string): boolean {
  return value.startsWith(SENTINEL_START) && value.endsWith(SENTINEL_END);
}

/** The value that a header stands for; undefined where it holds what no header may or is encoded in another way. */
export function decodeHeaderValue(value: string): string | undefined {
  if (!isPlainValue(value)) return undefined;
  if (!isSentinel(value)) return value;
  // In `=?base64?=` the two marks share a sign; it stands for nothing.
  if (value.length < SENTINEL_START.length + SENTINEL_END.length) return undefined;
  const encoded = value.slice(SENTINEL_START.length, value.length - SENTINEL_END.length);
  const bytes = Buffer.from(encoded, "base64");
  // Node's decoder forgives; only the one spelling that it would write itself is taken.
  if (bytes.toString("base64") !== encoded || !isUtf8(bytes)) return undefined;
  return bytes.toString("utf8");
}

/** A value as a header carries it. */
export function encodeHeaderValue(value: string): string {
  if (isPlainValue(value) && trimBlanks(value) === value && !isSentinel(value)) return value;
  return `${SENTINEL_START}${Buffer.from(value, "utf8").toString("base64")}${SENTINEL_END}`;
}

/**
 * What of a client's headers goes upstream with a modern request: the trace context, and `Mcp-Param-*` that the tool
 * does not declare (`declared`: lower case, without the prefix), which the protocol wants handed through.
 */
export function pickForwardedHeaders(rawHeaders: readonly string[], declared: ReadonlySet<string>): Record<string, string> {
  const picked: Record<string, string> = {};
  let params = 0;
  let bytes = 0;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const spelled = rawHeaders[index] as string;
    const name = spelled.toLowerCase();
    const isParam = name.startsWith(PARAM_PREFIX) && name.length > PARAM_PREFIX.length && !declared.has(name.slice(PARAM_PREFIX.length));
    if (!isParam && !TRACE_HEADERS.has(name)) continue;
    const value = trimBlanks(rawHeaders[index + 1] as string);
    bytes += name.length + value.length;
    if (Object.hasOwn(picked, name) || !isPlainValue(value) || bytes > MAX_FORWARDED_HEADER_BYTES) continue;
    if (isParam && ++params > MAX_PARAM_HEADERS) continue;
    picked[name] = value;
  }
  return picked;
}
