/** Login over time: an issuer that is away or hostile, a configuration that changes under calls, tokens that end. */
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MAX_GUARDED_ANSWER_BYTES } from "../../src/upstream/guarded-fetch.ts";
import { startLegacyServer } from "../interop/legacy-server.ts";
import { openSession, openStream } from "../interop/raw-client.ts";
import { runCommand } from "../support/commands.ts";
import { startGateway as startWholeGateway, waitUntil } from "../support/gateway.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { type RawGateway, startGateway, TOKEN } from "../support/raw-gateway.ts";
import { sendHttp } from "../support/raw-http.ts";

const BASE = "https://gateway.example.com/tools/";
const policy = { version: "1", default: "allow" };

let issuer: TestIssuer;
let gateway: RawGateway;
const loginOf = (over: object = {}) => ({
  issuer: issuer.issuer,
  network: { allow: ["127.0.0.1/32"] },
  grants: [{ claims: { sub: "alice" }, server: "alpha", policy: "alpha-policy" }],
  ...over,
});

beforeAll(async () => {
  issuer = await startIssuer("https://gateway.example.com/tools/mcp/alpha");
  issuer.instead = (_request, response) => Boolean(response.writeHead(503).end());
  gateway = await startGateway({ servers: { alpha: { policy } }, config: { listen: { publicUrl: BASE }, login: loginOf() } });
  await gateway.call("echo");
});
afterAll(async () => {
  await gateway.stop();
  await issuer.close();
});

const statusWith = async (token: string): Promise<number> => (await gateway.call("echo", "{}", { token })).status;
const describeAlpha = () =>
  sendHttp(gateway.port, {
    method: "GET",
    path: "/.well-known/oauth-protected-resource/mcp/alpha",
    headers: [
      ["Host", "localhost"],
      ["Connection", "close"],
    ],
  });
/** Puts another `login` into force; `undefined`: none. */
async function reload(login: object | undefined): Promise<void> {
  const count = gateway.said.filter((line) => line.includes("is in force")).length;
  gateway.rewriteConfig((config) => ({ ...config, login }));
  await waitUntil(() => gateway.said.filter((line) => line.includes("is in force")).length > count);
}

describe("an issuer", () => {
  test("that is down fails nobody's token, and tokens of grants do not need it", async () => {
    const answer = await gateway.call("echo", "{}", { token: await issuer.sign() });
    expect(answer.status).toBe(503);
    expect(answer.headers["www-authenticate"]).toBeUndefined();
    expect(answer.text).not.toContain("127.0.0.1");
    expect(await statusWith(TOKEN)).toBe(200);
    expect(gateway.said.some((line) => line.includes("The issuer's keys can't be fetched"))).toBe(true);
    issuer.instead = undefined;
    await reload(loginOf({ tags: { n: "n" } }));
    expect(await statusWith(await issuer.sign())).toBe(200);
  });

  const drip = (response: ServerResponse): void => {
    const timer = setInterval(() => response.write(" "), 50);
    response.on("close", () => clearInterval(timer));
  };
  test.each<[string, (response: ServerResponse) => unknown]>([
    ["redirects", (response) => response.writeHead(302, { location: "/keys2" }).end()],
    ["answers without end", (response) => response.end(`{"keys":["${"x".repeat(MAX_GUARDED_ANSWER_BYTES)}"]}`)],
    ["answers with words", (response) => response.end("<html>")],
    ["answers drop by drop", drip],
  ])("that %s gives no keys, and nothing waits for it", async (name, act) => {
    issuer.instead = (request, response) => {
      if (request.url !== "/keys") return false;
      act(response);
      return true;
    };
    await reload(loginOf({ tags: { name: name.replaceAll(" ", "") } }));
    const pending = gateway.call("echo", "{}", { token: await issuer.sign() });
    expect(await statusWith(TOKEN)).toBe(200);
    issuer.instead = undefined;
    if (name.includes("drop")) await reload(loginOf({ tags: { name: "over" } }));
    const answered = await pending;
    expect([401, 503]).toContain(answered.status);
    expect(issuer.asked).not.toContain("/keys2");
  });
});

describe("a changed configuration", () => {
  test("asks for scopes from the next request on, and says which", async () => {
    await reload(loginOf());
    const token = await issuer.sign();
    expect(await statusWith(token)).toBe(200);
    await reload(loginOf({ scopes: ["mcp:use", "mcp:more"] }));
    const answer = await gateway.call("echo", "{}", { token });
    expect(answer.status).toBe(403);
    expect(answer.headers["www-authenticate"]).toBe(
      'Bearer realm="sallyport", error="insufficient_scope", scope="mcp:use mcp:more", resource_metadata="https://gateway.example.com/tools/.well-known/oauth-protected-resource/mcp/alpha"',
    );
    expect(await statusWith(await issuer.sign({ scope: "mcp:more mcp:use" }))).toBe(200);
    expect((await describeAlpha()).json()).toEqual({
      resource: "https://gateway.example.com/tools/mcp/alpha",
      authorization_servers: [issuer.issuer],
      scopes_supported: ["mcp:use", "mcp:more"],
      bearer_methods_supported: ["header"],
    });
    const none = await gateway.call("echo", "{}", { token: null });
    expect(none.headers["www-authenticate"]).toContain('Bearer realm="sallyport", scope="mcp:use mcp:more", resource_metadata=');
  });

  test("ends what a row gave", async () => {
    await reload(loginOf());
    const token = await issuer.sign();
    expect(await statusWith(token)).toBe(200);
    await reload(loginOf({ grants: [{ claims: { sub: "carol" }, server: "alpha", policy: "alpha-policy" }] }));
    expect(await statusWith(token)).toBe(404);
    expect(await statusWith(await issuer.sign({ sub: "carol" }))).toBe(200);
  });

  test("that is bad changes nothing", async () => {
    await reload(loginOf());
    gateway.rewriteConfig((config) => ({ ...config, login: loginOf({ issuer: "http://idp.example.com" }) }));
    await waitUntil(() => gateway.said.some((line) => line.includes("/login/issuer")));
    expect(await statusWith(await issuer.sign())).toBe(200);
  });

  test("without login leaves no trace of it", async () => {
    await reload(loginOf());
    const token = await issuer.sign();
    expect(await statusWith(token)).toBe(200);
    await reload(undefined);
    const answer = await gateway.call("echo", "{}", { token });
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toBe('Bearer realm="sallyport", error="invalid_token"');
    expect((await gateway.call("echo", "{}", { token: null })).headers["www-authenticate"]).toBe('Bearer realm="sallyport"');
    expect((await describeAlpha()).status).toBe(404);
    expect(await statusWith(TOKEN)).toBe(200);
    const { out } = await runCommand(["grant", "list", "--data", `${gateway.dir}/data`]);
    expect(out).toMatch(/^login\/[0-9a-f]{16} +removed +alice +login +alpha=alpha-policy/m);
    await reload(loginOf());
    expect(await statusWith(token)).toBe(200);
  });
});

describe("the command line", () => {
  test("lists, revokes and restores the grant of a person", async () => {
    const data = ["--data", `${gateway.dir}/data`];
    const token = await issuer.sign();
    expect(await statusWith(token)).toBe(200);
    const listed = await runCommand(["grant", "list", ...data]);
    const [, label = ""] = /^(login\/[0-9a-f]{16}) +current +alice +login +alpha=alpha-policy/m.exec(listed.out) ?? [];
    expect((await runCommand(["grant", "revoke", label, ...data])).out).toBe(`The grant \`${label}\` is revoked.\n`);
    expect(await statusWith(token)).toBe(401);
    await reload(loginOf({ tags: { again: "x" } }));
    expect(await statusWith(await issuer.sign())).toBe(401);
    const rotated = await runCommand(["grant", "rotate", label, ...data]);
    expect([rotated.code, rotated.err]).toEqual([2, expect.stringContaining("has no token of its own")]);
    expect((await runCommand(["grant", "add", label, "--server", "alpha", ...data])).code).toBe(2);
    expect((await runCommand(["grant", "restore", label, ...data])).code).toBe(0);
    expect(await statusWith(token)).toBe(200);
  });
});

test("a token that ends takes its streams with it", async () => {
  const upstream = await startLegacyServer();
  const whole = await startWholeGateway({
    servers: { small: { url: upstream.url } },
    policies: { all: { server: "small", document: policy } },
    grants: { fixed: { servers: { small: "all" }, token: TOKEN } },
    config: { login: loginOf({ audience: "api", grants: [{ claims: { sub: "alice" }, server: "small", policy: "all" }] }) },
  });
  try {
    const url = whole.addressOf("small");
    // Within the leeway it still counts for some seconds.
    const token = await issuer.sign({ aud: "api", exp: Math.floor(Date.now() / 1000) - 24 });
    const session = await openSession(url, token);
    const kept = await openStream(url, { token: TOKEN, session: await openSession(url, TOKEN) });
    const listening = await openStream(url, { token, session });
    expect(listening.status).toBe(200);
    await listening.ended;
    expect(kept.isEnded).toBe(false);
    const after = await fetch(url, {
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream", "mcp-session-id": session },
    });
    expect(after.status).toBe(401);
    kept.cut();
  } finally {
    await whole.stop();
    await upstream.stop();
  }
});
