/**
 * By which name the gateway is known at an authorization server, in this order: the one from the configuration, its
 * metadata document (an address that the authorization server reads), one that it registers (RFC 7591). A registration
 * is kept, sealed, and used again as long as issuer and way back are the same.
 */
import { dynamicClientRegistrationRequest, processDynamicClientRegistrationResponse } from "oauth4webapi";
import type { OAuthConfig } from "../../config/config.ts";
import { type Result, succeed } from "../../kernel/failure.ts";
import { isJsonObject } from "../../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../kernel/strict-json.ts";
import type { GuardedFetch } from "../guarded-fetch.ts";
import { failLogin, type LoginServer } from "./discover.ts";
import { describeTokenError, fetchOptions, type LoginClient } from "./tokens.ts";

export const CLIENT_NAME = "Sallyport";
export const CALLBACK_PATH = "/oauth/callback";
export const CLIENT_METADATA_PATH = "/oauth/client-metadata.json";
const MAX_CLIENT_ID_CHARACTERS = 2048;
const MAX_SECRET_CHARACTERS = 2048;

/** A registration as it is kept. */
export interface Registration {
  readonly issuer: string;
  readonly redirectUri: string;
  readonly client: LoginClient;
  /** Undefined: for ever. */
  readonly expiresMs: number | undefined;
}

export interface ChosenClient {
  readonly client: LoginClient;
  /** To be kept: it was made just now. */
  readonly registration: Registration | undefined;
}

export interface ChooseClientOptions {
  readonly config: OAuthConfig;
  readonly server: LoginServer;
  /** Where people and programs reach the gateway, without a slash at its end. */
  readonly baseUrl: string;
  readonly kept: Registration | undefined;
  readonly fetch: GuardedFetch;
  readonly nowMs: number;
}

export async function chooseClient(options: ChooseClientOptions): Promise<Result<ChosenClient>> {
  const { config, server, baseUrl, kept } = options;
  const { clientId, clientSecret } = config;
  const chosen = (client: LoginClient): Result<ChosenClient> => succeed({ client, registration: undefined });
  if (clientId !== undefined) {
    if (clientSecret === undefined) return chosen({ id: clientId, method: "none" });
    return chosen({ id: clientId, secret: clientSecret, method: chooseSecretMethod(server) });
  }
  if (server.client_id_metadata_document_supported === true && baseUrl.startsWith("https://")) {
    return chosen({ id: `${baseUrl}${CLIENT_METADATA_PATH}`, method: "none" });
  }
  const redirectUri = `${baseUrl}${CALLBACK_PATH}`;
  const isCurrent = kept?.expiresMs === undefined || kept.expiresMs > options.nowMs;
  if (kept && kept.issuer === server.issuer && kept.redirectUri === redirectUri && isCurrent) return chosen(kept.client);
  if (server.registration_endpoint === undefined) {
    const hint = "Register the gateway there by hand and set `upstream.oauth.clientId`.";
    return failLogin("The authorization server does not let clients register themselves.", hint);
  }
  return await register(options, redirectUri);
}

/** What RFC 6749 takes for granted where the metadata says nothing. */
function chooseSecretMethod(server: LoginServer): "client_secret_basic" | "client_secret_post" {
  const offered = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
  return !offered.includes("client_secret_basic") && offered.includes("client_secret_post") ? "client_secret_post" : "client_secret_basic";
}

/** Some answer 200, which says the same as 201; some leave out when a secret ends, which then is never. */
async function completeAnswer(answer: Response): Promise<Response> {
  if (answer.status !== 200 && answer.status !== 201) return answer;
  const text = await answer.text();
  const parsed = parseStrictJson(text);
  const told = isJsonFault(parsed) || !isJsonObject(parsed.value) ? {} : parsed.value;
  const isLacking = Object.hasOwn(told, "client_secret") && !Object.hasOwn(told, "client_secret_expires_at");
  const body = isLacking ? text.replace(/\}\s*$/, ',"client_secret_expires_at":0}') : text;
  return new Response(body, { status: 201, headers: answer.headers });
}

async function register({ server, fetch, baseUrl, nowMs }: ChooseClientOptions, redirectUri: string): Promise<Result<ChosenClient>> {
  const offered = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
  const asked = offered.includes("none") ? "none" : chooseSecretMethod(server);
  const metadata = { ...describeClient(baseUrl), redirect_uris: [redirectUri], token_endpoint_auth_method: asked };
  try {
    const answer = await dynamicClientRegistrationRequest(server, metadata, fetchOptions(fetch));
    const told = await processDynamicClientRegistrationResponse(await completeAnswer(answer));
    const { client_id: id, client_secret: secret, token_endpoint_auth_method: method } = told;
    const isUsable = id.length <= MAX_CLIENT_ID_CHARACTERS && (typeof secret !== "string" || secret.length <= MAX_SECRET_CHARACTERS);
    if (!isUsable) return failLogin("The authorization server registered the gateway in a way that can't be used.");
    const named = method === "none" || method === "client_secret_post" || method === "client_secret_basic" ? method : asked;
    const client: LoginClient = typeof secret !== "string" ? { id, method: "none" } : { id, secret, method: named };
    const until = told["client_secret_expires_at"];
    const expiresMs = typeof until === "number" && until > 0 ? Math.min(until * 1000, Number.MAX_SAFE_INTEGER) : undefined;
    return succeed({
      client,
      registration: { issuer: server.issuer, redirectUri, client, expiresMs: expiresMs && Math.max(expiresMs, nowMs) },
    });
  } catch (error) {
    const { failure } = describeTokenError(error);
    return failLogin(`The gateway could not register itself: ${failure.message}`, failure.hint);
  }
}

interface ClientDescription {
  readonly client_name: string;
  readonly client_uri?: string;
  readonly grant_types: string[];
  readonly response_types: string[];
  readonly application_type: "web" | "native";
}

function describeClient(baseUrl: string): ClientDescription {
  return {
    client_name: CLIENT_NAME,
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    // Only a native application may be called back over http, and that on its own computer.
    application_type: baseUrl.startsWith("https://") ? "web" : "native",
  };
}

/** The document that stands for the gateway, at its own address. Public, the same for whoever asks. */
export function printClientMetadata(baseUrl: string): string {
  const id = `${baseUrl}${CLIENT_METADATA_PATH}`;
  const document = { client_id: id, ...describeClient(baseUrl), redirect_uris: [`${baseUrl}${CALLBACK_PATH}`] };
  return JSON.stringify({ ...document, token_endpoint_auth_method: "none" });
}
