/** 2026-07-28 end to end: a client of the SDK's second generation, the gateway, a server of the same era. */
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { type ModernServer, startModernServer } from "./modern-server.ts";
import { openStream, post, type RawAnswer } from "./raw-client.ts";
import { connectV2, textOf } from "./sdk-clients.ts";

/** Within a second where the machine has time; it may have none. */
const SOON_MS = 15_000;
const ALICE = "token-of-alice-0000000001";
const BOB = "token-of-bob-000000000001";
const PINNED = { versionNegotiation: { mode: { pin: "2026-07-28" as const } } };
const VERSION = "io.modelcontextprotocol/protocolVersion";
const ENVELOPE = {
  [VERSION]: "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "raw-modern", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
};
let upstream: ModernServer;
let gateway: TestGateway;
let url: URL;

beforeAll(async () => {
  upstream = await startModernServer();
  gateway = await startGateway({
    servers: { modern: { url: upstream.url, asks: ["elicitation"] } },
    policies: {
      most: {
        server: "modern",
        document: {
          version: "1",
          default: "allow",
          hide: ["secret"],
          tools: { ask: { limits: [{ counter: "asks", window: "hour", max: 3, scope: "grant" }] } },
          resources: { default: "deny", allow: ["docs://open"] },
          prompts: { default: "allow", hide: ["shut-*"] },
        },
      },
    },
    grants: { alice: { servers: { modern: "most" }, token: ALICE }, bob: { servers: { modern: "most" }, token: BOB } },
  });
  url = gateway.addressOf("modern");
});

afterAll(async () => {
  await gateway?.stop();
  await upstream?.stop();
});

async function connect(token = ALICE, prepare: (client: Client) => void = () => undefined): Promise<Client> {
  const { client } = await connectV2(url, token, { ...PINNED, capabilities: { elicitation: {} } }, prepare);
  return client;
}

function send(
  method: string,
  params: Record<string, unknown>,
  headers: Record<string, string> = {},
  id: number | string = 1,
): Promise<RawAnswer> {
  const name = params["name"] ?? params["uri"];
  const body = { jsonrpc: "2.0", id, method, params: { ...params, _meta: { ...ENVELOPE, ...(params["_meta"] as object | undefined) } } };
  const mirrored = {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...(typeof name === "string" ? { "mcp-name": name } : {}),
  };
  return post(url, body, { token: ALICE, headers: { ...mirrored, ...headers } });
}

describe("a modern client before a modern server", () => {
  it("discovers the gateway, not what is behind it", async () => {
    const client = await connect();
    expect(client.getServerVersion()).toMatchObject({ name: "modern" });
    expect(client.getServerCapabilities()).toHaveProperty("tools");
    const raw = await send("server/discover", {});
    expect(raw.messages).toMatchObject([
      { result: { supportedVersions: ["2026-07-28"], cacheScope: "private", instructions: "Be brief." } },
    ]);
    expect(raw.text).not.toContain("modern-upstream");
    await client.close();
  });

  it("lists and calls under the policy; every answer names the gateway alone", async () => {
    const client = await connect();
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(["echo", "count", "wait", "ask", "regional"]);
    expect(textOf(await client.callTool({ name: "echo", arguments: { a: 1 } }))).toBe('{"a":1}');
    await expect(client.callTool({ name: "secret", arguments: {} })).rejects.toMatchObject({ code: -32602 });
    await client.close();
    const listed = await send("tools/list", {});
    expect(listed.messages).toMatchObject([{ result: { resultType: "complete", ttlMs: 0, cacheScope: "private" } }]);
    const called = await send("tools/call", { name: "echo", arguments: {} });
    expect(called.messages).toMatchObject([{ result: { resultType: "complete" } }]);
    for (const answer of [listed, called]) expect(answer.text).not.toContain("modern-upstream");
    const sent = upstream.heard.findLast(({ text }) => text.includes("tools/call"));
    expect(sent?.headers).toMatchObject({ "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "echo" });
    expect(sent?.headers).not.toHaveProperty("authorization");
    expect(sent?.headers).not.toHaveProperty("cookie");
    expect(sent?.text).toContain('"name":"sallyport"');
    expect(sent?.text).not.toContain("raw-modern");
  });

  it("hears progress and the log on the stream of its own request", async () => {
    const seen: number[] = [];
    const client = await connect();
    const called = await client.callTool({ name: "count", arguments: {} }, { onprogress: ({ progress }) => void seen.push(progress) });
    expect(textOf(called)).toBe("counted");
    expect(seen).toEqual([1, 2, 3]);
    await client.close();
    const meta = { progressToken: "mine", "io.modelcontextprotocol/logLevel": "debug" };
    const raw = await send("tools/call", { name: "count", arguments: {}, _meta: meta }, {}, "call-1");
    expect(raw.headers.get("content-type")).toContain("text/event-stream");
    expect(raw.headers.get("mcp-session-id")).toBeNull();
    expect(raw.text).not.toMatch(/^id:/m);
    expect(raw.messages.map(({ method, id }) => method ?? id)).toEqual([
      ...Array<string>(3).fill("notifications/progress"),
      "notifications/message",
      "call-1",
    ]);
    expect(raw.messages[0]).toMatchObject({ params: { progressToken: "mine" } });
  });

  it("goes through rounds of input, charged once, with a state that is the gateway's", async () => {
    const asked: string[] = [];
    const client = await connect(ALICE, (made) => {
      made.setRequestHandler("elicitation/create", ({ params }) => {
        asked.push(params.message);
        return { action: "accept", content: { name: "Ada" } };
      });
    });
    expect(textOf(await client.callTool({ name: "ask", arguments: {} }))).toBe("Ada with the-upstream's-own-state");
    expect(asked).toEqual(["[server modern] Your name?"]);
    await client.close();
    const first = await send("tools/call", { name: "ask", arguments: {} });
    expect(first.messages).toMatchObject([
      { result: { resultType: "input_required", inputRequests: { who: { method: "elicitation/create" } } } },
    ]);
    expect(first.text).not.toContain("the-upstream's-own-state");
    expect(first.text).not.toContain("modern-upstream");
    const state = (first.messages[0]?.["result"] as { requestState?: string } | undefined)?.requestState;
    const inputResponses = { who: { action: "accept", content: { name: "Eve" } } };
    const other = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "ask", authorization: `Bearer ${BOB}` };
    const stolen = await send("tools/call", { name: "ask", arguments: {}, requestState: state, inputResponses }, other);
    expect(stolen.messages).toMatchObject([{ result: { resultType: "input_required" } }]);
    const before = upstream.heard.length;
    for (const damaged of [`${state}-more`, state?.slice(0, -1), state?.replace(/^r1\../, "r1.=")]) {
      const refused = await send("tools/call", { name: "ask", arguments: {}, requestState: damaged, inputResponses });
      expect(refused.messages).toMatchObject([{ error: { code: -32602, message: expect.stringContaining("not as it was given") } }]);
    }
    expect(upstream.heard).toHaveLength(before);
    const second = await send("tools/call", { name: "ask", arguments: {}, requestState: state, inputResponses }, {}, 2);
    expect(second.messages).toMatchObject([
      { id: 2, result: { resultType: "complete", content: [{ text: "Eve with the-upstream's-own-state" }] } },
    ]);
    const again = await send("tools/call", { name: "ask", arguments: {}, requestState: state, inputResponses }, {}, 3);
    expect(again.messages).toMatchObject([{ result: { resultType: "input_required" } }]);
    const full = await send("tools/call", { name: "ask", arguments: {} }, {}, 4);
    expect(full.messages).toMatchObject([{ result: { isError: true, _meta: { "sallyport/decision": { code: "limit_exceeded" } } } }]);
  });

  it("mirrors parameters into headers, and is refused where they differ", async () => {
    const client = await connect();
    await client.listTools();
    expect(textOf(await client.callTool({ name: "regional", arguments: { region: "Zürich", size: 3 } }))).toContain("Zürich");
    await client.close();
    const sent = upstream.heard.findLast(({ text }) => text.includes("regional"));
    expect(sent?.headers).toMatchObject({
      "mcp-param-region": `=?base64?${Buffer.from("Zürich").toString("base64")}?=`,
      "mcp-param-size": "3",
    });
    const count = upstream.heard.length;
    const args = { name: "regional", arguments: { region: "eu", size: 3 } };
    for (const headers of [
      { "mcp-param-region": "us", "mcp-param-size": "3" },
      { "mcp-param-region": "eu" },
      { "mcp-name": "echo" },
      { "mcp-method": "tools/list" },
    ]) {
      const refused = await send("tools/call", args, headers);
      expect(refused.status).toBe(400);
      expect(refused.messages).toMatchObject([{ id: 1, error: { code: -32020 } }]);
    }
    expect(upstream.heard).toHaveLength(count);
  });

  it("reads resources that stay its own, and gets prompts and completions that it may have", async () => {
    const client = await connect();
    expect((await client.listResources()).resources.map(({ uri }) => uri)).toEqual(["docs://open"]);
    expect((await client.listPrompts()).prompts.map(({ name }) => name)).toEqual(["greet"]);
    expect((await client.getPrompt({ name: "greet" })).messages).toHaveLength(1);
    const completed = await client.complete({ ref: { type: "ref/prompt", name: "greet" }, argument: { name: "who", value: "o" } });
    expect(completed.completion.values).toEqual(["one"]);
    await client.close();
    const read = await send("resources/read", { uri: "docs://open" });
    expect(read.messages).toMatchObject([{ result: { resultType: "complete", cacheScope: "private", contents: [{ text: "words" }] } }]);
    const shut = await send("resources/read", { uri: "docs://shut" });
    const none = await send("resources/read", { uri: "docs://none" });
    const like = (uri: string): unknown => [
      { jsonrpc: "2.0", id: 1, error: { code: -32602, message: "Resource not found", data: { uri } } },
    ];
    expect([shut.status, shut.messages]).toEqual([none.status, like("docs://shut")]);
    expect(none.messages).toEqual(like("docs://none"));
    const hidden = await send("prompts/get", { name: "shut-prompt" });
    expect(hidden.messages).toMatchObject([{ error: { code: -32602, message: "Unknown prompt: shut-prompt" } }]);
  });

  it("listens for changes under its own subscription, for resources that it may read", async () => {
    const heard: string[] = [];
    const client = await connect(ALICE, (made) => {
      made.setNotificationHandler("notifications/tools/list_changed", () => void heard.push("tools"));
      made.setNotificationHandler("notifications/resources/updated", ({ params }) => void heard.push(params.uri));
    });
    const subscription = await client.listen({ toolsListChanged: true, resourceSubscriptions: ["docs://open"] });
    expect(subscription.honoredFilter).toMatchObject({ toolsListChanged: true, resourceSubscriptions: ["docs://open"] });
    upstream.notify.toolsChanged();
    upstream.notify.resourceUpdated("docs://open");
    upstream.notify.resourceUpdated("docs://shut");
    upstream.notify.promptsChanged();
    await waitUntil(() => heard.length === 2);
    expect(heard).toEqual(["tools", "docs://open"]);
    await subscription.close();
    await client.close();
    const body = {
      jsonrpc: "2.0",
      id: "listen-1",
      method: "subscriptions/listen",
      params: { notifications: { resourceSubscriptions: ["docs://shut"] }, _meta: ENVELOPE },
    };
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" };
    const denied = await post(url, body, { token: ALICE, headers });
    expect(denied.messages).toMatchObject([{ id: "listen-1", error: { code: -32602 } }]);
    body.params.notifications.resourceSubscriptions = ["docs://open"];
    const stream = await openStream(url, { token: ALICE, headers, body });
    await waitUntil(() => stream.messages.length === 1);
    upstream.notify.resourceUpdated("docs://open");
    await waitUntil(() => stream.messages.length === 2);
    const key = "io.modelcontextprotocol/subscriptionId";
    expect(stream.messages).toMatchObject([
      { method: "notifications/subscriptions/acknowledged", params: { _meta: { [key]: "listen-1" } } },
      { method: "notifications/resources/updated", params: { uri: "docs://open", _meta: { [key]: "listen-1" } } },
    ]);
    stream.cut();
  });

  it("cancels by hanging up, and the server learns of it", async () => {
    const before = upstream.left();
    const client = await connect();
    const abort = new AbortController();
    const waiting = client.callTool(
      { name: "wait", arguments: {} },
      { signal: abort.signal, onprogress: () => abort.abort(new Error("enough")) },
    );
    await expect(waiting).rejects.toThrow("enough");
    await waitUntil(() => upstream.left() > before);
    await waitUntil(async () =>
      (await gateway.readLog()).some(({ tool, outcome, code }) => tool === "wait" && outcome === "unknown" && code === "cancelled"),
    );
    await client.close();
  });

  it("is answered by status where the revision says so", async () => {
    const unknown = await send("no/such", {});
    expect([unknown.status, unknown.messages]).toMatchObject([404, [{ error: { code: -32601 } }]]);
    const version = await post(
      url,
      { jsonrpc: "2.0", id: 1, method: "tools/list", params: { _meta: { ...ENVELOPE, [VERSION]: "2099-01-01" } } },
      { token: ALICE, headers: { "mcp-protocol-version": "2099-01-01", "mcp-method": "tools/list" } },
    );
    expect([version.status, version.messages]).toMatchObject([400, [{ error: { code: -32022, data: { requested: "2099-01-01" } } }]]);
    const bare = await post(
      url,
      { jsonrpc: "2.0", id: 1, method: "tools/list" },
      { token: ALICE, headers: { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" } },
    );
    expect([bare.status, bare.messages]).toMatchObject([400, [{ error: { code: -32602 } }]]);
    for (const method of ["GET", "DELETE"]) {
      const headers = { authorization: `Bearer ${ALICE}`, "mcp-protocol-version": "2026-07-28" };
      expect((await fetch(url, { method, headers })).status).toBe(405);
    }
  });
});

describe("a revoked grant's listen", () => {
  it("ends within a second, here and at the server", async () => {
    const body = {
      jsonrpc: "2.0",
      id: 9,
      method: "subscriptions/listen",
      params: { notifications: { toolsListChanged: true }, _meta: ENVELOPE },
    };
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" };
    const stream = await openStream(url, { token: BOB, headers, body });
    await waitUntil(() => stream.messages.length === 1);
    await gateway.revoke("bob");
    const startedMs = performance.now();
    await stream.ended;
    expect(performance.now() - startedMs).toBeLessThan(SOON_MS);
    const isOver = async (): Promise<boolean> =>
      (await gateway.readLog()).some(
        ({ method, kind, grant }) => method === "subscriptions/listen" && kind === "outcome" && grant === "bob",
      );
    await waitUntil(isOver, 5_000);
    expect((await post(url, body, { token: BOB, headers })).status).toBe(401);
  });
});
