/**
 * Where a webhook may point: at ordinary public addresses, and, where that is switched on, at this machine. A name is
 * resolved once, every address it has must pass, and the one returned is the one to connect to.
 */
import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";

export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

type Resolve = (host: string) => Promise<readonly Address[]>;

const SPECIAL_4 =
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4";
/** Within 2000::/3, the only part of IPv6 that is given out; everything outside it is special. */
const SPECIAL_6 = "2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20";

const special = createList(SPECIAL_4, SPECIAL_6);
const givenOut = createList("", "2000::/3");
const loopback = createList("127.0.0.0/8", "::1/128");

export async function resolveHost(host: string): Promise<readonly Address[]> {
  const found = await lookup(host, { all: true, verbatim: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

export function isPublic({ address, family }: Address): boolean {
  if (family === 4) return !special.check(address, "ipv4");
  return givenOut.check(address, "ipv6") && !special.check(address, "ipv6");
}

export function isLoopback({ address, family }: Address): boolean {
  return loopback.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** The addresses of a URL's host; a literal needs no lookup. */
export async function listAddresses(hostname: string, resolve: Resolve): Promise<readonly Address[]> {
  const host = hostname.replace(/^\[|\]$/g, "");
  const version = isIP(host);
  if (version !== 0) return [{ address: host, family: version === 4 ? 4 : 6 }];
  return await resolve(host);
}

function createList(four: string, six: string): BlockList {
  const list = new BlockList();
  const add = (ranges: string, family: "ipv4" | "ipv6"): void => {
    for (const range of ranges.split(" ").filter(Boolean)) {
      const [address, bits] = range.split("/") as [string, string];
      list.addSubnet(address, Number(bits), family);
    }
  };
  add(four, "ipv4");
  add(six, "ipv6");
  return list;
}
