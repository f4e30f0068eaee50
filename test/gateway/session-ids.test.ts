/** One session, one id, one request, whatever arrives at the same moment. */
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { call, openSession, post, type RawAnswer } from "../interop/raw-client.ts";
import { waitUntil } from "../support/gateway.ts";
import { type RawGateway, startGateway, TOKEN } from "../support/raw-gateway.ts";

const ROUNDS = 20;
const OPENED = '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"raw","version":"1"}}';

let gateway: RawGateway;
let url: URL;
let session: string;

beforeAll(async () => {
  gateway = await startGateway({
    servers: {
      alpha: {
        policy: { version: "1", default: "allow" },
        era: "legacy",
      },
    },
  });
  await gateway.call("echo");
  gateway.upstream.respond = (_arrived, asked) =>
    asked.method !== "initialize"
      ? undefined
      : {
          act: (response: ServerResponse, _socket, id) => {
            response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "of-the-server" });
            response.end(`{"jsonrpc":"2.0","id":${id},"result":${OPENED}}`);
          },
        };
});
afterAll(() => gateway?.stop());

describe.each([
  ["one server", "/alpha", ""],
  ["several servers", "", "alpha__"],
])("a session with %s", (_what, path, prefix) => {
  beforeEach(async () => {
    url = new URL(`${gateway.app.url}/mcp${path}`);
    session = await openSession(url, TOKEN);
    gateway.upstream.forget();
  });
  const send = (body: unknown): Promise<RawAnswer> => post(url, body, { token: TOKEN, session });

  it("runs one of two requests that arrive at once with the same id", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const answers = await Promise.all([1, 2, 3].map((of) => send(call(round, `${prefix}echo`, { of, round }))));
      const ran = answers.filter(({ messages }) => messages[0]?.["result"] !== undefined);
      const refused = answers.filter(({ messages }) => (messages[0]?.["error"] as { code?: number } | undefined)?.code === -32600);
      expect(ran.length + refused.length).toBe(3);
      // Whoever came when the first had its answer already is a request of its own.
      expect(ran.length).toBe(gateway.upstream.calls().length);
      expect(ran.length).toBeGreaterThan(0);
      gateway.upstream.forget();
    }
  });

  it("frees an id with its answer, also of a call that was refused", async () => {
    for (let count = 0; count < 3; count++) {
      expect((await send(call("same", `${prefix}echo`))).messages[0]).toHaveProperty("result");
      expect((await send(call("same", `${prefix}none`))).messages[0]).not.toMatchObject({ error: { code: -32600 } });
    }
  });
});

it("never has two requests under way with one id", async () => {
  url = new URL(`${gateway.app.url}/mcp/alpha`);
  session = await openSession(url, TOKEN);
  gateway.upstream.forget();
  const before = gateway.upstream.respond;
  const held: (() => void)[] = [];
  gateway.upstream.respond = () => ({
    act: (response, _socket, id) =>
      void held.push(() =>
        response.writeHead(200, { "content-type": "application/json" }).end(`{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}`),
      ),
  });
  const asked = Array.from({ length: 8 }, (_, of) => post(url, call(1, "echo", { of }), { token: TOKEN, session }));
  let refused = 0;
  for (const one of asked) void one.then(() => refused++);
  await waitUntil(() => refused === 7 && held.length > 0);
  expect(held).toHaveLength(1);
  held[0]?.();
  gateway.upstream.respond = before;
  const answers = await Promise.all(asked);
  expect(answers.filter(({ messages }) => messages[0]?.["result"] !== undefined)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 400)).toHaveLength(7);
});
