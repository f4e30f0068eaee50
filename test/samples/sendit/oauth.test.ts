/** OAuth2 connectors against a certified provider: the whole way, and every way it can go wrong. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Connections, openConnections } from "../../../samples/sendit/connections.ts";
import type { OAuthConnector } from "../../../samples/sendit/connectors.ts";
import { ATTEMPT_MS, createOAuth, rowOf } from "../../../samples/sendit/oauth.ts";
import { type Outgoing, type Sent, send } from "../../../samples/sendit/outgoing.ts";
import { createSealer } from "../../../samples/sendit/seal.ts";
import { CLIENT_SECRET, PUBLIC_CLIENT, SECRET_CLIENT, startProvider } from "./provider.ts";
import { KEY, makeFolder, readFolder, type Sample, startHere } from "./support.ts";

const SCOPES = ["openid", "offline_access"];

async function startBoth(more: object) {
  const provider = await startProvider();
  const dir = makeFolder();
  const entry = { id: "cloud", name: "Cloud", issuer: provider.issuer, scopes: SCOPES, ...more };
  const env = { SENDIT_OAUTH2: JSON.stringify([entry]), SENDIT_ALLOW_LOOPBACK: "1" };
  return { provider, dir, env, sample: await startHere(dir, env) };
}

async function begin(sample: Sample): Promise<{ url: string; id: string }> {
  const { structuredContent } = await sample.call("connect_connector", { connector: "cloud" });
  expect(structuredContent.connection).toMatchObject({ kind: "oauth2", status: "pending" });
  return { url: structuredContent.authorizationUrl, id: structuredContent.connection.id };
}

async function look(sample: Sample): Promise<{ id: string; status: string; reason?: string }[]> {
  return (await sample.call("list_connected_connectors", {})).structuredContent.connections;
}

/** `prompt=consent` is how this provider is asked for a refresh token. */
const asking = (url: string): string => `${url}&prompt=consent`;

describe("against a provider", () => {
  test.each([
    ["a public client", { clientId: PUBLIC_CLIENT }],
    ["a client with a secret", { clientId: SECRET_CLIENT, clientSecret: CLIENT_SECRET }],
  ])("%s is connected, and stays so after a restart", async (_what, client) => {
    const { provider, dir, env, sample } = await startBoth(client);
    const { url, id } = await begin(sample);
    const asked = new URL(url).searchParams;
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: "code",
      client_id: client.clientId,
      redirect_uri: `${sample.origin}/callback`,
      scope: SCOPES.join(" "),
      code_challenge_method: "S256",
    });
    const back = await provider.browse(asking(url), "consent");
    expect(back.searchParams.get("iss")).toBe(provider.issuer);
    const page = await fetch(back);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("Cloud is connected")]);
    expect(await look(sample)).toMatchObject([{ id, status: "connected", scopes: SCOPES, credential: "OAuth2 tokens" }]);

    const again = await fetch(back);
    expect([again.status, await again.text()]).toEqual([400, expect.stringContaining("already used")]);
    expect(await look(sample)).toMatchObject([{ id, status: "connected" }]);

    await sample.stop();
    const stored = openConnections(dir, createSealer(Buffer.from(KEY, "base64")), Date.now).list()[0];
    const tokens = JSON.parse(createSealer(Buffer.from(KEY, "base64")).unseal(stored?.sealed ?? "", rowOf(stored as never, "tokens")));
    expect(tokens).toMatchObject({ accessToken: expect.any(String), refreshToken: expect.any(String), expiresIn: 3600 });
    for (const secret of [tokens.accessToken, tokens.refreshToken, asked.get("state") as string])
      expect(readFolder(dir)).not.toContain(secret);
    const restarted = await startHere(dir, env);
    expect(await look(restarted)).toMatchObject([{ id, status: "connected" }]);
    expect((await restarted.call("disconnect_connector", { connector: "cloud" })).structuredContent.removed).toBe(1);
    expect(readFolder(dir)).not.toContain(stored?.sealed ?? "");
  });

  test("denied consent is a failed connection, in the sample's own words", async () => {
    const { provider, sample } = await startBoth({ clientId: PUBLIC_CLIENT });
    const { url, id } = await begin(sample);
    const page = await fetch(await provider.browse(asking(url), "deny"));
    const text = await page.text();
    expect(text).toContain("Access was denied");
    expect(text).not.toContain("<b>no</b>");
    expect(await look(sample)).toMatchObject([{ id, status: "failed", reason: "Access was denied at the provider." }]);
  });

  test("a wrong state changes nothing; the right one still works", async () => {
    const { provider, sample } = await startBoth({ clientId: PUBLIC_CLIENT });
    const { url, id } = await begin(sample);
    const back = await provider.browse(asking(url), "consent");
    for (const state of ["", "x", "A".repeat(43)]) {
      const wrong = new URL(back);
      wrong.searchParams.set("state", state);
      expect((await fetch(wrong)).status).toBe(400);
    }
    const twice = new URL(back);
    twice.searchParams.append("code", "another");
    expect((await fetch(twice)).status).toBe(400);
    expect(await look(sample)).toMatchObject([{ id, status: "pending" }]);
    expect((await fetch(back)).status).toBe(200);
  });

  test("another issuer, and none, are refused, for good", async () => {
    const { provider, sample } = await startBoth({ clientId: PUBLIC_CLIENT });
    for (const issuer of ["https://evil.example", undefined]) {
      const back = await provider.browse(asking((await begin(sample)).url), "consent");
      if (issuer === undefined) back.searchParams.delete("iss");
      else back.searchParams.set("iss", issuer);
      expect(await (await fetch(back)).text()).toContain("did not come from the provider");
      back.searchParams.set("iss", provider.issuer);
      expect((await fetch(back)).status).toBe(400);
    }
    expect((await look(sample)).map(({ status }) => status)).toEqual(["failed", "failed"]);
  });

  test("a code that the provider does not know is a failed connection", async () => {
    const { provider, sample } = await startBoth({ clientId: PUBLIC_CLIENT });
    const back = await provider.browse(asking((await begin(sample)).url), "consent");
    back.searchParams.set("code", "made-up");
    expect(await (await fetch(back)).text()).toContain("(invalid_grant)");
    expect(await look(sample)).toMatchObject([{ status: "failed" }]);
  });

  test("a code that was asked for with another state's verifier is refused by the provider", async () => {
    const { provider, sample } = await startBoth({ clientId: PUBLIC_CLIENT });
    const [first, second] = [await begin(sample), await begin(sample)];
    const [one, two] = [await provider.browse(asking(first.url), "consent"), await provider.browse(asking(second.url), "consent")];
    one.searchParams.set("code", two.searchParams.get("code") ?? "");
    expect(await (await fetch(one)).text()).toContain("(invalid_grant)");
  });
});

/** The same parts in one process, where the clock and the provider's answers are the test's. */
function createParts(answer: (outgoing: Outgoing) => Promise<Sent>, more: Partial<OAuthConnector> = {}) {
  const sealer = createSealer(Buffer.alloc(32, 3));
  const clock = { nowMs: 1_000_000 };
  const connector: OAuthConnector = {
    kind: "oauth2",
    id: "cloud",
    name: "Cloud",
    clientId: "client",
    clientSecret: undefined,
    scopes: ["read"],
    issuer: "https://id.example",
    authorizationEndpoint: "https://id.example/authorize?audience=a",
    tokenEndpoint: "https://id.example/token",
    ...more,
  };
  const connections: Connections = openConnections(makeFolder(), sealer, () => clock.nowMs);
  const ports = { connectors: [connector], connections, sealer, send: answer, redirectUri: () => "http://127.0.0.1:1/callback" };
  const oauth = createOAuth({ ...ports, now: () => clock.nowMs, allowLoopback: false });
  const start = async () => {
    const begun = await oauth.begin(connector);
    if (typeof begun === "string") throw new Error(begun);
    const url = new URL(begun.authorizationUrl);
    const back = (more: Record<string, string> = {}) =>
      oauth.finish(new URLSearchParams({ state: url.searchParams.get("state") ?? "", code: "the-code", ...more }));
    return { url, back };
  };
  return { connector, connections, clock, oauth, start };
}

const answerWith = (status: number, body: unknown): Sent => ({
  ok: true,
  status,
  text: typeof body === "string" ? body : JSON.stringify(body),
});
const GOOD = answerWith(200, { access_token: "t", token_type: "Bearer" });

describe("with answers of our own", () => {
  test("the exchange sends the verifier of the challenge and the same redirect", async () => {
    const sent: Outgoing[] = [];
    const { start, connections } = createParts(async (outgoing) => {
      sent.push(outgoing);
      return GOOD;
    });
    const { url, back } = await start();
    expect(url.searchParams.get("audience")).toBe("a");
    expect(await back()).toMatchObject({ status: 200 });
    const form = new URLSearchParams(sent[0]?.body);
    expect(Object.fromEntries(form)).toEqual({
      grant_type: "authorization_code",
      code: "the-code",
      redirect_uri: "http://127.0.0.1:1/callback",
      client_id: "client",
      code_verifier: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    });
    const challenge = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    expect(url.searchParams.get("code_challenge")).toBe(challenge);
    expect(connections.list()).toMatchObject([{ status: "connected", scopes: ["read"] }]);
    expect(connections.list()[0]).not.toHaveProperty("attempt");
  });

  test("two callbacks at once exchange one code once", async () => {
    let exchanged = 0;
    const { start } = createParts(async () => {
      exchanged++;
      return GOOD;
    });
    const { back } = await start();
    const outcomes = await Promise.all([back(), back(), back()]);
    expect([outcomes.map(({ status }) => status).sort(), exchanged]).toEqual([[200, 400, 400], 1]);
  });

  test("a link works until its time is up", async () => {
    const { start, clock, connections } = createParts(async () => GOOD);
    const [first, second] = [await start(), await start()];
    clock.nowMs += ATTEMPT_MS - 1;
    expect((await first.back()).status).toBe(200);
    clock.nowMs += 1;
    expect(await second.back()).toMatchObject({ status: 400, text: expect.stringContaining("expired") });
    expect(connections.list().map(({ status }) => status)).toEqual(["connected", "pending"]);
  });

  test("a connection that is removed meanwhile stays removed", async () => {
    const parts = createParts(async () => {
      parts.connections.remove("cloud");
      return GOOD;
    });
    const { back } = await parts.start();
    expect((await back()).status).toBe(410);
    expect(parts.connections.list()).toEqual([]);
  });

  test.each([
    ["no answer", { ok: false, reason: "there was no answer in time" }, /no answer in time/],
    ["an error of the provider", answerWith(400, { error: "invalid_client", error_description: "<i>psst</i>" }), /\(invalid_client\)/],
    ["an error that is no code", answerWith(400, { error: "<i>psst</i>" }), /refused to exchange the code\./],
    ["something else", answerWith(200, "<html>"), /no bearer token/],
    ["another kind of token", answerWith(200, { access_token: "t", token_type: "DPoP" }), /no bearer token/],
    ["no token", answerWith(200, { token_type: "Bearer" }), /no bearer token/],
  ] as const)("%s ends in a failed connection", async (_what, answer, reason) => {
    const { start, connections } = createParts(async () => answer);
    const outcome = await (await start()).back();
    expect(outcome.text).toMatch(reason);
    expect(outcome.text).not.toContain("psst");
    expect(connections.list()).toMatchObject([{ status: "failed", reason: expect.stringMatching(reason) }]);
    expect(connections.list()[0]).not.toHaveProperty("sealed");
  });

  test("an issuer is compared as it stands, also where endpoints are configured", async () => {
    const { start, connections } = createParts(async () => GOOD);
    expect((await (await start()).back({ iss: "https://id.example/" })).status).toBe(400);
    expect((await (await start()).back({ iss: "https://id.example" })).status).toBe(200);
    expect(connections.list().map(({ status }) => status)).toEqual(["failed", "connected"]);
  });

  const metadata = {
    issuer: "https://id.example",
    authorization_endpoint: "https://id.example/a",
    token_endpoint: "https://id.example/t",
    code_challenge_methods_supported: ["S256"],
  };
  const discovering = { authorizationEndpoint: undefined, tokenEndpoint: undefined };
  test.each([
    ["another issuer", { ...metadata, issuer: "https://evil.example" }, /another issuer/],
    ["no PKCE", { ...metadata, code_challenge_methods_supported: undefined }, /PKCE/],
    ["plain http", { ...metadata, token_endpoint: "http://id.example/t" }, /no usable endpoints/],
    ["an address of this machine", { ...metadata, token_endpoint: "http://127.0.0.1/t" }, /no usable endpoints/],
    ["nothing", "[]", /publishes no metadata/],
  ])("metadata with %s begins nothing", async (_what, found, reason) => {
    const { oauth, connector, connections } = createParts(async () => answerWith(200, found), discovering);
    expect(await oauth.begin(connector)).toMatch(reason);
    expect(connections.list()).toEqual([]);
  });

  test("an issuer with a path is asked in both ways", async () => {
    const asked: string[] = [];
    const more = { ...discovering, issuer: "https://id.example/tenant" };
    const { oauth, connector } = createParts(async ({ url }) => {
      asked.push(url.href);
      return asked.length === 1 ? answerWith(404, "") : answerWith(200, { ...metadata, issuer: "https://id.example/tenant" });
    }, more);
    expect(await oauth.begin(connector)).toMatchObject({ authorizationUrl: expect.stringContaining("https://id.example/a?") });
    expect(asked).toEqual([
      "https://id.example/.well-known/oauth-authorization-server/tenant",
      "https://id.example/tenant/.well-known/openid-configuration",
    ]);
  });

  test("a provider that can't be reached is said in words", async () => {
    const { oauth, connector } = createParts(send, { ...discovering, issuer: "http://127.0.0.1:9" });
    expect(await oauth.begin(connector)).toMatch(/could not be asked where to sign in: the connection was refused/);
  });
});
