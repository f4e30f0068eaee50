/**
 * OAuth2 connectors: an authorization URL with PKCE S256 and a one-use state that expires, then a callback that checks
 * state and issuer and exchanges the code. Whatever happens ends in a status a caller can ask for; what the provider
 * writes as text is never shown.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Attempt, Connection, Connections } from "./connections.ts";
import { type Connector, isProviderUrl, type OAuthConnector } from "./connectors.ts";
import { isObject, type JsonObject } from "./messages.ts";
import type { Send } from "./outgoing.ts";
import type { Sealer } from "./seal.ts";

export const ATTEMPT_MS: number = 10 * 60 * 1000;
const REQUEST_TIMEOUT_MS = 8_000;
const MAX_CODE_CHARACTERS = 4096;
const SECRET_BYTES = 32;
const STATE = /^[A-Za-z0-9_-]{43}$/;
const ERROR_CODE = /^[a-z_]{1,40}$/;

export interface OAuth {
  /** The pending connection and where to send the person; or why there is none. */
  begin(connector: OAuthConnector): Promise<{ connection: Connection; authorizationUrl: string } | string>;
  finish(query: URLSearchParams): Promise<Outcome>;
}

/** What the person in the browser is told. */
export interface Outcome {
  readonly status: number;
  readonly title: string;
  readonly text: string;
}

export interface OAuthPorts {
  readonly connectors: readonly Connector[];
  readonly connections: Connections;
  readonly sealer: Sealer;
  readonly send: Send;
  readonly now: () => number;
  readonly redirectUri: () => string;
  readonly allowLoopback: boolean;
}

interface Provider {
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly issuerRequired: boolean;
}

export function createOAuth(ports: OAuthPorts): OAuth {
  const { connections, sealer, now } = ports;

  const fail = (connection: Connection, reason: string): Outcome => {
    const { attempt: _attempt, sealed: _sealed, ...rest } = connection;
    connections.update({ ...rest, status: "failed", reason });
    return { status: 400, title: "Not connected", text: `${reason} You can close this page and start again.` };
  };

  const finishAttempt = async (connection: Connection, attempt: Attempt, query: URLSearchParams): Promise<Outcome> => {
    const connector = ports.connectors.find((one) => one.id === connection.connector);
    if (connector?.kind !== "oauth2" || connection.sealed === undefined) return fail(connection, "This connector is no longer configured.");
    const issuer = query.get("iss");
    if (issuer === null ? attempt.issuerRequired : issuer !== attempt.issuer) {
      return fail(connection, "The answer did not come from the provider that was asked.");
    }
    const error = query.get("error");
    if (error === "access_denied") return fail(connection, "Access was denied at the provider.");
    if (error !== null) return fail(connection, `The provider refused${showCode(error)}.`);
    const code = query.get("code");
    if (code === null || code === "" || code.length > MAX_CODE_CHARACTERS) return fail(connection, "The provider sent no code.");
    const verifier = sealer.unseal(connection.sealed, rowOf(connection, "verifier"));
    const tokens = await exchangeCode(ports.send, connector, attempt, code, verifier);
    if (typeof tokens === "string") return fail(connection, tokens);
    const { attempt: _attempt, ...rest } = connection;
    const isKept = connections.update({
      ...rest,
      status: "connected",
      connectedAt: now(),
      shown: "OAuth2 tokens",
      scopes: tokens.scope?.split(" ") ?? connector.scopes,
      fingerprint: sealer.fingerprint(tokens.accessToken),
      sealed: sealer.seal(JSON.stringify(tokens), rowOf(connection, "tokens")),
    });
    if (!isKept) return { status: 410, title: "Not connected", text: "This connection was removed meanwhile. Nothing was stored." };
    return { status: 200, title: "Connected", text: `${connector.name} is connected. You can close this page.` };
  };

  return {
    begin: async (connector) => {
      const provider = await findProvider(ports, connector);
      if (typeof provider === "string") return provider;
      const state = randomBytes(SECRET_BYTES).toString("base64url");
      const verifier = randomBytes(SECRET_BYTES).toString("base64url");
      const redirectUri = ports.redirectUri();
      const url = new URL(provider.authorizationEndpoint);
      const parameters = {
        response_type: "code",
        client_id: connector.clientId,
        redirect_uri: redirectUri,
        ...(connector.scopes.length > 0 ? { scope: connector.scopes.join(" ") } : {}),
        state,
        code_challenge: createHash("sha256").update(verifier).digest("base64url"),
        code_challenge_method: "S256",
      };
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
      const row = { id: `con_${randomBytes(12).toString("hex")}`, connector: connector.id };
      const connection: Connection = {
        ...row,
        kind: "oauth2",
        status: "pending",
        createdAt: now(),
        attempt: {
          stateHash: hashState(state),
          redirectUri,
          tokenEndpoint: provider.tokenEndpoint,
          issuer: connector.issuer,
          issuerRequired: provider.issuerRequired,
          expiresAt: now() + ATTEMPT_MS,
        },
        sealed: sealer.seal(verifier, rowOf(row, "verifier")),
      };
      if (!connections.insert(connection)) return "There is no room for another connection: disconnect some first.";
      return { connection, authorizationUrl: url.href };
    },

    finish: async (query) => {
      const names = [...query.keys()];
      const state = query.get("state") ?? "";
      const isReadable = new Set(names).size === names.length && STATE.test(state);
      const hash = hashState(state);
      const connection = isReadable ? connections.list().find((row) => row.attempt?.stateHash === hash) : undefined;
      if (connection?.attempt === undefined) {
        return { status: 400, title: "Not connected", text: "This link is not valid here, or it was already used. Nothing was changed." };
      }
      // Used up before anything is awaited: a second callback with the same state finds nothing.
      const attempt: Attempt = { ...connection.attempt, stateHash: undefined };
      const used = { ...connection, attempt };
      connections.update(used);
      if (attempt.expiresAt <= now()) return { status: 400, title: "Not connected", text: "This link has expired. Please start again." };
      return await finishAttempt(used, attempt, query);
    },
  };
}

/** What a sealed secret is bound to. */
export function rowOf(connection: { readonly id: string; readonly connector: string }, secret: string): string {
  return `${connection.connector}/${connection.id}/${secret}`;
}

function hashState(state: string): string {
  return createHash("sha256").update(state).digest("base64url");
}

function showCode(code: unknown): string {
  return typeof code === "string" && ERROR_CODE.test(code) ? ` (${code})` : "";
}

async function findProvider({ send, allowLoopback }: OAuthPorts, connector: OAuthConnector): Promise<Provider | string> {
  const { authorizationEndpoint, tokenEndpoint, issuer } = connector;
  if (authorizationEndpoint !== undefined && tokenEndpoint !== undefined)
    return { authorizationEndpoint, tokenEndpoint, issuerRequired: false };
  const base = new URL(issuer ?? "");
  const pathname = base.pathname.replace(/\/$/, "");
  let reason = "it publishes no metadata";
  for (const at of [`/.well-known/oauth-authorization-server${pathname}`, `${pathname}/.well-known/openid-configuration`]) {
    const url = new URL(at, base);
    const sent = await send({ url, method: "GET", headers: { accept: "application/json" }, timeoutMs: REQUEST_TIMEOUT_MS, read: true });
    if (!sent.ok) reason = sent.reason;
    const found = sent.ok && sent.status === 200 ? parseObject(sent.text) : undefined;
    if (found === undefined) continue;
    if (found["issuer"] !== issuer) return "The provider's metadata names another issuer than the configured one.";
    const challenges = found["code_challenge_methods_supported"];
    if (!Array.isArray(challenges) || !challenges.includes("S256")) return "The provider does not support PKCE with S256.";
    const [authorize, token] = [found["authorization_endpoint"], found["token_endpoint"]];
    if (
      typeof authorize !== "string" ||
      typeof token !== "string" ||
      ![authorize, token].every((one) => isProviderUrl(one, allowLoopback))
    ) {
      return "The provider's metadata names no usable endpoints.";
    }
    const issuerRequired = found["authorization_response_iss_parameter_supported"] === true;
    return { authorizationEndpoint: authorize, tokenEndpoint: token, issuerRequired };
  }
  return `The provider could not be asked where to sign in: ${reason}.`;
}

interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  readonly expiresIn: number | undefined;
  readonly scope: string | undefined;
}

async function exchangeCode(
  send: Send,
  connector: OAuthConnector,
  attempt: Attempt,
  code: string,
  verifier: string,
): Promise<Tokens | string> {
  const form = new URLSearchParams({
    grant_type: "authorization_code",
    code,
    redirect_uri: attempt.redirectUri,
    code_verifier: verifier,
    client_id: connector.clientId,
  });
  const headers: Record<string, string> = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" };
  if (connector.clientSecret !== undefined) {
    form.delete("client_id");
    const credentials = [connector.clientId, connector.clientSecret].map(encodeForm).join(":");
    headers["authorization"] = `Basic ${Buffer.from(credentials).toString("base64")}`;
  }
  const body = form.toString();
  headers["content-length"] = String(Buffer.byteLength(body));
  const url = new URL(attempt.tokenEndpoint);
  const sent = await send({ url, method: "POST", headers, body, timeoutMs: REQUEST_TIMEOUT_MS, read: true });
  if (!sent.ok) return `The code could not be exchanged: ${sent.reason}.`;
  const answer = parseObject(sent.text);
  if (sent.status !== 200) return `The provider refused to exchange the code${showCode(answer?.["error"])}.`;
  const { access_token: accessToken, token_type: type, refresh_token: refreshToken, expires_in: expiresIn, scope } = answer ?? {};
  if (typeof accessToken !== "string" || accessToken === "" || typeof type !== "string" || type.toLowerCase() !== "bearer") {
    return "The provider's answer holds no bearer token.";
  }
  return {
    accessToken,
    refreshToken: typeof refreshToken === "string" ? refreshToken : undefined,
    expiresIn: typeof expiresIn === "number" ? expiresIn : undefined,
    scope: typeof scope === "string" && scope !== "" ? scope : undefined,
  };
}

/** RFC 6749, section 2.3.1: both parts are form-encoded before they are joined. */
function encodeForm(text: string): string {
  return new URLSearchParams({ _: text }).toString().slice(2);
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
