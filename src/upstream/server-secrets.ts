/**
 * Which texts of a server's configuration are credentials: header values without their scheme, values of the query, and
 * what variables hold where it is not plainly something else. They are what answers are searched for; this file never
 * prints or keeps them.
 */
import { isPlainValue } from "../config/plain-value.ts";
import { MIN_SECRET_BYTES } from "./credential-scan.ts";

export interface SecretSources {
  readonly url?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Configured variables of a child process. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** Header names whose values are no secrets, whatever they hold. */
const PLAIN_HEADERS: ReadonlySet<string> = new Set([
  "accept",
  "accept-language",
  "cache-control",
  "content-type",
  "from",
  "host",
  "origin",
  "referer",
  "user-agent",
]);
const SECRET_NAME = /auth|bearer|cookie|credential|key|pass|pwd|secret|session|sig|token/i;
const SCHEME = /^(?:apikey|basic|bearer|digest|dpop|key|negotiate|token)[ \t]+(.+)$/i;

/** Without those that are too short to be looked for. */
export function listServerSecrets(sources: SecretSources): string[] {
  const secrets = Object.entries(sources.headers ?? {}).flatMap(([name, value]) => listHeaderSecrets(name.toLowerCase(), value.trim()));
  if (sources.url !== undefined && URL.canParse(sources.url)) {
    for (const [name, value] of new URL(sources.url).searchParams) if (SECRET_NAME.test(name)) secrets.push(value);
  }
  secrets.push(...Object.entries(sources.environment ?? {}).flatMap(([name, value]) => listVariableSecrets(name, value)));
  return [...new Set(secrets)].filter((secret) => Buffer.byteLength(secret, "utf8") >= MIN_SECRET_BYTES);
}

/** What a variable holds is a credential unless it is plainly none. */
function listVariableSecrets(name: string, value: string): string[] {
  return !SECRET_NAME.test(name) && isPlainValue(value) ? [] : [value, ...listUrlSecrets(value)];
}

/** The password of an address, as it is written and as it is meant, and the values of its query. */
function listUrlSecrets(text: string): string[] {
  const url = URL.parse(text);
  if (url === null) return [];
  const named = [...url.searchParams].filter(([name]) => SECRET_NAME.test(name)).map(([, value]) => value);
  return url.password === "" ? named : [url.password, decodeOrKeep(url.password), ...named];
}

function decodeOrKeep(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function listHeaderSecrets(name: string, value: string): string[] {
  if (PLAIN_HEADERS.has(name)) return [];
  if (name === "cookie") return [value, ...value.split(";").map((part) => part.slice(part.indexOf("=") + 1).trim())];
  const credential = SCHEME.exec(value)?.[1]?.trim();
  if (credential === undefined) return [value];
  if (!/^basic[ \t]/i.test(value)) return [credential];
  const pair = Buffer.from(credential, "base64").toString("utf8");
  return [credential, pair, pair.slice(pair.indexOf(":") + 1)];
}
