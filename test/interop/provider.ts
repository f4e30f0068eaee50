/**
 * A certified provider on loopback that issues access tokens for the resource that is asked for (RFC 8707), as JWTs
 * (RFC 9068), and the person at its pages, who signs in and consents: a loop of plain requests with a cookie jar.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import Untyped from "oidc-provider";
import { vi } from "vitest";
import { listenOn } from "./listen.ts";

interface Provider {
  readonly Grant: new (of: {
    accountId: string;
    clientId: string;
  }) => { addOIDCScope(scope: string): void; addResourceScope(resource: string, scope: string): void; save(): Promise<string> };
  callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>;
  interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>;
}

interface Interaction {
  readonly prompt: { readonly name: string };
  readonly params: Readonly<Record<string, unknown>>;
  readonly session?: { readonly accountId?: string };
}

export const CLIENT_ID = "mcp-client";
export const REDIRECT_URL = "http://127.0.0.1/callback";
export const SCOPE = "mcp:use";

export interface TestProvider {
  readonly issuer: string;
  /** Who signs in next. */
  person: string;
  /** Signs in and consents; gives where the provider sends the person back to. */
  browse(authorizationUrl: URL): Promise<URL>;
  stop(): Promise<void>;
}

/** `claimsOf`: what the provider puts into a person's access tokens. */
export async function startProvider(claimsOf: (person: string) => object): Promise<TestProvider> {
  let listener: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const listening = await listenOn((request, response) => listener(request, response));
  const issuer = new URL(listening.url).origin;
  // It warns at every start that its store and keys are for development.
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const provider: Provider = new Untyped(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        token_endpoint_auth_method: "none",
        redirect_uris: [REDIRECT_URL],
        application_type: "native",
        grant_types: ["authorization_code"],
      },
    ],
    cookies: { keys: ["test"] },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          scope: SCOPE,
          audience: resource,
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: (_context: unknown, token: { accountId: string }) => claimsOf(token.accountId),
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/person/${uid}` },
    ttl: { AuthorizationCode: 60, Grant: 3600, Interaction: 600, Session: 600, IdToken: 600 },
  });
  const answer = provider.callback();
  const self: TestProvider = {
    issuer,
    person: "alice",
    browse: (authorizationUrl) => followRedirects(authorizationUrl, issuer),
    stop: () => listening.stop(),
  };
  listener = (request, response) => {
    if (request.url?.startsWith("/person/")) void actAsPerson(provider, self.person, request, response);
    else void answer(request, response);
  };
  return self;
}

async function actAsPerson(provider: Provider, person: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") return await provider.interactionFinished(request, response, { login: { accountId: person } });
  const grant = new provider.Grant({ accountId: session?.accountId ?? "", clientId: String(params["client_id"]) });
  grant.addOIDCScope("openid");
  grant.addResourceScope(String(params["resource"]), SCOPE);
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

const MAX_STEPS = 10;

async function followRedirects(start: URL, issuer: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = start;
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
