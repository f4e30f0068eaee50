/**
 * Which headers go to a server: those on the list, from whoever forwards the message, and the server's own from its
 * configuration, which win. A client's `Authorization` and cookies are not on the list, so they can't go along.
 */
import { OWN_HEADERS } from "../config/text-checks.ts";

const FORWARDED: ReadonlySet<string> = new Set([
  "accept",
  "baggage",
  "content-type",
  "last-event-id",
  "mcp-method",
  "mcp-name",
  "mcp-protocol-version",
  "mcp-session-id",
  "traceparent",
  "tracestate",
]);
const FORWARDED_PREFIX = "mcp-param-";

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The first configured header that can't be sent: not a header at all, or one that is not the configuration's to set. */
export function findUnusableHeader(headers: Readonly<Record<string, string>>): string | undefined {
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (!NAME.test(name) || !VALUE.test(value) || OWN_HEADERS.has(lower) || seen.has(lower)) return name;
    seen.add(lower);
  }
  return undefined;
}

/** Whether a header goes along from whoever forwards a message; its name is in lower case. */
export function isForwarded(name: string): boolean {
  return FORWARDED.has(name) || name.startsWith(FORWARDED_PREFIX);
}
