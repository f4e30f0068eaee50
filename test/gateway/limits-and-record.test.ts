/** Limits under many calls at once, and the log: nothing passes that is not on record, and every entry says enough. */

import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { verifyStore } from "../../src/audit/verify-store.ts";
import { waitUntil } from "../support/gateway.ts";
import { type Entry, type RawGateway, startGateway, TOKEN } from "../support/raw-gateway.ts";
import { tool } from "../support/raw-upstream.ts";

const SECOND = "the-token-of-the-second-grant";
const LIMIT = 37;
const POLICY = {
  version: "1",
  default: "deny",
  tools: {
    echo: {},
    narrow: { limits: [{ counter: "n", window: "day", max: LIMIT }] },
    paid: { limits: [{ window: "day", max: 10, add: "args.amount", per: "args.customer", count: "successes" }] },
    blocked: { action: "deny", reason: "Not here." },
    asked: { action: "require_approval" },
    strict: { deny_if: [{ conditions: [{ path: "args.amount", op: "gt", value: 5 }], on_deny: "Too much." }] },
    shaped: {},
  },
};
const TOOLS = `[${["echo", "narrow", "paid", "blocked", "asked", "strict"].map((name) => tool(name)).join(",")},{"name":"shaped","inputSchema":{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}},"additionalProperties":false}}]`;

let gateway: RawGateway;
beforeAll(async () => {
  gateway = await startGateway({
    servers: { alpha: { policy: POLICY, tools: TOOLS, headers: { Authorization: "Bearer upstream-canary-credential" } } },
    grant: { owner: "boss@example.com", tags: { team: "support" } },
    grants: {
      second: { server: "alpha", policy: "alpha-policy", identity: "second@example.com", owner: "boss@example.com", token: SECOND },
    },
  });
  await gateway.call("echo");
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.upstream.forget();
  gateway.upstream.respond = () => undefined;
});

const codeOf = (text: string): string => /"sallyport\/decision":\{"id":"[^"]+","code":"(\w+)"/.exec(text)?.[1] ?? "passed";

describe("limits", () => {
  test("two hundred calls at once against a limit: exactly so many pass, and exactly those reach the server", async () => {
    const entries = await gateway.during(async () => {
      const codes = await Promise.all(
        Array.from({ length: 200 }, async (_, n) => codeOf((await gateway.call("narrow", `{"n":${n}}`)).text)),
      );
      expect(codes.filter((code) => code === "passed")).toHaveLength(LIMIT);
      expect(codes.filter((code) => code === "limit_exceeded")).toHaveLength(200 - LIMIT);
    }, 200 + LIMIT);
    expect(gateway.upstream.calls()).toHaveLength(LIMIT);
    const kinds = (kind: string): Entry[] => entries.filter((entry) => entry.kind === kind);
    expect([kinds("intent").length, kinds("outcome").length, kinds("denial").length]).toEqual([LIMIT, LIMIT, 200 - LIMIT]);
    for (const denial of kinds("denial"))
      expect(denial).toMatchObject({ code: "limit_exceeded", rule: "/tools/narrow/limits/0", decision: "deny" });
  });

  test("of one grant are not another's, and what is told says when to come back", async () => {
    expect(codeOf((await gateway.call("narrow", "{}", { token: SECOND })).text)).toBe("passed");
    const { result } = (await gateway.call("narrow")).json();
    expect(result.isError).toBe(true);
    expect(result.content[0].text).toMatch(/^\[POLICY DENIED\] The limit of 37 per day is reached\. Try again in /);
    const decision = result._meta["sallyport/decision"];
    expect(decision).toMatchObject({ code: "limit_exceeded", rule: "/tools/narrow/limits/0" });
    expect(decision.retryAfterMs).toBeGreaterThan(80_000_000);
    expect(decision.retryAfterMs).toBeLessThanOrEqual(86_400_000 * (1 + 1 / 64));
  });

  test("of successes give back what a tool's error took, once", async () => {
    const pay = (amount: string, customer = '"c1"') => gateway.call("paid", `{"amount":${amount},"customer":${customer}}`);
    gateway.upstream.respond = (_arrived, asked) =>
      asked.method === "tools/call" ? { result: '{"content":[],"isError":true}' } : undefined;
    for (let count = 0; count < 3; count++) expect(codeOf((await pay("9")).text)).toBe("passed");
    gateway.upstream.respond = (_arrived, asked) =>
      asked.method === "tools/call" ? { error: '{"code":-32000,"message":"no"}' } : undefined;
    for (let count = 0; count < 3; count++) expect(codeOf((await pay("9")).text)).toBe("passed");
    gateway.upstream.respond = () => undefined;
    expect(codeOf((await pay("9.5")).text)).toBe("passed");
    expect(codeOf((await pay("0.500000001")).text)).toBe("limit_exceeded");
    expect(codeOf((await pay("0.5")).text)).toBe("passed");
    expect(codeOf((await pay("0")).text)).toBe("passed");
    expect(codeOf((await pay("10", '"c2"')).text)).toBe("passed");
  });

  test.each(["-1", '"5"', "null", "[1]", "{}", "true", "0.0000000001", "1e30", "11", "99999999999999999999"])(
    "an amount of %s is no way round",
    async (amount) => {
      expect(codeOf((await gateway.call("paid", `{"amount":${amount},"customer":"fresh"}`)).text)).toBe("limit_exceeded");
      expect(gateway.upstream.calls()).toEqual([]);
    },
  );

  test.each([
    "{}",
    '{"amount":1}',
    '{"customer":"x"}',
    '{"amount":1,"customer":1.5}',
    '{"amount":1,"customer":null}',
    '{"amount":1,"customer":["x"]}',
    `{"amount":1,"customer":"${"x".repeat(257)}"}`,
  ])("arguments %s are no way round", async (args) => {
    expect(codeOf((await gateway.call("paid", args)).text)).toBe("limit_exceeded");
    expect(gateway.upstream.calls()).toEqual([]);
  });
});

describe("entries", () => {
  test("of a call that passed hold who, what, which revision, the charges and the outcome", async () => {
    const entries = await gateway.during(async () => {
      await gateway.post(
        '{"jsonrpc":"2.0","id":"id-1","method":"tools/call","params":{"name":"paid","arguments":{"customer":"entry","amount":1.50,"zz":"canary-value"}}}',
      );
    }, 2);
    const [intent, outcome] = entries as [Entry, Entry];
    expect(intent).toMatchObject({
      kind: "intent",
      server: "alpha",
      grant: "first",
      identity: "first@example.com",
      method: "tools/call",
      tool: "paid",
      decision: "allow",
      requestId: "id-1",
      policy: "alpha-policy",
      policyRevision: expect.stringMatching(/^[0-9a-f]{64}$/),
      toolHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      argumentKeys: ["amount", "customer", "zz"],
      argumentDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
      charges: [{ rule: "/tools/paid/limits/0", amount: "1.5", perDigest: expect.stringMatching(/^[0-9a-f]{64}$/) }],
    });
    expect(intent.id).toMatch(/^[0-9a-z]{26}$/);
    expect(Date.parse(intent.time)).toBeGreaterThan(Date.now() - 60_000);
    expect(outcome).toMatchObject({
      kind: "outcome",
      exchange: intent["exchange"],
      outcome: "ok",
      upstreamStatus: 200,
      requestId: "id-1",
      tool: "paid",
      grant: "first",
      policyRevision: intent["policyRevision"],
      latency: { totalMs: expect.any(Number), upstreamMs: expect.any(Number) },
    });
    expect(JSON.stringify(entries)).not.toMatch(/canary|"entry"/);
  });

  test("of a session name it and its client, and not by what opens it", async () => {
    gateway.upstream.respond = (_arrived, asked) =>
      asked.method !== "initialize"
        ? undefined
        : {
            act: (response, _socket, id) =>
              void response
                .writeHead(200, { "content-type": "application/json", "mcp-session-id": "upstream-session-canary" })
                .end(
                  `{"jsonrpc":"2.0","id":${id},"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"raw","version":"1"}}}`,
                ),
          };
    const opened = await gateway.post(
      '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"stranger","version":"9"}}}',
    );
    const session = opened.headers["mcp-session-id"] ?? "";
    expect(session).toMatch(/^[\x21-\x7e]{22,}$/);
    expect(opened.text).not.toContain("upstream-session-canary");
    const entries = await gateway.during(
      () =>
        gateway.call("echo", "{}", {
          headers: [
            ["Mcp-Session-Id", session],
            ["MCP-Protocol-Version", "2025-11-25"],
          ],
        }),
      2,
    );
    expect(entries[0]).toMatchObject({ session: expect.any(String), client: { name: "stranger", version: "9" } });
    expect(session.startsWith(entries[0]?.["session"] as string)).toBe(true);
    expect(gateway.kept().includes(session)).toBe(false);
    expect(gateway.upstream.calls()[0]?.headers["mcp-session-id"]).toBe("upstream-session-canary");
    const stolen = await gateway.call("echo", "{}", { token: SECOND, headers: [["Mcp-Session-Id", session]] });
    expect(stolen.status).toBe(404);
    expect((await gateway.post("", { method: "DELETE", token: SECOND, headers: [["Mcp-Session-Id", session]] })).status).toBe(404);
    expect((await gateway.post("", { method: "DELETE", headers: [["Mcp-Session-Id", session]] })).status).toBe(204);
    expect((await gateway.call("echo", "{}", { headers: [["Mcp-Session-Id", session]] })).status).toBe(404);
  });

  const DENIALS: readonly (readonly [string, string, Partial<Entry>])[] = [
    ["blocked", "{}", { code: "denied", rule: "/tools/blocked/action", message: "Not here." }],
    ["strict", '{"amount":6}', { code: "denied", rule: "/tools/strict/deny_if/0", message: "Too much." }],
    ["shaped", '{"a":"x"}', { code: "invalid_arguments", rule: "(input schema)" }],
    ["shaped", '{"a":1,"b":2}', { code: "invalid_arguments", rule: "(input schema)" }],
    ["asked", "{}", { code: "approval_required", rule: "/tools/asked/action", decision: "approve" }],
    ["nobody", "{}", { code: "not_allowed", rule: "(default deny)" }],
  ];
  test.each(DENIALS)("of a denial (%s %s) hold the rule and the words", async (name, args, expected) => {
    const entries = await gateway.during(async () => {
      expect((await gateway.call(name, args)).json().result.isError).toBe(true);
    }, 1);
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({
      kind: "denial",
      decision: "deny",
      grant: "first",
      tool: name,
      message: expect.any(String),
      policyRevision: expect.any(String),
      argumentDigest: expect.any(String),
      ...expected,
    });
    expect(entries[0]?.["latency"]).toMatchObject({ totalMs: expect.any(Number) });
    expect(gateway.upstream.calls()).toEqual([]);
  });

  test("of the same arguments have the same digest however they are spelt, of others another", async () => {
    const entries = await gateway.during(async () => {
      for (const args of ['{"a":1,"b":"x"}', '{ "b":"\\u0078", "a":1.0 }', '{"a":2,"b":"x"}']) await gateway.call("echo", args);
    }, 6);
    const digests = entries.filter(({ kind }) => kind === "intent").map((entry) => entry["argumentDigest"]);
    expect(digests[0]).toBe(digests[1]);
    expect(digests[2]).not.toBe(digests[0]);
  });

  test("hold at most 64 keys of 64 bytes, then a count", async () => {
    const args = JSON.stringify(
      Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`${String(n).padStart(3, "0")}${"k".repeat(100)}`, n])),
    );
    const [intent] = await gateway.during(() => gateway.call("echo", args), 2);
    expect(intent?.["argumentKeys"]).toHaveLength(64);
    expect(intent).toMatchObject({ argumentKeys: expect.arrayContaining([`000${"k".repeat(61)}`]) });
    expect(intent?.["argumentCount"]).toBe(100);
  });

  test("chain, and no secret stands in any", async () => {
    const { store, audit } = await gateway.folder();
    expect(await verifyStore(store, { publicKey: audit.publicKey })).toMatchObject({ ok: true });
    const kept = gateway.kept();
    for (const secret of [TOKEN, SECOND, "upstream-canary-credential", "canary-value", "upstream-session-canary"])
      expect([secret, kept.includes(secret)]).toEqual([secret, false]);
  });
});

describe("while the log can't be written", () => {
  const database = () => new DatabaseSync(path.join(gateway.dir, "data", "sallyport.db"), { timeout: 0 });
  /** The gateway of this very process may be writing: it goes on only while nobody waits here. */
  const runWhenFree = async (own: DatabaseSync, sql: string): Promise<void> => {
    await waitUntil(() => {
      try {
        own.exec(sql);
        return true;
      } catch (error) {
        if (!/locked|busy/.test(String(error))) throw error;
        return false;
      }
    });
  };

  test.each([
    ["its table is gone", "alter table audit_entry rename to gone", "alter table gone rename to audit_entry"],
    [
      "it is full",
      "create trigger full before insert on audit_entry begin select raise(abort, 'database or disk is full'); end",
      "drop trigger full",
    ],
  ])("because %s: every call is refused, nothing reaches the server, and it recovers", async (name, breaks, mends) => {
    const broken = database();
    try {
      await runWhenFree(broken, breaks);
      const bodies = [
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"c":"canary-refused"}}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"paid","arguments":{"amount":1,"customer":"CUSTOMER"}}}'.replace(
          "CUSTOMER",
          name,
        ),
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"blocked"}}',
      ];
      for (const body of bodies) {
        const { result } = (await gateway.post(body)).json();
        expect(result).toMatchObject({ isError: true, _meta: { "sallyport/decision": { code: "unavailable" } } });
        expect(result._meta["sallyport/decision"].rule).toBeUndefined();
      }
      const many = await Promise.all(Array.from({ length: 50 }, () => gateway.call("echo")));
      expect(new Set(many.map(({ text }) => codeOf(text)))).toEqual(new Set(["unavailable"]));
      for (const method of ["tools/list", "resources/read", "prompts/get", "ping", "initialize"]) {
        const answer = await gateway.post(
          `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"uri":"a:b","name":"x","protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}`,
        );
        expect(answer.json().error).toBeDefined();
      }
      expect((await gateway.post('{"jsonrpc":"2.0","method":"notifications/initialized"}')).status).toBe(503);
      expect(gateway.upstream.arrived).toEqual([]);
      expect(gateway.said.join("")).not.toContain("canary");
    } finally {
      await runWhenFree(broken, mends);
      broken.close();
    }
    const pay = async (): Promise<string> => codeOf((await gateway.call("paid", `{"amount":1,"customer":"${name}"}`)).text);
    for (let count = 0; count < 10; count++) expect(await pay()).toBe("passed");
    expect(await pay()).toBe("limit_exceeded");
  });
});
