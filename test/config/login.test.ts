/** `login` of a configuration: what it comes to, and all that is told of a bad one. */
import { describe, expect, it } from "vitest";
import { ALLOW_ALL, ASKING, loadBad, loadGood, pointersOf } from "./write-config.ts";

const AROUND = `
servers: { s: { upstream: { url: "https://s.example.com/mcp" } }, t: { upstream: { url: "https://t.example.com/mcp" } } }
policies: { p: { server: s, file: ./p.json }, asking: { server: t, file: ./asking.json } }
`;
const FILES = { "p.json": ALLOW_ALL, "asking.json": ASKING };
const ISSUER = "issuer: https://idp.example.com/realms/one";
const ROW = "{ claims: { groups: support }, server: s, policy: p }";
const login = (text: string): string => `${AROUND}login: { ${text} }\n`;

describe("a good login", () => {
  it("comes to what it says", async () => {
    const config = await loadGood(
      `${login(`${ISSUER}, audience: api, scopes: ["mcp:use"], jwksUri: "https://keys.example.com/all", network: { allow: [10.0.0.0/8] },
        identity: email, emails: issued, tags: { team: department },
        grants: [{ claims: { email: alice@example.com }, grant: alice }, ${ROW}, { claims: { a: b, "https://x.example/c": d }, servers: { s: p, t: asking } }]`)}
grants: { alice: { server: s, policy: p }, bob: { server: s, token: "\${ALICE_TOKEN}" } }`,
      FILES,
    );
    expect(config.login).toMatchObject({
      issuer: "https://idp.example.com/realms/one",
      audience: "api",
      scopes: ["mcp:use"],
      jwksUri: "https://keys.example.com/all",
      networkAllow: ["10.0.0.0/8"],
      identity: "email",
      emails: "issued",
    });
    expect({ ...config.login?.tags }).toEqual({ team: "department" });
    expect(config.login?.rows.map(({ claims, grant, servers }) => [{ ...claims }, grant, servers])).toEqual([
      [{ email: "alice@example.com" }, "alice", []],
      [{ groups: "support" }, undefined, [{ server: "s", policy: "p" }]],
      [
        { a: "b", "https://x.example/c": "d" },
        undefined,
        [
          { server: "s", policy: "p" },
          { server: "t", policy: "asking" },
        ],
      ],
    ]);
    expect(config.grants.map(({ label, token }) => [label, token])).toEqual([
      ["alice", undefined],
      ["bob", "alice-canary-token-1"],
    ]);
    expect(Object.isFrozen(config.login?.rows)).toBe(true);
  });

  it("leaves out what is usual", async () => {
    const config = await loadGood(login(`${ISSUER}, grants: [${ROW}]`), FILES);
    expect(config.login).toMatchObject({
      audience: undefined,
      jwksUri: undefined,
      scopes: [],
      identity: "sub",
      emails: "verified",
      tags: {},
    });
    expect((await loadGood(AROUND, FILES)).login).toBeUndefined();
  });

  it("may be of a program on this machine", async () => {
    for (const issuer of ["http://127.0.0.1:8080", "http://localhost:8080/realms/x", '"http://[::1]:8080"']) {
      expect((await loadGood(login(`issuer: ${issuer}, grants: []`), FILES)).login?.issuer).toBe(issuer.replaceAll('"', ""));
    }
  });
});

describe("a bad login", () => {
  it.each<[string, string, string[]]>([
    ["no issuer", login(`grants: [${ROW}]`), ["/login/issuer"]],
    ["no rows", login(ISSUER), ["/login/grants"]],
    ["plain text", login("issuer: http://idp.example.com, grants: []"), ["/login/issuer"]],
    ["a name that looks like this machine", login("issuer: http://localhost.evil.example, grants: []"), ["/login/issuer"]],
    ["a query", login('issuer: "https://idp.example.com/?x", grants: []'), ["/login/issuer"]],
    ["a credential", login('issuer: "https://a:b@idp.example.com/", grants: []'), ["/login/issuer"]],
    ["keys in plain text", login(`${ISSUER}, jwksUri: "http://idp.example.com/keys", grants: []`), ["/login/jwksUri"]],
    [
      "a scope that would break a header",
      login(`${ISSUER}, scopes: ['a"b', "a b", "a\\\\b", ""], grants: []`),
      [0, 1, 2, 3].map((n) => `/login/scopes/${n}`),
    ],
    [
      "a row without claims",
      login(`${ISSUER}, grants: [{ server: s }, { claims: {}, server: s }]`),
      ["/login/grants/0/claims", "/login/grants/1/claims"],
    ],
    ["a row to nothing", login(`${ISSUER}, grants: [{ claims: { a: b } }]`), ["/login/grants/0/grant"]],
    [
      "a row to two things",
      login(`${ISSUER}, grants: [{ claims: { a: b }, grant: g, server: s }]`),
      ["/login/grants/0/server", "/login/grants/0/grant"],
    ],
    ["a claim that is a list", login(`${ISSUER}, grants: [{ claims: { a: [b, c] }, server: s }]`), ["/login/grants/0/claims/a"]],
    [
      "what is not there",
      login(`${ISSUER}, grants: [${ROW}, { claims: { a: b }, server: u, policy: q }, { claims: { a: b }, grant: g }]`),
      ["/login/grants/1/server", "/login/grants/1/policy", "/login/grants/2/grant"],
    ],
    ["a policy of another server", login(`${ISSUER}, grants: [{ claims: { a: b }, server: t, policy: p }]`), ["/login/grants/0/policy"]],
    ["nobody who answers", login(`${ISSUER}, grants: [{ claims: { a: b }, server: t, policy: asking }]`), ["/login/grants/0/policy"]],
    [
      "a grant that nothing leads to",
      `${login(`${ISSUER}, grants: [{ claims: { a: b }, grant: g }]`)}grants: { g: { server: s }, h: { server: s } }`,
      ["/grants/h/token"],
    ],
    ["a grant without a token and nobody who logs in", `${AROUND}grants: { g: { server: s } }`, ["/grants/g/token"]],
    ["another word for e-mails", login(`${ISSUER}, emails: any, grants: []`), ["/login/emails"]],
    ["a key that nobody knows", login(`${ISSUER}, grants: [], jwksURI: "https://x"`), ["/login/jwksURI"]],
  ])("%s", async (_, text, pointers) => {
    const failures = await loadBad(text, FILES);
    expect(pointersOf(failures).sort()).toEqual([...pointers].sort());
  });
});
