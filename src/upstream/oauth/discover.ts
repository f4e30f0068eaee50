/**
 * Finds out who lets the gateway in to a server: the server's resource metadata (RFC 9728), then the authorization
 * server's (RFC 8414, OpenID Connect). Every address in them was chosen by somebody else: each is asked through the
 * guarded fetch alone, and what does not match its asker (resource, issuer) ends it.
 */
import { type Failure, FailureError, fail, type Result, succeed } from "../../kernel/failure.ts";
import type { AddressGuard } from "../address-guard.ts";
import { type GuardedFetch, parseGuardedUrl } from "../guarded-fetch.ts";
import { type Challenge, takeScopes } from "./challenge.ts";
import { knock } from "./knock.ts";

/** What is used of an authorization server's metadata, checked; the names are those of RFC 8414. */
export type LoginServer = {
  readonly issuer: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly registration_endpoint?: string;
  readonly revocation_endpoint?: string;
  readonly token_endpoint_auth_methods_supported?: string[];
  readonly revocation_endpoint_auth_methods_supported?: string[];
  readonly scopes_supported?: string[];
  readonly authorization_response_iss_parameter_supported?: boolean;
  readonly client_id_metadata_document_supported?: boolean;
};

export interface Discovered {
  /** What tokens are asked for (RFC 8707). */
  readonly resource: string;
  readonly challenge: Challenge;
  /** Of the resource metadata. */
  readonly scopes: readonly string[];
  readonly server: LoginServer;
}

export interface DiscoverOptions {
  /** Of the MCP server. */
  readonly url: string;
  /** From the configuration: it goes before what the metadata names. */
  readonly issuer: string | undefined;
  readonly fetch: GuardedFetch;
  readonly guard: AddressGuard;
}

const RESOURCE_PATH = "/.well-known/oauth-protected-resource";
const OAUTH_PATH = "/.well-known/oauth-authorization-server";
const OPENID_PATH = "/.well-known/openid-configuration";

type Members = Readonly<Record<string, unknown>>;

export async function discover(options: DiscoverOptions): Promise<Result<Discovered>> {
  try {
    const url = new URL(options.url);
    const challenge = await knock(options.url, options.fetch);
    const metadata = await findResource(options, url, challenge);
    const issuer = options.issuer ?? metadata?.issuer ?? url.origin;
    const server = await findLoginServer(options, issuer);
    const resource = metadata?.resource ?? spellResource(url);
    return succeed({ resource, challenge, scopes: metadata?.scopes ?? [], server });
  } catch (error) {
    if (error instanceof FailureError) return { ok: false, failures: error.failures };
    throw error;
  }
}

interface ResourceMetadata {
  readonly resource: string;
  readonly issuer: string;
  readonly scopes: readonly string[];
}

/** Undefined where the server has none: then it stands for its own authorization server, as before RFC 9728. */
async function findResource({ fetch }: DiscoverOptions, url: URL, challenge: Challenge): Promise<ResourceMetadata | undefined> {
  const path = url.pathname === "/" ? "" : url.pathname;
  const usual = [`${url.origin}${RESOURCE_PATH}${path}${url.search}`, ...(path === "" ? [] : [`${url.origin}${RESOURCE_PATH}`])];
  const addresses = challenge.resourceMetadata === undefined ? usual : [challenge.resourceMetadata];
  for (const address of addresses) {
    const found = await readMetadata(fetch, address);
    if (found === undefined) continue;
    const resource = found["resource"];
    if (typeof resource !== "string" || !isResourceOf(resource, url)) {
      throw refuse("The server's metadata is for another resource than the server.", "Its `resource` must be the server's address.");
    }
    const issuers = found["authorization_servers"];
    const issuer = Array.isArray(issuers) ? issuers.find((one) => typeof one === "string") : undefined;
    if (issuer === undefined) throw refuse("The server's metadata names no authorization server.");
    return { resource, issuer, scopes: takeScopes(listOf(found["scopes_supported"])) };
  }
  if (challenge.resourceMetadata !== undefined) throw refuse("The metadata that the server names is not there.");
  return undefined;
}

/** The server's own address, or one that it lies under, on the same host. */
export function isResourceOf(resource: string, url: URL): boolean {
  if (!URL.canParse(resource) || resource.includes("#")) return false;
  const named = new URL(resource);
  if (named.origin !== url.origin || named.username !== "" || named.password !== "") return false;
  if (named.search !== "" && named.search !== url.search) return false;
  const outer = named.pathname.endsWith("/") ? named.pathname : `${named.pathname}/`;
  return `${url.pathname}/`.startsWith(outer);
}

function spellResource(url: URL): string {
  return `${url.origin}${url.pathname === "/" ? "" : url.pathname}${url.search}`;
}

async function findLoginServer({ fetch, guard }: DiscoverOptions, issuer: string): Promise<LoginServer> {
  const url = parseGuardedUrl(issuer);
  if (url.search !== "" || url.hash !== "") throw refuse("The authorization server's name can't be one.");
  const path = url.pathname.replace(/\/$/, "");
  const addresses =
    path === ""
      ? [`${url.origin}${OAUTH_PATH}`, `${url.origin}${OPENID_PATH}`]
      : [`${url.origin}${OAUTH_PATH}${path}`, `${url.origin}${OPENID_PATH}${path}`, `${url.origin}${path}${OPENID_PATH}`];
  for (const address of addresses) {
    const found = await readMetadata(fetch, address);
    if (found === undefined) continue;
    const named = found["issuer"];
    if (typeof named !== "string" || !URL.canParse(named) || new URL(named).href !== url.href) {
      throw refuse("The authorization server's metadata is another issuer's.");
    }
    return await checkLoginServer(found, guard);
  }
  throw refuse("The authorization server has no metadata.", "Name the right one in `upstream.oauth.issuer`.");
}

async function checkLoginServer(found: Members, guard: AddressGuard): Promise<LoginServer> {
  const methods = listOf(found["code_challenge_methods_supported"]);
  if (!methods.includes("S256")) throw refuse("The authorization server does not offer PKCE with S256.");
  const types = found["response_types_supported"];
  if (types !== undefined && !listOf(types).includes("code")) throw refuse("The authorization server does not offer codes.");
  const authorization = await judgeEndpoint(found, "authorization_endpoint", guard);
  const token = await judgeEndpoint(found, "token_endpoint", guard);
  if (authorization === undefined || token === undefined) throw refuse("The authorization server's metadata lacks an address.");
  const optional: { -readonly [Key in keyof LoginServer]?: LoginServer[Key] } = {};
  for (const name of ["registration_endpoint", "revocation_endpoint"] as const) {
    const endpoint = await judgeEndpoint(found, name, guard);
    if (endpoint !== undefined) optional[name] = endpoint;
  }
  for (const name of ["token_endpoint_auth_methods_supported", "revocation_endpoint_auth_methods_supported"] as const) {
    if (found[name] !== undefined) optional[name] = listOf(found[name]).filter((one) => typeof one === "string");
  }
  if (found["scopes_supported"] !== undefined) optional.scopes_supported = takeScopes(listOf(found["scopes_supported"]));
  for (const name of ["authorization_response_iss_parameter_supported", "client_id_metadata_document_supported"] as const) {
    if (found[name] === true) optional[name] = true;
  }
  return { issuer: String(found["issuer"]), authorization_endpoint: authorization, token_endpoint: token, ...optional };
}

/** Judged before anything is sent anywhere, so that a private address is told of here and not in the middle. */
async function judgeEndpoint(found: Members, name: string, guard: AddressGuard): Promise<string | undefined> {
  const value = found[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw refuse(`The authorization server's \`${name}\` is no address.`);
  const url = parseGuardedUrl(value);
  if (url.hash !== "") throw refuse(`The authorization server's \`${name}\` is no address.`);
  const judged = await guard.judgeHost(url.hostname);
  if (!judged.ok) throw new FailureError(judged.failures);
  return value;
}

/** Undefined where it is not there; a server that fails is not one that has none. */
async function readMetadata(ask: GuardedFetch, address: string): Promise<Members | undefined> {
  const answer = await ask(address, { headers: { accept: "application/json" } });
  if (answer.status >= 400 && answer.status < 500) return undefined;
  if (answer.status !== 200) throw refuse(`The metadata at \`${new URL(address).host}\` can't be had: status ${answer.status}.`);
  const value: unknown = await answer.json().catch(() => undefined);
  // A page in place of metadata is what many sites answer to any path.
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse("The metadata is not an object.");
  return value as Members;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function refuse(message: string, hint?: string): FailureError {
  const failure: Failure = { code: "login_failed", message, ...(hint === undefined ? {} : { hint }) };
  return new FailureError(failure);
}

/** A failure as a value, for those who join results. */
export function failLogin<T = never>(message: string, hint?: string): Result<T> {
  return fail({ code: "login_failed", message, ...(hint === undefined ? {} : { hint }) });
}
