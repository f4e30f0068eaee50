/** Clients that log in: which tokens of the issuer count, for which server, as whom, and for how long. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { restoreGrant, revokeGrant } from "../../src/identity/change-grants.ts";
import { listGrants } from "../../src/identity/grant.ts";
import { listServers } from "../../src/revision/server.ts";
import { claimsOf, forge, makeKey, signShared, startIssuer, type TestIssuer } from "../support/issuer.ts";
import { type RawGateway, startGateway, TOKEN } from "../support/raw-gateway.ts";
import { type HeaderList, sendHttp } from "../support/raw-http.ts";

const BASE = "https://gateway.example.com";
const SHARED_TOKEN = "the-token-that-alice-has-too";
const policy = { version: "1", default: "allow" };
const METADATA = "/.well-known/oauth-protected-resource/mcp";
const CHALLENGE = `Bearer realm="sallyport", error="invalid_token", resource_metadata="${BASE}${METADATA}/alpha"`;

let issuer: TestIssuer;
let gateway: RawGateway;

beforeAll(async () => {
  issuer = await startIssuer(`${BASE}/mcp/alpha`);
  // A text of the file may look like a token of the issuer: it is the file's.
  const lookalike = forge({ alg: "none" }, { iss: issuer.issuer, sub: "nobody" }, "xx");
  gateway = await startGateway({
    servers: { alpha: { policy }, beta: { policy } },
    grants: {
      shared: { server: "alpha", policy: "alpha-policy", identity: "shared@example.com", token: SHARED_TOKEN },
      tokenless: { server: "beta", policy: "beta-policy", identity: "tokenless@example.com" },
      lookalike: { server: "alpha", policy: "alpha-policy", identity: "lookalike@example.com", token: lookalike },
    },
    config: {
      listen: { publicUrl: BASE },
      login: {
        issuer: issuer.issuer,
        network: { allow: ["127.0.0.1/32"] },
        audience: "configured-audience",
        identity: "email",
        tags: { team: "department" },
        grants: [
          { claims: { email: "shared@example.com" }, grant: "shared" },
          { claims: { sub: "robot" }, grant: "tokenless" },
          { claims: { groups: "support" }, server: "alpha", policy: "alpha-policy" },
          { claims: { groups: "everything", department: "it" }, servers: { alpha: "alpha-policy", beta: "beta-policy" } },
        ],
      },
    },
  });
  await gateway.call("echo");
});
afterAll(async () => {
  await gateway.stop();
  await issuer.close();
});
beforeEach(() => {
  for (const upstream of Object.values(gateway.upstreams)) upstream.forget();
});

const ALICE = { sub: "alice", email: "alice@example.com", email_verified: true, groups: ["staff", "support"], department: "care" };
const reached = (): number => Object.values(gateway.upstreams).reduce((sum, upstream) => sum + upstream.arrived.length, 0);
const statusWith = async (token: string, server = "alpha"): Promise<number> => (await gateway.call("echo", "{}", { token, server })).status;

describe("a token of the issuer", () => {
  test("passes, under a grant of the person's own that stays theirs", async () => {
    const entries = await gateway.during(async () => {
      expect(await statusWith(await issuer.sign(ALICE))).toBe(200);
      expect(
        await statusWith(await issuer.sign({ ...ALICE, email: "alice.new@example.com", exp: Math.floor(Date.now() / 1000) + 60 })),
      ).toBe(200);
    }, 5);
    const calls = entries.filter((entry) => entry.kind === "intent");
    expect(calls.map((entry) => entry["identity"])).toEqual(["alice@example.com", "alice.new@example.com"]);
    expect(new Set(calls.map((entry) => entry["grant"])).size).toBe(1);
    expect(calls[0]?.["grant"]).toMatch(/^login\/[0-9a-f]{16}$/);
    expect(entries.filter((entry) => entry.kind === "admin").map((entry) => entry["action"])).toEqual(["grant.added", "grant.changed"]);
    const { store } = await gateway.folder();
    const [own] = (await listGrants(store.query)).filter(({ origin }) => origin === "login");
    expect(own).toMatchObject({ identity: "alice.new@example.com", owner: "alice.new@example.com", tags: { team: "care" } });
  });

  test("of a configured audience, of this server, or of all servers counts, alone or in a list", async () => {
    for (const aud of ["configured-audience", `${BASE}/mcp`, `${BASE}/mcp/alpha`, ["other", `${BASE}/mcp/alpha`], [`${BASE}/mcp`]]) {
      expect(await statusWith(await issuer.sign({ ...ALICE, aud })), JSON.stringify(aud)).toBe(200);
    }
  });

  test("leads to a grant of the file where a row says so, which then counts as that grant", async () => {
    const shared = await issuer.sign({ sub: "x", email: "shared@example.com", email_verified: true });
    const robot = await issuer.sign({ sub: "robot", aud: `${BASE}/mcp/beta` });
    const entries = await gateway.during(async () => {
      expect(await statusWith(shared)).toBe(200);
      expect(await statusWith(SHARED_TOKEN)).toBe(200);
      expect(await statusWith(robot, "beta")).toBe(200);
    }, 6);
    const calls = entries.filter((entry) => entry.kind === "intent");
    expect(calls.map((entry) => entry["grant"])).toEqual(["shared", "shared", "tokenless"]);
  });

  test("gives the servers of every row that fits, and no other", async () => {
    const both = { ...ALICE, sub: "both", groups: ["everything"], department: "it", aud: `${BASE}/mcp` };
    expect(await statusWith(await issuer.sign(both))).toBe(200);
    expect(await statusWith(await issuer.sign(both), "beta")).toBe(200);
    const one = await issuer.sign({ ...ALICE, aud: `${BASE}/mcp` });
    expect([await statusWith(one), await statusWith(one, "beta"), await statusWith(one, "nowhere")]).toEqual([200, 404, 404]);
  });

  test("counts for a server's id as for its name", async () => {
    const { store } = await gateway.folder();
    const id = (await listServers(store.query)).find(({ name }) => name === "alpha")?.id ?? "";
    const [byId, byName] = [await issuer.sign({ ...ALICE, aud: `${BASE}/mcp/${id}` }), await issuer.sign(ALICE)];
    for (const token of [byId, byName]) for (const server of [id, "alpha"]) expect(await statusWith(token, server)).toBe(200);
    expect(await statusWith(byId, "beta")).toBe(401);
  });

  test("that leads to nothing is answered like a server that is not there", async () => {
    const nobody = [
      { sub: "n1" },
      { ...ALICE, sub: "n2", groups: ["Support"] },
      { ...ALICE, sub: "n3", groups: "support-leads" },
      { ...ALICE, sub: "n4", groups: [["support"]] },
      { ...ALICE, sub: "n5", groups: { support: true } },
      { ...ALICE, sub: "n6", groups: ["everything"], department: "IT" },
      { ...ALICE, sub: "n7", email: ["alice@example.com"] },
      { ...ALICE, sub: "n8", email: "a\nb@example.com" },
      { sub: "n9", email: "shared@example.com", email_verified: false },
      { sub: "n10", email: "shared@example.com", email_verified: "false" },
      { sub: "n11", email: "shared@example.com" },
      { ...ALICE, sub: "n12", email_verified: false },
    ];
    for (const claims of nobody) {
      const answer = await gateway.call("echo", "{}", { token: await issuer.sign(claims) });
      expect(answer.status, JSON.stringify(claims)).toBe(404);
      expect(answer.headers["www-authenticate"]).toBeUndefined();
    }
    expect(reached()).toBe(0);
  });
});

describe("a token that does not count", () => {
  const HOSTILE: readonly [string, string, () => Promise<string> | string][] = [
    ["of another server", "misdirected_token", () => issuer.sign({ ...ALICE, aud: `${BASE}/mcp/beta` })],
    ["of another gateway", "misdirected_token", () => issuer.sign({ ...ALICE, aud: "https://other.example.com/mcp/alpha" })],
    ["of a longer address", "misdirected_token", () => issuer.sign({ ...ALICE, aud: `${BASE}/mcp/alpha/../beta` })],
    ["of an address that begins alike", "misdirected_token", () => issuer.sign({ ...ALICE, aud: `${BASE}.evil.example/mcp/alpha` })],
    ["of the bare address", "misdirected_token", () => issuer.sign({ ...ALICE, aud: BASE })],
    ["of an empty list", "misdirected_token", () => issuer.sign({ ...ALICE, aud: [] })],
    ["of nobody", "malformed_token", () => issuer.sign({ ...ALICE, aud: undefined })],
    ["of another issuer", "foreign_token", () => issuer.sign({ ...ALICE, iss: "https://evil.example" })],
    ["of an issuer spelt otherwise", "foreign_token", () => issuer.sign({ ...ALICE, iss: `${issuer.issuer}/` })],
    ["of a list of issuers", "foreign_token", () => issuer.sign({ ...ALICE, iss: [issuer.issuer] })],
    ["that has lapsed", "expired_token", () => issuer.sign({ ...ALICE, exp: Math.floor(Date.now() / 1000) - 60 })],
    ["that does not end", "malformed_token", () => issuer.sign({ ...ALICE, exp: undefined })],
    ["that ends at a word", "malformed_token", () => issuer.sign({ ...ALICE, exp: "never" })],
    ["of tomorrow", "early_token", () => issuer.sign({ ...ALICE, nbf: Math.floor(Date.now() / 1000) + 86_400 })],
    ["of no subject", "malformed_token", () => issuer.sign({ ...ALICE, sub: undefined })],
    ["of an empty subject", "malformed_token", () => issuer.sign({ ...ALICE, sub: "" })],
    ["of a long subject", "malformed_token", () => issuer.sign({ ...ALICE, sub: "x".repeat(256) })],
    ["of the kind of an ID token", "mistyped_token", () => issuer.sign({ ...ALICE, nonce: "n" }, { header: { typ: "JWT" } })],
    ["of an ID token without a nonce", "mistyped_token", () => issuer.sign({ ...ALICE, at_hash: "n" }, { header: { typ: undefined } })],
    ["that says it is an ID token", "mistyped_token", () => issuer.sign({ ...ALICE, token_use: "id" }, { header: { typ: "JWT" } })],
    ["for a refresh", "mistyped_token", () => issuer.sign({ ...ALICE, typ: "Refresh" }, { header: { typ: "JWT" } })],
    ["of a logout", "mistyped_token", () => issuer.sign(ALICE, { header: { typ: "logout+jwt" } })],
    ["bound to a key of its client", "bound_token", () => issuer.sign({ ...ALICE, cnf: { jkt: "x" } })],
    ["of an extension that nobody knows", "malformed_token", () => issuer.sign(ALICE, { header: { crit: ["exp"], exp: 1 } })],
    ["with an unencoded body", "malformed_token", () => issuer.signUnencoded(ALICE)],
    ["of no algorithm", "forged_token", async () => forge({ alg: "none", typ: "at+jwt" }, claimsOf(await issuer.sign(ALICE)))],
    ["of no algorithm, spelt otherwise", "forged_token", async () => forge({ alg: "NONE" }, claimsOf(await issuer.sign(ALICE)), "AAAA")],
    [
      "signed with the public key as a secret",
      "forged_token",
      async () => {
        const [key] = issuer.keys;
        return forge({ alg: "HS256", kid: key?.kid, typ: "at+jwt" }, claimsOf(await issuer.sign(ALICE)), signShared(key?.pem ?? ""));
      },
    ],
    ["of a key that nobody knows", "forged_token", async () => issuer.sign(ALICE, { key: await makeKey() })],
    [
      "of another key under a known name",
      "forged_token",
      async () => issuer.sign(ALICE, { key: { ...(await makeKey()), kid: issuer.keys[0]?.kid as string } }),
    ],
    [
      "that brings its own key",
      "forged_token",
      async () => {
        const key = await makeKey();
        return issuer.sign(ALICE, { key, header: { jwk: key.jwk, kid: issuer.keys[0]?.kid } });
      },
    ],
    [
      "that says where its key is",
      "forged_token",
      async () => issuer.sign(ALICE, { key: await makeKey(), header: { jku: `${issuer.issuer}/evil`, x5u: `${issuer.issuer}/evil` } }),
    ],
    [
      "of another algorithm than its key's",
      "forged_token",
      async () => issuer.sign(ALICE, { key: { ...(await makeKey("RS256")), kid: issuer.keys[0]?.kid as string } }),
    ],
    [
      "changed after it was signed",
      "forged_token",
      async () => {
        const [header, , signature] = (await issuer.sign(ALICE)).split(".");
        return `${header}.${Buffer.from(JSON.stringify({ ...claimsOf(await issuer.sign(ALICE)), sub: "root" })).toString("base64url")}.${signature}`;
      },
    ],
    ["of words", "malformed_token", () => "aaaa.bbbb.cccc"],
    ["that is long", "malformed_token", () => issuer.sign({ ...ALICE, filler: "x".repeat(20_000) })],
  ];

  test.each(HOSTILE)("%s: 401 and no more", async (_, reason, make) => {
    const token = await make();
    const entries = await gateway.during(async () => {
      const answer = await gateway.call("echo", "{}", { token });
      expect(answer.status).toBe(401);
      expect(answer.headers["www-authenticate"]).toBe(CHALLENGE);
      expect(answer.json()).toEqual({ type: "about:blank", title: "Unauthorized", status: 401 });
    });
    // The first of its reason in this minute is an entry; later ones are counted.
    for (const entry of entries) expect(entry).toMatchObject({ kind: "authentication", code: reason });
    expect(reached()).toBe(0);
    expect(issuer.asked.filter((path) => path.includes("evil"))).toEqual([]);
  });

  test("of 100 kB is refused before anybody reads it", async () => {
    const token = await issuer.sign({ ...ALICE, filler: "x".repeat(100_000) });
    expect([401, 431]).toContain(await statusWith(token));
    expect(reached()).toBe(0);
  });

  test("is told apart by its reason in the log", async () => {
    const codes = new Set((await gateway.entries()).filter(({ kind }) => kind === "authentication").map((entry) => entry["code"]));
    for (const [, reason] of HOSTILE) expect(codes).toContain(reason);
  });

  test("is one too many when it comes twice, or beside another", async () => {
    const token = await issuer.sign(ALICE);
    const send = (headers: HeaderList) =>
      sendHttp(gateway.port, {
        path: "/mcp/alpha",
        headers: [["Host", "localhost"], ...headers, ["Content-Type", "application/json"], ["Connection", "close"]],
        body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{}}}',
      });
    expect((await send([["Authorization", `Bearer ${token}`]])).status).toBe(200);
    const twice: HeaderList[] = [
      [
        ["Authorization", `Bearer ${token}`],
        ["Authorization", `Bearer ${token}`],
      ],
      [
        ["Authorization", `Bearer ${token}`],
        ["authorization", `Bearer ${TOKEN}`],
      ],
      [["Authorization", `Bearer ${token}, Bearer ${token}`]],
      [["Authorization", `DPoP ${token}`]],
    ];
    for (const headers of twice) expect((await send(headers)).status).toBe(401);
    expect((await send([["X-Authorization", `Bearer ${token}`]])).status).toBe(401);
  });
});

describe("tokens of grants", () => {
  test("are what they were, one that looks like a JWT too", async () => {
    const lookalike = forge({ alg: "none" }, { iss: issuer.issuer, sub: "nobody" }, "xx");
    const entries = await gateway.during(async () => {
      for (const token of [TOKEN, lookalike, TOKEN, lookalike]) expect(await statusWith(token)).toBe(200);
      expect(await statusWith(TOKEN, "beta")).toBe(404);
      expect(await statusWith("the-token-of-nobody-at-all")).toBe(401);
    }, 9);
    const calls = entries.filter((entry) => entry.kind === "intent");
    expect(calls.map((entry) => entry["grant"])).toEqual(["first", "lookalike", "first", "lookalike"]);
  });
});

describe("whom to ask", () => {
  const get = (path: string, headers: HeaderList = [["Host", "localhost"]], method = "GET") =>
    sendHttp(gateway.port, { method, path, headers: [...headers, ["Connection", "close"]] });

  test("is told of every name alike, whether a server has it or not, and of all servers", async () => {
    for (const server of ["/alpha", "/beta", "", "/nowhere"]) {
      const answer = await get(`${METADATA}${server}`);
      expect(answer.status).toBe(200);
      expect(answer.headers["content-type"]).toBe("application/json");
      expect(answer.json()).toEqual({
        resource: `${BASE}/mcp${server}`,
        authorization_servers: [issuer.issuer],
        bearer_methods_supported: ["header"],
      });
    }
    const unknown = [`${METADATA}/`, "/.well-known/oauth-protected-resource", `${METADATA}/alpha/x`, `${METADATA}/%61lpha`];
    const answers = await Promise.all(unknown.map((path) => get(path)));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(404);
  });

  test("is read alone, and by the gateway's own name", async () => {
    expect((await get(`${METADATA}/alpha`, [["Host", "localhost"]], "POST")).status).toBe(405);
    expect((await get(`${METADATA}/alpha`, [["Host", "evil.example"]])).status).toBe(403);
    expect((await get(`${METADATA}/alpha`, [["Host", "gateway.example.com"]])).status).toBe(200);
  });

  test("is named in every 401, of unknown names alike", async () => {
    for (const server of ["alpha", "nowhere"]) {
      const none = await gateway.call("echo", "{}", { token: null, server });
      expect(none.status).toBe(401);
      expect(none.headers["www-authenticate"]).toBe(`Bearer realm="sallyport", resource_metadata="${BASE}${METADATA}/${server}"`);
      const other = await gateway.call("echo", "{}", { token: await issuer.sign({ ...ALICE, aud: `${BASE}/mcp/beta` }), server });
      expect(other.status).toBe(401);
    }
  });
});

describe("the grant of a person", () => {
  test("that is revoked ends from the next request on, for every token of theirs, until it is restored", async () => {
    const claims = { ...ALICE, sub: "leaver", email: "leaver@example.com" };
    const [first, second] = [await issuer.sign(claims), await issuer.sign(claims)];
    expect([await statusWith(first), await statusWith(second)]).toEqual([200, 200]);
    const { store, clock } = await gateway.folder();
    const own = (await listGrants(store.query)).find(({ identity }) => identity === "leaver@example.com");
    const act = { by: "test", nowMs: clock.now() };
    await store.write((batch) => revokeGrant(batch, own?.label ?? "", act));
    const later = await issuer.sign({ ...claims, groups: ["everything"], department: "it" });
    for (const token of [first, second, later]) expect(await statusWith(token)).toBe(401);
    await store.write((batch) => restoreGrant(batch, own?.label ?? "", act));
    expect(await statusWith(first)).toBe(200);
  });
});
