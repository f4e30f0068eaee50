/**
 * Decides which addresses may be connected to. Public ones may; private and special ones only where the server's entry
 * lists them; a metadata service only where the entry names that very address. A name may be used only if every address
 * that it resolves to may; what was judged is what is connected to, for there is no second look-up.
 */
import { lookup } from "node:dns/promises";
import type { LookupFunction } from "node:net";
import { buildConnector } from "undici";
import { type Failure, FailureError, fail, type Result, succeed } from "../kernel/failure.ts";
import { contains, type Ip, type IpRange, parseCidr, parseIp, specialRangeOf } from "../kernel/ip.ts";

/** Answers to one look-up; a name with more is refused. */
export const MAX_RESOLVED_ADDRESSES = 64;
export const RESOLVE_TIMEOUT_MS = 5_000;

/** All addresses of a name. */
export type ResolveName = (name: string) => Promise<readonly string[]>;

export const resolveBySystem: ResolveName = async (name) => {
  const answers = await lookup(name, { all: true, order: "verbatim" });
  return answers.map((answer) => answer.address);
};

/** An address that was judged and may be connected to. */
export interface PinnedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** How node's own `connect` gets to a host, and nowhere else. */
export interface Route {
  /** An address that was judged, or a name for `lookup`. */
  readonly host: string;
  /** Answers with addresses that were judged, or fails with an `AddressRefused`. */
  readonly lookup: LookupFunction;
}

export interface AddressGuard {
  /** Judges a host as it stands in a URL: a name or an address in any spelling. */
  judgeHost(host: string): Promise<Result<readonly PinnedAddress[]>>;
  /** An address is judged at once, a name when it is connected to. */
  routeTo(host: string): Route | AddressRefused;
  /** Opens connections for undici, each to an address that was judged for it. TLS keeps to the name. */
  createConnector(options: ConnectorOptions): buildConnector.connector;
}

export interface ConnectorOptions {
  readonly timeoutMs: number;
  /** PEM of certificate authorities in place of the system's. */
  readonly ca?: string | undefined;
}

export interface AddressGuardOptions {
  /** `network.allow` of the server's entry: addresses and CIDR ranges. */
  readonly allow: readonly string[];
  readonly resolve: ResolveName;
  readonly resolveTimeoutMs?: number | undefined;
}

/** Carries a refusal through the connection code, which can only throw. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/**
 * Where clouds answer with credentials to whoever asks from within. Some stand in ranges that people list for other
 * reasons, one in a public range.
 */
const METADATA_ADDRESSES = [
  "169.254.169.254",
  "169.254.170.2",
  "169.254.170.23",
  "168.63.129.16",
  "100.100.100.200",
  "192.0.0.192",
  "fd00:ec2::254",
  "fd00:ec2::23",
  "fd20:ce::254",
] as const;

export function createAddressGuard(options: AddressGuardOptions): AddressGuard {
  const allowed = options.allow.map(readRange);
  const metadata = METADATA_ADDRESSES.map(readRange);
  const timeoutMs = options.resolveTimeoutMs ?? RESOLVE_TIMEOUT_MS;

  /** Why the address may not be connected to. */
  const findObstacle = (ip: Ip): string | undefined => {
    if (metadata.some((range) => contains(range, ip))) {
      const isNamed = allowed.some((range) => range.first === range.last && contains(range, ip));
      return isNamed ? undefined : "it is a metadata service's";
    }
    const special = specialRangeOf(ip);
    if (special === undefined) return undefined;
    if (!allowed.some((range) => contains(range, ip))) return `it is special (${special.name})`;
    const inner = readEmbedded(ip, special.name);
    return inner === undefined ? undefined : findObstacle(inner);
  };

  const judgeLiteral = (host: string, ip: Ip): Result<readonly PinnedAddress[]> => {
    const obstacle = findObstacle(ip);
    return obstacle === undefined
      ? succeed([pin(ip)])
      : fail(refuseAddress(`the address \`${host}\` may not be connected to: ${obstacle}`));
  };

  const judgeName = async (name: string): Promise<Result<readonly PinnedAddress[]>> => {
    const answers = await resolveInTime(name, options.resolve, timeoutMs);
    if (answers === undefined) return fail({ code: "upstream_unavailable", message: `the name \`${name}\` could not be resolved` });
    if (answers.length > MAX_RESOLVED_ADDRESSES) return fail(refuseAddress(`the name \`${name}\` resolves to too many addresses`));
    const ips = answers.map((answer) => parseIp(answer));
    if (ips.length === 0 || !ips.every((ip) => ip !== undefined)) {
      return fail(refuseAddress(`the name \`${name}\` does not resolve to addresses`));
    }
    const usable = isLocalhost(name) ? ips.filter((ip) => specialRangeOf(ip)?.name !== "loopback" || findObstacle(ip) === undefined) : ips;
    for (const ip of usable.length === 0 ? ips : usable) {
      const obstacle = findObstacle(ip);
      if (obstacle !== undefined) {
        return fail(refuseAddress(`the name \`${name}\` resolves to \`${printIp(ip)}\`, which may not be connected to: ${obstacle}`));
      }
    }
    return succeed(usable.map(pin));
  };

  const judgeHost = async (host: string): Promise<Result<readonly PinnedAddress[]>> => {
    const canonical = readHost(host);
    if (canonical === undefined) return fail(refuseAddress("the host of the address can't be read"));
    return canonical.ip === undefined ? judgeName(canonical.name) : judgeLiteral(canonical.name, canonical.ip);
  };

  const answerLookup = async (hostname: string, wantsAll: boolean, callback: Parameters<LookupFunction>[2]): Promise<void> => {
    const judged = await judgeHost(hostname);
    if (!judged.ok) {
      callback(new AddressRefused(judged.failures[0] as Failure), "");
      return;
    }
    const [first] = judged.value as [PinnedAddress];
    if (wantsAll) callback(null, [...judged.value]);
    else callback(null, first.address, first.family);
  };

  const lookupJudged: LookupFunction = (hostname, asked, callback) => void answerLookup(hostname, asked.all === true, callback);

  const routeTo = (hostname: string): Route | AddressRefused => {
    const host = readHost(hostname);
    if (host === undefined) return new AddressRefused(refuseAddress("the host of the address can't be read"));
    if (host.ip === undefined) return { host: hostname, lookup: lookupJudged };
    // Node asks nobody about an address, so it is judged here.
    const judged = judgeLiteral(host.name, host.ip);
    if (!judged.ok) return new AddressRefused(judged.failures[0] as Failure);
    return { host: (judged.value[0] as PinnedAddress).address, lookup: lookupJudged };
  };

  return {
    judgeHost,
    routeTo,
    createConnector({ timeoutMs: connectTimeoutMs, ca }) {
      const trust = ca === undefined ? {} : { ca };
      const connect = buildConnector({
        timeout: connectTimeoutMs,
        allowH2: false,
        lookup: lookupJudged,
        ...trust,
      } as buildConnector.BuildOptions);
      return (target, callback) => {
        const route = routeTo(target.hostname);
        if (route instanceof AddressRefused) process.nextTick(() => callback(route, null));
        else connect({ ...target, hostname: route.host }, callback);
      };
    },
  };
}

/** Throws a `FailureError`: what can't be read opens nothing, and nobody would know. */
function readRange(text: string): IpRange {
  const range = parseCidr(text);
  if (range === undefined) throw new FailureError({ code: "invalid_config", message: `\`${text}\` is no address or range of addresses` });
  return range;
}

function refuseAddress(message: string): Failure {
  return { code: "address_refused", message, hint: "List the address under the server's `network.allow` if it is meant." };
}

/** A host by the URL standard's reading, which turns every odd spelling of an IPv4 address into dotted decimal. */
function readHost(host: string): { readonly name: string; readonly ip: Ip | undefined } | undefined {
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  // Anything but a host would be read as another part of the URL.
  if (host === "" || /[/?#@\\]|\]./.test(bracketed) || /:\d*$/.test(bracketed)) return undefined;
  const text = `http://${bracketed}/`;
  if (!URL.canParse(text)) return undefined;
  const { hostname } = new URL(text);
  if (!hostname.startsWith("[")) return { name: hostname, ip: parseIp(hostname) };
  const ip = parseIp(hostname.slice(1, -1));
  return ip === undefined ? undefined : { name: hostname, ip };
}

/** Names that stand for this computer: of its own addresses those that are listed are used, the others left. */
function isLocalhost(name: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(name);
}

/** The IPv4 address that an IPv6 address of a translating range leads to. */
function readEmbedded(ip: Ip, range: string): Ip | undefined {
  switch (range) {
    case "NAT64":
    case "IPv4-compatible":
    case "IPv4-translated":
      return { family: 4, value: ip.value & 0xffff_ffffn };
    case "6to4":
      return { family: 4, value: (ip.value >> 80n) & 0xffff_ffffn };
    default:
      return undefined;
  }
}

function pin(ip: Ip): PinnedAddress {
  return { address: printIp(ip), family: ip.family };
}

function printIp(ip: Ip): string {
  const parts = ip.family === 4 ? 4 : 8;
  const bits = ip.family === 4 ? 8n : 16n;
  const mask = (1n << bits) - 1n;
  const groups = Array.from({ length: parts }, (_, index) => (ip.value >> (bits * BigInt(parts - 1 - index))) & mask);
  return ip.family === 4 ? groups.join(".") : groups.map((group) => group.toString(16)).join(":");
}

/** The answers to one look-up; undefined where there are none in time. */
async function resolveInTime(name: string, resolve: ResolveName, timeoutMs: number): Promise<readonly string[] | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((settle) => {
    timer = setTimeout(() => settle(undefined), timeoutMs);
  });
  try {
    return await Promise.race([resolve(name), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
