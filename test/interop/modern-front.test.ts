/** A client of 2026-07-28 alone before a small server of the SDK's first generation, through a real gateway. */
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createModernFront, type ModernFront } from "../../src/upstream/modern-front.ts";
import { CLIENT_INFO, type FrontGateway, startFrontGateway } from "../support/front-gateway.ts";
import { waitUntil } from "../support/gateway.ts";
import { type LegacyServer, startLegacyServer } from "./legacy-server.ts";
import { openStream, post, type RawAnswer } from "./raw-client.ts";
import { connectV2, textOf } from "./sdk-clients.ts";

const ALICE = "token-of-alice-0000000001";
const BOB = "token-of-bob-000000000001";
const PIN = { versionNegotiation: { mode: { pin: "2026-07-28" as const } } };
const ALL = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "raw-modern", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": ALL,
};
let upstream: LegacyServer;
let gateway: FrontGateway<ModernFront>;

beforeAll(async () => {
  upstream = await startLegacyServer();
  gateway = await startFrontGateway({
    server: upstream.url,
    policy: {
      hide: ["secret"],
      tools: { sample: { limits: [{ counter: "samples", window: "hour", max: 2, scope: "grant" }] } },
    },
    grants: { alice: ALICE, bob: BOB },
    open: ({ upstream: port }) => createModernFront({ upstream: port, clientInfo: CLIENT_INFO }),
  });
});

afterAll(async () => {
  await gateway?.stop();
  await upstream?.stop();
});

async function connect(
  capabilities: Record<string, object> = {},
  prepare: (client: Client) => void = () => undefined,
  token = ALICE,
): Promise<Client> {
  const { client } = await connectV2(gateway.url, token, { ...PIN, capabilities }, prepare);
  return client;
}

function send(
  method: string,
  params: Record<string, unknown>,
  how: { readonly id?: number; readonly token?: string; readonly meta?: object; readonly signal?: AbortSignal } = {},
): Promise<RawAnswer> {
  const name = params["name"] ?? params["uri"];
  const body = { jsonrpc: "2.0", id: how.id ?? 1, method, params: { ...params, _meta: { ...ENVELOPE, ...how.meta } } };
  const headers = {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...(typeof name === "string" ? { "mcp-name": name } : {}),
  };
  return post(gateway.url, body, { token: how.token ?? ALICE, headers, signal: how.signal });
}

interface Told {
  readonly resultType: string;
  readonly requestState: string;
  readonly inputRequests: Record<string, unknown>;
  readonly isError?: boolean;
}

const resultOf = (answer: RawAnswer): Told => answer.messages.at(-1)?.["result"] as Told;
const calls = (tool: string): number =>
  upstream.heard.filter(({ text }) => text.includes('"tools/call"') && text.includes(`"${tool}"`)).length;
const answers = (): number => upstream.heard.filter(({ text }) => text.includes('"result":')).length;

describe("a modern client before a legacy server", () => {
  it("discovers, lists and calls", async () => {
    const client = await connect();
    expect(client.getServerVersion()).toMatchObject({ name: "behind" });
    expect(client.getInstructions()).toBe("Be kind.");
    expect(client.getServerCapabilities()).toMatchObject({ tools: { listChanged: true }, logging: {} });
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toContain("echo");
    expect(names).not.toContain("secret");
    expect(textOf(await client.callTool({ name: "echo", arguments: { text: "hi" } }))).toBe("hi");
    await expect(client.callTool({ name: "secret", arguments: {} })).rejects.toMatchObject({ code: -32602 });
    await client.close();
  });

  it("hears of progress", async () => {
    const client = await connect();
    const seen: number[] = [];
    await client.callTool({ name: "count", arguments: {} }, { onprogress: ({ progress }) => void seen.push(progress) });
    expect(seen).toEqual([1, 2, 3]);
    await client.close();
  });

  it("cancels, and the server learns of it", async () => {
    const client = await connect();
    const abort = new AbortController();
    const before = upstream.cancelled.length;
    const waiting = client.callTool(
      { name: "wait", arguments: {} },
      { signal: abort.signal, onprogress: () => abort.abort(new Error("enough")) },
    );
    await expect(waiting).rejects.toThrow("enough");
    await waitUntil(() => upstream.cancelled.length > before);
    upstream.release();
    await client.close();
  });

  it("answers what the server asks, in rounds", async () => {
    const client = await connect(ALL, (made) => {
      made.setRequestHandler("elicitation/create", ({ params }) => ({ action: "accept", content: { name: params.message } }));
      made.setRequestHandler("sampling/createMessage", ({ params }) => ({
        role: "assistant",
        model: `at most ${params.maxTokens}`,
        content: { type: "text", text: "Hello!" },
      }));
      made.setRequestHandler("roots/list", () => ({ roots: [{ uri: "file:///srv/docs" }] }));
    });
    const asked = { action: "accept", content: { name: "Your name?" } };
    expect(JSON.parse(textOf(await client.callTool({ name: "ask", arguments: {} })))).toEqual(asked);
    expect(JSON.parse(textOf(await client.callTool({ name: "ask", arguments: { aside: true } })))).toEqual(asked);
    expect(JSON.parse(textOf(await client.callTool({ name: "sample", arguments: {} })))).toMatchObject({ model: "at most 5" });
    expect(JSON.parse(textOf(await client.callTool({ name: "roots", arguments: {} })))).toEqual({ roots: [{ uri: "file:///srv/docs" }] });
    expect(gateway.front.kept.parked).toBe(0);
    await client.close();
  });

  it("keeps apart what is asked in many calls at once", async () => {
    const client = await connect(ALL, (made) => {
      made.setRequestHandler("sampling/createMessage", () => ({ role: "assistant", model: "m", content: { type: "text", text: "Hi." } }));
      made.setRequestHandler("elicitation/create", () => ({ action: "decline" }));
      made.setRequestHandler("roots/list", () => ({ roots: [] }));
    });
    const answers: Record<string, unknown> = { ask: { action: "decline" }, roots: { roots: [] } };
    const names = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? "ask" : "roots"));
    const told = await Promise.all(names.map((name) => client.callTool({ name, arguments: {} })));
    expect(told.map((result) => JSON.parse(textOf(result)))).toEqual(names.map((name) => answers[name]));
    await client.close();
  });

  it("serves a server that keeps no session", async () => {
    const stateless = await startLegacyServer({ stateless: true });
    const other = await startFrontGateway({
      server: stateless.url,
      policy: {},
      grants: { alice: ALICE },
      open: ({ upstream: port }) => createModernFront({ upstream: port, clientInfo: CLIENT_INFO }),
    });
    const { client } = await connectV2(other.url, ALICE, { ...PIN, capabilities: ALL });
    expect((await client.listTools()).tools.length).toBeGreaterThan(5);
    expect(textOf(await client.callTool({ name: "echo", arguments: { text: "hi" } }))).toBe("hi");
    await client.close();
    await other.stop();
    await stateless.stop();
  });

  it("reads on where a server lets its streams go", async () => {
    const client = await connect();
    expect(textOf(await client.callTool({ name: "poll", arguments: {} }))).toBe("polled");
    await client.close();
  });
});

describe("a round, between the gateway's own seal and the server's question", () => {
  const responses = { "ask-1": { action: "accept", content: { name: "Ada" } } };

  it("is good for one return of the same grant with the same request; no other return runs anything", async () => {
    const before = calls("ask");
    const first = await send("tools/call", { name: "ask", arguments: {} });
    const { requestState, inputRequests, resultType } = resultOf(first);
    expect(resultType).toBe("input_required");
    expect(inputRequests).toMatchObject({ "ask-1": { method: "elicitation/create", params: { message: "Your name?" } } });
    expect(first.text).not.toContain("small-upstream");
    const parked = gateway.front.kept.parked;
    const heard = answers();
    // Another grant, and another request, hold a state that is not theirs: their calls are new ones.
    const stolen = await send("tools/call", { name: "ask", arguments: {}, requestState, inputResponses: responses }, { token: BOB });
    expect(resultOf(stolen).resultType).toBe("input_required");
    const changed = await send("tools/call", { name: "ask", arguments: { other: 1 }, requestState, inputResponses: responses });
    expect(resultOf(changed).resultType).toBe("input_required");
    expect([calls("ask"), answers()]).toEqual([before + 3, heard]);
    expect(gateway.front.kept.parked).toBe(parked + 2);
    const done = await send("tools/call", { name: "ask", arguments: {}, requestState, inputResponses: responses }, { id: 2 });
    expect(done.messages.at(-1)).toMatchObject({
      id: 2,
      result: { resultType: "complete", content: [{ text: JSON.stringify(responses["ask-1"]) }] },
    });
    expect([calls("ask"), answers()]).toEqual([before + 3, heard + 1]);
  });

  it("of which the front knows no more is told to start again, and is not run again", async () => {
    const before = calls("ask");
    const { requestState } = resultOf(await send("tools/call", { name: "ask", arguments: {} }));
    await gateway.front.endOwner((await grantIds()).get("alice") ?? "");
    const told = await send("tools/call", { name: "ask", arguments: {}, requestState, inputResponses: responses });
    expect(resultOf(told)).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("Start it again") }] });
    expect(calls("ask")).toBe(before + 1);
  });

  it("takes one unit of a limit, however many rounds there are", async () => {
    const limited = { name: "sample", arguments: {} };
    const { requestState } = resultOf(await send("tools/call", limited));
    const sampled = { "ask-1": { role: "assistant", model: "m", content: { type: "text", text: "t" } } };
    expect(resultOf(await send("tools/call", { ...limited, requestState, inputResponses: sampled })).resultType).toBe("complete");
    const full = await send("tools/call", limited);
    expect(full.messages).toMatchObject([{ result: { isError: true, _meta: { "sallyport/decision": { code: "limit_exceeded" } } } }]);
  });

  it("hears of messages only where the request asked for them", async () => {
    const logs = async (meta: object): Promise<unknown[]> => {
      const { messages } = await send("tools/call", { name: "log", arguments: {} }, { meta });
      return messages.slice(0, -1).map((message) => (message["params"] as { data: unknown }).data);
    };
    expect(await logs({})).toEqual([]);
    expect(await logs({ "io.modelcontextprotocol/logLevel": "info" })).toContain("on the call's stream");
    expect(await logs({ "io.modelcontextprotocol/logLevel": "emergency" })).toEqual([]);
  });

  it("is answered by status where the era says so, and tells nothing of the server", async () => {
    const unknown = await send("prompts/list", {});
    expect([unknown.status, unknown.messages]).toMatchObject([404, [{ error: { code: -32601 } }]]);
    const listed = await send("tools/list", {});
    expect(listed.messages).toMatchObject([{ result: { resultType: "complete", ttlMs: 0, cacheScope: "private" } }]);
    const answered = await send("tools/call", { name: "echo", arguments: { text: "hi" } });
    expect(answered.messages).toMatchObject([{ result: { _meta: { "io.modelcontextprotocol/serverInfo": { name: "behind" } } } }]);
    expect(listed.text + answered.text).not.toContain("small-upstream");
  });
});

/** Label → id, from the log. */
async function grantIds(): Promise<Map<string, string>> {
  const log = await gateway.readLog();
  return new Map(log.filter(({ grantId }) => grantId !== undefined).map(({ grant, grantId }) => [String(grant), String(grantId)]));
}

describe("a listen", () => {
  it("is told of changes that the server tells its session", async () => {
    const heard: string[] = [];
    const client = await connect({}, (made) => {
      made.setNotificationHandler("notifications/tools/list_changed", () => void heard.push("tools"));
    });
    const subscription = await client.listen({ toolsListChanged: true, promptsListChanged: true });
    expect(subscription.honoredFilter).toEqual({ toolsListChanged: true });
    await client.callTool({ name: "change", arguments: {} });
    await waitUntil(() => heard.length === 1);
    await subscription.close();
    await client.close();
  });
});

describe("a grant that is revoked", () => {
  it("loses its listens and its rounds", async () => {
    const { requestState } = resultOf(await send("tools/call", { name: "ask", arguments: {} }, { token: BOB }));
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" };
    const body = {
      jsonrpc: "2.0",
      id: 9,
      method: "subscriptions/listen",
      params: { notifications: { toolsListChanged: true }, _meta: ENVELOPE },
    };
    const stream = await openStream(gateway.url, { token: BOB, headers, body });
    await waitUntil(() => stream.messages.length === 1);
    const heard = answers();
    await gateway.revoke("bob");
    await stream.ended;
    const returned = { name: "ask", arguments: {}, requestState, inputResponses: { "ask-1": { action: "decline" } } };
    expect((await send("tools/call", returned, { token: BOB })).status).toBe(401);
    expect(answers()).toBe(heard);
    await waitUntil(() => upstream.heard.some(({ text }) => text.includes("notifications/cancelled") && text.includes("nobody came back")));
  });
});
