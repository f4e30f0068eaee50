/**
 * A certified OAuth2 provider on loopback, and the person at its pages: signs in, then consents or denies. The browser
 * here is a loop of plain requests with a cookie jar, which stops before it follows the way back to the sample.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import Untyped from "oidc-provider";
import { vi } from "vitest";
import { listen } from "./support.ts";

/** As much of the provider as is used here; the package brings no types. */
interface Provider {
  readonly Grant: new (of: { accountId: string; clientId: string }) => { addOIDCScope(scope: string): void; save(): Promise<string> };
  callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>;
  interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>;
}

interface Interaction {
  readonly uid: string;
  readonly prompt: { readonly name: string };
  readonly params: Readonly<Record<string, unknown>>;
  readonly session?: { readonly accountId?: string };
}

export const PUBLIC_CLIENT = "public-client";
export const SECRET_CLIENT = "secret client";
export const CLIENT_SECRET = "hush: 100% secret & more";

export interface TestProvider {
  readonly issuer: string;
  /** Where the provider sends the person back to. */
  browse(authorizationUrl: string, choice: "consent" | "deny"): Promise<URL>;
}

export async function startProvider(): Promise<TestProvider> {
  let listener: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const issuer = await listen((request, response) => listener(request, response));
  const shared = {
    redirect_uris: ["http://127.0.0.1/callback"],
    application_type: "native" as const,
    grant_types: ["authorization_code", "refresh_token"],
    scope: "openid offline_access",
  };
  // It warns at every start that its store and keys are for development.
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const provider: Provider = new Untyped(issuer, {
    clients: [
      { ...shared, client_id: PUBLIC_CLIENT, token_endpoint_auth_method: "none" },
      { ...shared, client_id: SECRET_CLIENT, client_secret: CLIENT_SECRET, token_endpoint_auth_method: "client_secret_basic" },
    ],
    cookies: { keys: ["test"] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context: unknown, interaction: Interaction) => `/person/${interaction.uid}` },
    issueRefreshToken: async () => true,
    ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 3600, Interaction: 600, RefreshToken: 3600, Session: 600, IdToken: 600 },
  });
  let choice: "consent" | "deny" = "consent";
  const answer = provider.callback();
  listener = (request, response) => {
    if (request.url?.startsWith("/person/")) void actAsPerson(provider, request, response, choice);
    else void answer(request, response);
  };
  return {
    issuer,
    browse: async (authorizationUrl, chosen) => {
      choice = chosen;
      return await followRedirects(authorizationUrl, issuer);
    },
  };
}

async function actAsPerson(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
  choice: "consent" | "deny",
): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") return await provider.interactionFinished(request, response, { login: { accountId: "person" } });
  if (choice === "deny")
    return await provider.interactionFinished(request, response, { error: "access_denied", error_description: "<b>no</b>" });
  const grant = new provider.Grant({ accountId: session?.accountId ?? "", clientId: String(params["client_id"]) });
  grant.addOIDCScope(String(params["scope"]));
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

const MAX_STEPS = 10;

async function followRedirects(start: string, issuer: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = new URL(start);
  for (let step = 0; step < MAX_STEPS && url.origin === issuer; step++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { redirect: "manual", headers: { cookie } });
    for (const one of answer.headers.getSetCookie()) {
      const [name = "", value = ""] = (one.split(";")[0] ?? "").split(/=(.*)/s);
      cookies.set(name, value);
    }
    const location = answer.headers.get("location");
    if (location === null) throw new Error(`the provider answered ${answer.status}: ${await answer.text()}`);
    url = new URL(location, url);
  }
  return url;
}
