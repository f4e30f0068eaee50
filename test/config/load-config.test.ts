/** Good configurations and what they come to; bad ones and all that is told of them. */
import path from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load-config.ts";
import { ALLOW_ALL, ASKING, ENV, load, loadBad, loadGood, makeFolder, pointersOf } from "./write-config.ts";

const FULL = `
listen: { host: 127.0.0.1, port: 8420, publicUrl: https://gateway.example.com, allowedHosts: [gateway.example.com, "other.example.com:8443"] }
store: { url: "sqlite:./data/sallyport.db" }
secrets: { keyFile: ./data/master.key }
servers:
  sendit:
    upstream: { url: "https://sendit.example.com/mcp", headers: { Authorization: "Bearer \${SENDIT_KEY}", X-Tenant: acme-corporation } }
    classes: { create_post: write, constructor: read }
    tools: review
    meta: [example.com/tenant]
    audit: { arguments: values }
  local:
    upstream: { url: "http://127.0.0.1:9000/mcp" }
    network: { allow: ["127.0.0.1/32", "fd00::/8", "10.0.0.1"] }
policies:
  sendit-standard: { server: sendit, file: ./policies/sendit.json }
  local-read: { server: local, document: { version: "1", default: deny, tools: { "@read": {} } } }
grants:
  alice-laptop: { server: sendit, policy: sendit-standard, identity: alice@example.com, token: "\${ALICE_TOKEN}", tags: { team: support }, expires: 2027-01-01T00:00:00Z }
  ci-runner: { servers: { sendit: sendit-standard, local: local-read }, identity: ci, owner: bob@example.com, token: "\${CI_TOKEN}" }
audit: { durability: disk, retention: 400d }
`;
const FILES = { "policies/sendit.json": ALLOW_ALL };
const SERVER = "servers: { s: { upstream: { url: 'https://s.example.com/mcp' } } }\n";
const POLICY = "policies: { p: { server: s, document: { version: '1', default: allow } } }\n";

describe("a server that is started", () => {
  it("has its command, and a folder that begins at the file's own", async () => {
    const config = await loadGood(
      "servers: { a: { upstream: { command: npx } }, b: { upstream: { command: ./b, args: [-y, 'x y'], env: { A: b }, cwd: sub, process: session } } }",
    );
    const folder = path.dirname(config.file);
    const none = { args: [], env: {}, cwd: folder, process: "server" };
    expect(config.servers.map(({ url, command }) => [url, command])).toEqual([
      ["", { command: "npx", ...none }],
      ["", { command: "./b", args: ["-y", "x y"], env: { A: "b" }, cwd: path.join(folder, "sub"), process: "session" }],
    ]);
  });

  it("has credentials where the environment gave some, and paths are none", async () => {
    const env = { HOME: "/home/alice", LEVEL: "production", KEY: "k3y-of-the-server", WORD: "wordsalone" };
    const config = await loadGood(
      'servers: { a: { upstream: { command: "${HOME}/run", args: ["${HOME}/docs", "--key=${KEY}"], env: { LEVEL: "${LEVEL}", API_TOKEN: "${WORD}" } } } }',
      {},
      env,
    );
    expect(config.servers[0]?.credentials.toSorted()).toEqual(["k3y-of-the-server", "wordsalone"]);
  });
});

describe("a good configuration", () => {
  it("says how the gateway signs in", async () => {
    const text = `servers:
  plain: { upstream: { url: "https://a.example.com" } }
  found: { upstream: { url: "https://b.example.com", oauth: true } }
  named: { upstream: { url: "https://c.example.com", oauth: { clientId: gateway, clientSecret: "\${SENDIT_KEY}", scopes: [], issuer: "https://login.example.com/t" } } }
`;
    const [plain, found, named] = (await loadGood(text)).servers;
    const nothing = { clientId: undefined, clientSecret: undefined, scopes: undefined, issuer: undefined };
    expect(plain?.oauth).toBeUndefined();
    expect(found?.oauth).toEqual(nothing);
    expect(named?.oauth).toEqual({
      clientId: "gateway",
      clientSecret: "upstream-canary-key",
      scopes: [],
      issuer: "https://login.example.com/t",
    });
    expect(named?.credentials).toEqual(["upstream-canary-key"]);
  });

  it("comes to one value with everything that it says", async () => {
    const config = await loadGood(FULL, FILES);
    const folder = path.dirname(config.file);
    expect(config.listen).toEqual({
      host: "127.0.0.1",
      port: 8420,
      publicUrl: "https://gateway.example.com",
      allowedHosts: ["gateway.example.com", "other.example.com:8443"],
    });
    expect(config.storeFile).toBe(path.join(folder, "data/sallyport.db"));
    expect(config.keyFile).toBe(path.join(folder, "data/master.key"));
    expect(config.audit).toEqual({ durability: "disk", retention: { ms: 400 * 86_400_000, text: "400d" } });
    const [sendit, local] = config.servers;
    expect(sendit).toMatchObject({
      name: "sendit",
      url: "https://sendit.example.com/mcp",
      tools: "review",
      meta: ["example.com/tenant"],
      recordsValues: true,
    });
    expect({ ...sendit?.headers }).toEqual({ Authorization: "Bearer upstream-canary-key", "X-Tenant": "acme-corporation" });
    expect({ ...sendit?.classes }).toEqual({ create_post: "write", constructor: "read" });
    expect(local).toMatchObject({
      name: "local",
      tools: "accept",
      networkAllow: ["127.0.0.1/32", "fd00::/8", "10.0.0.1"],
      credentials: [],
    });
    expect(config.policies.map(({ name, server, file }) => ({ name, server, file }))).toEqual([
      { name: "sendit-standard", server: "sendit", file: path.join(folder, "policies/sendit.json") },
      { name: "local-read", server: "local", file: undefined },
    ]);
    expect(config.policies[0]?.document.default).toBe("allow");
    expect(config.grants).toMatchObject([
      {
        label: "alice-laptop",
        servers: [{ server: "sendit", policy: "sendit-standard" }],
        identity: "alice@example.com",
        owner: undefined,
        token: "alice-canary-token-1",
        expiresMs: Date.UTC(2027, 0, 1),
      },
      {
        label: "ci-runner",
        servers: [
          { server: "sendit", policy: "sendit-standard" },
          { server: "local", policy: "local-read" },
        ],
        owner: "bob@example.com",
        expiresMs: undefined,
      },
    ]);
    expect({ ...config.grants[0]?.tags }).toEqual({ team: "support" });
    expect(config.sources.map((source) => source.file)).toEqual([config.file, path.join(folder, "policies/sendit.json")]);
  });

  it("is frozen to its leaves", async () => {
    const config = await loadGood(FULL, FILES);
    const thawed: string[] = [];
    const visit = (value: unknown, at: string): void => {
      if (typeof value !== "object" || value === null) return;
      if (!Object.isFrozen(value)) thawed.push(at);
      for (const [key, member] of Object.entries(value)) visit(member, `${at}.${key}`);
    };
    visit(config, "config");
    expect(thawed).toEqual([]);
  });

  it("is the same in JSON", async () => {
    const json = JSON.stringify({
      $schema: "x",
      servers: { s: { upstream: { url: "https://s.example.com/mcp" } } },
      policies: { p: { server: "s", document: { version: "1", default: "allow" } } },
      grants: { g: { server: "s", policy: "p", token: "${ALICE_TOKEN}" } },
    });
    const config = await loadGood(json, {}, ENV, "sallyport.json");
    expect(config.grants[0]?.token).toBe("alice-canary-token-1");
    expect(config.audit).toEqual({ durability: "process" });
    expect(config.listen.port).toBeUndefined();
  });

  it("may be empty, and a grant may have no policy", async () => {
    expect((await loadGood("{}")).servers).toEqual([]);
    const config = await loadGood(`${SERVER}grants: { g: { server: s, token: "\${ALICE_TOKEN}" } }`);
    expect(config.grants[0]?.servers).toEqual([{ server: "s", policy: undefined }]);
  });

  it("names the texts that must not come back in answers", async () => {
    const basic = Buffer.from("user:a long password").toString("base64");
    const config = await loadGood(
      `
servers:
  s:
    upstream:
      url: "https://s.example.com/\${PATH_KEY}/mcp?api_key=query-credential&page=long-but-harmless"
      headers: { Authorization: "Basic ${basic}", X-Tenant: acme-corporation, X-Region: "\${REGION:-somewhere}", X-Api-Key: key-credential }
`,
      {},
      { PATH_KEY: "path-credential" },
    );
    expect(config.servers[0]?.credentials.toSorted()).toEqual(
      [
        `Basic ${basic}`,
        basic,
        "a long password",
        "key-credential",
        "path-credential",
        "query-credential",
        "user:a long password",
      ].toSorted(),
    );
  });

  it("takes numbers from the environment where one is expected", async () => {
    expect((await loadGood("listen: { port: '${PORT}' }", {}, { PORT: "9000" })).listen.port).toBe(9000);
    expect((await loadGood("listen: { port: '${PORT:-9001}' }", {}, {})).listen.port).toBe(9001);
    expect(pointersOf(await loadBad("listen: { port: '9000' }"))).toEqual(["/listen/port"]);
    expect(pointersOf(await loadBad("listen: { port: '${PORT}' }", {}, { PORT: "canary" }))).toEqual(["/listen/port"]);
  });
});

describe("counters elsewhere", () => {
  it.each(["redis://host", "redis://:secret@host:6380/2", "rediss://user:p%40ss@10.0.0.1", "valkey://host/", "valkeys://[::1]:6379/15"])(
    "may be at %s",
    async (url) => {
      expect((await loadGood(`limits: { url: '${url}' }`)).limitsUrl).toBe(url);
    },
  );
});

describe("a bad configuration", () => {
  it("tells every error at once, with pointer, file, line and column", async () => {
    const failures = await loadBad(
      `listen: { prot: 1, port: 70000 }
servers:
  Bad_Name: { upstream: { url: "https://a.example.com/mcp" } }
  s: { upstream: { url: "ftp://s.example.com" } }
  s: { upstream: { url: "https://again.example.com" } }
policies:
  p: { server: nowhere, document: { version: "1", default: maybe } }
  q: { server: s, file: ./q.json }
grants:
  g: { server: s, policy: missing, token: short, expires: tomorrow }
  h: { server: s, policy: p, token: "\${UNSET}" }
surplus: true
`,
      { "q.json": '{ "version": "1",\n  "default": "allow", "tols": {} }' },
    );
    expect(pointersOf(failures).toSorted()).toEqual(
      [
        "/servers/s",
        "/grants/h/token",
        "/listen/prot",
        "/listen/port",
        "/servers/Bad_Name",
        "/servers/s/upstream/url",
        "/surplus",
        "/grants/g/token",
        "/grants/g/expires",
        "/policies/p/server",
        "/policies/p/document/default",
        "/grants/g/policy",
        "q.json#/tols",
      ].toSorted(),
    );
    const at = (pointer: string): unknown => {
      const { line, column } = failures.find((failure) => failure.at?.pointer === pointer)?.at ?? {};
      return [line, column];
    };
    expect(at("/listen/prot")).toEqual([1, 11]);
    expect(at("/servers/Bad_Name")).toEqual([3, 3]);
    expect(at("/servers/s")).toEqual([5, 3]);
    expect(at("/policies/p/document/default")).toEqual([7, 60]);
    expect(at("/grants/g/token")).toEqual([10, 43]);
    expect(at("/tols")).toEqual([2, 23]);
    expect(failures.every((failure) => failure.at?.file?.startsWith("/"))).toBe(true);
    expect(failures.find((failure) => failure.at?.pointer === "/grants/h/token")?.code).toBe("missing_variable");
  });

  const cases: readonly (readonly [what: string, text: string, pointers: readonly string[]])[] = [
    [
      "a server that is not there",
      `${SERVER}${POLICY}grants: { g: { server: t, policy: p, token: "\${ALICE_TOKEN}" } }`,
      ["/grants/g/server"],
    ],
    [
      "a policy that is not there",
      `${SERVER}${POLICY}grants: { g: { server: s, policy: q, token: "\${ALICE_TOKEN}" } }`,
      ["/grants/g/policy"],
    ],
    [
      "a policy of another server",
      `servers: { s: { upstream: { url: 'https://s.example.com' } }, t: { upstream: { url: 'https://t.example.com' } } }
${POLICY}grants: { g: { server: t, policy: p, token: "\${ALICE_TOKEN}" }, h: { servers: { s: p, t: p }, token: "\${CI_TOKEN}" } }`,
      ["/grants/g/policy", "/grants/h/servers/t"],
    ],
    [
      "servers of a grant that are not there",
      `${SERVER}${POLICY}grants: { g: { servers: { s: p, t: p, u: q }, token: "\${ALICE_TOKEN}" } }`,
      ["/grants/g/servers/t", "/grants/g/servers/u", "/grants/g/servers/u"],
    ],
    ["a grant for nothing", `${SERVER}grants: { g: { token: "\${ALICE_TOKEN}" } }`, ["/grants/g/server"]],
    [
      "a grant in both forms",
      `${SERVER}${POLICY}grants: { g: { server: s, servers: { s: p }, token: "\${ALICE_TOKEN}" } }`,
      ["/grants/g/servers"],
    ],
    [
      "a policy beside servers",
      `${SERVER}${POLICY}grants: { g: { policy: p, servers: { s: p }, token: "\${ALICE_TOKEN}" } }`,
      ["/grants/g/policy"],
    ],
    ["no token", `${SERVER}${POLICY}grants: { g: { server: s, policy: p } }`, ["/grants/g/token"]],
    ["a token of 15 characters", `${SERVER}grants: { g: { server: s, token: 123456789abcdef } }`, ["/grants/g/token"]],
    ["a token that no header carries", `${SERVER}grants: { g: { server: s, token: "sixteen characters\\n" } }`, ["/grants/g/token"]],
    [
      "a token used twice",
      `${SERVER}grants: { g: { server: s, token: "\${ALICE_TOKEN}" }, h: { server: s, token: alice-canary-token-1 } }`,
      ["/grants/h/token"],
    ],
    [
      "tags that are no texts",
      `${SERVER}grants: { g: { server: s, token: "\${ALICE_TOKEN}", tags: { level: 3 } } }`,
      ["/grants/g/tags/level"],
    ],
    [
      "an end without a zone",
      `${SERVER}grants: { g: { server: s, token: "\${ALICE_TOKEN}", expires: "2027-01-01T00:00:00" } }`,
      ["/grants/g/expires"],
    ],
    [
      "a day that is none",
      `${SERVER}grants: { g: { server: s, token: "\${ALICE_TOKEN}", expires: "2027-02-29T00:00:00Z" } }`,
      ["/grants/g/expires"],
    ],
    ["an owner that is no address", `${SERVER}grants: { g: { server: s, token: "\${ALICE_TOKEN}", owner: bob } }`, ["/grants/g/owner"]],
    ["a policy without a server", "policies: { p: { document: { version: '1', default: allow } } }", ["/policies/p/server"]],
    ["a policy of a server that is not there", POLICY, ["/policies/p/server"]],
    ["a policy without a document", `${SERVER}policies: { p: { server: s } }`, ["/policies/p/file"]],
    [
      "a policy with two",
      `${SERVER}policies: { p: { server: s, file: x.json, document: {} } }`,
      ["/policies/p/document", "/policies/p/document/version", "/policies/p/document/default"],
    ],
    ["a policy file that is not there", `${SERVER}policies: { p: { server: s, file: ./x.json } }`, ["/policies/p/file"]],
    ["a folder as a policy file", `${SERVER}policies: { p: { server: s, file: . } }`, ["/policies/p/file"]],
    ["a server without upstream", "servers: { s: {} }", ["/servers/s/upstream"]],
    ["an upstream of nothing", "servers: { s: { upstream: {} } }", ["/servers/s/upstream/url"]],
    [
      "an upstream of both kinds",
      "servers: { s: { upstream: { url: 'https://s.example.com', command: npx } } }",
      ["/servers/s/upstream/command"],
    ],
    ["headers for a command", "servers: { s: { upstream: { command: npx, headers: {} } } }", ["/servers/s/upstream/headers"]],
    [
      "a command for an address",
      "servers: { s: { upstream: { url: 'https://s.example.com', process: session } } }",
      ["/servers/s/upstream/process"],
    ],
    ["addresses of a command", "servers: { s: { upstream: { command: npx }, network: { allow: [] } } }", ["/servers/s/network"]],
    [
      "what a process can't be given",
      'servers: { s: { upstream: { command: "", args: ["a\\0b", 1], env: { "A=B": x, C: "\\0" }, process: each } } }',
      [
        "/servers/s/upstream/command",
        "/servers/s/upstream/args/0",
        "/servers/s/upstream/args/1",
        "/servers/s/upstream/env/A=B",
        "/servers/s/upstream/env/C",
        "/servers/s/upstream/process",
      ],
    ],
    [
      "credentials in an address",
      "servers: { s: { upstream: { url: 'https://user:canary@s.example.com' } } }",
      ["/servers/s/upstream/url"],
    ],
    ["a part after # in an address", "servers: { s: { upstream: { url: 'https://s.example.com/#x' } } }", ["/servers/s/upstream/url"]],
    [
      "a sign-in that is not told well",
      `servers: { s: { upstream: { url: 'https://s.example.com', headers: { AUTHORIZATION: x }, oauth: { clientSecret: hush, scopes: ['a b'], issuer: 'ftp://x', more: 1 } } }, t: { upstream: { url: 'https://t.example.com', oauth: false } }, u: { upstream: { command: npx, oauth: true } } }`,
      [
        "/servers/s/upstream/oauth/scopes/0",
        "/servers/s/upstream/oauth/issuer",
        "/servers/s/upstream/oauth/more",
        "/servers/t/upstream/oauth",
        "/servers/u/upstream/oauth",
        "/servers/s/upstream/headers/AUTHORIZATION",
        "/servers/s/upstream/oauth/clientSecret",
      ],
    ],
    [
      "a client's secret for whichever authorization server the server names",
      "servers: { s: { upstream: { url: 'https://s.example.com', oauth: { clientId: us, clientSecret: hush } } } }",
      ["/servers/s/upstream/oauth/clientSecret"],
    ],
    [
      "headers that are not the user's",
      "servers: { s: { upstream: { url: 'https://s.example.com', headers: { Host: x, mcp-session-id: x, 'a b': x, X: \"a\\r\\nb\", Y: '' } } } }",
      [
        "/servers/s/upstream/headers/Host",
        "/servers/s/upstream/headers/mcp-session-id",
        "/servers/s/upstream/headers/a b",
        "/servers/s/upstream/headers/X",
        "/servers/s/upstream/headers/Y",
      ],
    ],
    [
      "a header twice",
      "servers: { s: { upstream: { url: 'https://s.example.com', headers: { x-key: a, X-Key: b } } } }",
      ["/servers/s/upstream/headers/X-Key"],
    ],
    [
      "ranges that are none",
      "servers: { s: { upstream: { url: 'https://s.example.com' }, network: { allow: [10.0.0.0/33, localhost, 'fe80::1%eth0', 10.0.0.0/8] } } }",
      ["/servers/s/network/allow/0", "/servers/s/network/allow/1", "/servers/s/network/allow/2"],
    ],
    [
      "a class that is none",
      "servers: { s: { upstream: { url: 'https://s.example.com' }, classes: { a: Write } } }",
      ["/servers/s/classes/a"],
    ],
    [
      "keys of _meta that are none",
      "servers: { s: { upstream: { url: 'https://s.example.com' }, meta: ['a b', sallyport/approval] } }",
      ["/servers/s/meta/0", "/servers/s/meta/1"],
    ],
    ["PostgreSQL without a database", "store: { url: 'postgres://user:canary@db' }", ["/store/url"]],
    ["PostgreSQL with what nobody knows", "store: { url: 'postgres://user:canary@db/x?ssl=canary' }", ["/store/url"]],
    ["a store in memory", "store: { url: 'sqlite::memory:' }", ["/store/url"]],
    ["a store on a host", "store: { url: 'sqlite://host/x.db' }", ["/store/url"]],
    ["counters elsewhere", "limits: { url: 'http://:canary@host' }", ["/limits/url"]],
    ["counters nowhere", "limits: { url: 'redis:///0' }", ["/limits/url"]],
    ["counters in a named database", "limits: { url: 'redis://:canary@host/main' }", ["/limits/url"]],
    ["counters with a query", "limits: { url: 'redis://:canary@host/0?x=1' }", ["/limits/url"]],
    ["a password with a stray percent sign", "limits: { url: 'redis://:canary%zz@host' }", ["/limits/url"]],
    ["a durability that is none", "audit: { durability: Disk }", ["/audit/durability"]],
    ["a retention without a unit", "audit: { retention: '400' }", ["/audit/retention"]],
    ["a retention of less than a day", "audit: { retention: 23h }", ["/audit/retention"]],
    ["a retention beyond a hundred years", "audit: { retention: 40000d }", ["/audit/retention"]],
    ["a public address with a query", "listen: { publicUrl: 'https://x.example.com/?a=b' }", ["/listen/publicUrl"]],
    ["hosts that are none", "listen: { allowedHosts: ['http://x', '*'] }", ["/listen/allowedHosts/0", "/listen/allowedHosts/1"]],
    ["nothing where an object is expected", "servers:\n", ["/servers"]],
    [
      "a name that is too long",
      `servers: { ${"a".repeat(33)}: { upstream: { url: 'https://s.example.com' } } }`,
      [`/servers/${"a".repeat(33)}`],
    ],
    ["an unset variable", "listen: { host: '${NOBODY_SET_THIS}' }", ["/listen/host"]],
    ["a reference that is none", "listen: { host: '${NO BODY}' }", ["/listen/host"]],
    ["a tag", "listen: !include other.yaml\n", ["/listen"]],
    ["a merge key", "a: &a { x: 1 }\nlisten: { <<: *a }\n", ["/listen", "/a"]],
  ];

  it.each(cases)("is refused for %s", async (_, text, pointers) => {
    const failures = await loadBad(text);
    expect(pointersOf(failures).toSorted()).toEqual(pointers.toSorted());
    expect(JSON.stringify(failures)).not.toContain("canary");
  });

  it("is refused for a file that is not there, too large or not UTF-8", async () => {
    const folder = makeFolder({ "bad.yaml": "" });
    const at = (name: string): ReturnType<typeof loadConfig> => loadConfig({ file: path.join(folder, name), env: {} });
    expect(await at("none.yaml")).toMatchObject({ ok: false, failures: [{ message: "The file is not there." }] });
    expect(await at(".")).toMatchObject({ ok: false, failures: [{ message: "This is not a file." }] });
    const { writeFileSync } = await import("node:fs");
    writeFileSync(path.join(folder, "bad.yaml"), Buffer.from([0x61, 0x3a, 0xff]));
    expect(await at("bad.yaml")).toMatchObject({ ok: false, failures: [{ message: "The file is not UTF-8." }] });
    writeFileSync(path.join(folder, "bad.yaml"), Buffer.alloc(4 * 1024 * 1024 + 1, 32));
    expect(await at("bad.yaml")).toMatchObject({ ok: false, failures: [{ at: { file: path.join(folder, "bad.yaml") } }] });
  });

  it("is refused for aliases that unfold without end, quickly", async () => {
    const levels = Array.from({ length: 30 }, (_, level) => `l${level}: &l${level} [${`*l${level - 1},`.repeat(level === 0 ? 0 : 9)}]`);
    const startedMs = performance.now();
    const failures = await loadBad(levels.join("\n"));
    expect(failures.some((failure) => /alias/.test(failure.message))).toBe(true);
    expect(performance.now() - startedMs).toBeLessThan(5000);
  });

  it("is refused for a key that stands twice in JSON, beside its other errors", async () => {
    const failures = await loadBad('{ "listen": {}, "listen": {}, "surplus": 1 }', {}, {}, "sallyport.json");
    expect(pointersOf(failures)).toEqual(["/listen", "/surplus"]);
  });

  it("suggests the key that was meant", async () => {
    const [failure] = await loadBad("sevrers: {}");
    expect(failure?.hint).toContain("`servers`");
  });
});

describe("a policy that can ask", () => {
  const grant = (rest: string): string =>
    `${SERVER}policies: { p: { server: s, file: ./p.json } }\ngrants: { g: { server: s, policy: p, token: "\${ALICE_TOKEN}"${rest} } }`;

  it("needs an owner on each of its grants, told at the missing key", async () => {
    const failures = await loadBad(grant(""), { "p.json": ASKING });
    expect(pointersOf(failures)).toEqual(["/grants/g/owner"]);
    expect(failures[0]?.at?.line).toBe(3);
    expect(Array.isArray(await load(grant(", owner: bob@example.com"), { "p.json": ASKING }))).toBe(false);
    expect(Array.isArray(await load(grant(""), { "p.json": ALLOW_ALL }))).toBe(false);
  });

  it("is found behind any of a grant's servers", async () => {
    const text = `${SERVER}policies: { p: { server: s, file: ./p.json } }\ngrants: { g: { servers: { s: p }, token: "\${ALICE_TOKEN}" } }`;
    expect(pointersOf(await loadBad(text, { "p.json": ASKING }))).toEqual(["/grants/g/owner"]);
  });
});

describe("policies that share counters", () => {
  const counting = (scope: string, per: string): string =>
    JSON.stringify({
      version: "1",
      default: "allow",
      all_tools: { limits: [{ counter: "c", window: "day", max: 5, scope, ...(per === "" ? {} : { per }) }] },
    });
  const text = (second: string): string => `
servers: { s: { upstream: { url: 'https://s.example.com' } }, t: { upstream: { url: 'https://t.example.com' } } }
policies: { a: { server: s, file: a.json }, b: { server: ${second}, file: b.json } }
`;

  const FAULTS = ["b.json#/all_tools/limits/0/counter", "b.json#/all_tools/limits/0/per"];

  it.each<[scope: string, server: string, faults: string[]]>([
    ["organisation", "t", FAULTS],
    ["identity", "t", FAULTS],
    ["server", "s", FAULTS],
    ["server", "t", []],
    ["grant", "s", []],
  ])("of scope %s on %s have to agree: %s", async (scope, server, faults) => {
    const loaded = await load(text(server), { "a.json": counting(scope, ""), "b.json": counting(scope, "args.x") });
    expect(Array.isArray(loaded) ? pointersOf(loaded) : []).toEqual(faults);
  });

  it("are good when they agree", async () => {
    const loaded = await load(text("s"), { "a.json": counting("server", "args.x"), "b.json": counting("server", "args.x") });
    expect(Array.isArray(loaded)).toBe(false);
  });
});
