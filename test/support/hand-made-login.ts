/**
 * An MCP server and its authorization server made of nothing but `node:http`, on one origin: it says and gives what a
 * test tells it to, and keeps what it was asked.
 */

import type { ServerResponse } from "node:http";
import { type Arrived as Request, startServer } from "../upstream/loopback-server.ts";

export type Serve = (response: ServerResponse, request: Request) => void;

export interface HandMadeLogin {
  readonly origin: string;
  /** Of the MCP server. */
  readonly url: string;
  readonly arrived: readonly Request[];
  /** The metadata of the authorization server, to be changed. */
  readonly server: Record<string, unknown>;
  /** The resource's metadata, to be changed. */
  readonly resource: Record<string, unknown>;
  /** By path: goes before everything else. */
  readonly serve: Map<string, Serve>;
  /** Forms that came to the token endpoint. */
  forms(): URLSearchParams[];
}

export function sendJson(response: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

export async function startHandMadeLogin(): Promise<HandMadeLogin> {
  const serve = new Map<string, Serve>();
  let given = 0;
  const listening = await startServer((request, response) => {
    const path = request.url.split("?")[0] ?? "";
    const own = serve.get(path);
    if (own) return own(response, request);
    switch (path) {
      case "/mcp":
        return void response
          .writeHead(401, { "www-authenticate": `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` })
          .end();
      case "/.well-known/oauth-protected-resource/mcp":
        return sendJson(response, login.resource);
      case "/.well-known/oauth-authorization-server":
        return sendJson(response, login.server);
      case "/register":
        return sendJson(response, { client_id: "registered", redirect_uris: [] }, 201);
      case "/token":
        given++;
        return sendJson(response, {
          access_token: `access-token-${given}`,
          refresh_token: `refresh-token-${given}`,
          token_type: "Bearer",
          expires_in: 3600,
        });
      case "/revoke":
        return void response.writeHead(200).end();
      default:
        return void response.writeHead(404).end();
    }
  });
  const origin = `http://127.0.0.1:${listening.port}`;
  const login: HandMadeLogin = {
    origin,
    url: `${origin}/mcp`,
    arrived: listening.arrived,
    server: {
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      registration_endpoint: `${origin}/register`,
      revocation_endpoint: `${origin}/revoke`,
      token_endpoint_auth_methods_supported: ["none"],
      code_challenge_methods_supported: ["S256"],
      response_types_supported: ["code"],
      authorization_response_iss_parameter_supported: true,
    },
    resource: { resource: `${origin}/mcp`, authorization_servers: [origin], scopes_supported: ["read", "write"] },
    serve,
    forms: () => login.arrived.filter(({ url }) => url === "/token").map(({ body }) => new URLSearchParams(body)),
  };
  return login;
}
