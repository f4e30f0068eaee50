/** All servers of a grant behind one endpoint in 2026-07-28: a client of the SDK's second generation and servers of that era. */
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { type ModernServer, startModernServer } from "./modern-server.ts";
import { openStream, post, type RawAnswer, type RawStream } from "./raw-client.ts";
import { connectV2, textOf } from "./sdk-clients.ts";

const ALICE = "token-of-alice-0000000001";
const BOB = "token-of-bob-000000000001";
const PINNED = { versionNegotiation: { mode: { pin: "2026-07-28" as const } } };
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "raw-modern", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
};
const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
let one: ModernServer;
let two: ModernServer;
let gateway: TestGateway;
let url: URL;

beforeAll(async () => {
  one = await startModernServer();
  two = await startModernServer();
  const document = {
    version: "1",
    default: "allow",
    hide: ["secret"],
    tools: { ask: { limits: [{ counter: "asks", window: "hour", max: 3, scope: "grant" }] } },
    resources: { default: "deny", allow: ["docs://open"] },
    prompts: { default: "allow", hide: ["shut-*"] },
  };
  gateway = await startGateway({
    servers: { one: { url: one.url, asks: ["elicitation"] }, two: { url: two.url, asks: ["elicitation"] } },
    policies: { first: { server: "one", document }, second: { server: "two", document } },
    grants: {
      alice: { servers: { one: "first", two: "second" }, token: ALICE },
      bob: { servers: { one: "first", two: "second" }, token: BOB },
    },
  });
  url = new URL(`${gateway.app.url}/mcp`);
});

afterAll(async () => {
  await gateway?.stop();
  await one?.stop();
  await two?.stop();
});

async function connect(prepare: (client: Client) => void = () => undefined): Promise<Client> {
  const { client } = await connectV2(url, ALICE, { ...PINNED, capabilities: { elicitation: {} } }, prepare);
  return client;
}

function send(method: string, params: Record<string, unknown>, headers: Record<string, string> = {}): Promise<RawAnswer> {
  const name = params["name"] ?? params["uri"];
  const own = {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...(name === undefined ? {} : { "mcp-name": String(name) }),
    ...headers,
  };
  return post(url, { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: ENVELOPE } }, { token: ALICE, headers: own });
}

function listen(notifications: Record<string, unknown>, token = ALICE): Promise<RawStream> {
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" };
  const body = { jsonrpc: "2.0", id: "listen-1", method: "subscriptions/listen", params: { notifications, _meta: ENVELOPE } };
  return openStream(url, { token, headers, body });
}

describe("one endpoint for several servers of 2026-07-28", () => {
  it("is discovered as one", async () => {
    const { messages, headers } = await send("server/discover", {});
    expect(headers.get("mcp-session-id")).toBeNull();
    expect(messages).toMatchObject([
      {
        id: 1,
        result: {
          resultType: "complete",
          supportedVersions: ["2026-07-28"],
          capabilities: { tools: { listChanged: true }, resources: { subscribe: true }, completions: {}, logging: {} },
          cacheScope: "private",
          _meta: { "io.modelcontextprotocol/serverInfo": { name: "sallyport" } },
        },
      },
    ]);
    expect((messages[0] as { result: { instructions: string } }).result.instructions).toBe(
      "Server `one` (its tools begin with `one__`) says:\nBe brief.\n\nServer `two` (its tools begin with `two__`) says:\nBe brief.",
    );
  });

  it("lists and calls, two servers with the same names apart", async () => {
    const client = await connect();
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(
      ["one", "two"].flatMap((server) => ["echo", "count", "wait", "ask", "regional"].map((name) => `${server}__${name}`)),
    );
    const before = [one.heard.length, two.heard.length] as const;
    expect(JSON.parse(textOf(await client.callTool({ name: "two__echo", arguments: { a: 1 } })))).toEqual({ a: 1 });
    expect(one.heard.length).toBe(before[0]);
    const sent = two.heard.slice(before[1]).find(({ text }) => text.includes("tools/call"));
    expect(sent?.headers["mcp-name"]).toBe("echo");
    const region = { name: "one__regional", arguments: { region: "eu", size: 2 } };
    expect(JSON.parse(textOf(await client.callTool(region)))).toEqual({ region: "eu", size: 2 });
    expect(one.heard.findLast(({ text }) => text.includes("regional"))?.headers["mcp-param-region"]).toBe("eu");
    await client.close();
  });

  it("holds a client's headers against the names that the client knows", async () => {
    const good = await send("tools/call", { name: "one__echo", arguments: {} });
    expect(good.messages).toMatchObject([{ result: { content: [{ text: "{}" }] } }]);
    const bad = await send("tools/call", { name: "one__echo", arguments: {} }, { "mcp-name": "echo" });
    expect(bad.status).toBe(400);
    expect(bad.messages).toMatchObject([{ error: { code: -32020 } }]);
    const param = await send("tools/call", { name: "one__regional", arguments: { region: "eu" } }, { "mcp-param-region": "us" });
    expect(param.messages).toMatchObject([{ error: { code: -32020 } }]);
  });

  it("keeps arguments and results byte for byte", async () => {
    const text = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"one__echo","arguments":{"n":1.0,"big":12345678901234567890,"s":"\\u0041"},"_meta":${JSON.stringify(ENVELOPE)}}}`;
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "one__echo" };
    expect((await post(url, text, { token: ALICE, headers })).status).toBe(200);
    expect(one.heard.at(-1)?.text).toContain('"arguments":{"n":1.0,"big":12345678901234567890,"s":"\\u0041"}');
  });

  it("goes through the rounds of a call, and takes its limit once", async () => {
    const client = await connect((made) =>
      made.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { name: "Ada" } })),
    );
    for (const server of ["one", "two"]) {
      expect(textOf(await client.callTool({ name: `${server}__ask`, arguments: {} }))).toBe("Ada with the-upstream's-own-state");
    }
    const [first] = (await send("tools/call", { name: "one__ask", arguments: {} })).messages as { result: { requestState: string } }[];
    const elsewhere = await send("tools/call", {
      name: "two__ask",
      arguments: {},
      requestState: first?.result.requestState,
      inputResponses: { who: { action: "accept", content: { name: "Eve" } } },
    });
    expect(JSON.stringify(elsewhere.messages)).not.toContain("Eve");
    await client.close();
  });

  it("reads prompts and resources under the servers' policies", async () => {
    const client = await connect();
    expect((await client.listPrompts()).prompts.map(({ name }) => name)).toEqual(["one__greet", "two__greet"]);
    expect((await client.getPrompt({ name: "two__greet" })).messages[0]).toMatchObject({ content: { text: "greet" } });
    await expect(client.getPrompt({ name: "two__shut-prompt" })).rejects.toThrow("Unknown prompt: two__shut-prompt");
    expect((await client.listResources()).resources.map(({ uri }) => uri)).toEqual([
      "sallyport+one:docs://open",
      "sallyport+two:docs://open",
    ]);
    expect((await client.readResource({ uri: "sallyport+two:docs://open" })).contents[0]?.uri).toBe("sallyport+two:docs://open");
    for (const uri of ["sallyport+two:docs://shut", "sallyport+two:docs://nothing", "sallyport+nobody:docs://open", "docs://open"]) {
      const { messages } = await send("resources/read", { uri });
      expect(messages).toEqual([{ jsonrpc: "2.0", id: 1, error: { code: -32602, message: "Resource not found", data: { uri } } }]);
    }
    const ref = { type: "ref/prompt" as const, name: "one__greet" };
    expect((await client.complete({ ref, argument: { name: "x", value: "" } })).completion.values).toEqual(["one"]);
    await client.close();
  });

  it("tells progress on the call's stream, and cancels by hanging up", async () => {
    const client = await connect();
    const seen: number[] = [];
    await client.callTool({ name: "one__count", arguments: {} }, { onprogress: ({ progress }) => void seen.push(progress) });
    expect(seen).toEqual([1, 2, 3]);
    const before = two.left();
    const abort = new AbortController();
    const options = { signal: abort.signal, onprogress: () => abort.abort(new Error("enough")) };
    await expect(client.callTool({ name: "two__wait", arguments: {} }, options)).rejects.toThrow("enough");
    await waitUntil(() => two.left() > before);
    two.release();
    await client.close();
  });

  it("listens to all under one subscription, and acknowledges what is honoured", async () => {
    const wanted = ["sallyport+one:docs://open", "sallyport+two:docs://shut", "sallyport+nobody:docs://open"];
    const stream = await listen({ toolsListChanged: true, resourceSubscriptions: wanted });
    await waitUntil(() => stream.messages.length === 1);
    expect(stream.messages[0]).toMatchObject({
      method: "notifications/subscriptions/acknowledged",
      params: { notifications: { toolsListChanged: true, resourceSubscriptions: [wanted[0]] }, _meta: { [SUBSCRIPTION]: "listen-1" } },
    });
    one.notify.resourceUpdated("docs://open");
    await waitUntil(() => stream.messages.length === 2);
    expect(stream.messages[1]).toMatchObject({
      method: "notifications/resources/updated",
      params: { uri: wanted[0], _meta: { [SUBSCRIPTION]: "listen-1" } },
    });
    const second = await listen({ toolsListChanged: true });
    await waitUntil(() => second.messages.length === 1);
    two.notify.toolsChanged();
    await waitUntil(() => second.messages.length === 2);
    expect(second.messages[1]).toMatchObject({
      method: "notifications/tools/list_changed",
      params: { _meta: { [SUBSCRIPTION]: "listen-1" } },
    });
    stream.cut();
    second.cut();
  });

  it("lets go of a revoked grant's listen, at the servers too", async () => {
    const stream = await listen({ toolsListChanged: true }, BOB);
    await waitUntil(() => stream.messages.length === 1);
    await gateway.revoke("bob");
    await stream.ended;
    const over = async (): Promise<boolean> => {
      const log = await gateway.readLog();
      return (
        log.filter(({ method, kind, grant }) => method === "subscriptions/listen" && kind === "outcome" && grant === "bob").length === 2
      );
    };
    await waitUntil(over);
    expect((await post(url, { jsonrpc: "2.0", id: 1, method: "tools/list" }, { token: BOB })).status).toBe(401);
  });

  it("has neither session nor GET", async () => {
    const headers = { authorization: `Bearer ${ALICE}`, "mcp-protocol-version": "2026-07-28" };
    expect((await fetch(url, { headers })).status).toBe(405);
    expect((await fetch(url, { headers, method: "DELETE" })).status).toBe(405);
  });
});
