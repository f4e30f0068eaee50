/** What a legacy server asks of its client: on which stream it comes, under whose id, and that only its client answers. */
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { type LegacyServer, startLegacyServer } from "./legacy-server.ts";
import { call, openSession, openStream, post } from "./raw-client.ts";
import { connectV1, connectV2, textOf } from "./sdk-clients.ts";

const ALICE = "token-of-alice-0000000001";
const BOB = "token-of-bob-000000000001";
const ALL = { elicitation: {}, sampling: {}, roots: {} };
let upstream: LegacyServer;
let gateway: TestGateway;
let url: URL;

beforeAll(async () => {
  upstream = await startLegacyServer();
  gateway = await startGateway({
    servers: { small: { url: upstream.url, asks: ["sampling", "elicitation", "roots"] } },
    policies: { all: { server: "small", document: { version: "1", default: "allow" } } },
    grants: { alice: { servers: { small: "all" }, token: ALICE }, bob: { servers: { small: "all" }, token: BOB } },
  });
  url = gateway.addressOf("small");
});

afterAll(async () => {
  await gateway?.stop();
  await upstream?.stop();
});

/** A client opens its listening stream behind its own back: what it is asked there would be lost before. */
const countListening = (): number => upstream.heard.filter(({ method }) => method === "GET").length;
const untilListening = (before: number): Promise<void> => waitUntil(() => countListening() > before);

describe("what a server asks", () => {
  it("is answered by a client of the first generation, on both kinds of stream", async () => {
    const before = countListening();
    const { client } = await connectV1(url, ALICE, { capabilities: ALL }, (made) => {
      made.setRequestHandler(ElicitRequestSchema, ({ params }) => ({ action: "accept", content: { name: params.message } }));
      made.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
        role: "assistant",
        model: `at most ${params.maxTokens}`,
        content: { type: "text", text: "Hello!" },
      }));
      made.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///srv/docs" }] }));
    });
    const asked = { action: "accept", content: { name: "[server small] Your name?" } };
    expect(JSON.parse(textOf(await client.callTool({ name: "ask", arguments: {} })))).toEqual(asked);
    await untilListening(before);
    expect(JSON.parse(textOf(await client.callTool({ name: "ask", arguments: { aside: true } })))).toEqual(asked);
    expect(JSON.parse(textOf(await client.callTool({ name: "sample", arguments: {} })))).toMatchObject({ model: "at most 5" });
    expect(JSON.parse(textOf(await client.callTool({ name: "roots", arguments: {} })))).toEqual({ roots: [{ uri: "file:///srv/docs" }] });
    await client.close();
  });

  it("is answered by a client of the second generation, which speaks the legacy era unless told otherwise", async () => {
    const before = countListening();
    const { client } = await connectV2(url, ALICE, { capabilities: ALL }, (made) => {
      made.setRequestHandler("elicitation/create", () => ({ action: "decline" }));
      made.setRequestHandler("sampling/createMessage", () => ({ role: "assistant", model: "two", content: { type: "text", text: "Hi." } }));
      made.setRequestHandler("roots/list", () => ({ roots: [] }));
    });
    expect(JSON.parse(textOf(await client.callTool({ name: "ask", arguments: {} })))).toEqual({ action: "decline" });
    await untilListening(before);
    expect(JSON.parse(textOf(await client.callTool({ name: "ask", arguments: { aside: true } })))).toEqual({ action: "decline" });
    expect(JSON.parse(textOf(await client.callTool({ name: "sample", arguments: {} })))).toMatchObject({ model: "two" });
    expect(JSON.parse(textOf(await client.callTool({ name: "roots", arguments: {} })))).toEqual({ roots: [] });
    await client.close();
  });

  it("comes on the stream of the call that made it ask, under an id of the gateway's own", async () => {
    const session = await openSession(url, ALICE, ALL);
    const listening = await openStream(url, { token: ALICE, session });
    const stream = await openStream(url, { token: ALICE, session, body: call(1, "ask") });
    await waitUntil(() => stream.messages.length === 1);
    expect(stream.messages[0]).toMatchObject({
      id: expect.stringMatching(/^s\d+$/),
      method: "elicitation/create",
      params: { message: "[server small] Your name?" },
    });
    const answer = { jsonrpc: "2.0", id: stream.messages[0]?.["id"], result: { action: "accept", content: { name: "Ada" } } };
    expect((await post(url, answer, { token: ALICE, session })).status).toBe(202);
    await stream.ended;
    expect(stream.messages.at(-1)).toMatchObject({ id: 1, result: { content: [{ text: JSON.stringify(answer.result) }] } });
    expect((await post(url, answer, { token: ALICE, session })).status).toBe(400);
    expect(listening.messages).toEqual([]);
    listening.cut();
  });

  it("comes on the listening stream where it belongs to no call", async () => {
    const session = await openSession(url, ALICE, ALL);
    const listening = await openStream(url, { token: ALICE, session });
    const called = post(url, call(1, "ask", { aside: true }), { token: ALICE, session });
    await waitUntil(() => listening.messages.length === 1);
    const refused = { jsonrpc: "2.0", id: listening.messages[0]?.["id"], error: { code: -1, message: "The person is away" } };
    expect((await post(url, refused, { token: ALICE, session })).status).toBe(202);
    expect(JSON.stringify((await called).messages)).toContain("The person is away");
    listening.cut();
  });

  it("can be answered by its own client alone", async () => {
    const mine = await openSession(url, ALICE, ALL);
    const theirs = await openSession(url, BOB, ALL);
    const stream = await openStream(url, { token: ALICE, session: mine, body: call(1, "ask") });
    await waitUntil(() => stream.messages.length === 1);
    const answer = (name: string): unknown => ({
      jsonrpc: "2.0",
      id: stream.messages[0]?.["id"],
      result: { action: "accept", content: { name } },
    });
    expect((await post(url, answer("Eve"), { token: BOB, session: theirs })).status).toBe(400);
    expect((await post(url, answer("Eve"), { token: BOB, session: mine })).status).toBe(404);
    expect((await post(url, answer("Eve"), { token: BOB })).status).toBe(400);
    expect((await post(url, answer("Ada"), { token: ALICE, session: mine })).status).toBe(202);
    await stream.ended;
    expect(JSON.stringify(stream.messages.at(-1))).toContain("Ada");
  });

  it("can be taken back: the client hears of it under the id that it knows", async () => {
    const session = await openSession(url, ALICE, ALL);
    const listening = await openStream(url, { token: ALICE, session });
    const stream = await openStream(url, { token: ALICE, session, body: call(1, "withdraw") });
    await stream.ended;
    await waitUntil(() => [...stream.messages, ...listening.messages].some(({ method }) => method === "notifications/cancelled"));
    const asked = stream.messages.find(({ method }) => method === "elicitation/create");
    const taken = [...stream.messages, ...listening.messages].find(({ method }) => method === "notifications/cancelled");
    expect(taken).toMatchObject({ params: { requestId: asked?.["id"] } });
    listening.cut();
  });

  it("is on record when it is answered, without what was said", async () => {
    const log = await gateway.readLog();
    const answered = log.filter(({ method }) => method === "elicitation/create");
    expect(answered.length).toBeGreaterThan(3);
    expect(answered.every(({ kind, decision }) => kind === "intent" && decision === "allow")).toBe(true);
    expect(JSON.stringify(log)).not.toContain("Ada");
  });
});
