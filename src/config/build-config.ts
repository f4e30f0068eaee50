/**
 * From a checked document to the frozen `Config`: paths made absolute from the file's own folder, defaults put in,
 * credentials of servers gathered so that answers can be searched for them. Takes only what has no errors.
 */
import path from "node:path";
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import type { ToolClass } from "../policy/decision.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { parseDuration } from "../policy/window.ts";
import { listBonds, memberObject, textOf } from "./check-references.ts";
import type { CommandConfig, Config, ConfigSource, GrantConfig, LoginConfig, OAuthConfig, ServerConfig } from "./config.ts";
import { isPlainValue } from "./plain-value.ts";

/** Shorter texts occur by chance, and an answer that holds one is not suspicious. */
const MIN_CREDENTIAL_CHARACTERS = 8;
/** Headers and query parameters that hold a credential, by what they are called. */
const CREDENTIAL_NAME = /auth|cookie|key|pass|secret|session|sig|token/i;

export interface ConfigParts {
  /** Absolute. */
  readonly file: string;
  readonly document: JsonObject;
  readonly policies: ReadonlyMap<string, { readonly file: string | undefined; readonly document: PolicyDocument }>;
  /** What the environment gave, by the pointer of the text that it went into. */
  readonly replaced: ReadonlyMap<string, readonly string[]>;
  readonly sources: readonly ConfigSource[];
}

export function buildConfig(parts: ConfigParts): Config {
  const { document, file } = parts;
  const folder = path.dirname(file);
  const listen = memberObject(document, "listen");
  const audit = memberObject(document, "audit");
  const store = textOf(memberObject(document, "store"), "url");
  const keyFile = textOf(memberObject(document, "secrets"), "keyFile");
  const port = readMember(listen, "port");
  return freezeDeep({
    file,
    listen: {
      host: textOf(listen, "host"),
      port: typeof port === "number" ? port : undefined,
      publicUrl: textOf(listen, "publicUrl"),
      allowedHosts: listTexts(readMember(listen, "allowedHosts")),
    },
    storeFile: store?.startsWith("sqlite:") ? path.resolve(folder, store.slice("sqlite:".length)) : undefined,
    storeUrl: store?.startsWith("sqlite:") ? undefined : store,
    limitsUrl: textOf(memberObject(document, "limits"), "url"),
    keyFile: keyFile === undefined ? undefined : path.resolve(folder, keyFile),
    servers: Object.entries(memberObject(document, "servers")).map(([name, server]) => buildServer(name, server, parts.replaced, folder)),
    policies: [...parts.policies].map(([name, policy]) => ({
      name,
      server: textOf(memberObject(document, "policies")[name], "server") ?? "",
      ...policy,
    })),
    grants: Object.entries(memberObject(document, "grants")).map(([label, grant]) => buildGrant(label, grant)),
    login: buildLogin(readMember(document, "login")),
    audit: {
      durability: textOf(audit, "durability") === "disk" ? "disk" : "process",
      retention: buildRetention(textOf(audit, "retention")),
    },
    sources: [...parts.sources],
  });
}

function buildRetention(text: string | undefined): Config["audit"]["retention"] {
  const ms = text === undefined ? undefined : parseDuration(text);
  return text === undefined || ms === undefined ? undefined : { ms, text };
}

function buildServer(name: string, server: Json, replaced: ConfigParts["replaced"], folder: string): ServerConfig {
  const upstream = memberObject(server, "upstream");
  const headers = mapTexts(memberObject(upstream, "headers"));
  const url = textOf(upstream, "url") ?? "";
  const below = `/servers/${name}/upstream/`;
  const fromEnvironment = [...replaced]
    .filter(([pointer]) => pointer.startsWith(below) && !pointer.startsWith(`${below}oauth/`))
    .flatMap(([pointer, values]) => (isOfProcess(pointer.slice(below.length)) ? values.filter((value) => !isPlainValue(value)) : values));
  const oauth = buildOAuth(upstream["oauth"]);
  const secret = oauth?.clientSecret === undefined ? [] : [oauth.clientSecret];
  return {
    name,
    url,
    command: buildCommand(upstream, folder),
    headers,
    oauth,
    credentials: listCredentials(headers, url, [...fromEnvironment, ...secret]),
    networkAllow: listTexts(readMember(memberObject(server, "network"), "allow")),
    classes: mapTexts(memberObject(server, "classes")) as Record<string, ToolClass>,
    tools: textOf(server, "tools") === "review" ? "review" : "accept",
    results: buildResults(memberObject(server, "results")),
    asks: listTexts(isJsonObject(server) ? readMember(server, "asks") : undefined),
    meta: listTexts(isJsonObject(server) ? readMember(server, "meta") : undefined),
    recordsValues: textOf(memberObject(server, "audit"), "arguments") === "values",
  };
}

/** Paths and words are read from the environment for a process as often as credentials are. */
function isOfProcess(pointer: string): boolean {
  const [key, name] = pointer.split("/");
  return key === "command" || key === "args" || key === "cwd" || (key === "env" && !CREDENTIAL_NAME.test(name ?? ""));
}

function buildCommand(upstream: JsonObject, folder: string): CommandConfig | undefined {
  const command = textOf(upstream, "command");
  if (command === undefined) return undefined;
  return {
    command,
    args: listTexts(readMember(upstream, "args")),
    env: mapTexts(memberObject(upstream, "env")),
    cwd: path.resolve(folder, textOf(upstream, "cwd") ?? "."),
    process: textOf(upstream, "process") === "session" ? "session" : "server",
  };
}

function buildResults(results: JsonObject): ServerConfig["results"] {
  const number = (key: string): number | undefined => {
    const value = readMember(results, key);
    return typeof value === "number" ? value : undefined;
  };
  const types = readMember(results, "types");
  return {
    maxBytes: number("maxBytes"),
    maxDepth: number("maxDepth"),
    timeoutSeconds: number("timeoutSeconds"),
    types: types === undefined ? undefined : listTexts(types),
  };
}

function buildOAuth(value: Json | undefined): OAuthConfig | undefined {
  if (value === undefined) return undefined;
  const said = isJsonObject(value) ? value : {};
  const scopes = readMember(said, "scopes");
  return {
    clientId: textOf(said, "clientId"),
    clientSecret: textOf(said, "clientSecret"),
    scopes: scopes === undefined ? undefined : listTexts(scopes),
    issuer: textOf(said, "issuer"),
  };
}

function listCredentials(headers: Readonly<Record<string, string>>, url: string, fromEnvironment: readonly string[]): string[] {
  const found = new Set(fromEnvironment.map((value) => value.trim()));
  for (const [header, value] of Object.entries(headers)) {
    if (!CREDENTIAL_NAME.test(header)) continue;
    found.add(value.trim());
    const [, scheme, bare] = /^([A-Za-z]+) +(.+)$/.exec(value.trim()) ?? [];
    if (bare === undefined) continue;
    found.add(bare);
    if (scheme?.toLowerCase() === "basic") {
      const pair = Buffer.from(bare, "base64").toString("utf8");
      found.add(pair).add(pair.slice(pair.indexOf(":") + 1));
    }
  }
  for (const [key, value] of URL.parse(url)?.searchParams ?? []) if (CREDENTIAL_NAME.test(key)) found.add(value);
  return [...found].filter((value) => value.length >= MIN_CREDENTIAL_CHARACTERS);
}

function buildGrant(label: string, grant: Json): GrantConfig {
  const expires = textOf(grant, "expires");
  return {
    label,
    servers: listBonds(grant).map(({ server, policy }) => ({ server, policy })),
    identity: textOf(grant, "identity"),
    owner: textOf(grant, "owner"),
    token: textOf(grant, "token"),
    tags: mapTexts(memberObject(grant, "tags")),
    expiresMs: expires === undefined ? undefined : Date.parse(expires),
  };
}

function buildLogin(login: Json | undefined): LoginConfig | undefined {
  if (!isJsonObject(login)) return undefined;
  const rows = readMember(login, "grants");
  return {
    issuer: textOf(login, "issuer") ?? "",
    audience: textOf(login, "audience"),
    scopes: listTexts(readMember(login, "scopes")),
    jwksUri: textOf(login, "jwksUri"),
    networkAllow: listTexts(readMember(memberObject(login, "network"), "allow")),
    identity: textOf(login, "identity") ?? "sub",
    emails: textOf(login, "emails") === "issued" ? "issued" : "verified",
    tags: mapTexts(memberObject(login, "tags")),
    rows: (isJsonList(rows) ? rows : []).map((row) => ({
      claims: mapTexts(memberObject(row, "claims")),
      grant: textOf(row, "grant"),
      servers: listBonds(row).map(({ server, policy }) => ({ server, policy })),
    })),
  };
}

function listTexts(value: Json | undefined): string[] {
  return isJsonList(value) ? value.filter((item) => typeof item === "string") : [];
}

/** Without a prototype, as a tool or a tag may be called anything. */
function mapTexts(value: JsonObject): Record<string, string> {
  const texts = Object.create(null) as Record<string, string>;
  for (const [key, text] of Object.entries(value)) if (typeof text === "string") texts[key] = text;
  return texts;
}

function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) freezeDeep(member);
  return Object.freeze(value);
}
