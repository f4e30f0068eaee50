/**
 * IP addresses and ranges, read strictly: dotted decimal without leading zeros, RFC 4291 text, no zone, no brackets,
 * no blanks. An IPv4-mapped IPv6 address *is* the IPv4 address, so that one address has one value whatever its
 * spelling. `specialRangeOf` knows every range that is not an ordinary public one (IANA's special-purpose registries,
 * multicast, and what IPv6 has not given out); the policy language and the guard of outgoing connections share it.
 */

export type IpFamily = 4 | 6;

export interface Ip {
  readonly family: IpFamily;
  readonly value: bigint;
}

/** From `first` to `last`, both included. */
export interface IpRange {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
}

export interface SpecialRange extends IpRange {
  readonly name: string;
}

const MAX_IP_TEXT = 45;
const BITS = { 4: 32, 6: 128 } as const;
const MAPPED_PREFIX_BITS = 96;
const MAPPED_PREFIX = 0xffffn;

/** The address that the text spells, by the strict reading; undefined for anything else. */
export function parseIp(text: string): Ip | undefined {
  const raw = parseUnmapped(text);
  return raw === undefined ? undefined : unmap(raw);
}

/** `address/bits`, or an address alone, which is a range of one. Bits below the mask are ignored. */
export function parseCidr(text: string): IpRange | undefined {
  const slash = text.indexOf("/");
  const raw = parseUnmapped(slash === -1 ? text : text.slice(0, slash));
  if (raw === undefined) return undefined;
  let bits: number = BITS[raw.family];
  if (slash !== -1) {
    const mask = text.slice(slash + 1);
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(mask) || Number(mask) > bits) return undefined;
    bits = Number(mask);
  }
  const ip = bits >= MAPPED_PREFIX_BITS ? unmap(raw) : raw;
  const hostMask = (1n << BigInt(BITS[raw.family] - bits)) - 1n;
  return { family: ip.family, first: ip.value & ~hostMask, last: ip.value | hostMask };
}

export function contains(range: IpRange, ip: Ip): boolean {
  return range.family === ip.family && range.first <= ip.value && ip.value <= range.last;
}

/** Whether every address of `inner` is one of `outer`. */
export function isRangeInside(inner: IpRange, outer: IpRange): boolean {
  return inner.family === outer.family && outer.first <= inner.first && inner.last <= outer.last;
}

/** The narrowest special range that holds the address; undefined for an ordinary public one. */
export function specialRangeOf(ip: Ip): SpecialRange | undefined {
  return SPECIAL_RANGES[ip.family].find((range) => range.first <= ip.value && ip.value <= range.last);
}

function parseUnmapped(text: string): Ip | undefined {
  if (text.length > MAX_IP_TEXT) return undefined;
  return text.includes(":") ? parseV6(text) : parseV4(text);
}

function unmap(ip: Ip): Ip {
  const mapped = ip.family === 6 && ip.value >> 32n === MAPPED_PREFIX;
  return mapped ? { family: 4, value: ip.value & 0xffff_ffffn } : ip;
}

function parseV4(text: string): Ip | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return { family: 4, value: BigInt(value) };
}

function parseV6(text: string): Ip | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] as string, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return { family: 6, value: groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n) };
}

/** Groups of 16 bits; the last may be an IPv4 address, of two groups. An empty text is no group at all. */
function parseGroups(text: string, mayEndInV4: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const v4 = mayEndInV4 && index === parts.length - 1 ? parseV4(part) : undefined;
    if (v4 === undefined) return undefined;
    groups.push(Number(v4.value >> 16n), Number(v4.value & 0xffffn));
  }
  return groups;
}

const SPECIAL_V4: readonly (readonly [string, string])[] = [
  ["0.0.0.0/8", "this network"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "carrier-grade NAT"],
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link-local"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "IETF protocol assignments"],
  ["192.0.2.0/24", "documentation"],
  ["192.31.196.0/24", "AS112"],
  ["192.52.193.0/24", "AMT"],
  ["192.88.99.0/24", "6to4 relay"],
  ["192.168.0.0/16", "private"],
  ["192.175.48.0/24", "AS112"],
  ["198.18.0.0/15", "benchmarking"],
  ["198.51.100.0/24", "documentation"],
  ["203.0.113.0/24", "documentation"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"],
  ["255.255.255.255/32", "broadcast"],
];

const SPECIAL_V6: readonly (readonly [string, string])[] = [
  ["::/128", "unspecified"],
  ["::1/128", "loopback"],
  ["::/96", "IPv4-compatible"],
  ["::ffff:0:0:0/96", "IPv4-translated"],
  ["64:ff9b::/96", "NAT64"],
  ["64:ff9b:1::/48", "local NAT64"],
  ["100::/64", "discard"],
  ["100:0:0:1::/64", "dummy"],
  ["2001::/32", "Teredo"],
  ["2001:2::/48", "benchmarking"],
  ["2001:10::/28", "ORCHID"],
  ["2001:20::/28", "ORCHIDv2"],
  ["2001:30::/28", "drone identifiers"],
  ["2001::/23", "IETF protocol assignments"],
  ["2001:db8::/32", "documentation"],
  ["2002::/16", "6to4"],
  ["2620:4f:8000::/48", "AS112"],
  ["3fff::/20", "documentation"],
  ["5f00::/16", "segment routing"],
  ["fc00::/7", "unique local"],
  ["fe80::/10", "link-local"],
  ["fec0::/10", "site-local"],
  ["ff00::/8", "multicast"],
  // Only 2000::/3 has been given out as ordinary addresses.
  ["::/3", "reserved"],
  ["4000::/2", "reserved"],
  ["8000::/1", "reserved"],
];

const SPECIAL_RANGES: Readonly<Record<IpFamily, readonly SpecialRange[]>> = { 4: toRanges(SPECIAL_V4), 6: toRanges(SPECIAL_V6) };

function toRanges(rows: readonly (readonly [string, string])[]): readonly SpecialRange[] {
  const size = (range: IpRange): bigint => range.last - range.first;
  return rows
    .map(([cidr, name]) => ({ ...(parseCidr(cidr) as IpRange), name }))
    .sort((a, b) => (size(a) < size(b) ? -1 : size(a) > size(b) ? 1 : 0));
}
