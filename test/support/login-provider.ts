/**
 * An MCP server of the SDK that lets in only who has a token for it, and the certified provider that gives them out:
 * registration, PKCE, resource indicators, rotating refresh tokens, revocation. And the person at its pages.
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import Untyped from "oidc-provider";
import { onTestFinished, vi } from "vitest";

interface Provider {
  readonly Grant: new (of: {
    accountId: string;
    clientId: string;
  }) => {
    addOIDCScope(scope: string): void;
    addResourceScope(resource: string, scope: string): void;
    save(): Promise<string>;
  };
  readonly AccessToken: { find(token: string): Promise<{ aud?: string | string[]; isExpired: boolean; scope?: string } | undefined> };
  callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>;
  interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>;
  on(event: string, act: (...args: unknown[]) => void): void;
}

interface Interaction {
  readonly uid: string;
  readonly prompt: { readonly name: string };
  readonly params: Readonly<Record<string, unknown>>;
  readonly session?: { readonly accountId?: string };
}

export const SCOPE = "mcp:tools";

export interface LoginProvider {
  readonly issuer: string;
  /** Of the MCP server. */
  readonly url: string;
  /** Lives of access tokens from now on. */
  tokenSeconds: number;
  /** Tokens that came with calls, in order. */
  readonly tokens: string[];
  /** What was asked of the provider: `POST /token refresh_token` and the like. */
  readonly asked: string[];
  /** Calls that were run. */
  readonly ran: string[];
  /** The provider has taken everything back: it renews nothing any more. */
  isRevoked: boolean;
  /** What the tool answers; left out: `hello`. */
  reply: string | undefined;
  browse(link: string, choice?: "consent" | "deny"): Promise<{ readonly url: URL; readonly status: number; readonly text: string }>;
}

export async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export async function startLoginProvider(): Promise<LoginProvider> {
  let answer: RequestListener = () => undefined;
  let serve: RequestListener = () => undefined;
  const issuer = await listen((request, response) => answer(request, response));
  const origin = await listen((request, response) => serve(request, response));
  const resource = `${origin}/mcp`;
  let choice: "consent" | "deny" = "consent";
  const world: LoginProvider = {
    issuer,
    url: resource,
    tokenSeconds: 3600,
    tokens: [],
    asked: [],
    ran: [],
    isRevoked: false,
    reply: undefined,
    browse: (link, chosen = "consent") => {
      choice = chosen;
      return followRedirects(link);
    },
  };
  // It warns at every start that its store and keys are for development.
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  vi.spyOn(console, "info").mockImplementation(() => undefined);
  const provider: Provider = new Untyped(issuer, {
    cookies: { keys: ["test"] },
    scopes: ["openid", "offline_access"],
    clientDefaults: { grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none" },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: SCOPE,
          audience: resource,
          accessTokenTTL: world.tokenSeconds,
          accessTokenFormat: "opaque",
        }),
      },
    },
    rotateRefreshToken: true,
    issueRefreshToken: async () => true,
    interactions: { url: (_context: unknown, interaction: Interaction) => `/person/${interaction.uid}` },
    ttl: { AuthorizationCode: 60, Grant: 3600, Interaction: 600, RefreshToken: 3600, Session: 600, IdToken: 600 },
  });
  const provide = provider.callback();
  answer = (request, response) => {
    world.asked.push(`${request.method} ${(request.url ?? "").split("?")[0]}`);
    if (world.isRevoked && request.url === "/token") {
      response.writeHead(400, { "content-type": "application/json" }).end('{"error":"invalid_grant"}');
      request.resume();
    } else if (request.url?.startsWith("/person/")) void actAsPerson(provider, request, response, choice, resource);
    else void provide(request, response);
  };
  serve = (request, response) => void serveResource(request, response);

  async function serveResource(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === "/.well-known/oauth-protected-resource/mcp") {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ resource, authorization_servers: [issuer], scopes_supported: [SCOPE] }));
      return;
    }
    if (request.url !== "/mcp") return void response.writeHead(404).end();
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (token !== undefined) world.tokens.push(token);
    const found = token === undefined ? undefined : await provider.AccessToken.find(token);
    const isFor = found !== undefined && !found.isExpired && [found.aud ?? []].flat().includes(resource);
    if (!isFor) {
      const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`;
      response.writeHead(401, {
        "www-authenticate": `Bearer error="invalid_token", resource_metadata="${metadata}"`,
        "content-type": "application/json",
      });
      response.end('{"error":"invalid_token","error_description":"challenge-of-the-upstream"}');
      request.resume();
      return;
    }
    const server = new Server({ name: "guarded", version: "1.0.0" }, { capabilities: { tools: {} } });
    server.setRequestHandler(ListToolsRequestSchema, async () => ({
      tools: [{ name: "greet", inputSchema: { type: "object" as const } }],
    }));
    server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
      world.ran.push(params.name);
      return { content: [{ type: "text" as const, text: world.reply ?? "hello" }] };
    });
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true } as never);
    await server.connect(transport as Transport);
    await transport.handleRequest(request, response);
  }
  return world;
}

async function actAsPerson(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
  choice: "consent" | "deny",
  resource: string,
): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") return await provider.interactionFinished(request, response, { login: { accountId: "person" } });
  if (choice === "deny")
    return await provider.interactionFinished(request, response, { error: "access_denied", error_description: "<b>no</b>" });
  const grant = new provider.Grant({ accountId: session?.accountId ?? "", clientId: String(params["client_id"]) });
  grant.addOIDCScope("openid offline_access");
  grant.addResourceScope(resource, SCOPE);
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

const MAX_STEPS = 12;

/** A browser: cookies by origin, redirects followed, to the first page that is one. */
export async function followRedirects(
  start: string,
  jar: Map<string, Map<string, string>> = new Map(),
): Promise<{ url: URL; status: number; text: string }> {
  let url = new URL(start);
  for (let step = 0; step < MAX_STEPS; step++) {
    const cookies = jar.get(url.origin) ?? new Map<string, string>();
    jar.set(url.origin, cookies);
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { redirect: "manual", headers: cookie === "" ? {} : { cookie } });
    for (const one of answer.headers.getSetCookie()) {
      const [name = "", value = ""] = (one.split(";")[0] ?? "").split(/=(.*)/s);
      cookies.set(name, value);
    }
    const location = answer.headers.get("location");
    const text = await answer.text();
    if (location === null) return { url, status: answer.status, text };
    url = new URL(location, url);
  }
  throw new Error(`too many redirects, the last one to ${url.pathname}`);
}
