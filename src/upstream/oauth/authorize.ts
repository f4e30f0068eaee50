/**
 * The way to tokens: a plan with the address that a person opens (PKCE, `state`, `resource`), and the plan redeemed with
 * what the browser brought back. Of what comes back, issuer and `state` are held against the plan before anything is
 * sent (RFC 9207).
 */
import {
  AuthorizationResponseError,
  authorizationCodeGrantRequest,
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  generateRandomState,
  processAuthorizationCodeResponse,
  validateAuthResponse,
} from "oauth4webapi";
import type { OAuthConfig } from "../../config/config.ts";
import { type Failure, type Result, succeed } from "../../kernel/failure.ts";
import type { AddressGuard } from "../address-guard.ts";
import type { GuardedFetch } from "../guarded-fetch.ts";
import { takeScopes } from "./challenge.ts";
import { CALLBACK_PATH, chooseClient, type Registration } from "./client-identity.ts";
import { type Discovered, discover, failLogin } from "./discover.ts";
import {
  authenticateClient,
  describeTokenError,
  fetchOptions,
  type LoginTerms,
  quoteErrorCode,
  readTokens,
  type Tokens,
} from "./tokens.ts";

export interface LoginPlan {
  readonly terms: LoginTerms;
  /** What the person's browser is sent to. */
  readonly authorizationUrl: string;
  readonly state: string;
  readonly verifier: string;
}

export interface PlanOptions {
  readonly url: string;
  readonly config: OAuthConfig;
  readonly guard: AddressGuard;
  readonly fetch: GuardedFetch;
  readonly baseUrl: string;
  readonly kept: Registration | undefined;
  /** What the server was seen to want beyond what it was given. */
  readonly wanted: readonly string[];
  /** What was asked for the last time, and of whom. */
  readonly before: { readonly issuer: string; readonly scopes: readonly string[] } | undefined;
  readonly nowMs: number;
}

export async function planLogin(
  options: PlanOptions,
): Promise<Result<{ readonly plan: LoginPlan; readonly registration: Registration | undefined }>> {
  const found = await discover({ url: options.url, issuer: options.config.issuer, fetch: options.fetch, guard: options.guard });
  if (!found.ok) return found;
  const { server, resource } = found.value;
  const chosen = await chooseClient({ ...options, server });
  if (!chosen.ok) return chosen;
  const { client, registration } = chosen.value;
  const redirectUri = `${options.baseUrl}${CALLBACK_PATH}`;
  const scopes = chooseScopes(options, found.value);
  const terms: LoginTerms = { server, client, resource, redirectUri, scopes };
  const state = generateRandomState();
  const verifier = generateRandomCodeVerifier();
  const url = new URL(server.authorization_endpoint);
  const parameters: Record<string, string> = {
    response_type: "code",
    client_id: client.id,
    redirect_uri: redirectUri,
    state,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    resource,
  };
  if (scopes.length > 0) parameters["scope"] = scopes.join(" ");
  // OpenID Connect gives a refresh token only where the person was asked.
  if (scopes.includes("offline_access")) parameters["prompt"] = "consent";
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return succeed({ plan: { terms, authorizationUrl: url.href, state, verifier }, registration });
}

/** Configured ones as they are; else what was asked for, else what the metadata lists. Who asks for more, keeps what there was. */
function chooseScopes({ config, wanted, before }: PlanOptions, { challenge, scopes, server }: Discovered): readonly string[] {
  if (config.scopes !== undefined) return config.scopes;
  const kept = wanted.length > 0 && before?.issuer === server.issuer ? before.scopes : [];
  const asked = takeScopes([...challenge.scopes, ...wanted, ...kept]);
  const base = asked.length > 0 ? asked : scopes;
  if (!server.scopes_supported?.includes("offline_access")) return base.filter((scope) => scope !== "offline_access");
  return [...new Set([...base, "offline_access"])];
}

/** Sends the code at most once. `parameters` is the query that the browser came back with. */
export async function redeemLogin(
  plan: LoginPlan,
  parameters: URLSearchParams,
  fetch: GuardedFetch,
  nowMs: number,
): Promise<Result<Tokens>> {
  const { terms } = plan;
  const client = { client_id: terms.client.id };
  let checked: URLSearchParams;
  try {
    checked = validateAuthResponse(terms.server, client, parameters, plan.state);
  } catch (error) {
    if (error instanceof AuthorizationResponseError)
      return failLogin(`The authorization server answered with ${quoteErrorCode(error.error)}.`);
    return failLogin("What came back is not an answer to what was asked, or comes from another authorization server.");
  }
  if ((checked.get("code") ?? "") === "") return failLogin("What came back holds no code.");
  try {
    const options = { ...fetchOptions(fetch), additionalParameters: { resource: terms.resource } };
    const authentication = authenticateClient(terms.client);
    const answer = await authorizationCodeGrantRequest(
      terms.server,
      client,
      authentication,
      checked,
      terms.redirectUri,
      plan.verifier,
      options,
    );
    return readTokens(await processAuthorizationCodeResponse(terms.server, client, answer), nowMs);
  } catch (error) {
    const failure: Failure = describeTokenError(error).failure;
    return { ok: false, failures: [failure] };
  }
}
