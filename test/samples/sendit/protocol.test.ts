/** The wire, message by message: both eras, and everything that is refused. */
import { request } from "node:http";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Calls } from "../../../samples/sendit/calls.ts";
import { type HttpServer, startHttp } from "../../../samples/sendit/http.ts";
import type { OAuth } from "../../../samples/sendit/oauth.ts";
import { post } from "./support.ts";

const calls: Calls = {
  run: async (name, args) => {
    if (name === "fail") throw new Error("the disk is gone");
    return name === "echo" || name === "ein Name mit ü" ? { content: [{ type: "text", text: JSON.stringify(args) }] } : undefined;
  },
};
const oauth: OAuth = {
  begin: async () => "not here",
  finish: async (query) => ({ status: 200, title: "Seen <b>", text: query.toString() }),
};

let http: HttpServer;
let origin: string;

beforeAll(async () => {
  http = await startHttp(0, { calls, oauth });
  origin = http.origin;
  return () => http.stop();
});

const MODERN = "2026-07-28";
const meta = (version = MODERN) => ({
  "io.modelcontextprotocol/protocolVersion": version,
  "io.modelcontextprotocol/clientCapabilities": {},
});
const modern = (method: string, params: object = {}, headers: Record<string, string> = {}) =>
  post(
    origin,
    { jsonrpc: "2.0", id: "m", method, params: { ...params, _meta: meta() } },
    { "mcp-protocol-version": MODERN, "mcp-method": method, ...headers },
  );
const legacy = (method: string, params: object = {}, headers: Record<string, string> = {}) =>
  post(origin, { jsonrpc: "2.0", id: 1, method, params }, headers);

describe("legacy", () => {
  test.each([
    ["2025-03-26", "2025-03-26"],
    ["2025-06-18", "2025-06-18"],
    ["2025-11-25", "2025-11-25"],
    ["2024-11-05", "2025-11-25"],
    ["2026-07-28", "2025-11-25"],
  ])("a client that asks for %s gets %s", async (asked, given) => {
    const { status, json } = await legacy("initialize", {
      protocolVersion: asked,
      capabilities: {},
      clientInfo: { name: "t", version: "1" },
    });
    expect([status, json.result.protocolVersion, json.result.capabilities]).toEqual([200, given, { tools: {} }]);
  });

  test("no header means legacy; results carry nothing modern", async () => {
    const { json } = await legacy("tools/list");
    expect(json.result.tools).toHaveLength(4);
    expect(json.result).not.toHaveProperty("resultType");
    expect(json.result).not.toHaveProperty("ttlMs");
    expect((await legacy("ping")).json.result).toEqual({});
  });

  test("a notification is taken without an answer", async () => {
    const answer = await post(origin, { jsonrpc: "2.0", method: "notifications/initialized" }, { "mcp-protocol-version": "2025-11-25" });
    expect(answer).toEqual({ status: 202, json: undefined });
  });

  test.each(["resources/list", "prompts/list", "server/discover", "toString", "logging/setLevel"])("%s is unknown", async (method) => {
    expect((await legacy(method)).json.error.code).toBe(-32601);
  });

  test("an unknown version in the header is named", async () => {
    const { status, json } = await legacy("tools/list", {}, { "mcp-protocol-version": "2024-11-05" });
    expect([status, json.error.code, json.error.data.requested]).toEqual([400, -32022, "2024-11-05"]);
  });
});

describe("modern", () => {
  test("discover says what is spoken, and is stamped", async () => {
    const { status, json } = await modern("server/discover");
    expect([status, json.id]).toEqual([200, "m"]);
    expect(json.result).toMatchObject({ resultType: "complete", supportedVersions: [MODERN], capabilities: { tools: {} } });
    expect(json.result).toMatchObject({ ttlMs: expect.any(Number), cacheScope: "public" });
    expect(json.result._meta["io.modelcontextprotocol/serverInfo"].name).toBe("connector-sample");
  });

  test("a list may be kept for a while, a call's result says that it is complete", async () => {
    expect((await modern("tools/list")).json.result).toMatchObject({ resultType: "complete", cacheScope: "public" });
    const called = await modern("tools/call", { name: "echo", arguments: { a: "b" } }, { "mcp-name": "echo" });
    expect(called.json.result).toMatchObject({ resultType: "complete", content: [{ text: '{"a":"b"}' }] });
  });

  test("a name that a header can't carry comes encoded", async () => {
    const name = "ein Name mit ü";
    const encoded = `=?base64?${Buffer.from(name).toString("base64")}?=`;
    expect((await modern("tools/call", { name }, { "mcp-name": encoded })).status).toBe(200);
    expect((await modern("tools/call", { name }, { "mcp-name": "echo" })).json.error.code).toBe(-32020);
  });

  test.each(["initialize", "ping", "subscriptions/listen", "resources/list"])("%s is unknown, with 404", async (method) => {
    const { status, json } = await modern(method);
    expect([status, json.error.code]).toEqual([404, -32601]);
  });

  const body = (params: object) => ({ jsonrpc: "2.0", id: 5, method: "tools/list", params });
  const both = { "mcp-protocol-version": MODERN, "mcp-method": "tools/list" };
  test.each([
    ["another version in the body", body({ _meta: meta("2025-11-25") }), both, -32020],
    ["a claim without a header", body({ _meta: meta() }), { "mcp-method": "tools/list" }, -32020],
    ["a claim under a legacy header", body({ _meta: meta() }), { ...both, "mcp-protocol-version": "2025-11-25" }, -32020],
    ["no claim", body({}), both, -32602],
    ["no capabilities", body({ _meta: { "io.modelcontextprotocol/protocolVersion": MODERN } }), both, -32602],
    ["a version of tomorrow", body({ _meta: meta("2099-01-01") }), { ...both, "mcp-protocol-version": "2099-01-01" }, -32022],
    ["another method in the header", body({ _meta: meta() }), { ...both, "mcp-method": "tools/call" }, -32020],
    ["no method in the header", body({ _meta: meta() }), { "mcp-protocol-version": MODERN }, -32020],
  ])("%s is refused with 400", async (_what, message, headers, code) => {
    const { status, json } = await post(origin, message, headers as Record<string, string>);
    expect([status, json.error.code, json.id]).toEqual([400, code, 5]);
  });
});

describe("calls", () => {
  test.each([0, -7, 9007199254740991, "", "a b", "ü"])("the id %j is echoed", async (id) => {
    expect((await post(origin, { jsonrpc: "2.0", id, method: "tools/list" })).json.id).toBe(id);
  });

  test("an unknown tool is -32602, and is not repeated", async () => {
    const { json } = await legacy("tools/call", { name: "no_such_tool" });
    expect(json.error.code).toBe(-32602);
    expect(JSON.stringify(json)).not.toContain("no_such_tool");
    expect((await modern("tools/call", { name: "nothing" }, { "mcp-name": "nothing" })).status).toBe(400);
  });

  test.each([{ name: 5 }, {}, { name: "echo", arguments: [] }, { name: "echo", arguments: null }])("%j is -32602", async (params) => {
    expect((await legacy("tools/call", params)).json.error.code).toBe(-32602);
  });

  test("a bug is -32603 and says what it is to the operator alone", async () => {
    const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    onTestFinished(() => said.mockRestore());
    const { json } = await legacy("tools/call", { name: "fail" });
    expect(json.error.code).toBe(-32603);
    expect(JSON.stringify(json)).not.toContain("disk");
    expect(said).toHaveBeenCalledWith("a call failed: the disk is gone\n");
  });

  test("an unknown cursor is -32602", async () => {
    expect((await legacy("tools/list", { cursor: "x" })).json.error.code).toBe(-32602);
  });
});

describe("refused before it is read", () => {
  test.each([
    ["not JSON", "{", -32700],
    ["not UTF-8", Buffer.from([0x22, 0xff, 0x22]), -32700],
    ["a batch", [{ jsonrpc: "2.0", id: 1, method: "ping" }], -32600],
    ["a bare text", "5", -32600],
    ["another JSON-RPC", { id: 1, method: "ping" }, -32600],
    ["a response", { jsonrpc: "2.0", id: 1, result: {} }, -32600],
    ["an id of null", { jsonrpc: "2.0", id: null, method: "ping" }, -32600],
    ["an id that is not whole", { jsonrpc: "2.0", id: 1.5, method: "ping" }, -32600],
    ["an id that would be rounded", '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', -32600],
    ["params in a list", { jsonrpc: "2.0", id: 1, method: "ping", params: [] }, -32602],
  ])("%s", async (_what, body, code) => {
    const { status, json } = await post(origin, body);
    expect([status, json.error.code]).toEqual([400, code]);
  });

  test.each([
    ["text", { "content-type": "text/plain" }, 415],
    ["a compressed body", { "content-encoding": "gzip" }, 415],
    ["a client that wants only a stream", { accept: "text/event-stream" }, 406],
    ["another origin", { origin: "https://evil.example" }, 403],
    ["a hidden origin", { origin: "null" }, 403],
  ])("%s", async (_what, headers, status) => {
    expect((await post(origin, { jsonrpc: "2.0", id: 1, method: "ping" }, headers as Record<string, string>)).status).toBe(status);
  });

  test("a long body, announced or not", async () => {
    const long = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping", params: { x: "y".repeat(70_000) } });
    expect(await raw({ method: "POST", headers: { "content-type": "application/json", "content-length": long.length } }, long)).toBe(413);
    expect(await raw({ method: "POST", headers: { "content-type": "application/json", "transfer-encoding": "chunked" } }, long)).toBe(413);
  });

  test.each(["GET", "DELETE", "PUT"])("%s is not allowed", async (method) => {
    const answer = await fetch(`${origin}/mcp`, { method });
    expect([answer.status, answer.headers.get("allow"), answer.headers.get("mcp-session-id")]).toEqual([405, "POST", null]);
  });

  test("another host name, so that no page reaches in by its own DNS", async () => {
    expect(await raw({ method: "GET", path: "/callback", headers: { host: "evil.example" } })).toBe(403);
    expect(await raw({ method: "GET", path: "/callback", headers: { host: new URL(origin).host } })).toBe(200);
  });

  test("another path", async () => {
    expect((await fetch(`${origin}/`)).status).toBe(404);
  });
});

test("a page is escaped, not kept, and loads nothing", async () => {
  const answer = await fetch(`${origin}/callback?state=${encodeURIComponent("<script>")}`);
  const text = await answer.text();
  expect(text).toContain("Seen &#60;b&#62;");
  expect(text).not.toContain("<script");
  expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect((await fetch(`${origin}/callback`, { method: "POST" })).status).toBe(405);
  expect((await fetch(`${origin}/callback?code=${"x".repeat(9000)}`)).status).toBe(414);
});

function raw(options: { method: string; path?: string; headers: Record<string, string | number> }, body?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const url = new URL(options.path ?? "/mcp", origin);
    const sent = request(url, { ...options, agent: false }, (answer) => {
      resolve(answer.statusCode ?? 0);
      answer.destroy();
    });
    onTestFinished(() => void sent.destroy());
    sent.once("error", reject).end(body);
  });
}
