/** What claims lead to: exact texts, the first row that fits, and servers for which a token is. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LoginConfig, LoginRow } from "../../src/config/config.ts";
import { labelOf, matchLogin, readAdmission } from "../../src/identity/match-login.ts";
import type { VerifiedLogin } from "../../src/identity/read-login.ts";

const BASE = "https://gateway.example.com";
const row = (claims: Record<string, string>, to: Partial<LoginRow>): LoginRow => ({ claims, grant: undefined, servers: [], ...to });
const bond = (server: string, policy = "p") => ({ server, policy });
const configOf = (rows: LoginRow[], over: Partial<LoginConfig> = {}): LoginConfig => ({
  issuer: "https://idp.example.com",
  audience: undefined,
  scopes: [],
  jwksUri: undefined,
  networkAllow: [],
  identity: "sub",
  emails: "verified",
  tags: {},
  rows,
  ...over,
});
const loginOf = (claims: Record<string, unknown>, subject = "alice"): VerifiedLogin => ({
  subject,
  audiences: [],
  scopes: new Set(),
  endsMs: 0,
  claims: { sub: subject, ...claims },
});
const serversOf = (claims: Record<string, unknown>, rows: LoginRow[]) => {
  const match = matchLogin(loginOf(claims), configOf(rows));
  return match?.kind === "own" ? match.terms.servers : match;
};

describe("rows", () => {
  const NARROW = row({ groups: "support" }, { servers: [bond("a", "narrow")] });
  const WIDE = row({ groups: "leads" }, { servers: [bond("a", "wide"), bond("b")] });
  const NAMED = row({ groups: "owners" }, { grant: "owner" });

  it("count from the top: the first policy of each server, of all rows that fit", () => {
    const both = { groups: ["support", "leads"] };
    expect(serversOf(both, [NARROW, WIDE])).toEqual([bond("a", "narrow"), bond("b")]);
    expect(serversOf(both, [WIDE, NARROW])).toEqual([bond("a", "wide"), bond("b")]);
    expect(serversOf({ groups: ["leads"] }, [NARROW, WIDE])).toEqual([bond("a", "wide"), bond("b")]);
  });

  it("lead to a grant of the file where the first that fits names one, and to one's own otherwise", () => {
    const all = { groups: ["support", "owners"] };
    expect(serversOf(all, [NAMED, NARROW])).toEqual({ kind: "named", label: "owner" });
    expect(serversOf(all, [NARROW, NAMED])).toEqual([bond("a", "narrow")]);
  });

  it("fit where every claim does", () => {
    const rows = [row({ groups: "support", region: "eu" }, { servers: [bond("a")] })];
    expect(serversOf({ groups: ["support"], region: "eu" }, rows)).toEqual([bond("a")]);
    expect(serversOf({ groups: ["support"] }, rows)).toBeUndefined();
    expect(serversOf({ groups: ["support"], region: "us" }, rows)).toBeUndefined();
  });

  it("take texts as they stand, and no pattern, number, key or prototype for one", () => {
    const fits = (value: unknown, wanted: string): boolean =>
      serversOf({ c: value }, [row({ c: wanted }, { servers: [bond("a")] })]) !== undefined;
    for (const [value, wanted] of [
      ["support", "Support"],
      ["support", "support "],
      ["support", "*"],
      ["support", "sup.*"],
      ["support,leads", "support"],
      ["support leads", "support"],
      [1, "1"],
      [true, "true"],
      [null, "null"],
      [{ support: true }, "support"],
      [{ 0: "support", length: 1 }, "support"],
      [[["support"]], "support"],
      ["é", "e\u0301"],
    ] as const) {
      expect(fits(value, wanted), JSON.stringify([value, wanted])).toBe(false);
    }
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      expect(serversOf({}, [row({ [name]: "x" }, { servers: [bond("a")] })])).toBeUndefined();
    }
  });

  it("fit a text or a list that holds it, whatever the words are", () => {
    const word = fc.string({ minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 5 }), word, (held, wanted) => {
        const rows = [row({ c: wanted }, { servers: [bond("a")] })];
        expect(serversOf({ c: held }, rows) !== undefined).toBe(held.includes(wanted));
        for (const one of held) expect(serversOf({ c: one }, rows) !== undefined).toBe(one === wanted);
      }),
    );
  });
});

describe("an e-mail", () => {
  const rows = [row({ email: "a@example.com" }, { servers: [bond("a")] })];
  const leads = (claims: Record<string, unknown>, emails: LoginConfig["emails"]): boolean =>
    matchLogin(loginOf({ email: "a@example.com", ...claims }), configOf(rows, { emails })) !== undefined;

  it.each<[unknown, boolean, boolean]>([
    [true, true, true],
    ["true", true, true],
    [undefined, false, true],
    [false, false, false],
    ["false", false, false],
    [null, false, false],
    [1, false, false],
    ["yes", false, false],
  ])("of which the issuer says %o", (email_verified, verified, issued) => {
    const said = email_verified === undefined ? {} : { email_verified };
    expect([leads(said, "verified"), leads(said, "issued")]).toEqual([verified, issued]);
  });

  it("that is not verified is no identity, no owner and no tag either", () => {
    const all = row({ sub: "alice" }, { servers: [bond("a")] });
    const unverified = loginOf({ email: "a@example.com", email_verified: false });
    expect(matchLogin(unverified, configOf([all], { identity: "email" }))).toBeUndefined();
    expect(matchLogin(unverified, configOf([all], { tags: { mail: "email" } }))).toMatchObject({
      terms: { identity: "alice", owner: undefined, tags: {} },
    });
    const verified = loginOf({ email: "a@example.com", email_verified: true });
    expect(matchLogin(verified, configOf([all], { tags: { mail: "email" } }))).toMatchObject({
      terms: { identity: "alice", owner: "a@example.com", tags: { mail: "a@example.com" } },
    });
  });
});

describe("a grant of one's own", () => {
  it("is called the same whatever else changes, and like no other's", () => {
    const label = labelOf("https://idp.example.com", "alice");
    expect(label).toMatch(/^login\/[0-9a-f]{16}$/);
    for (const [issuer, subject] of [
      ["https://idp.example.com", "Alice"],
      ["https://idp.example.com/", "alice"],
      ["https://idp.example.coma", "lice"],
    ] as const) {
      expect(labelOf(issuer, subject)).not.toBe(label);
    }
  });

  it.each<unknown>(["", "  ", "a\nb", "a\u0000", "x".repeat(257), 7, ["alice"], null, undefined])("has no identity from %o", (name) => {
    const login = loginOf({ name });
    expect(matchLogin(login, configOf([row({ sub: "alice" }, { servers: [bond("a")] })], { identity: "name" }))).toBeUndefined();
  });
});

describe("the audience", () => {
  const admit = (aud: string[], audience?: string) =>
    readAdmission(aud, { config: { audience }, base: BASE, nameOf: (server) => (server === "id-of-a" ? "a" : undefined) });

  it("names servers, or all of them", () => {
    expect(admit([`${BASE}/mcp/a`, "x", `${BASE}/mcp/b-2`])).toEqual({ everywhere: false, servers: new Set(["a", "b-2"]) });
    expect(admit([`${BASE}/mcp/id-of-a`])?.servers).toEqual(new Set(["a"]));
    expect(admit([`${BASE}/mcp`])?.everywhere).toBe(true);
    expect(admit(["api"], "api")?.everywhere).toBe(true);
  });

  it.each([
    "",
    BASE,
    `${BASE}/`,
    `${BASE}/mcp/`,
    `${BASE}/mcp/a/`,
    `${BASE}/mcp/a/b`,
    `${BASE}/mcp/a?x`,
    `${BASE}/mcp/a#x`,
    `${BASE}/mcp/%61`,
    `${BASE}/MCP/a`,
    `${BASE}:443/mcp/a`,
    `${BASE}.evil.example/mcp/a`,
    `${BASE}@evil.example/mcp/a`,
    `x${BASE}/mcp/a`,
    "http://gateway.example.com/mcp/a",
    "HTTPS://gateway.example.com/mcp/a",
    "undefined",
  ])("`%s` is nothing of ours", (aud) => {
    expect(admit([aud])).toBeUndefined();
  });
});
