/** Servers of 2024-11-05, which know HTTP+SSE and nothing else, behind a gateway whose clients know other things. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { CallToolRequestSchema, ElicitRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { type Listening, listenOn } from "./listen.ts";
import { connectV1, connectV2, textOf } from "./sdk-clients.ts";

const TOKEN = "token-of-alice-0000000001";
const PIN = { versionNegotiation: { mode: { pin: "2026-07-28" as const } } };
const OPEN = { type: "object" as const };
const text = (words: string): { content: { type: "text"; text: string }[] } => ({ content: [{ type: "text", text: words }] });

interface OldServer extends Listening {
  readonly connections: Map<string, SSEServerTransport>;
  readonly posted: string[];
  /** Lets the calls of `wait` go on. */
  release(): void;
}

async function startOldServer(): Promise<OldServer> {
  const connections = new Map<string, SSEServerTransport>();
  const posted: string[] = [];
  let gate = Promise.withResolvers<void>();
  function build(): Server {
    const server = new Server({ name: "old", version: "1" }, { capabilities: { tools: { listChanged: true } } });
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: ["echo", "wait", "ask", "die", "change"].map((name) => ({ name, inputSchema: OPEN })),
    }));
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
      const progressToken = params._meta?.progressToken;
      if (params.name === "wait") {
        if (progressToken !== undefined)
          await extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress: 1 } });
        await gate.promise;
      }
      if (params.name === "ask") {
        return text(JSON.stringify(await server.elicitInput({ message: "Who?", requestedSchema: { type: "object", properties: {} } })));
      }
      if (params.name === "die") await server.close();
      if (params.name === "change") await server.sendToolListChanged();
      return text(JSON.stringify(params.arguments ?? {}));
    });
    return server;
  }
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://server");
    if (request.method === "GET" && url.pathname === "/sse") {
      const transport = new SSEServerTransport("/messages", response);
      connections.set(transport.sessionId, transport);
      response.on("close", () => connections.delete(transport.sessionId));
      return await build().connect(transport as Transport);
    }
    const known = connections.get(url.searchParams.get("sessionId") ?? "");
    if (request.method === "POST" && url.pathname === "/messages" && known) {
      posted.push(request.headers.authorization ?? "");
      return await known.handlePostMessage(request, response);
    }
    response.writeHead(url.pathname === "/sse" ? 405 : 404).end();
  }
  const listening = await listenOn((request, response) => void serve(request, response).catch(() => response.destroy()));
  return {
    ...listening,
    url: listening.url.replace(/\/mcp$/, "/sse"),
    connections,
    posted,
    release() {
      gate.resolve();
      gate = Promise.withResolvers<void>();
    },
  };
}

/** Answers a GET with these events, and every POST with 404. */
async function startOddServer(events: string): Promise<Listening> {
  return await listenOn((request, response) => {
    if (request.method !== "GET") return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(events);
  });
}

let old: OldServer;
let foreign: Listening;
let elsewhere: Listening;
let gateway: TestGateway;
const strangers: string[] = [];

beforeAll(async () => {
  old = await startOldServer();
  elsewhere = await listenOn((request, response) => {
    strangers.push(request.method ?? "");
    response.writeHead(202).end();
  });
  foreign = await startOddServer(`event: endpoint\ndata: ${elsewhere.url}\n\n`);
  const allow = { version: "1", default: "allow" };
  gateway = await startGateway({
    servers: {
      old: { url: old.url, headers: { authorization: "Bearer of-the-server-1234" }, asks: ["elicitation"] },
      foreign: { url: foreign.url },
    },
    policies: { old: { server: "old", document: allow }, foreign: { server: "foreign", document: allow } },
    grants: { alice: { servers: { old: "old", foreign: "foreign" }, token: TOKEN } },
  });
});

afterAll(async () => {
  await gateway?.stop();
  await Promise.all([old?.stop(), foreign?.stop(), elsewhere?.stop()]);
});

describe("a server of the old transport", () => {
  it("serves a client of the legacy era: lists, calls, progress, questions, changes", async () => {
    const { client, terminate } = await connectV1(gateway.addressOf("old"), TOKEN, { capabilities: { elicitation: {} } }, (made) => {
      made.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: {} }));
    });
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["echo", "wait", "ask", "die", "change"]);
    expect(textOf(await client.callTool({ name: "echo", arguments: { a: 1 } }))).toBe('{"a":1}');
    const progress: number[] = [];
    const waiting = client.callTool({ name: "wait", arguments: {} }, undefined, { onprogress: (one) => void progress.push(one.progress) });
    await waitUntil(() => progress.length === 1);
    old.release();
    await waiting;
    expect(textOf(await client.callTool({ name: "ask", arguments: {} }))).toContain("accept");
    expect(new Set(old.posted)).toEqual(new Set(["Bearer of-the-server-1234"]));
    const before = old.connections.size;
    await terminate();
    await client.close();
    await waitUntil(() => old.connections.size < before);
  });

  it("serves a client of 2026-07-28", async () => {
    const { client } = await connectV2(gateway.addressOf("old"), TOKEN, PIN);
    expect((await client.listTools()).tools).toHaveLength(5);
    expect(textOf(await client.callTool({ name: "echo", arguments: { b: 2 } }))).toBe('{"b":2}');
    await client.close();
  });

  it("answers what was in flight when it drops the connection, and the next client begins anew", async () => {
    const { client } = await connectV1(gateway.addressOf("old"), TOKEN);
    const waiting = client.callTool({ name: "wait", arguments: {} });
    await waitUntil(() => old.posted.length > 0);
    const died = await client.callTool({ name: "die", arguments: {} });
    expect(died.isError).toBe(true);
    expect(textOf(died)).toContain("what it did is not known");
    expect((await waiting).isError).toBe(true);
    await expect(client.callTool({ name: "echo", arguments: {} })).rejects.toThrow(/not found/i);
    await client.close();
    const again = await connectV1(gateway.addressOf("old"), TOKEN);
    expect(textOf(await again.client.callTool({ name: "echo", arguments: {} }))).toBe("{}");
    await again.client.close();
  });

  it("is not followed to another host", async () => {
    await expect(connectV1(gateway.addressOf("foreign"), TOKEN)).rejects.toThrow();
    expect(strangers).toEqual([]);
    expect(gateway.said.join("\n")).toContain("it wants its messages on another host");
  });
});
