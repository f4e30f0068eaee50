/**
 * What an authorization server gives: read strictly, bounded, and turned into tokens with a time to live. Asks for them
 * anew with the refresh token, and takes them back. A failure says what kind it is and never repeats a text of the other
 * side's, save an error code that is a plain word.
 */
import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretPost,
  customFetch,
  None,
  processRefreshTokenResponse,
  processRevocationResponse,
  ResponseBodyError,
  refreshTokenGrantRequest,
  revocationRequest,
  type TokenEndpointResponse,
  WWWAuthenticateChallengeError,
} from "oauth4webapi";
import { type Failure, FailureError, fail, type Result, succeed } from "../../kernel/failure.ts";
import type { GuardedFetch } from "../guarded-fetch.ts";
import type { LoginServer } from "./discover.ts";

export const MAX_TOKEN_CHARACTERS = 8192;
export const MAX_TOKEN_LIFE_MS: number = 365 * 24 * 60 * 60 * 1000;
const BEARER = /^[\x21-\x7e]+$/;

/** Whose name the gateway has at an authorization server. */
export interface LoginClient {
  readonly id: string;
  readonly secret?: string;
  readonly method: "none" | "client_secret_basic" | "client_secret_post";
}

/** Everything that is needed to get tokens for one server, but the tokens. */
export interface LoginTerms {
  readonly server: LoginServer;
  readonly client: LoginClient;
  readonly resource: string;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
}

export interface Tokens {
  readonly access: string;
  readonly refresh: string | undefined;
  /** Undefined where the server does not say. */
  readonly expiresMs: number | undefined;
}

/** `final`: asking again will not help. */
export type TokenFailure = { readonly kind: "final" | "passing"; readonly failure: Failure };
export type TokenResult = { readonly ok: true; readonly tokens: Tokens } | ({ readonly ok: false } & TokenFailure);

/** What every request to an authorization server goes out with. The guarded fetch decides about https, and is stricter. */
export function fetchOptions(fetch: GuardedFetch): { [customFetch]: typeof globalThis.fetch; [allowInsecureRequests]: true } {
  return { [customFetch]: fetch as unknown as typeof globalThis.fetch, [allowInsecureRequests]: true };
}

export function authenticateClient(client: LoginClient): ClientAuth {
  if (client.method === "none" || client.secret === undefined) return None();
  return client.method === "client_secret_post" ? ClientSecretPost(client.secret) : useBasic(client.secret);
}

/** As forms are encoded and no further: many servers take the pair as it comes, and what needs no escape must have none. */
function useBasic(secret: string): ClientAuth {
  return (_server, client, _body, headers) => {
    const pair = `${encodeForm(client.client_id)}:${encodeForm(secret)}`;
    headers.set("authorization", `Basic ${Buffer.from(pair).toString("base64")}`);
  };
}

function encodeForm(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}

export async function refreshTokens(terms: LoginTerms, refresh: string, fetch: GuardedFetch, nowMs: number): Promise<TokenResult> {
  const client = { client_id: terms.client.id };
  const options = { ...fetchOptions(fetch), additionalParameters: { resource: terms.resource } };
  try {
    const answer = await refreshTokenGrantRequest(terms.server, client, authenticateClient(terms.client), refresh, options);
    const read = readTokens(await processRefreshTokenResponse(terms.server, client, answer), nowMs);
    if (!read.ok) return { ok: false, kind: "final", failure: read.failures[0] as Failure };
    return { ok: true, tokens: { ...read.value, refresh: read.value.refresh ?? refresh } };
  } catch (error) {
    return { ok: false, ...describeTokenError(error) };
  }
}

/** RFC 7009. Taking back what is not there any more is no failure. */
export async function revokeToken(
  terms: LoginTerms,
  token: string,
  kind: "refresh_token" | "access_token",
  fetch: GuardedFetch,
): Promise<Result<void>> {
  if (terms.server.revocation_endpoint === undefined) {
    return fail({ code: "login_failed", message: "The authorization server has no place to take tokens back." });
  }
  const options = { ...fetchOptions(fetch), additionalParameters: { token_type_hint: kind } };
  try {
    const client = { client_id: terms.client.id };
    const answer = await revocationRequest(terms.server, client, authenticateClient(terms.client), token, options);
    await processRevocationResponse(answer);
    return succeed(undefined);
  } catch (error) {
    return fail(describeTokenError(error).failure);
  }
}

/** `expires_in` may be anything: it is held within bounds, and none at all means that the server will say so by a 401. */
export function readTokens(answer: TokenEndpointResponse, nowMs: number): Result<Tokens> {
  const { access_token: access, refresh_token: refresh, token_type: type, expires_in: seconds } = answer;
  if (type !== "bearer") return refuse("gave a token that is not a bearer's");
  if (!isToken(access)) return refuse("gave a token that can't be sent");
  if (refresh !== undefined && !isToken(refresh)) return refuse("gave a refresh token that can't be sent");
  const lifeMs = seconds === undefined ? undefined : Math.min(Math.max(Math.floor(seconds * 1000), 0), MAX_TOKEN_LIFE_MS);
  return succeed({ access, refresh, expiresMs: lifeMs === undefined ? undefined : nowMs + lifeMs });
}

function isToken(token: string): boolean {
  return token.length <= MAX_TOKEN_CHARACTERS && BEARER.test(token);
}

function refuse(what: string): Result<never> {
  return fail({ code: "login_failed", message: `The authorization server ${what}.` });
}

/** An error code is told where it is a plain word; a description never. */
export function quoteErrorCode(code: unknown): string {
  return typeof code === "string" && /^[a-z][a-z0-9_-]{0,63}$/.test(code) ? `\`${code}\`` : "an error";
}

export function describeTokenError(error: unknown): TokenFailure {
  if (error instanceof FailureError) return { kind: "passing", failure: error.failures[0] as Failure };
  if (error instanceof ResponseBodyError) {
    const isPassing =
      error.status >= 500 || error.status === 429 || error.error === "temporarily_unavailable" || error.error === "server_error";
    const message = `The authorization server answered with ${quoteErrorCode(error.error)}.`;
    return { kind: isPassing ? "passing" : "final", failure: { code: "login_failed", message } };
  }
  if (error instanceof WWWAuthenticateChallengeError) {
    const message = "The authorization server does not know the gateway by the name and secret that it has.";
    return { kind: error.status < 500 ? "final" : "passing", failure: { code: "login_failed", message } };
  }
  // A page, half an answer, a status without words: nobody said that the token is no good.
  return { kind: "passing", failure: { code: "login_failed", message: "The authorization server's answer can't be used." } };
}
