/**
 * The headers that go to a server: those on the list, from whoever forwards the message, and the server's own from its
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

/** Flat list of names and values, as the connection takes it. */
export type SelectHeaders = (forwarded: Readonly<Record<string, string>>) => string[];

/** `forwarded` has its names in lower case; those that are not on the list are left out. */
export function createHeaderSelection(own: Readonly<Record<string, string>>): SelectHeaders {
  const ownNames = new Set(Object.keys(own).map((name) => name.toLowerCase()));
  const always = ["accept-encoding", "identity", ...Object.entries(own).flat()];
  return (forwarded) => {
    const list = [...always];
    for (const name of Object.keys(forwarded)) {
      if (ownNames.has(name) || !(FORWARDED.has(name) || name.startsWith(FORWARDED_PREFIX))) continue;
      list.push(name, forwarded[name] as string);
    }
    return list;
  };
}
