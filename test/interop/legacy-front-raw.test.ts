/** A legacy client by hand before a modern server by hand: judged, counted and on record as ever, and byte for byte. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { HttpUpstream } from "../../src/upstream/http-upstream.ts";
import { type FrontGateway, openLegacyFront, startFrontGateway } from "../support/front-gateway.ts";
import { waitUntil } from "../support/gateway.ts";
import { type RawUpstream, startRawUpstream, tool } from "../support/raw-upstream.ts";
import { call, initialize, openSession, openStream, post, type RawAnswer } from "./raw-client.ts";

const TOKEN = "token-of-alice-0000000001";
const BOB = "token-of-bob-000000000001";
const ASK = '{"method":"elicitation/create","params":{"mode":"form","message":"Who?","requestedSchema":{"type":"object","properties":{}}}}';
let upstream: RawUpstream;
let gateway: FrontGateway<HttpUpstream>;
let url: URL;
let session: string;

beforeAll(async () => {
  upstream = await startRawUpstream({
    tools: `[${["echo", "dear", "shut", "refused"].map((name) => tool(name)).join(",")},${tool("odd", ',"outputSchema":{"type":"array"},"x":1.0')}]`,
  });
  gateway = await startFrontGateway({
    server: upstream.url,
    label: "raw",
    policy: {
      hide: ["shut"],
      tools: {
        dear: { limits: [{ counter: "calls", window: "hour", max: 1, scope: "grant" }] },
        refused: { deny_if: [{ conditions: [{ path: "args.n", op: "eq", value: 1 }], on_deny: "One is refused." }] },
      },
    },
    grants: { alice: TOKEN, bob: BOB },
    open: openLegacyFront({ sessionsPerOwner: 3 }),
  });
  url = gateway.url;
});

afterAll(async () => {
  await gateway?.stop();
  await upstream?.stop();
});

beforeEach(async () => {
  upstream.respond = () => undefined;
  session = await openSession(url, TOKEN, { elicitation: {} });
  upstream.forget();
});

const send = (body: unknown, in_ = session): Promise<RawAnswer> => post(url, body, { token: TOKEN, session: in_ });

describe("a legacy client before a modern server", () => {
  it("is seen by the server as a modern one, and by the gateway as what it is", async () => {
    expect((await send(call(2, "echo", { a: 1 }))).messages).toEqual([
      { jsonrpc: "2.0", id: 2, result: { content: [{ type: "text", text: "done" }] } },
    ]);
    const [sent] = upstream.calls();
    expect(sent?.headers).toMatchObject({ "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "echo" });
    expect(sent?.headers).not.toHaveProperty("mcp-session-id");
    expect(upstream.arrived.map(({ method }) => method)).toEqual(["POST"]);
    const log = await gateway.readLog();
    expect(log.findLast(({ kind }) => kind === "intent")).toMatchObject({ method: "tools/call", tool: "echo", grant: "alice" });
  });

  it("is judged before anything reaches the server, by the values that reach it", async () => {
    for (const spelled of ["1", "1.0", "10e-1"]) {
      const refused = await send(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"refused","arguments":{"n":${spelled}}}}`);
      expect(refused.text).toContain("One is refused.");
    }
    expect((await send(call(3, "shut"))).messages).toMatchObject([{ error: { code: -32_602 } }]);
    expect(upstream.calls()).toEqual([]);
    const args = '{ "n": 2.50, "big": 12345678901234567890, "t": "\\u00e9\\/" }';
    upstream.respond = (_arrived, asked) =>
      asked.method === "tools/call" ? { result: `{"resultType":"complete","content":[${args}],"x":${args}}` } : undefined;
    const passed = await send(`{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"name":"refused","arguments":${args}}}`);
    expect(upstream.calls()[0]?.text).toContain(`"arguments":${args}`);
    expect(passed.text).toBe(`{"jsonrpc":"2.0","id":1.0,"result":{"content":[${args}],"x":${args}}}`);
  });

  it("sees tools as the server wrote them, but for an output schema that it can't read", async () => {
    const listed = await send({ jsonrpc: "2.0", id: 2, method: "tools/list" });
    expect(listed.text).toContain('{"name":"odd","inputSchema":{"type":"object"},"x":1.0}');
    expect(listed.text).toContain(tool("echo"));
    expect(listed.text).not.toMatch(/shut|resultType|ttlMs|cacheScope/);
    const [{ result }] = listed.messages as [{ result: object }];
    expect(Object.keys(result)).toEqual(["tools"]);
  });

  it("is asked on the stream of its call, charged once, and answered there", async () => {
    upstream.respond = (_arrived, asked) => {
      if (asked.method !== "tools/call") return undefined;
      const told = asked.params?.["inputResponses"];
      if (told === undefined) return { result: `{"resultType":"input_required","inputRequests":{"who":${ASK}},"requestState":"s"}` };
      return { result: `{"resultType":"complete","content":[{"type":"text","text":${JSON.stringify(JSON.stringify(told))}}]}` };
    };
    const stream = await openStream(url, { token: TOKEN, session, body: call(2, "dear", { a: 1 }) });
    await waitUntil(() => stream.messages.length === 1);
    const [asked] = stream.messages;
    expect(asked).toMatchObject({
      id: expect.stringMatching(/^s\d+$/),
      method: "elicitation/create",
      params: { mode: "form", message: "[server raw] Who?" },
    });
    const answer = `{"jsonrpc":"2.0","id":"${String(asked?.["id"])}","result":{"action":"accept","content":{"n":1.0}}}`;
    expect((await post(url, answer, { token: BOB, session })).status).toBe(404);
    expect((await send(answer)).status).toBe(202);
    await stream.ended;
    expect(stream.messages[1]).toEqual({
      jsonrpc: "2.0",
      id: 2,
      result: { content: [{ type: "text", text: '{"who":{"action":"accept","content":{"n":1}}}' }] },
    });
    const [first, second] = upstream.calls();
    expect(second?.text).toContain('"inputResponses":{"who":{"action":"accept","content":{"n":1.0}}}');
    expect(second?.message?.params).toMatchObject({ requestState: "s", arguments: { a: 1 } });
    expect(second?.message?.id).not.toBe(first?.message?.id);
    expect((await send(call(3, "dear"))).text).toContain("limit_exceeded");
    const log = (await gateway.readLog()).filter((entry) => entry["tool"] === "dear" && entry["kind"] === "intent");
    expect(log.map(({ decision }) => decision)).toEqual(["allow"]);
  });

  it.each([
    ["an unknown kind of result", { result: '{"resultType":"task","taskId":"1"}' }, "unknown", "invalid_answer"],
    ["a round that is none", { result: '{"resultType":"input_required"}' }, "unknown", "invalid_answer"],
    [
      "a capability that the client lacks",
      { error: '{"code":-32021,"message":"no","data":{"requiredCapabilities":{"roots":{}}}}' },
      "tool_error",
      undefined,
    ],
    [
      "a question that the client can't have",
      { result: '{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}}}' },
      "tool_error",
      undefined,
    ],
    ["headers that it did not like", { error: '{"code":-32020,"message":"Mcp-Name differs at 10.0.0.7"}' }, "rpc_error", undefined],
    ["another version", { error: '{"code":-32022,"message":"no","data":{"supported":[]}}' }, "rpc_error", undefined],
  ] as const)("gets one readable answer for %s", async (_name, reply, outcome, code) => {
    upstream.respond = (_arrived, asked) => (asked.method === "tools/call" ? reply : undefined);
    const answered = await send(call(2, "echo"));
    expect(answered.status).toBe(200);
    expect(answered.messages).toHaveLength(1);
    expect(answered.text).not.toMatch(/-3202|10\.0\.0\.7/);
    expect(JSON.stringify(answered.messages[0])).toMatch(/"isError":true|"code":-32603/);
    expect(upstream.calls()).toHaveLength(1);
    const isSettled = async (): Promise<boolean> => (await gateway.readLog()).at(-1)?.["kind"] === "outcome";
    await waitUntil(isSettled);
    expect((await gateway.readLog()).at(-1)).toMatchObject({ outcome, ...(code === undefined ? {} : { code }) });
  });

  it("starts anew where its session is gone", async () => {
    for (let count = 0; count < 3; count++) await openSession(url, TOKEN);
    const gone = await send(call(2, "echo"));
    expect(gone.status).toBe(404);
    expect(upstream.calls()).toEqual([]);
    const again = await openSession(url, TOKEN);
    expect((await send(call(2, "echo"), again)).status).toBe(200);
    const ended = await fetch(url, { method: "DELETE", headers: { authorization: `Bearer ${TOKEN}`, "mcp-session-id": again } });
    expect(ended.status).toBe(204);
    expect((await send(call(3, "echo"), again)).status).toBe(404);
  });

  it("needs a session, and opens one in its own revision", async () => {
    expect((await post(url, call(2, "echo"), { token: TOKEN })).messages).toMatchObject([{ id: 2, error: { code: -32_600 } }]);
    for (const version of ["2025-03-26", "2025-06-18", "2025-11-25"]) {
      const opened = await post(url, initialize({}, version), { token: TOKEN });
      expect(opened.messages).toMatchObject([{ result: { protocolVersion: version, serverInfo: { name: "behind" } } }]);
    }
    expect(upstream.calls()).toEqual([]);
  });
});
