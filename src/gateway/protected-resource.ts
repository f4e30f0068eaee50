/**
 * What a client that logs in is told (RFC 9728, RFC 6750): where the metadata of a server's address is, and in it, who
 * issues tokens for it. Without `login` nothing of it is there. Every name is told the same until a token is shown.
 */
import type { HttpReply, HttpRequest } from "../http/request.ts";
import { sendJson } from "./http-channel.ts";
import { checkSource, type Gate } from "./identify.ts";

/** Where clients log in, and how they reach us. */
export interface SignIn {
  readonly issuer: string;
  readonly scopes: readonly string[];
  /** The gateway's public address, without a slash at its end. */
  readonly base: string;
}

export const METADATA_PATH: RegExp = /^\/\.well-known\/oauth-protected-resource\/mcp(?:\/([A-Za-z0-9-]{1,64}))?$/;

/** The path of one server's endpoint, or of the one for all of them. */
function pathOf(server: string | undefined): string {
  return server === undefined ? "/mcp" : `/mcp/${server}`;
}

/** The value of `WWW-Authenticate`; names come from the path and hold letters, digits and hyphens alone. */
export function writeChallenge(signIn: SignIn | undefined, server: string | undefined, reason: string): string {
  const parts = ['Bearer realm="sallyport"'];
  if (reason === "insufficient_scope") parts.push('error="insufficient_scope"');
  else if (reason !== "no_token") parts.push('error="invalid_token"');
  if (signIn) {
    if (signIn.scopes.length > 0) parts.push(`scope="${signIn.scopes.join(" ")}"`);
    parts.push(`resource_metadata="${signIn.base}/.well-known/oauth-protected-resource${pathOf(server)}"`);
  }
  return parts.join(", ");
}

function writeMetadata(signIn: SignIn, server: string | undefined): Buffer {
  return Buffer.from(
    JSON.stringify({
      resource: `${signIn.base}${pathOf(server)}`,
      authorization_servers: [signIn.issuer],
      ...(signIn.scopes.length > 0 && { scopes_supported: signIn.scopes }),
      bearer_methods_supported: ["header"],
    }),
  );
}

/** Gives the status of what it refuses; undefined: answered. */
export function serveMetadata(
  gate: Gate,
  server: string | undefined,
  request: HttpRequest,
  response: HttpReply,
): 403 | 404 | 405 | undefined {
  const { signIn } = gate;
  if (signIn === undefined) return 404;
  if (checkSource(gate, request)) return 403;
  if (request.method !== "GET" && request.method !== "HEAD") return 405;
  sendJson(response, 200, writeMetadata(signIn, server), { "cache-control": "no-store" });
  return undefined;
}
