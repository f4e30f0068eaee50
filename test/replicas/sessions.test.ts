/** What was begun at one gateway goes on at another: the sessions of older clients, and calls of several rounds, once. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { textOf } from "../interop/sdk-clients.ts";
import { codeOf, until } from "../support/gateway-process.ts";
import { isLeftOut, type PostgresCluster, startPostgres } from "../support/postgres.ts";
import type { HeaderList } from "../support/raw-http.ts";
import { type Respond, withSession } from "../support/raw-upstream.ts";
import { FILE_TOKEN, type Replica, type ReplicasOptions, startReplicas } from "../support/replicas.ts";

const TIMEOUT = 120_000;
const THREE_A_DAY = { version: "1", default: "deny", tools: { echo: { limits: [{ window: "day", max: 3 }] } } };
const ASKED =
  '{"resultType":"input_required","requestState":"the-server-s-own","inputRequests":{"who":{"method":"elicitation/create","params":{"mode":"form","message":"Who?","requestedSchema":{"type":"object","properties":{}}}}}}';
const MODERN: HeaderList = [
  ["Mcp-Protocol-Version", "2026-07-28"],
  ["Mcp-Method", "tools/call"],
  ["Mcp-Name", "echo"],
];

const roundOf = (id: number, more: object = {}): string => {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
    "io.modelcontextprotocol/clientInfo": { name: "tester", version: "1" },
  };
  return JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "echo", arguments: {}, _meta, ...more } });
};

function transportTo(replica: Replica, sessionId?: string): StreamableHTTPClientTransport {
  const requestInit = { headers: { authorization: `Bearer ${FILE_TOKEN}` } };
  return new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${replica.port}/mcp/alpha`), {
    requestInit,
    ...(sessionId === undefined ? {} : { sessionId }),
  });
}

describe.skipIf(isLeftOut)("what was begun at one of two gateways", () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterAll(() => cluster.stop());

  async function startPair(more: Partial<ReplicasOptions>) {
    const replicas = await startReplicas({ url: await cluster.createDatabase(), policy: THREE_A_DAY, ...more });
    const [first, second] = replicas.all as [Replica, Replica];
    for (const replica of replicas.all) {
      await until(
        () => replica.ask('{"jsonrpc":"2.0","id":1,"method":"tools/list"}'),
        ({ text }) => text.includes('"echo"'),
        30_000,
      );
    }
    return { replicas, first, second };
  }

  test("a session of the first SDK goes on at the other, though the first is killed, and stays ended everywhere", {
    timeout: TIMEOUT,
  }, async () => {
    const { replicas, first, second } = await startPair({ era: "legacy", respond: withSession });
    const client = new Client({ name: "first-generation", version: "1.0.0" });
    const opened = transportTo(first);
    await client.connect(opened as Transport);
    expect(textOf(await client.callTool({ name: "echo", arguments: {} }))).toBe("done");
    const session = opened.sessionId as string;
    expect(session).toBeTruthy();
    await first.running.kill("SIGKILL");

    // The SDK's client goes on with a session where its transport is given one, and does not greet again.
    const further = new Client({ name: "first-generation", version: "1.0.0" });
    const moved = transportTo(second, session);
    moved.setProtocolVersion("2025-11-25");
    await further.connect(moved as Transport);
    expect((await further.listTools()).tools.map(({ name }) => name)).toEqual(["echo"]);
    expect(textOf(await further.callTool({ name: "echo", arguments: {} }))).toBe("done");
    expect(replicas.upstream.calls().at(-1)?.headers["mcp-session-id"]).toBe("of-the-server");
    expect(replicas.upstream.calls("initialize").length).toBeGreaterThan(0);

    const third = await replicas.start("data-2");
    await moved.terminateSession();
    const inSession: HeaderList = [
      ["Mcp-Session-Id", session],
      ["Mcp-Protocol-Version", "2025-11-25"],
    ];
    const ended = await third.ask('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', FILE_TOKEN, inSession);
    expect(ended.status).toBe(404);
    await further.close();
  });

  test("a call of several rounds goes on at the other, once, and is one call for its limit", { timeout: TIMEOUT }, async () => {
    const respond: Respond = (arrived, { method }) =>
      method === "tools/call" && !arrived.text.includes("inputResponses") ? { result: ASKED } : undefined;
    const { replicas, first, second } = await startPair({ respond, server: { asks: ["elicitation"] } });
    const begun = await first.ask(roundOf(1), FILE_TOKEN, MODERN);
    const requestState: unknown = begun.json().result.requestState;
    expect(typeof requestState).toBe("string");
    const answer = { requestState, inputResponses: { who: { action: "accept", content: {} } } };
    // Both gateways at once, several times: one of all goes on, what else comes is a new call, as long as there is room.
    const told = await Promise.all(
      [second, first, second, first].map((replica, index) => replica.ask(roundOf(2 + index, answer), FILE_TOKEN, MODERN)),
    );
    const went = replicas.upstream.calls().filter(({ text }) => text.includes("the-server-s-own"));
    expect(went).toHaveLength(1);
    expect(told.filter(({ text }) => text.includes('"text":"done"'))).toHaveLength(1);
    expect(told.map(codeOf).filter((code) => code === "limit_exceeded")).toHaveLength(1);
    // The first round and two new calls of the three that a day has, and the round that went on.
    expect(replicas.upstream.calls()).toHaveLength(4);
  });
});
