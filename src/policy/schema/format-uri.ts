/** URIs by the grammar of RFC 3986: a scheme, ASCII, no character outside the grammar, whole percent-encodings. */
import { isIpv6 } from "./format-address.ts";

const SCHEME = /^[a-z][a-z0-9+.-]*$/i;
const USER_INFO = /^(?:[a-z0-9._~!$&'()*+,;=:-]|%[0-9a-f]{2})*$/i;
const REG_NAME = /^(?:[a-z0-9._~!$&'()*+,;=-]|%[0-9a-f]{2})*$/i;
const FUTURE_ADDRESS = /^v[0-9a-f]+\.[a-z0-9._~!$&'()*+,;=:-]+$/i;
const PORT = /^\d*$/;
const PATH = /^(?:[a-z0-9._~!$&'()*+,;=:@/-]|%[0-9a-f]{2})*$/i;
const QUERY = /^(?:[a-z0-9._~!$&'()*+,;=:@/?-]|%[0-9a-f]{2})*$/i;

/** Splits at the first of a mark; the second part is undefined where the mark is not there. */
function splitAt(text: string, mark: string): [before: string, after: string | undefined] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function isAuthority(authority: string): boolean {
  const at = authority.indexOf("@");
  if (at !== -1 && !USER_INFO.test(authority.slice(0, at))) return false;
  const host = authority.slice(at + 1);
  if (!host.startsWith("[")) {
    const [name, port = ""] = splitAt(host, ":");
    return REG_NAME.test(name) && PORT.test(port);
  }
  const end = host.indexOf("]");
  if (end === -1) return false;
  const literal = host.slice(1, end);
  const port = host.slice(end + 1);
  return (isIpv6(literal) || FUTURE_ADDRESS.test(literal)) && (port === "" || (port.startsWith(":") && PORT.test(port.slice(1))));
}

export function isUri(text: string): boolean {
  const [beforeFragment, fragment] = splitAt(text, "#");
  const [beforeQuery, query] = splitAt(beforeFragment, "?");
  const [scheme, rest] = splitAt(beforeQuery, ":");
  if (rest === undefined || !SCHEME.test(scheme)) return false;
  if (!QUERY.test(query ?? "") || !QUERY.test(fragment ?? "")) return false;
  if (!rest.startsWith("//")) return PATH.test(rest);
  const slash = rest.indexOf("/", 2);
  const end = slash === -1 ? rest.length : slash;
  return isAuthority(rest.slice(2, end)) && PATH.test(rest.slice(end));
}
