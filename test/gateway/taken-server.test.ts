/** A server that is taken from a grant while its client is at work: neither side hears of the other again. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { call, initialize, openSession, openStream, type RawStream } from "../interop/raw-client.ts";
import { waitUntil } from "../support/gateway.ts";
import { type RawGateway, startGateway } from "../support/raw-gateway.ts";
import type { RawAnswer } from "../support/raw-http.ts";
import { tool } from "../support/raw-upstream.ts";

const BOTH = "the-token-of-both-servers";
const OPENED = '{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"logging":{}},"serverInfo":{"name":"raw","version":"1"}}';
type Grants = { grants?: Record<string, { servers: Record<string, string> }> };

let gateway: RawGateway;
let closed = 0;
let letGo: (() => void) | undefined;

beforeAll(async () => {
  const server = { policy: { version: "1", default: "allow" }, era: "legacy" as const, tools: `[${tool("echo")},${tool("slow")}]` };
  gateway = await startGateway({
    servers: { a: server, b: server },
    grants: { both: { servers: { a: "a-policy", b: "b-policy" }, identity: "both@example.com", token: BOTH } },
  });
  for (const name of ["a", "b"]) await gateway.call("echo", "{}", { server: name, token: BOTH });
  const { b } = gateway.upstreams;
  if (!b) throw new Error("no such server");
  b.onGet = (response) => {
    response.on("close", () => closed++);
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
  };
  b.respond = (_arrived, asked) => {
    if (asked.method === "logging/setLevel") return { result: "{}" };
    if (asked.method === "initialize") {
      return {
        act(response, _socket, id) {
          response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "of-b" });
          response.end(`{"jsonrpc":"2.0","id":${id},"result":${OPENED}}`);
        },
      };
    }
    if (asked.params?.["name"] !== "slow") return undefined;
    return {
      act(response, _socket, id) {
        letGo = () => response.end(`{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"of the server"}]}}`);
        response.writeHead(200, { "content-type": "application/json" });
      },
    };
  };
});
afterAll(() => gateway?.stop());

const post = (message: object, server: string, session: string): Promise<RawAnswer> =>
  gateway.post(JSON.stringify(message), { server, token: BOTH, headers: [["mcp-session-id", session]] });

it("ends its streams, keeps its late answer back, and is told nothing more", { timeout: 30_000 }, async () => {
  const urlOf = (path: string): URL => new URL(`${gateway.app.url}${path}`);
  const alone = await openSession(urlOf("/mcp/b"), BOTH);
  const listening = await openStream(urlOf("/mcp/b"), { token: BOTH, session: alone });
  const old: RawStream = await openStream(urlOf("/mcp/b"), { token: BOTH, headers: { accept: "text/event-stream" } });
  const all = await openSession(urlOf("/mcp"), BOTH);
  await post({ jsonrpc: "2.0", id: 1, method: "logging/setLevel", params: { level: "info" } }, "", all);
  const told = (): number => gateway.upstreams["b"]?.calls("logging/setLevel").length ?? 0;
  expect(told()).toBe(1);
  const slow = post(call(2, "b__slow"), "", all);
  await waitUntil(() => letGo !== undefined);
  gateway.rewriteConfig((config: Grants) => {
    const both = config.grants?.["both"];
    return { ...config, grants: { ...config.grants, both: { ...both, servers: { a: "a-policy" } } } };
  });
  await waitUntil(() => listening.isEnded && old.isEnded);
  await waitUntil(() => closed > 0);
  letGo?.();
  expect((await slow).text).not.toContain("of the server");
  await post({ jsonrpc: "2.0", id: 3, method: "logging/setLevel", params: { level: "debug" } }, "", all);
  expect(told()).toBe(1);
  await waitUntil(() => gateway.upstreams["b"]?.arrived.some(({ method }) => method === "DELETE") === true);
  expect((await post(initialize(), "b", alone)).status).toBe(404);
});
