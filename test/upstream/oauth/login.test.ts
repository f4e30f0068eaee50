/** Finding out where to sign in, and what comes back: what a hostile or careless other side may say. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { OAuthConfig } from "../../../src/config/config.ts";
import { createAddressGuard } from "../../../src/upstream/address-guard.ts";
import { createGuardedFetch } from "../../../src/upstream/guarded-fetch.ts";
import { type LoginPlan, planLogin, redeemLogin } from "../../../src/upstream/oauth/authorize.ts";
import { MAX_SCOPES, readChallenge } from "../../../src/upstream/oauth/challenge.ts";
import { printClientMetadata, type Registration } from "../../../src/upstream/oauth/client-identity.ts";
import { MAX_TOKEN_LIFE_MS } from "../../../src/upstream/oauth/tokens.ts";
import { type HandMadeLogin, sendJson, startHandMadeLogin } from "../../support/hand-made-login.ts";

const NO_CONFIG: OAuthConfig = { clientId: undefined, clientSecret: undefined, scopes: undefined, issuer: undefined };
const BASE = "http://127.0.0.1:8420";
const guard = createAddressGuard({
  allow: ["127.0.0.1/32"],
  resolve: (name) => Promise.resolve(name.startsWith("inside") ? ["10.0.0.7"] : ["203.0.113.9"]),
});
const fetch = createGuardedFetch({ guard, timeoutMs: 2_000 });

interface How {
  readonly config?: Partial<OAuthConfig>;
  readonly baseUrl?: string;
  readonly kept?: Registration;
  readonly wanted?: readonly string[];
  readonly before?: { readonly issuer: string; readonly scopes: readonly string[] };
}

const plan = (login: HandMadeLogin, how: How = {}) =>
  planLogin({
    url: login.url,
    config: { ...NO_CONFIG, ...how.config },
    guard,
    fetch,
    baseUrl: how.baseUrl ?? BASE,
    kept: how.kept,
    wanted: how.wanted ?? [],
    before: how.before,
    nowMs: 1_000,
  });

async function planned(login: HandMadeLogin, how: How = {}): Promise<LoginPlan> {
  const result = await plan(login, how);
  if (!result.ok) throw new Error(result.failures.map(({ message }) => message).join(" "));
  return result.value.plan;
}

async function refused(login: HandMadeLogin, how: How = {}): Promise<string> {
  const result = await plan(login, how);
  if (result.ok) throw new Error("it was not refused");
  expect(login.arrived.filter(({ url }) => url === "/token" || url === "/register")).toEqual([]);
  return result.failures.map(({ code, message }) => `${code}: ${message}`).join(" ");
}

const back = (login: HandMadeLogin, of: LoginPlan, change: Record<string, string | undefined> = {}): URLSearchParams => {
  const all: Record<string, string | undefined> = { code: "the-code", state: of.state, iss: login.origin, ...change };
  return new URLSearchParams(Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined));
};

async function redeem(login: HandMadeLogin, of: LoginPlan, parameters: URLSearchParams): Promise<string> {
  const result = await redeemLogin(of, parameters, fetch, 1_000);
  return result.ok ? "ok" : result.failures.map(({ message }) => message).join(" ");
}

describe("a plan", () => {
  test("asks for a code with PKCE, for the server's own resource", async () => {
    const login = await startHandMadeLogin();
    const made = await planned(login);
    const url = new URL(made.authorizationUrl);
    expect(`${url.origin}${url.pathname}`).toBe(`${login.origin}/authorize`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: "code",
      client_id: "registered",
      redirect_uri: `${BASE}/oauth/callback`,
      state: made.state,
      code_challenge: createHash("sha256").update(made.verifier).digest("base64url"),
      code_challenge_method: "S256",
      resource: login.url,
      scope: "read write",
    });
    expect(made.state.length).toBeGreaterThanOrEqual(43);
    const registered = login.arrived.find(({ url: path }) => path === "/register");
    expect(JSON.parse(registered?.body ?? "{}")).toMatchObject({
      redirect_uris: [`${BASE}/oauth/callback`],
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
    });
  });

  test("finds the metadata at the well-known places, by path and at the root", async () => {
    const login = await startHandMadeLogin();
    login.serve.set("/mcp", (response) => void response.writeHead(401).end());
    expect((await planned(login)).terms.resource).toBe(login.url);
    login.serve.set("/.well-known/oauth-protected-resource/mcp", (response) => void response.writeHead(404).end());
    login.serve.set("/.well-known/oauth-protected-resource", (response) =>
      sendJson(response, { ...login.resource, resource: login.origin }),
    );
    expect((await planned(login)).terms.resource).toBe(login.origin);
  });

  test("takes the server for its own authorization server where it has no metadata of a resource", async () => {
    const login = await startHandMadeLogin();
    login.serve.set("/mcp", (response) => void response.writeHead(401).end());
    login.serve.set("/.well-known/oauth-protected-resource/mcp", (response) => void response.writeHead(404).end());
    expect((await planned(login)).terms).toMatchObject({ resource: login.url, server: { issuer: login.origin } });
  });

  test("asks an issuer with a path at the three places, in order", async () => {
    const login = await startHandMadeLogin();
    const issuer = `${login.origin}/tenant`;
    login.resource["authorization_servers"] = [issuer];
    login.serve.set("/tenant/.well-known/openid-configuration", (response) => sendJson(response, { ...login.server, issuer }));
    expect((await planned(login)).terms.server.issuer).toBe(issuer);
    const asked = login.arrived.map(({ url }) => url).filter((url) => url.includes("tenant"));
    expect(asked).toEqual([
      "/.well-known/oauth-authorization-server/tenant",
      "/.well-known/openid-configuration/tenant",
      "/tenant/.well-known/openid-configuration",
    ]);
  });

  test.each([
    [
      "another resource's metadata",
      (login: HandMadeLogin) => void (login.resource["resource"] = "https://other.example/mcp"),
      "another resource",
    ],
    [
      "a resource beside the server",
      (login: HandMadeLogin) => void (login.resource["resource"] = `${login.origin}/mc`),
      "another resource",
    ],
    ["a resource below the server", (login: HandMadeLogin) => void (login.resource["resource"] = `${login.url}/more`), "another resource"],
    [
      "no authorization server",
      (login: HandMadeLogin) => void (login.resource["authorization_servers"] = [7]),
      "names no authorization server",
    ],
    ["another issuer's metadata", (login: HandMadeLogin) => void (login.server["issuer"] = "https://honest.example"), "another issuer"],
    ["no PKCE", (login: HandMadeLogin) => void (login.server["code_challenge_methods_supported"] = ["plain"]), "PKCE"],
    ["nothing about PKCE", (login: HandMadeLogin) => void delete login.server["code_challenge_methods_supported"], "PKCE"],
    ["no token endpoint", (login: HandMadeLogin) => void delete login.server["token_endpoint"], "lacks an address"],
    ["a script for a page", (login: HandMadeLogin) => void (login.server["authorization_endpoint"] = "javascript:alert(1)"), "address"],
    ["a file for a page", (login: HandMadeLogin) => void (login.server["authorization_endpoint"] = "file:///etc/passwd"), "address"],
    ["http elsewhere", (login: HandMadeLogin) => void (login.server["token_endpoint"] = "http://auth.example/token"), "not one of https"],
    [
      "a metadata service for tokens",
      (login: HandMadeLogin) => void (login.server["token_endpoint"] = "https://169.254.169.254/token"),
      "metadata service",
    ],
    [
      "the same, mapped",
      (login: HandMadeLogin) => void (login.server["revocation_endpoint"] = "https://[::ffff:a9fe:a9fe]/"),
      "metadata service",
    ],
    [
      "the same, as a number",
      (login: HandMadeLogin) => void (login.server["registration_endpoint"] = "https://2852039166/"),
      "metadata service",
    ],
    [
      "a private name",
      (login: HandMadeLogin) => void (login.server["authorization_endpoint"] = "https://inside.example/"),
      "may not be connected to",
    ],
    [
      "a private issuer",
      (login: HandMadeLogin) => void (login.resource["authorization_servers"] = ["https://10.0.0.8"]),
      "may not be connected to",
    ],
    [
      "a user in an address",
      (login: HandMadeLogin) => void (login.server["token_endpoint"] = "https://a:b@auth.example/"),
      "user or a password",
    ],
    [
      "a redirect",
      (login: HandMadeLogin) =>
        void login.serve.set(
          "/.well-known/oauth-authorization-server",
          (response) => void response.writeHead(302, { location: `${login.origin}/.well-known/openid-configuration` }).end(),
        ),
      "redirect",
    ],
    ["a huge document", (login: HandMadeLogin) => void (login.server["more"] = "x".repeat(300_000)), "too large"],
    [
      "a server that is silent",
      (login: HandMadeLogin) => void login.serve.set("/.well-known/oauth-authorization-server", () => undefined),
      "in time",
    ],
    [
      "a server that fails",
      (login: HandMadeLogin) =>
        void login.serve.set("/.well-known/oauth-authorization-server", (response) => void response.writeHead(500).end()),
      "status 500",
    ],
    [
      "a list for metadata",
      (login: HandMadeLogin) => void login.serve.set("/.well-known/oauth-authorization-server", (response) => sendJson(response, [])),
      "not an object",
    ],
  ])("is refused where there is %s", async (_name, spoil, words) => {
    const login = await startHandMadeLogin();
    spoil(login);
    expect(await refused(login)).toContain(words);
  });

  test("goes nowhere that a challenge names and the guard refuses", async () => {
    const login = await startHandMadeLogin();
    for (const address of ["http://169.254.169.254/latest", "https://169.254.169.254/latest", "https://inside.example/x", "gopher://x"]) {
      login.serve.set(
        "/mcp",
        (response) => void response.writeHead(401, { "www-authenticate": `Bearer resource_metadata="${address}"` }).end(),
      );
      expect(await refused(login)).toContain("address_refused");
    }
  });

  test("uses the configured client, then the metadata document, then a registration that fits", async () => {
    const login = await startHandMadeLogin();
    login.server["client_id_metadata_document_supported"] = true;
    const https = "https://gateway.example";
    expect((await planned(login, { config: { clientId: "mine" }, baseUrl: https })).terms.client).toEqual({ id: "mine", method: "none" });
    const secret = (await planned(login, { config: { clientId: "mine", clientSecret: "hush" } })).terms.client;
    expect(secret).toEqual({ id: "mine", secret: "hush", method: "client_secret_basic" });
    expect((await planned(login, { baseUrl: https })).terms.client.id).toBe(`${https}/oauth/client-metadata.json`);
    const kept: Registration = {
      issuer: login.origin,
      redirectUri: `${BASE}/oauth/callback`,
      client: { id: "kept", method: "none" },
      expiresMs: undefined,
    };
    expect((await planned(login, { kept })).terms.client.id).toBe("kept");
    for (const stale of [
      { ...kept, issuer: "https://other.example" },
      { ...kept, redirectUri: "http://x/" },
      { ...kept, expiresMs: 999 },
    ]) {
      expect((await planned(login, { kept: stale })).terms.client.id).toBe("registered");
    }
    delete login.server["registration_endpoint"];
    const none = await plan(login);
    expect(none).toMatchObject({ ok: false, failures: [{ hint: expect.stringContaining("clientId") as string }] });
  });

  test.each([200, 201])("takes a registration of status %i that does not say when its secret ends", async (status) => {
    const login = await startHandMadeLogin();
    login.serve.set("/register", (response) => {
      const answer = { client_id: "chatty", client_secret: "hush-hush", token_endpoint_auth_method: "client_secret_basic" };
      response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(answer)}\n`);
    });
    const { terms } = await planned(login);
    expect(terms.client).toEqual({ id: "chatty", secret: "hush-hush", method: "client_secret_basic" });
  });

  test("asks for configured scopes alone; else for what was wanted; for offline access where it is offered", async () => {
    const login = await startHandMadeLogin();
    const scopeOf = async (how: How = {}): Promise<string | null> =>
      new URL((await planned(login, how)).authorizationUrl).searchParams.get("scope");
    expect(await scopeOf({ config: { scopes: ["mine"] }, wanted: ["more"] })).toBe("mine");
    expect(await scopeOf({ config: { scopes: [] } })).toBeNull();
    expect(await scopeOf({ wanted: ["more"] })).toBe("more");
    login.resource["scopes_supported"] = ["read", "offline_access"];
    expect(await scopeOf()).toBe("read");
    login.server["scopes_supported"] = ["offline_access"];
    expect(await scopeOf()).toBe("read offline_access");
    expect(new URL((await planned(login)).authorizationUrl).searchParams.get("prompt")).toBe("consent");
  });

  test("keeps what was asked for before where more is wanted of the same authorization server", async () => {
    const login = await startHandMadeLogin();
    const scopeOf = async (how: How): Promise<string | null> =>
      new URL((await planned(login, how)).authorizationUrl).searchParams.get("scope");
    const before = { issuer: login.origin, scopes: ["basic"] };
    expect(await scopeOf({ wanted: ["more"], before })).toBe("more basic");
    expect(await scopeOf({ before })).toBe("read write");
    expect(await scopeOf({ wanted: ["more"], before: { ...before, issuer: "https://other.example" } })).toBe("more");
    const many = Array.from({ length: MAX_SCOPES }, (_, index) => `s${index}`);
    expect((await scopeOf({ wanted: ["more"], before: { ...before, scopes: many } }))?.split(" ")).toHaveLength(MAX_SCOPES);
  });

  test.each([
    ["an opening", "initialize", {}],
    ["what comes after an opening", "tools/list", {}],
    ["what comes after it in a session", "tools/list", { "mcp-session-id": "session-1" }],
    ["a list of a server without openings", "modern", {}],
  ])("takes the scopes from the refusal of %s", async (_name, refuses, told: Record<string, string>) => {
    const login = await startHandMadeLogin();
    const seen: string[] = [];
    login.serve.set("/mcp", (response, { method, headers, body }) => {
      const session = headers["mcp-session-id"] ?? "";
      if (method === "DELETE") return void (seen.push(`DELETE ${String(session)}`), response.writeHead(200).end());
      const asked = JSON.parse(body) as { method: string; params: { _meta?: object } };
      seen.push(`${asked.method} ${String(session)}`.trim());
      const isModern =
        headers["mcp-protocol-version"] === "2026-07-28" && headers["mcp-method"] === asked.method && asked.params._meta !== undefined;
      if (refuses === "modern" ? isModern : asked.method === refuses) {
        const challenge = `Bearer scope="seen", resource_metadata="${login.origin}/.well-known/oauth-protected-resource/mcp"`;
        return void response.writeHead(401, { "www-authenticate": challenge }).end();
      }
      if (refuses === "modern") return void response.writeHead(400).end();
      sendJson(response, { jsonrpc: "2.0", id: "sallyport-login", result: {} }, 200, told);
    });
    expect((await planned(login)).terms.scopes).toEqual(["seen"]);
    const id = told["mcp-session-id"];
    const list = id === undefined ? "tools/list" : `tools/list ${id}`;
    const ended = id === undefined ? [] : [`DELETE ${id}`];
    expect(seen).toEqual(refuses === "initialize" ? ["initialize"] : ["initialize", list, ...ended]);
  });

  test("goes on where only the second knock is not answered well", async () => {
    const login = await startHandMadeLogin();
    login.serve.set("/mcp", (response, { body }) => {
      if (body.includes("tools/list")) return void response.writeHead(302, { location: login.url }).end();
      sendJson(response, { jsonrpc: "2.0", id: "sallyport-login", result: {} });
    });
    expect((await planned(login)).terms.scopes).toEqual(["read", "write"]);
  });

  test("the metadata document names its own address and nothing secret", () => {
    expect(JSON.parse(printClientMetadata("https://gateway.example"))).toEqual({
      client_id: "https://gateway.example/oauth/client-metadata.json",
      client_name: "Sallyport",
      redirect_uris: ["https://gateway.example/oauth/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      application_type: "web",
      token_endpoint_auth_method: "none",
    });
  });
});

describe("what comes back", () => {
  test("is redeemed with verifier and resource", async () => {
    const login = await startHandMadeLogin();
    const made = await planned(login);
    expect(await redeem(login, made, back(login, made))).toBe("ok");
    expect(Object.fromEntries(login.forms()[0] ?? [])).toEqual({
      grant_type: "authorization_code",
      code: "the-code",
      redirect_uri: `${BASE}/oauth/callback`,
      code_verifier: made.verifier,
      client_id: "registered",
      resource: login.url,
    });
  });

  test.each([
    ["another issuer's", { iss: "https://evil.example" }],
    ["nobody's", { iss: undefined }],
    ["with another state", { state: "other" }],
    ["without a state", { state: undefined }],
    ["an implicit answer", { token: "x" }],
    ["a wrapped answer", { response: "x" }],
    ["without a code", { code: undefined }],
  ])("is not sent anywhere where it is %s", async (_name, change: Record<string, string | undefined>) => {
    const login = await startHandMadeLogin();
    const made = await planned(login);
    expect(await redeem(login, made, back(login, made, change))).not.toBe("ok");
    expect(login.forms()).toEqual([]);
  });

  test("an error is told by its code, and a text never", async () => {
    const login = await startHandMadeLogin();
    const made = await planned(login);
    const words = await redeem(login, made, back(login, made, { error: "access_denied", error_description: "<b>buy this</b>" }));
    expect(words).toContain("`access_denied`");
    expect(words).not.toContain("buy");
    expect(await redeem(login, made, back(login, made, { error: "Buy <b>this</b>" }))).not.toContain("this</b>");
    const twice = back(login, made);
    twice.append("state", made.state);
    expect(await redeem(login, made, twice)).not.toBe("ok");
    expect(login.forms()).toEqual([]);
  });

  test.each([
    ["no bearer", { access_token: "a", token_type: "mac" }],
    ["proof of a key", { access_token: "a", token_type: "DPoP" }],
    ["a line break", { access_token: "a\r\nx: y", token_type: "Bearer" }],
    ["an endless token", { access_token: "a".repeat(9000), token_type: "Bearer" }],
    ["a refresh token that is none", { access_token: "a", token_type: "Bearer", refresh_token: "a b" }],
    ["no token", { token_type: "Bearer" }],
    ["a time that is negative", { access_token: "a", token_type: "Bearer", expires_in: -5 }],
    ["a time that is a word", { access_token: "a", token_type: "Bearer", expires_in: "soon" }],
  ])("a token answer with %s is refused", async (_name, answer) => {
    const login = await startHandMadeLogin();
    const made = await planned(login);
    login.serve.set("/token", (response) => sendJson(response, answer));
    expect(await redeem(login, made, back(login, made))).not.toBe("ok");
  });

  test.each([
    [3600, 1_000 + 3_600_000],
    ["60", 1_000 + 60_000],
    [0, 1_000],
    [1e300, 1_000 + MAX_TOKEN_LIFE_MS],
    [undefined, undefined],
  ])("expires_in %s is read as %s", async (seconds, expected) => {
    const login = await startHandMadeLogin();
    const made = await planned(login);
    login.serve.set("/token", (response) => sendJson(response, { access_token: "a-token", token_type: "bearer", expires_in: seconds }));
    const result = await redeemLogin(made, back(login, made), fetch, 1_000);
    expect(result.ok && result.value.expiresMs).toBe(expected ?? undefined);
  });

  test("a redirect of the token endpoint is not followed", async () => {
    const login = await startHandMadeLogin();
    const made = await planned(login);
    login.serve.set("/token", (response) => void response.writeHead(307, { location: `${login.origin}/elsewhere` }).end());
    expect(await redeem(login, made, back(login, made))).toContain("redirect");
    expect(login.arrived.map(({ url }) => url)).not.toContain("/elsewhere");
  });
});

describe("a challenge", () => {
  test.each([
    [
      'Bearer resource_metadata="https://a/b", scope="x y", error="invalid_token"',
      { resourceMetadata: "https://a/b", scopes: ["x", "y"], error: "invalid_token" },
    ],
    ["bearer scope=one", { scopes: ["one"] }],
    ['Basic realm="a", Bearer error="insufficient_scope", scope="z"', { error: "insufficient_scope", scopes: ["z"] }],
    ['Bearer error="a", error="b"', { error: undefined }],
    ['Basic realm="bearer x"', { error: undefined, scopes: [] }],
    ['Bearer scope="a\\"b c"', { scopes: ["c"] }],
    ["", { scopes: [] }],
  ])("%s", (header, expected) => {
    expect(readChallenge(header)).toMatchObject(expected);
  });

  test("is bounded in its length and its scopes", () => {
    expect(readChallenge(`Bearer error="x", scope="${"a ".repeat(9000)}"`).error).toBeUndefined();
    const many = Array.from({ length: 200 }, (_, index) => `s${index}`).join(" ");
    expect(readChallenge(`Bearer scope="${many}"`).scopes).toHaveLength(MAX_SCOPES);
  });

  test("is read in no time, whatever blanks it holds", () => {
    const before = process.cpuUsage();
    for (let round = 0; round < 10; round++) readChallenge(`Bearer a=b${" ".repeat(8000)}!`);
    // Its own processor time, whoever else wants the machine; quadratic reading takes many times as long.
    expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
  });
});
