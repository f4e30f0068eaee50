/**
 * Step *identify*: Host, Origin, bearer, server, before a byte of the body is read. Says as little as it can: a server
 * that is not there and one that the grant may not use are the same answer.
 */
import type { HttpRequest } from "../http/request.ts";
import type { GrantRecord } from "../identity/grant.ts";
import type { FoundGrant, NoGrantReason } from "../identity/grant-index.ts";
import type { Admission } from "../identity/match-login.ts";
import type { Look } from "./access.ts";
import type { Desk, Endpoint } from "./desk.ts";
import type { SignIn } from "./protected-resource.ts";

/** A request that ends before there is an exchange: an HTTP status and a word for the log. */
export interface Turned {
  readonly kind: "turned";
  readonly status: 401 | 403 | 404 | 503;
  readonly reason: string;
}

export interface Identified {
  readonly kind: "identified";
  readonly grant: GrantRecord;
  readonly bearer: string;
  readonly endpoint: Endpoint;
  readonly look: Look;
}

export interface Gate {
  /** Lower-case host names, each with its port where one counts. */
  readonly hosts: ReadonlySet<string>;
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** Undefined: clients carry tokens of grants, and nobody logs in. */
  readonly signIn?: SignIn | undefined;
}

const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);
const AUTHORITY = /^(\[[0-9a-f:.]+\]|[^:/?#@\s[\]]+)(?::(\d{1,5}))?$/i;

/** Whether a Host header, or the authority of an Origin, names this gateway. */
export function isOwnHost(gate: Gate, authority: string): boolean {
  const match = AUTHORITY.exec(authority);
  if (!match) return false;
  const name = (match[1] as string).toLowerCase();
  return LOOPBACK.has(name) || gate.hosts.has(name) || gate.hosts.has(authority.toLowerCase());
}

function isOwnOrigin(gate: Gate, origin: string): boolean {
  const match = /^https?:\/\/([^/]+)$/i.exec(origin);
  return match !== null && isOwnHost(gate, match[1] as string);
}

function countHeader(request: HttpRequest, name: string): number {
  let count = 0;
  const { rawHeaders } = request;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const spelled = rawHeaders[index] as string;
    if (spelled.length === name.length && spelled.toLowerCase() === name) count++;
  }
  return count;
}

const turn = (status: Turned["status"], reason: string): Turned => ({ kind: "turned", status, reason });

/** Host and Origin, for every path. */
export function checkSource(gate: Gate, request: HttpRequest): Turned | undefined {
  const { host, origin } = request.headers;
  if (host === undefined || countHeader(request, "host") !== 1 || !isOwnHost(gate, host)) return turn(403, "foreign_host");
  if (origin !== undefined && (countHeader(request, "origin") !== 1 || !isOwnOrigin(gate, origin))) return turn(403, "foreign_origin");
  return undefined;
}

function readBearer(request: HttpRequest): string | undefined {
  const { authorization } = request.headers;
  if (authorization === undefined || countHeader(request, "authorization") !== 1) return undefined;
  return /^bearer +([\x21-\x7e]+) *$/i.exec(authorization)?.[1];
}

/**
 * Whether a token that is for certain servers alone is for this one, asked by its name before it is known to be there.
 * Where no server is named it is for all of them or for nothing.
 */
function admits({ everywhere, servers }: Admission, server: string | undefined, endpoint: Endpoint | undefined): boolean {
  const name = endpoint?.name ?? server;
  return everywhere || (name !== undefined && servers.has(name));
}

function turnStranger(reason: NoGrantReason): Turned {
  switch (reason) {
    case "unavailable":
      return turn(503, "login_unavailable");
    case "scope":
      return turn(403, "insufficient_scope");
    // Logging in again would change nothing: it is a good token, which leads to no server.
    case "unmapped":
      return turn(404, "unmapped_token");
    default:
      return turn(401, `${reason}_token`);
  }
}

/** Who asks; what of is found out by the path. */
type Bearer = Pick<Identified, "grant" | "bearer" | "look">;
type Picked<T> = T | Turned | Promise<T | Turned>;

/** What to do with a bearer that is somebody's. */
interface Asked<T> {
  readonly bearer: string;
  readonly server: string | undefined;
  readonly gate: Gate;
  readonly pick: (who: Bearer) => Picked<T>;
}

/** At once where everything is in memory, as for nearly every request. */
function identifyBearer<T>(
  desk: Desk,
  gate: Gate,
  request: HttpRequest,
  server: string | undefined,
  pick: (who: Bearer) => Picked<T>,
): Picked<T> {
  const foreign = checkSource(gate, request);
  if (foreign) return foreign;
  const bearer = readBearer(request);
  if (bearer === undefined) return turn(401, "no_token");
  const asked: Asked<T> = { bearer, server, gate, pick };
  try {
    const look = desk.access.look();
    if (look instanceof Promise) return identifySlowly(desk, asked, look, undefined);
    const found = desk.access.findGrant(bearer, desk.clock.now());
    if (found instanceof Promise) return identifySlowly(desk, asked, look, found);
    const picked = pickFor(asked, look, found);
    return picked instanceof Promise ? picked.catch((error: unknown) => turnUnasked(desk, error)) : picked;
  } catch (error) {
    return turnUnasked(desk, error);
  }
}

async function identifySlowly<T>(
  desk: Desk,
  asked: Asked<T>,
  looking: Look | Promise<Look>,
  finding: Promise<FoundGrant> | undefined,
): Promise<T | Turned> {
  try {
    const look = await looking;
    return await pickFor(asked, look, await (finding ?? desk.access.findGrant(asked.bearer, desk.clock.now())));
  } catch (error) {
    return turnUnasked(desk, error);
  }
}

function pickFor<T>({ gate, server, bearer, pick }: Asked<T>, look: Look, found: FoundGrant): Picked<T> {
  if (found.admission) {
    const endpoint = server === undefined ? undefined : gate.endpoints.get(server);
    if (!admits(found.admission, server, endpoint)) return turn(401, "misdirected_token");
  }
  return found.grant ? pick({ grant: found.grant, bearer, look }) : turnStranger(found.reason);
}

function turnUnasked(desk: Desk, error: unknown): Turned {
  desk.say(`A request was turned away because the store could not be asked: ${error instanceof Error ? error.message : "unknown"}`);
  return turn(503, "store_unavailable");
}

export function identify(desk: Desk, gate: Gate, request: HttpRequest, server: string): Picked<Identified> {
  return identifyBearer<Identified>(desk, gate, request, server, (who) => {
    const endpoint = gate.endpoints.get(server);
    if (!endpoint || !who.grant.servers.has(endpoint.name)) return turn(404, "unknown_server");
    const { grant, bearer, look } = who;
    const identified: Identified = { kind: "identified", grant, bearer, endpoint, look };
    return endpoint.tools.sync(desk.access.version)?.then(() => identified) ?? identified;
  });
}

/** For the path that names no server: all of the grant's that are served, in the order of their names. */
export async function identifyAll(
  desk: Desk,
  gate: Gate,
  request: HttpRequest,
): Promise<(Bearer & { readonly kind: "all"; readonly endpoints: readonly Endpoint[] }) | Turned> {
  return await identifyBearer(desk, gate, request, undefined, async (who) => {
    const endpoints = endpointsOf(gate, who.grant);
    await Promise.all(endpoints.map(async (endpoint) => await endpoint.tools.sync(desk.access.version)));
    return { kind: "all", ...who, endpoints };
  });
}

/** What the grant may use and the gateway serves, in the order of their names. */
export function endpointsOf(gate: Pick<Gate, "endpoints">, grant: GrantRecord): readonly Endpoint[] {
  const names = [...grant.servers.keys()].sort();
  return names
    .map((name) => gate.endpoints.get(name))
    .filter((endpoint) => endpoint !== undefined && grant.servers.has(endpoint.name)) as Endpoint[];
}
