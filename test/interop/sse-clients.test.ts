/** Clients of 2024-11-05, which know HTTP+SSE and nothing else: the SDK's own transport, and the same by hand. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { type LegacyServer, startLegacyServer } from "./legacy-server.ts";
import { call, initialize, openStream, post } from "./raw-client.ts";
import { textOf } from "./sdk-clients.ts";

const ALICE = "token-of-alice-0000000001";
const BOB = "token-of-bob-000000000001";
let stateful: LegacyServer;
let stateless: LegacyServer;
let gateway: TestGateway;

beforeAll(async () => {
  stateful = await startLegacyServer();
  stateless = await startLegacyServer({ stateless: true });
  gateway = await startGateway({
    servers: { stateful: { url: stateful.url, asks: ["elicitation"] }, stateless: { url: stateless.url } },
    policies: {
      all: { server: "stateful", document: { version: "1", default: "allow", hide: ["secret"], tools: { log: { action: "deny" } } } },
      json: { server: "stateless", document: { version: "1", default: "allow" } },
    },
    grants: {
      alice: { servers: { stateful: "all", stateless: "json" }, token: ALICE },
      bob: { servers: { stateful: "all" }, token: BOB },
    },
  });
});

afterAll(async () => {
  await gateway?.stop();
  await stateful?.stop();
  await stateless?.stop();
});

async function connect(server: string, prepare: (client: Client) => void = () => undefined): Promise<Client> {
  const client = new Client({ name: "old", version: "1" }, { capabilities: { elicitation: {} } });
  prepare(client);
  const headers = { authorization: `Bearer ${ALICE}` };
  const transport = new SSEClientTransport(gateway.addressOf(server), {
    requestInit: { headers },
    eventSourceInit: { fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...headers } } as RequestInit) },
  });
  await client.connect(transport as Transport);
  return client;
}

/** A connection by hand: its stream, and the address that its first event names. */
async function open(server: string, token: string) {
  const stream = await openStream(gateway.addressOf(server), { token, headers: { accept: "text/event-stream" } });
  await waitUntil(() => stream.events.length > 0);
  return { stream, at: new URL(stream.events[0]?.data ?? "", gateway.addressOf(server)) };
}

describe("the SDK's client of the old transport", () => {
  it("lists, calls, hears progress, and is refused what its policy refuses", async () => {
    const client = await connect("stateful");
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain("echo");
    expect(tools.map(({ name }) => name)).not.toContain("secret");
    expect(textOf(await client.callTool({ name: "echo", arguments: { text: "as ever" } }))).toBe("as ever");
    const progress: number[] = [];
    const waiting = client.callTool({ name: "wait", arguments: {} }, undefined, { onprogress: (one) => void progress.push(one.progress) });
    await waitUntil(() => progress.length === 1);
    stateful.release();
    expect(textOf(await waiting)).toBe("waited");
    expect(textOf(await client.callTool({ name: "log", arguments: {} }))).toMatch(/^\[POLICY DENIED\]/);
    await client.close();
  });

  it("is asked by the server, and hears what the server says unasked", async () => {
    let changes = 0;
    const client = await connect("stateful", (made) => {
      made.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { name: "Ada" } }));
      made.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++);
      made.setNotificationHandler(LoggingMessageNotificationSchema, () => undefined);
    });
    const asked = await client.callTool({ name: "ask", arguments: {} });
    expect(JSON.parse(textOf(asked))).toEqual({ action: "accept", content: { name: "Ada" } });
    await waitUntil(() => stateful.heard.some(({ method }) => method === "GET"));
    await client.callTool({ name: "change", arguments: {} });
    await waitUntil(() => changes > 0);
    await client.close();
  });

  it("works before a server that keeps no sessions", async () => {
    const client = await connect("stateless");
    expect(textOf(await client.callTool({ name: "echo", arguments: { text: "none kept" } }))).toBe("none kept");
    await client.close();
  });

  it("takes its session at the server along when it leaves", async () => {
    const before = stateful.sessions.size;
    const client = await connect("stateful");
    await client.callTool({ name: "echo", arguments: { text: "bye" } });
    expect(stateful.sessions.size).toBe(before + 1);
    await client.close();
    await waitUntil(() => stateful.sessions.size === before);
  });
});

describe("a connection of the old transport", () => {
  it("answers on its stream alone, under the client's own ids, in the revision that was asked for", async () => {
    const { stream, at } = await open("stateful", ALICE);
    expect(at.pathname).toBe("/mcp/stateful");
    const opened = await post(at, initialize({}, "2024-11-05"), { token: ALICE });
    expect([opened.status, opened.text]).toEqual([202, ""]);
    await waitUntil(() => stream.events.length > 1);
    expect(JSON.parse(stream.events[1]?.data ?? "")).toMatchObject({ id: 0, result: { protocolVersion: "2024-11-05" } });
    await post(at, { jsonrpc: "2.0", method: "notifications/initialized" }, { token: ALICE });
    await post(at, call("same", "echo", { text: "x" }), { token: ALICE });
    await waitUntil(() => stream.events.length > 2);
    expect(JSON.parse(stream.events[2]?.data ?? "")).toEqual({
      jsonrpc: "2.0",
      id: "same",
      result: { content: [{ type: "text", text: "x" }] },
    });
    stream.cut();
  });

  it("is its grant's and its server's alone, and gone with its stream", async () => {
    const { stream, at } = await open("stateful", ALICE);
    const foreign = await post(at, initialize(), { token: BOB });
    const elsewhere = await post(new URL(`/mcp/stateless${at.search}`, at), initialize(), { token: ALICE });
    const unknown = await post(new URL("/mcp/stateful?sessionId=none", at), initialize(), { token: ALICE });
    expect([foreign.status, elsewhere.status, unknown.status]).toEqual([404, 404, 404]);
    expect((await post(at, initialize(), {})).status).toBe(401);
    expect(stream.events).toHaveLength(1);
    stream.cut();
    await waitUntil(async () => (await post(at, initialize(), { token: ALICE })).status === 404);
  });

  it("refuses a message that can't be read at once, with its status", async () => {
    const { stream, at } = await open("stateful", ALICE);
    expect((await post(at, '[{"jsonrpc":"2.0"}]', { token: ALICE })).status).toBe(400);
    expect((await post(at, '{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}', { token: ALICE })).status).toBe(400);
    expect(stream.events).toHaveLength(1);
    stream.cut();
  });

  it("ends when its grant is revoked", async () => {
    const { stream } = await open("stateful", BOB);
    await gateway.revoke("bob");
    await stream.ended;
  });
});
