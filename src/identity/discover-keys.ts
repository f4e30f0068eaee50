/**
 * Where an issuer's keys are, by its own metadata (RFC 8414, OpenID Connect Discovery). Metadata that names another issuer
 * is not its own, whoever serves it.
 */
import { checkKeysUrl } from "../config/text-checks.ts";
import { isJsonObject, type Json, readMember } from "../kernel/json.ts";

/** Gets one JSON document, with its own bounds on size and time; rejects with words that hold no secret. */
export type FetchJson = (url: string, signal: AbortSignal) => Promise<Json>;

/** The three places, in the order that the MCP specification gives. */
export function listMetadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/+$/, "");
  const before = [`${origin}/.well-known/oauth-authorization-server${path}`, `${origin}/.well-known/openid-configuration${path}`];
  return path === "" ? before : [...before, `${origin}${path}/.well-known/openid-configuration`];
}

/** Rejects where no metadata of this issuer names its keys. */
export async function discoverKeys(issuer: string, fetchJson: FetchJson, signal: AbortSignal): Promise<string> {
  let words = "";
  for (const url of listMetadataUrls(issuer)) {
    try {
      return readKeysUrl(await fetchJson(url, signal), issuer);
    } catch (error) {
      words = error instanceof Error ? error.message : "unknown";
      if (signal.aborted) break;
    }
  }
  throw new Error(`no metadata of the issuer names its keys (${words})`);
}

function readKeysUrl(metadata: Json, issuer: string): string {
  if (!isJsonObject(metadata) || readMember(metadata, "issuer") !== issuer) throw new Error("the metadata is another issuer's");
  const url = readMember(metadata, "jwks_uri");
  if (typeof url !== "string" || checkKeysUrl(url) !== undefined) throw new Error("the metadata names no usable `jwks_uri`");
  return url;
}
