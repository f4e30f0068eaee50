/**
 * `host_in`: an absolute URL whose host is in the list. URL and entries go through one parser, WHATWG's, so that two
 * spellings of a host are one host. An address of a special range (loopback, private, link-local …) is only in the
 * list if an entry names it or a part of that range: a wide range never opens the inside of the network.
 */

import { contains, type Ip, type IpRange, isRangeInside, parseCidr, parseIp, specialRangeOf } from "../../kernel/ip.ts";
import { createDomainList, type DomainList } from "./domain-list.ts";
import { isPlainText, type TextOperator } from "./text-operator.ts";

const MAX_URL_BYTES = 65_536;
const MAX_PORT = 65_535;
/** Each scheme with the port that an address without one means. */
const SCHEMES: ReadonlyMap<string, number> = new Map([
  ["http:", 80],
  ["https:", 443],
  ["ws:", 80],
  ["wss:", 443],
]);

type Host = { readonly ip: Ip } | { readonly name: string };

/** What the list says of one port, or of any. */
interface Listed {
  readonly names: DomainList;
  readonly ranges: IpRange[];
}

/** The operator for these entries; a text for each entry that is none, by its index. */
export function compileHostIn(entries: readonly string[]): { operator: TextOperator } | { wrong: Map<number, string> } {
  const wrong = new Map<number, string>();
  const anyPort: Listed = { names: createDomainList(), ranges: [] };
  const byPort = new Map<number, Listed>();
  for (const [index, entry] of entries.entries()) {
    const problem = addEntry(entry, anyPort, byPort);
    if (problem !== undefined) wrong.set(index, problem);
  }
  if (wrong.size > 0) return { wrong };
  return {
    operator: {
      judge(text) {
        const target = readUrl(text);
        if (target === undefined) return undefined;
        const ofPort = byPort.get(target.port);
        return [isListed(target.host, anyPort) || (ofPort !== undefined && isListed(target.host, ofPort))];
      },
    },
  };
}

function isListed(host: Host, listed: Listed): boolean {
  if ("name" in host) return listed.names.has(host.name);
  if (listed.ranges.length === 0) return false;
  const special = specialRangeOf(host.ip);
  return listed.ranges.some((range) => contains(range, host.ip) && (special === undefined || isRangeInside(range, special)));
}

function readUrl(text: string): { host: Host; port: number } | undefined {
  if (!isPlainText(text, MAX_URL_BYTES, "no control characters") || text.includes("\\")) return undefined;
  if (text.startsWith(" ") || text.endsWith(" ")) return undefined;
  const url = URL.parse(text);
  const defaultPort = url === null ? undefined : SCHEMES.get(url.protocol);
  if (url === null || defaultPort === undefined) return undefined;
  // The parser forgets an empty user, so the text itself is asked for the sign.
  const authority = (/^[^:]*:\/*([^/?#]*)/.exec(text) as RegExpExecArray)[1] as string;
  if (authority.includes("@")) return undefined;
  const host = readHost(url.hostname, authority.replace(/:[0-9]*$/, ""));
  return host === undefined ? undefined : { host, port: url.port === "" ? defaultPort : Number(url.port) };
}

/** The host as the parser understood it; `spelling` is asked for leading zeros, which some read as octal and some don't. */
function readHost(hostname: string, spelling: string): Host | undefined {
  if (hostname.startsWith("[")) return toIp(hostname.slice(1, -1));
  const name = hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
  const ip = parseIp(name);
  if (ip === undefined) return name === "" ? undefined : { name };
  return hasLeadingZero(spelling) ? undefined : { ip };
}

function toIp(text: string): Host | undefined {
  const ip = parseIp(text);
  return ip === undefined ? undefined : { ip };
}

function hasLeadingZero(spelling: string): boolean {
  const folded = decodeAscii(spelling)
    .normalize("NFKC")
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .replace(/[。．｡]/gu, ".");
  return !/^[0-9a-fx.]+$/i.test(folded) || folded.split(".").some((part) => /^0[0-9]/.test(part));
}

function decodeAscii(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function addEntry(entry: string, anyPort: Listed, byPort: Map<number, Listed>): string | undefined {
  const range = parseCidr(entry);
  if (range !== undefined) {
    anyPort.ranges.push(range);
    return undefined;
  }
  if (entry.includes("/")) return `\`${entry}\` is neither a host nor a range of addresses: no scheme, no path, \`/\` only before a mask.`;
  const parsed = /^(\*\.)?(\[[^\]]*\]|[^:[\]]*)(?::([0-9]{1,5}))?$/.exec(entry);
  if (parsed === null) return `\`${entry}\` is not a host.`;
  const [, star, spelling = "", port] = parsed;
  if (!isPlainText(spelling, MAX_URL_BYTES, "no control characters") || /[\s*@?#\\]/u.test(spelling)) return `\`${entry}\` is not a host.`;
  const hostname = URL.parse(`http://${spelling}/`)?.hostname;
  const host = hostname === undefined || hostname === "" ? undefined : readHost(hostname, spelling);
  if (host === undefined) return `\`${entry}\` is not a host.`;
  if (port !== undefined && (Number(port) > MAX_PORT || port.startsWith("0"))) return `\`${port}\` is not a port.`;
  if (star !== undefined && "ip" in host) return `\`${entry}\`: an address has nothing below it; name a range as \`10.0.0.0/8\`.`;
  const listed = port === undefined ? anyPort : listedAt(byPort, Number(port));
  if ("ip" in host) listed.ranges.push({ family: host.ip.family, first: host.ip.value, last: host.ip.value });
  else listed.names.add({ name: host.name, below: star !== undefined });
  return undefined;
}

function listedAt(byPort: Map<number, Listed>, port: number): Listed {
  const found = byPort.get(port) ?? { names: createDomainList(), ranges: [] };
  byPort.set(port, found);
  return found;
}
