/** Who may come in: Host, Origin, bearer and server, before a byte of the body is read, and what each is told. */

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { addGrant, restoreGrant, revokeGrant, rotateGrant } from "../../src/identity/change-grants.ts";
import { type RawGateway, startGateway, TOKEN } from "../support/raw-gateway.ts";
import { exchangeBytes, type HeaderList, readAnswer, sendHttp, writeHttp } from "../support/raw-http.ts";

const OTHER = "the-token-of-the-other-grant";
const EXPIRED = "the-token-that-has-expired-1";
const LATE = "the-token-that-will-be-revoked";
const BOTH = "the-token-of-both-servers-00";
const policy = { version: "1", default: "allow" };

let gateway: RawGateway;
beforeAll(async () => {
  gateway = await startGateway({
    servers: { alpha: { policy }, beta: { policy } },
    grants: {
      other: { server: "beta", policy: "beta-policy", identity: "other@example.com", token: OTHER },
      expired: { server: "alpha", policy: "alpha-policy", identity: "x@example.com", token: EXPIRED, expires: "2020-01-01T00:00:00Z" },
      late: { server: "alpha", policy: "alpha-policy", identity: "late@example.com", token: LATE },
      both: { servers: { alpha: "alpha-policy", beta: "beta-policy" }, identity: "b@example.com", token: BOTH },
    },
    config: { listen: { publicUrl: "https://gateway.example.com", allowedHosts: ["mcp.internal", "ported.internal:9000"] } },
  });
  await gateway.call("echo");
  await gateway.call("echo", "{}", { server: "beta", token: OTHER });
});
afterAll(() => gateway.stop());
beforeEach(() => {
  for (const upstream of Object.values(gateway.upstreams)) upstream.forget();
});

const BODY = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{}}}';
const reached = (): number => Object.values(gateway.upstreams).reduce((sum, upstream) => sum + upstream.arrived.length, 0);

/** A request whose headers are exactly these, besides type and length. */
const send = (headers: HeaderList, path = "/mcp/alpha") =>
  sendHttp(gateway.port, { path, headers: [...headers, ["Content-Type", "application/json"], ["Connection", "close"]], body: BODY });
const auth = ["Authorization", `Bearer ${TOKEN}`] as const;

describe("Host", () => {
  const OWN = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    "LOCALHOST",
    "localhost:1",
    "127.0.0.1:8420",
    "[::1]:8420",
    "gateway.example.com",
    "mcp.internal",
    "MCP.Internal:1234",
    "ported.internal:9000",
  ];
  test.each(OWN)("%s is ours", async (host) => {
    expect((await send([["Host", host], auth])).status).toBe(200);
  });

  const FOREIGN = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "127.0.0.1.evil.example:8420",
    "localhost.",
    "notlocalhost",
    "evil.example:8420",
    "gateway.example.com.evil.example",
    "xgateway.example.com",
    "127.0.0.2",
    "2130706433",
    "0x7f.1",
    "127.1",
    "0.0.0.0",
    "[::]",
    "[::ffff:127.0.0.1]",
    "::1",
    "localhost@evil.example",
    "evil.example@localhost",
    "localhost, evil.example",
    "localhost evil.example",
    "localhost/evil",
    "localhost:80:90",
    "localhost:999999",
    "localhost:",
    "localhost:x",
    "",
    "*",
    "ported.internal",
    "ported.internal:9001",
    "192.168.0.1",
    "169.254.169.254",
    "metadata.google.internal",
  ];
  test.each(FOREIGN)("`%s` is not", async (host) => {
    const answer = await send([["Host", host], auth]);
    // Node itself refuses what is no host at all.
    const isHost = /^[a-z0-9.:[\]]+$/.test(host);
    expect(isHost ? [403] : [400, 403]).toContain(answer.status);
    expect(reached()).toBe(0);
    expect(answer.text).not.toContain("evil");
  });

  test("is needed, and only once", async () => {
    for (const hosts of [[], ["localhost", "localhost"], ["localhost", "evil.example"], ["evil.example", "localhost"]]) {
      const answer = await send([...hosts.map((host) => ["Host", host] as const), auth]);
      expect([400, 403]).toContain(answer.status);
    }
    const old = await exchangeBytes(gateway.port, [
      Buffer.from(
        `POST /mcp/alpha HTTP/1.0\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
      ),
    ]);
    expect([400, 403]).toContain(readAnswer(old).status);
    expect(reached()).toBe(0);
  });

  test("is asked before the credential, so that a foreign one learns nothing of it", async () => {
    expect((await send([["Host", "evil.example"]])).status).toBe(403);
    expect(
      (
        await send([
          ["Host", "evil.example"],
          ["Authorization", "Bearer nobody-has-this-token"],
        ])
      ).status,
    ).toBe(403);
  });

  test.each([
    "http://127.0.0.1/mcp/alpha",
    "http://evil.example/mcp/alpha",
    "//mcp/alpha",
    "/mcp/alpha/../beta",
    "/mcp//alpha",
    "/mcp/%61lpha",
    "/mcp/alpha/x",
    "/MCP/alpha",
    "/mcp/alpha;x",
    "*",
  ])("the target %s is no endpoint", async (path) => {
    const answer = await send([["Host", "localhost"], auth], path);
    expect([400, 404]).toContain(answer.status);
    expect(reached()).toBe(0);
  });
});

describe("Origin", () => {
  test.each(["http://localhost", "http://localhost:3000", "https://gateway.example.com", "http://127.0.0.1:8420", "http://[::1]:1"])(
    "%s is ours",
    async (origin) => {
      expect((await send([["Host", "localhost"], ["Origin", origin], auth])).status).toBe(200);
    },
  );

  test.each([
    "https://evil.example",
    "null",
    "",
    "http://localhost.evil.example",
    "http://localhost@evil.example",
    "file://",
    "http://localhost/",
    "http://localhost, http://evil.example",
    "chrome-extension://abcdefgh",
    "localhost",
    "//localhost",
    "ftp://localhost",
    "http://evil.example#localhost",
    "http://127.0.0.1.nip.io",
    "https://gateway.example.com.evil.example",
  ])("`%s` is not", async (origin) => {
    expect((await send([["Host", "localhost"], ["Origin", origin], auth])).status).toBe(403);
    expect(reached()).toBe(0);
  });

  test("is not given twice", async () => {
    const twice = [
      ["Origin", "http://localhost"],
      ["Origin", "http://localhost"],
    ] as const;
    expect((await send([["Host", "localhost"], ...twice, auth])).status).toBe(403);
  });
});

describe("the bearer", () => {
  const host = ["Host", "localhost"] as const;
  const REFUSED: readonly (readonly [string, HeaderList, string])[] = [
    ["none", [], "no_token"],
    ["an empty one", [["Authorization", ""]], "no_token"],
    ["Bearer alone", [["Authorization", "Bearer"]], "no_token"],
    ["Bearer and blanks", [["Authorization", "Bearer   "]], "no_token"],
    ["another scheme", [["Authorization", `Basic ${Buffer.from(`x:${TOKEN}`).toString("base64")}`]], "no_token"],
    ["no scheme", [["Authorization", TOKEN]], "no_token"],
    ["two in one", [["Authorization", `Bearer ${TOKEN}, Bearer ${TOKEN}`]], "no_token"],
    ["words behind it", [["Authorization", `Bearer ${TOKEN} x`]], "no_token"],
    [
      "given twice",
      [
        ["Authorization", `Bearer ${TOKEN}`],
        ["Authorization", `Bearer ${TOKEN}`],
      ],
      "no_token",
    ],
    [
      "given twice, one bad",
      [
        ["Authorization", "Bearer nobody-has-this-token"],
        ["Authorization", `Bearer ${TOKEN}`],
      ],
      "no_token",
    ],
    ["in another header", [["X-Authorization", `Bearer ${TOKEN}`]], "no_token"],
    ["in a cookie", [["Cookie", `token=${TOKEN}`]], "no_token"],
    ["an unknown one", [["Authorization", "Bearer nobody-has-this-token"]], "unknown_token"],
    ["a shorter one", [["Authorization", `Bearer ${TOKEN.slice(0, -1)}`]], "unknown_token"],
    ["a longer one", [["Authorization", `Bearer ${TOKEN}x`]], "unknown_token"],
    ["other letters", [["Authorization", `Bearer ${TOKEN.toUpperCase()}`]], "unknown_token"],
    ["__proto__", [["Authorization", "Bearer __proto__"]], "unknown_token"],
    ["ten thousand letters", [["Authorization", `Bearer ${"x".repeat(10_000)}`]], "unknown_token"],
    ["an expired one", [["Authorization", `Bearer ${EXPIRED}`]], "expired_token"],
  ];

  test.each(REFUSED)("%s: 401", async (_name, headers, _reason) => {
    const answer = await send([host, ...headers]);
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toMatch(/^Bearer( |$)/);
    expect(answer.text).not.toMatch(/alpha|expired|unknown/);
    expect(reached()).toBe(0);
  });

  test("is read by any spelling of the scheme", async () => {
    for (const scheme of ["Bearer", "bearer", "BEARER"])
      expect((await send([host, ["Authorization", `${scheme}  ${TOKEN}`]])).status).toBe(200);
  });

  test("in the query is none", async () => {
    expect((await send([host], `/mcp/alpha?access_token=${TOKEN}&token=${TOKEN}`)).status).toBe(401);
  });

  test("of another server: 404, as for a server that is not there", async () => {
    const wrong = await send([host, ["Authorization", `Bearer ${OTHER}`]]);
    const missing = await send([host, ["Authorization", `Bearer ${OTHER}`]], "/mcp/nowhere");
    expect([wrong.status, missing.status]).toEqual([404, 404]);
    expect(wrong.text).toBe(missing.text);
    expect(wrong.headers["www-authenticate"]).toBeUndefined();
    expect(reached()).toBe(0);
  });

  test("without a good one a server that is not there is not told from one that is", async () => {
    const there = await send([host]);
    const missing = await send([host], "/mcp/nowhere");
    expect([there.status, missing.status]).toEqual([401, 401]);
    expect(there.text).toBe(missing.text);
  });

  test("of two servers opens both", async () => {
    for (const server of ["alpha", "beta"]) expect((await gateway.call("echo", "{}", { server, token: BOTH })).status).toBe(200);
    expect([gateway.upstreams["alpha"]?.calls().length, gateway.upstreams["beta"]?.calls().length]).toEqual([1, 1]);
  });

  test("revoked, restored and rotated by another process holds from the next request", async () => {
    const folder = await gateway.folder();
    const act = { by: "test", nowMs: Date.now() };
    expect((await gateway.call("echo", "{}", { token: LATE })).status).toBe(200);
    await folder.store.write((batch) => revokeGrant(batch, "late", act));
    expect((await gateway.call("echo", "{}", { token: LATE })).status).toBe(401);
    await folder.store.write((batch) => restoreGrant(batch, "late", act));
    expect((await gateway.call("echo", "{}", { token: LATE })).status).toBe(200);
    const terms = {
      label: "made",
      identity: "m@example.com",
      owner: undefined,
      tags: {},
      servers: [{ server: "alpha", policy: "alpha-policy" }],
      expiresMs: undefined,
    };
    const source = { key: folder.tokenKey, randomBytes };
    const added = await folder.store.write((batch) => addGrant(batch, { ...terms, ...act, ...source, origin: "cli", canAsk: false }));
    if (!added.ok) throw new Error("no grant");
    const first = added.value.token;
    expect(first).toMatch(/^spg_[A-Za-z0-9]+_[A-Za-z0-9]{43,}$/);
    expect((await gateway.call("echo", "{}", { token: first })).status).toBe(200);
    const rotated = await folder.store.write((batch) => rotateGrant(batch, "made", { ...act, ...source }));
    if (!rotated.ok) throw new Error("not rotated");
    expect((await gateway.call("echo", "{}", { token: first })).status).toBe(401);
    expect((await gateway.call("echo", "{}", { token: rotated.value.token })).status).toBe(200);
    await folder.store.write((batch) => revokeGrant(batch, "made", act));
    expect((await gateway.call("echo", "{}", { token: rotated.value.token })).status).toBe(401);
    expect(gateway.kept().includes(first.slice(4))).toBe(false);
  });

  test("that is refused stands in the log: one entry for each source, reason and minute", async () => {
    const entries = (await gateway.entries()).filter(({ kind }) => kind === "authentication");
    const reasons = new Set(entries.map(({ code }) => code));
    for (const reason of [
      "foreign_host",
      "foreign_origin",
      "no_token",
      "unknown_token",
      "expired_token",
      "revoked_token",
      "unknown_server",
    ])
      expect(reasons).toContain(reason);
    for (const entry of entries) expect(entry).toMatchObject({ decision: "deny", source: "127.0.0.1", count: expect.any(Number) });
    expect(entries.length).toBeLessThan(30);
    const kept = gateway.kept();
    for (const secret of [TOKEN, OTHER, EXPIRED, LATE, BOTH, "nobody-has-this-token"]) expect(kept.includes(secret)).toBe(false);
  });
});

describe("other paths and methods", () => {
  test.each(["PUT", "PATCH", "OPTIONS", "HEAD", "TRACE"])("%s is 405 for who may come in", async (method) => {
    const answer = await gateway.post("", { method });
    expect(answer.status).toBe(405);
    expect(answer.headers["allow"]).toContain("POST");
  });

  test("GET without a session is 405, DELETE 400, and neither reaches the server", async () => {
    expect((await gateway.post("", { method: "GET" })).status).toBe(405);
    expect((await gateway.post("", { method: "DELETE" })).status).toBe(400);
    expect((await gateway.post("", { method: "GET", headers: [["Mcp-Session-Id", "made-up"]] })).status).toBe(404);
    expect((await gateway.post("", { method: "DELETE", headers: [["Mcp-Session-Id", "made-up"]] })).status).toBe(404);
    expect((await gateway.post(BODY, { headers: [["Mcp-Session-Id", "made-up"]] })).status).toBe(404);
    expect(reached()).toBe(0);
  });

  test("health takes any Host and tells nothing", async () => {
    for (const path of ["/healthz", "/readyz", "/readyz?x=1"]) {
      const answer = await sendHttp(gateway.port, {
        method: "GET",
        path,
        headers: [
          ["Host", "anything.example"],
          ["Connection", "close"],
        ],
      });
      expect(answer.status).toBe(200);
      expect(answer.text).not.toMatch(/alpha|127\.0\.0\.1|first/);
    }
  });

  test("a refused body is not read, and the connection is not used again", async () => {
    const head = writeHttp({
      path: "/mcp/alpha",
      headers: [
        ["Host", "localhost"],
        ["Content-Type", "application/json"],
        ["Content-Length", "1000000"],
      ],
    });
    const came = await exchangeBytes(gateway.port, [
      head,
      Buffer.from(`POST /mcp/alpha HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`),
    ]);
    expect(readAnswer(came).status).toBe(401);
    expect(came.toString("latin1").match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });
});
