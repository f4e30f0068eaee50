/** Connections of 2024-11-05 whose client does what none should: what they hold at the server stays bounded and ends. */
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { initialize, openStream, post, type RawAnswer, type RawStream } from "../interop/raw-client.ts";
import { waitUntil } from "../support/gateway.ts";
import { type RawGateway, startGateway, TOKEN } from "../support/raw-gateway.ts";

const INITIALIZED = { jsonrpc: "2.0", method: "notifications/initialized" };
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "any", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};
const OPENED = '{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},"serverInfo":{"name":"raw","version":"1"}}';

let gateway: RawGateway;
let sessions = 0;
let openNow: (() => void) | undefined;
let waits = false;

beforeAll(async () => {
  gateway = await startGateway({ servers: { alpha: { policy: { version: "1", default: "allow" }, era: "legacy" } } });
  await gateway.call("echo");
  gateway.upstream.onGet = (response) => response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
  gateway.upstream.respond = (_arrived, asked) => {
    if (asked.method !== "initialize") return undefined;
    return {
      act(response: ServerResponse, _socket, id) {
        openNow = () => {
          response.writeHead(200, { "content-type": "application/json", "mcp-session-id": `of-the-server-${++sessions}` });
          response.end(`{"jsonrpc":"2.0","id":${id},"result":${OPENED}}`);
        };
        if (!waits) openNow();
      },
    };
  };
});
afterAll(() => gateway?.stop());
beforeEach(() => {
  waits = false;
  gateway.upstream.forget();
});

async function open() {
  const url = new URL(`${gateway.app.url}/mcp/alpha`);
  const stream = await openStream(url, { token: TOKEN, headers: { accept: "text/event-stream" } });
  await waitUntil(() => stream.events.length > 0);
  const at = new URL(stream.events[0]?.data ?? "", url);
  const send = (body: unknown, headers?: Record<string, string>): Promise<RawAnswer> => post(at, body, { token: TOKEN, headers });
  return { stream, send };
}

/** Everything on the stream but the word where to post. */
const messagesOf = (stream: RawStream): Record<string, unknown>[] =>
  stream.events.slice(1).map(({ data }) => JSON.parse(data) as Record<string, unknown>);

const ended = (): unknown[] =>
  gateway.upstream.arrived.filter(({ method }) => method === "DELETE").map(({ headers }) => headers["mcp-session-id"]);

it("hears the server once, however often the client says that it is ready", async () => {
  const { stream, send } = await open();
  await send(initialize({}, "2024-11-05"));
  await waitUntil(() => stream.events.length > 1);
  for (let count = 0; count < 4; count++) await send(INITIALIZED);
  await waitUntil(() => gateway.upstream.arrived.some(({ method }) => method === "GET"));
  await send({ jsonrpc: "2.0", id: 1, method: "tools/list" });
  await waitUntil(() => stream.events.length > 2);
  expect(gateway.upstream.arrived.filter(({ method }) => method === "GET")).toHaveLength(1);
  stream.cut();
  await waitUntil(() => ended().length > 0);
});

it("has one session, and ends the one before", async () => {
  const { stream, send } = await open();
  await send(initialize({}, "2024-11-05"));
  await waitUntil(() => stream.events.length > 1);
  const first = `of-the-server-${sessions}`;
  await send(initialize({}, "2024-11-05"));
  await waitUntil(() => ended().length > 0);
  expect(ended()).toEqual([first]);
  stream.cut();
  await waitUntil(() => ended().length > 1);
});

it("ends a session that is opened when its client has gone", async () => {
  waits = true;
  const { stream, send } = await open();
  await send(initialize({}, "2024-11-05"));
  await waitUntil(() => gateway.upstream.calls("initialize").length > 0);
  stream.cut();
  await waitUntil(async () => (await send(INITIALIZED)).status === 404);
  openNow?.();
  await waitUntil(() => ended().length > 0);
  expect(ended()).toEqual([`of-the-server-${sessions}`]);
});

it("takes nothing of the modern era, whose listens would outlast it", async () => {
  const { stream, send } = await open();
  const listen = {
    jsonrpc: "2.0",
    id: 1,
    method: "subscriptions/listen",
    params: { notifications: { toolsListChanged: true }, _meta: ENVELOPE },
  };
  const answer = await send(listen, { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" });
  expect([answer.status, answer.messages[0]?.["error"]]).toMatchObject([400, { message: expect.stringContaining("2024-11-05") }]);
  expect(stream.events).toHaveLength(1);
  stream.cut();
});

it("ends the stream when the server has forgotten the session, after what was under way has its answer", async () => {
  const { stream, send } = await open();
  await send(initialize({}, "2024-11-05"));
  await waitUntil(() => stream.events.length > 1);
  await send(INITIALIZED);
  let letGo: (() => void) | undefined;
  const before = gateway.upstream.respond;
  gateway.upstream.respond = (arrived, asked) => {
    if (asked.method === "initialize") return before(arrived, asked);
    if (asked.method === "tools/list") return { act: (response) => void response.writeHead(404).end() };
    return { act: (response, _socket, id) => void (letGo = () => answer(response, id)) };
  };
  const answer = (response: ServerResponse, id: string): void =>
    void response.writeHead(200, { "content-type": "application/json" }).end(`{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}`);
  await send({ jsonrpc: "2.0", id: "slow", method: "tools/call", params: { name: "echo", arguments: {} } });
  await waitUntil(() => letGo !== undefined);
  await send({ jsonrpc: "2.0", id: "lost", method: "tools/list" });
  await waitUntil(() => messagesOf(stream).some(({ id }) => id === "lost"));
  letGo?.();
  await stream.ended;
  gateway.upstream.respond = before;
  expect(messagesOf(stream).filter(({ id }) => id === "lost")).toMatchObject([{ error: { message: "Session not found" } }]);
  expect(messagesOf(stream).filter(({ id }) => id === "slow")).toMatchObject([{ result: { content: [] } }]);
  expect((await send({ jsonrpc: "2.0", id: 3, method: "tools/list" })).status).toBe(404);
});

it("tells what a policy changes of what its client sees", async () => {
  const { stream, send } = await open();
  await send(initialize({}, "2024-11-05"));
  await waitUntil(() => stream.events.length > 1);
  await send(INITIALIZED);
  await waitUntil(() => gateway.upstream.arrived.some(({ method }) => method === "GET"));
  gateway.rewriteConfig((config: { policies?: Record<string, { document: object }> }) => {
    const document = { version: "1", default: "allow", hide: ["echo"] };
    return { ...config, policies: { ...config.policies, "alpha-policy": { server: "alpha", document } } };
  });
  await waitUntil(() => messagesOf(stream).some(({ method }) => method === "notifications/tools/list_changed"));
  stream.cut();
  await waitUntil(() => ended().length > 0);
});
