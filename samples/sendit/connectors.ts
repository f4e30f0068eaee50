/**
 * The catalogue: services that can be connected, as data. API-key and webhook connectors are built in; OAuth2 ones need
 * a client registered with a provider, so they exist only where `SENDIT_OAUTH2` configures them.
 */
import { isObject, type Json, type JsonObject } from "./messages.ts";

export type Kind = "api_key" | "webhook" | "oauth2";

export interface ApiKeyConnector {
  readonly kind: "api_key";
  readonly id: string;
  readonly name: string;
}

export interface WebhookConnector {
  readonly kind: "webhook";
  readonly id: string;
  readonly name: string;
  /** The field in which the service expects the text of a message; undefined: an event of our own. */
  readonly textField: string | undefined;
}

export interface OAuthConnector {
  readonly kind: "oauth2";
  readonly id: string;
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly scopes: readonly string[];
  readonly issuer: string | undefined;
  /** Undefined: asked of the issuer. */
  readonly authorizationEndpoint: string | undefined;
  readonly tokenEndpoint: string | undefined;
}

export type Connector = ApiKeyConnector | WebhookConnector | OAuthConnector;

const BUILT_IN: readonly Connector[] = [
  { kind: "api_key", id: "notion", name: "Notion" },
  { kind: "api_key", id: "airtable", name: "Airtable" },
  { kind: "api_key", id: "linear", name: "Linear" },
  { kind: "webhook", id: "webhook", name: "Any webhook", textField: undefined },
  { kind: "webhook", id: "slack", name: "Slack incoming webhook", textField: "text" },
  { kind: "webhook", id: "discord", name: "Discord webhook", textField: "content" },
];

const MAX_OAUTH_CONNECTORS = 50;
const ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;
const LOOPBACK_HOSTS = new Set(["127.0.0.1", "localhost", "[::1]"]);
const KEYS = new Set(["id", "name", "issuer", "authorizationEndpoint", "tokenEndpoint", "clientId", "clientSecret", "scopes"]);

/** Throws, in words, where `SENDIT_OAUTH2` is not what it should be. */
export function readConnectors(oauth2: string | undefined, allowLoopback: boolean): readonly Connector[] {
  if (oauth2 === undefined || oauth2.trim() === "") return BUILT_IN;
  let value: unknown;
  try {
    value = JSON.parse(oauth2);
  } catch {
    throw new Error("SENDIT_OAUTH2 is not JSON.");
  }
  const list: unknown = isObject(value) ? [value] : value;
  if (!Array.isArray(list) || list.length > MAX_OAUTH_CONNECTORS) throw new Error("SENDIT_OAUTH2 must be a list of at most 50 connectors.");
  const all = [...BUILT_IN, ...list.map((entry, index) => readOAuth(entry, `SENDIT_OAUTH2[${index}]`, allowLoopback))];
  if (new Set(all.map((one) => one.id)).size < all.length) throw new Error("SENDIT_OAUTH2: two connectors have one id.");
  return all;
}

function readOAuth(entry: unknown, at: string, allowLoopback: boolean): OAuthConnector {
  if (!isObject(entry)) throw new Error(`${at} must be an object.`);
  const unknownKey = Object.keys(entry).find((key) => !KEYS.has(key));
  if (unknownKey !== undefined) throw new Error(`${at} has an unknown key \`${unknownKey}\`.`);
  const id = readText(entry, "id", at);
  const name = readText(entry, "name", at);
  const clientId = readText(entry, "clientId", at);
  if (id === undefined || !ID.test(id)) throw new Error(`${at}.id must be lower-case letters, digits, \`_\` or \`-\`.`);
  if (name === undefined || clientId === undefined) throw new Error(`${at} needs \`name\` and \`clientId\`.`);
  const scopes: Json = entry["scopes"] ?? [];
  if (!Array.isArray(scopes) || !scopes.every((scope) => typeof scope === "string" && SCOPE.test(scope))) {
    throw new Error(`${at}.scopes must be a list of scopes.`);
  }
  const readUrl = (key: string): string | undefined => {
    const text = readText(entry, key, at);
    if (text !== undefined && !isProviderUrl(text, allowLoopback)) throw new Error(`${at}.${key} must be an https URL.`);
    return text;
  };
  const [issuer, authorizationEndpoint, tokenEndpoint] = [readUrl("issuer"), readUrl("authorizationEndpoint"), readUrl("tokenEndpoint")];
  if ((authorizationEndpoint === undefined) !== (tokenEndpoint === undefined) || (issuer ?? tokenEndpoint) === undefined) {
    throw new Error(`${at} needs \`issuer\`, or \`authorizationEndpoint\` and \`tokenEndpoint\`, or all three.`);
  }
  const clientSecret = readText(entry, "clientSecret", at);
  return { kind: "oauth2", id, name, clientId, clientSecret, scopes: scopes as string[], issuer, authorizationEndpoint, tokenEndpoint };
}

function readText(entry: JsonObject, key: string, at: string): string | undefined {
  const value = entry[key];
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "") throw new Error(`${at}.${key} must be text.`);
  return value;
}

/** Providers are the operator's choice: https, or http on this machine where that is switched on. */
export function isProviderUrl(text: string, allowLoopback: boolean): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "" || url.hash !== "") return false;
  return url.protocol === "https:" || (allowLoopback && url.protocol === "http:" && LOOPBACK_HOSTS.has(url.hostname));
}
