/** Clients of both generations log in with a certified provider: they find it by themselves, and are somebody. */
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDataFolder } from "../../src/data-folder.ts";
import { listGrants } from "../../src/identity/grant.ts";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { claimsOf } from "../support/issuer.ts";
import { type LegacyServer, startLegacyServer } from "./legacy-server.ts";
import { CLIENT_ID, REDIRECT_URL, SCOPE, startProvider, type TestProvider } from "./provider.ts";
import { call, openSession, openStream, post } from "./raw-client.ts";
import { textOf } from "./sdk-clients.ts";

const TOKEN = "token-of-the-grant-00000000001";
let provider: TestProvider;
let upstream: LegacyServer;
let gateway: TestGateway;
let url: URL;

beforeAll(async () => {
  provider = await startProvider((person) => ({ email: `${person}@example.com`, email_verified: true, groups: ["staff", "support"] }));
  upstream = await startLegacyServer();
  const allow = { version: "1", default: "allow" };
  gateway = await startGateway({
    servers: { small: { url: upstream.url }, other: { url: upstream.url } },
    policies: { all: { server: "small", document: allow } },
    grants: { fixed: { servers: { small: "all" }, token: TOKEN } },
    config: {
      login: {
        issuer: provider.issuer,
        network: { allow: ["127.0.0.1/32"] },
        scopes: [SCOPE],
        identity: "email",
        grants: [{ claims: { groups: "support" }, server: "small", policy: "all" }],
      },
    },
  });
  url = gateway.addressOf("small");
});

afterAll(async () => {
  await gateway?.stop();
  await upstream?.stop();
  await provider?.stop();
});

/** What a client keeps while it logs in; where it wants to send the person is noted. */
function createMemory(): OAuthClientProvider & { wanted: URL | undefined } {
  const kept: { verifier?: string; tokens?: Awaited<ReturnType<OAuthClientProvider["tokens"]>> } = {};
  return {
    wanted: undefined,
    redirectUrl: REDIRECT_URL,
    clientMetadata: { redirect_uris: [REDIRECT_URL], client_name: "a client", token_endpoint_auth_method: "none" },
    clientInformation: () => ({ client_id: CLIENT_ID }),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void (kept.tokens = tokens),
    redirectToAuthorization(to) {
      this.wanted = to;
    },
    saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
    codeVerifier: () => kept.verifier ?? "",
  };
}

/** Signs in as that person and gives what the provider's answer brings back. */
async function signIn(memory: ReturnType<typeof createMemory>, person: string): Promise<URLSearchParams> {
  provider.person = person;
  expect(memory.wanted?.origin).toBe(provider.issuer);
  expect(memory.wanted?.searchParams.get("resource")).toBe(url.href);
  expect(memory.wanted?.searchParams.get("scope")).toContain(SCOPE);
  return (await provider.browse(memory.wanted as URL)).searchParams;
}

async function loginV1(person: string, address: URL = url): Promise<{ client: ClientV1; token: string }> {
  const memory = createMemory();
  const first = new TransportV1(address, { authProvider: memory });
  await expect(new ClientV1({ name: "v1", version: "1" }).connect(first as Transport)).rejects.toThrow(/unauthorized/i);
  await first.finishAuth((await signIn(memory, person)).get("code") ?? "");
  const client = new ClientV1({ name: "v1", version: "1" });
  await client.connect(new TransportV1(address, { authProvider: memory }) as Transport);
  return { client, token: (await memory.tokens())?.access_token ?? "" };
}

async function loginV2(person: string): Promise<{ client: ClientV2; token: string }> {
  const memory = createMemory();
  const first = new TransportV2(url, { authProvider: memory as never });
  await expect(new ClientV2({ name: "v2", version: "1" }).connect(first)).rejects.toThrow(/unauthorized/i);
  const back = await signIn(memory, person);
  await first.finishAuth(back);
  const client = new ClientV2({ name: "v2", version: "1" });
  await client.connect(new TransportV2(url, { authProvider: memory as never }));
  return { client, token: (await memory.tokens())?.access_token ?? "" };
}

async function labelOf(identity: string): Promise<string> {
  const folder = await openDataFolder({ dir: gateway.dataDir, env: {} });
  try {
    const found = (await listGrants(folder.store.query)).filter((grant) => grant.origin === "login" && grant.identity === identity);
    expect(found.length).toBe(1);
    return found[0]?.label ?? "";
  } finally {
    await folder.close();
  }
}

describe("a client that logs in", () => {
  it.each([
    ["of the first generation", loginV1],
    ["of the second generation", loginV2],
  ] as const)("%s finds the provider, gets a token for this server, and calls", async (generation, login) => {
    const person = generation.includes("first") ? "ada" : "grace";
    const { client, token } = await login(person);
    expect(claimsOf(token)).toMatchObject({ iss: provider.issuer, aud: url.href, sub: person, scope: SCOPE });
    expect(textOf(await client.callTool({ name: "echo", arguments: { text: person } }))).toBe(person);
    await client.close();
    const label = await labelOf(`${person}@example.com`);
    await waitUntil(async () => (await gateway.readLog()).some(({ kind, grant }) => kind === "outcome" && grant === label));
    const intent = (await gateway.readLog()).find(({ kind, grant, tool }) => kind === "intent" && grant === label && tool === "echo");
    expect(intent).toMatchObject({ identity: `${person}@example.com`, server: "small", decision: "allow" });
    // What it was told is for the server alone: no other one, and no other header of it goes on.
    expect((await post(gateway.addressOf("other"), call(1, "echo"), { token })).status).toBe(401);
    expect(JSON.stringify(upstream.heard)).not.toContain(token);
    expect(JSON.stringify(await gateway.readLog())).not.toContain(token);
    expect(gateway.said.join("\n")).not.toContain(token);
  });

  it("keeps its session over another login, and shares it with nobody", async () => {
    const [first, again, other] = [await loginV1("edsger"), await loginV1("edsger"), await loginV1("barbara")];
    expect(first.token).not.toBe(again.token);
    const session = await openSession(url, first.token);
    expect((await post(url, call(1, "echo", { text: "x" }), { token: again.token, session })).status).toBe(200);
    expect((await post(url, call(1, "echo", { text: "x" }), { token: other.token, session })).status).toBe(404);
    expect((await post(url, call(1, "echo", { text: "x" }), { token: TOKEN, session })).status).toBe(404);
    for (const { client } of [first, again, other]) await client.close();
  });

  it("that is revoked loses its streams at once, and every token of that person with them", async () => {
    const [{ client, token }, again] = [await loginV1("alan"), await loginV1("alan")];
    const session = await openSession(url, token);
    const listening = await openStream(url, { token, session });
    expect((await post(url, call(1, "echo", { text: "x" }), { token, session })).status).toBe(200);
    await gateway.revoke(await labelOf("alan@example.com"));
    await listening.ended;
    expect((await post(url, call(2, "echo", { text: "x" }), { token, session })).status).toBe(401);
    expect((await post(url, call(2, "echo", { text: "x" }), { token: again.token })).status).toBe(401);
    await Promise.all([client.close(), again.client.close()]);
  });
});
