/** Sessions of the legacy era by hand: streams, their end, coming back after a cut, and nobody else's messages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { type LegacyServer, startLegacyServer } from "./legacy-server.ts";
import { call, initialize, openSession, openStream, post, type RawStream } from "./raw-client.ts";

const ALICE = "token-of-alice-0000000001";
const BOB = "token-of-bob-000000000001";
const CHARGED = { tools: { wait: { limits: [{ counter: "waits", window: "hour", max: 100, scope: "grant" }] } } };
let stateful: LegacyServer;
let stateless: LegacyServer;
let gateway: TestGateway;
let url: URL;

beforeAll(async () => {
  stateful = await startLegacyServer();
  stateless = await startLegacyServer({ stateless: true });
  gateway = await startGateway({
    servers: { stateful: { url: stateful.url }, stateless: { url: stateless.url } },
    policies: {
      all: { server: "stateful", document: { version: "1", default: "allow", hide: ["secret"], ...CHARGED } },
      json: { server: "stateless", document: { version: "1", default: "allow" } },
    },
    grants: {
      alice: { servers: { stateful: "all", stateless: "json" }, token: ALICE },
      bob: { servers: { stateful: "all" }, token: BOB },
    },
  });
  url = gateway.addressOf("stateful");
});

afterAll(async () => {
  await gateway?.stop();
  await stateful?.stop();
  await stateless?.stop();
});

const progressOf = (stream: RawStream): unknown[] =>
  stream.messages
    .filter(({ method }) => method === "notifications/progress")
    .map(({ params }) => (params as { progress: number }).progress);

describe("a session", () => {
  it("has an id of the gateway's own, and the revision that both sides speak", async () => {
    for (const revision of ["2025-03-26", "2025-06-18", "2025-11-25"]) {
      const opened = await post(url, initialize({}, revision), { token: ALICE });
      expect(opened.messages).toMatchObject([
        { id: 0, result: { protocolVersion: revision, serverInfo: { name: "stateful" }, instructions: "Be kind." } },
      ]);
      const session = opened.headers.get("mcp-session-id") ?? "";
      expect(session).toMatch(/^[\x21-\x7e]{32,}$/);
      expect(stateful.sessions.has(session)).toBe(false);
    }
    const strange = await post(url, initialize({}, "1999-01-01"), { token: ALICE });
    expect(strange.messages).toMatchObject([{ result: { protocolVersion: "2025-11-25" } }]);
  });

  it("is nobody else's: another grant, another server and an unknown id answer 404 alike", async () => {
    const session = await openSession(url, ALICE);
    const ping = { jsonrpc: "2.0", id: 5, method: "ping" };
    expect((await post(url, ping, { token: ALICE, session })).messages).toMatchObject([{ id: 5, result: {} }]);
    const foreign = await post(url, ping, { token: BOB, session });
    const unknown = await post(url, ping, { token: ALICE, session: "no-such-session" });
    const elsewhere = await post(gateway.addressOf("stateless"), ping, { token: ALICE, session });
    for (const answer of [foreign, unknown, elsewhere]) {
      expect(answer.status).toBe(404);
      expect(answer.text).toBe(unknown.text);
    }
    for (const method of ["GET", "DELETE"] as const) {
      const headers = { authorization: `Bearer ${BOB}`, accept: "text/event-stream", "mcp-session-id": session };
      expect((await fetch(url, { method, headers })).status).toBe(404);
    }
    expect((await post(url, ping, { token: ALICE, session })).status).toBe(200);
  });

  it("ends with DELETE, on both sides, and is gone", async () => {
    const session = await openSession(url, ALICE);
    const before = stateful.sessions.size;
    const listening = await openStream(url, { token: ALICE, session });
    const deleted = await fetch(url, { method: "DELETE", headers: { authorization: `Bearer ${ALICE}`, "mcp-session-id": session } });
    expect(deleted.status).toBe(204);
    await listening.ended;
    expect(stateful.sessions.size).toBe(before - 1);
    expect((await post(url, { jsonrpc: "2.0", id: 1, method: "ping" }, { token: ALICE, session })).status).toBe(404);
    expect((await gateway.readLog()).some(({ method, kind }) => method === "DELETE" && kind === "intent")).toBe(true);
  });

  it("ends when the server has forgotten it, so that the client can begin anew", async () => {
    const session = await openSession(url, ALICE);
    const [own] = [...stateful.sessions.keys()].slice(-1);
    await fetch(stateful.url, { method: "DELETE", headers: { "mcp-session-id": own ?? "" } });
    const answered = await post(url, call(1, "echo", { text: "hi" }), { token: ALICE, session });
    expect(answered.status).toBe(404);
    expect(answered.messages).toMatchObject([{ id: 1, error: { code: -32600 } }]);
  });

  it("is not needed before a server that has none, whose answers are JSON", async () => {
    const at = gateway.addressOf("stateless");
    const opened = await post(at, initialize(), { token: ALICE });
    expect(opened.headers.get("mcp-session-id")).toBeNull();
    const answered = await post(at, call("a", "echo", { text: "no session" }), { token: ALICE });
    expect(answered.headers.get("content-type")).toBe("application/json");
    expect(answered.messages).toEqual([{ jsonrpc: "2.0", id: "a", result: { content: [{ type: "text", text: "no session" }] } }]);
    const headers = { authorization: `Bearer ${ALICE}`, accept: "text/event-stream", "mcp-protocol-version": "2025-11-25" };
    expect((await fetch(at, { headers })).status).toBe(405);
  });
});

describe("streams", () => {
  it("begin with an id to come back with and how long to wait, since the revision that has both", async () => {
    const primed = await post(url, call(1, "count"), { token: ALICE, session: await openSession(url, ALICE) });
    expect(primed.text).toMatch(/^id: \S+\nretry: 1000\ndata: \n\n/);
    const opened = await post(url, initialize({}, "2025-06-18"), { token: ALICE });
    const older = await post(url, call(1, "count"), { token: ALICE, session: opened.headers.get("mcp-session-id") ?? "" });
    expect(older.text).not.toContain("retry:");
  });

  it("carry progress and the answer in order, with event ids of the gateway's own", async () => {
    const session = await openSession(url, ALICE);
    const stream = await openStream(url, { token: ALICE, session, body: call(7, "count", {}, { progressToken: "p" }) });
    await stream.ended;
    expect(stream.headers.get("x-accel-buffering")).toBe("no");
    expect(progressOf(stream)).toEqual([1, 2, 3]);
    expect(stream.messages.at(-1)).toEqual({ jsonrpc: "2.0", id: 7, result: { content: [{ type: "text", text: "counted" }] } });
    expect(stream.messages.filter((message) => "result" in message)).toHaveLength(1);
    const ids = stream.events.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => /^[0-9a-z]+_\d+$/.test(id ?? ""))).toBe(true);
  });

  it("are gone on with after a cut, from the event that was seen last, and the call ran once", async () => {
    const session = await openSession(url, ALICE);
    const asked = stateful.heard.length;
    const stream = await openStream(url, { token: ALICE, session, body: call(8, "wait", {}, { progressToken: 8 }) });
    await waitUntil(() => progressOf(stream).length === 1);
    const { lastId } = stream;
    stream.cut();
    await stream.ended;
    stateful.release();
    const resumed = await openStream(url, { token: ALICE, session, headers: { "last-event-id": lastId ?? "" } });
    await resumed.ended;
    expect(resumed.messages).toMatchObject([{ params: { progress: 2 } }, { id: 8, result: { content: [{ text: "waited" }] } }]);
    const again = await openStream(url, { token: ALICE, session, headers: { "last-event-id": lastId ?? "" } });
    await again.ended;
    expect(again.messages).toEqual(resumed.messages);
    expect(stateful.heard.slice(asked).filter(({ text }) => text.includes("tools/call"))).toHaveLength(1);
  });

  it("can't be come back to by anybody else, nor from an id that never was", async () => {
    const session = await openSession(url, ALICE);
    const stream = await openStream(url, { token: ALICE, session, body: call(9, "count", {}, { progressToken: 9 }) });
    await stream.ended;
    const other = await openSession(url, BOB);
    const from = { "last-event-id": stream.events[0]?.id ?? "" };
    expect((await openStream(url, { token: BOB, session, headers: from })).status).toBe(404);
    expect((await openStream(url, { token: BOB, session: other, headers: from })).status).toBe(400);
    expect((await openStream(url, { token: ALICE, session, headers: { "last-event-id": "nonsense" } })).status).toBe(400);
  });

  it("of GET bring what belongs to no call, and nothing of another session's", async () => {
    const mine = await openSession(url, ALICE);
    const theirs = await openSession(url, BOB);
    const listening = await openStream(url, { token: ALICE, session: mine });
    const listeningToo = await openStream(url, { token: BOB, session: theirs });
    const called = await openStream(url, { token: ALICE, session: mine, body: call(1, "log") });
    await called.ended;
    const answered = await post(url, call(2, "change"), { token: ALICE, session: mine });
    expect(answered.messages.at(-1)).toMatchObject({ id: 2 });
    await waitUntil(() => listening.messages.length === 2);
    expect(called.messages.map(({ params, id }) => (params as { data?: string })?.data ?? id)).toEqual(["on the call's stream", 1]);
    expect(listening.messages).toMatchObject([
      { method: "notifications/message", params: { data: "on the listening stream" } },
      { method: "notifications/tools/list_changed" },
    ]);
    expect(listeningToo.messages).toEqual([]);
    listening.cut();
    listeningToo.cut();
  });

  it("of GET keep what comes while their client is away", async () => {
    const session = await openSession(url, ALICE);
    const listening = await openStream(url, { token: ALICE, session });
    await post(url, call(1, "change"), { token: ALICE, session });
    await waitUntil(() => listening.messages.length === 1);
    const { lastId } = listening;
    listening.cut();
    await listening.ended;
    await post(url, call(2, "log"), { token: ALICE, session });
    const resumed = await openStream(url, { token: ALICE, session, headers: { "last-event-id": lastId ?? "" } });
    await waitUntil(() => resumed.messages.length === 1);
    expect(resumed.messages[0]).toMatchObject({ params: { data: "on the listening stream" } });
    const replaced = await openStream(url, { token: ALICE, session });
    await resumed.ended;
    await post(url, call(3, "change"), { token: ALICE, session });
    await waitUntil(() => replaced.messages.length === 1);
    expect(replaced.messages[0]).toMatchObject({ method: "notifications/tools/list_changed" });
    replaced.cut();
    await replaced.ended;
    await post(url, call(4, "log"), { token: ALICE, session });
    const anew = await openStream(url, { token: ALICE, session });
    await waitUntil(() => anew.messages.length === 1);
    expect(anew.messages[0]).toMatchObject({ params: { data: "on the listening stream" } });
    anew.cut();
  });

  it("that the server closes early are gone on with by the gateway: their clients notice nothing", async () => {
    const session = await openSession(url, ALICE);
    const listening = await openStream(url, { token: ALICE, session });
    await post(url, call(1, "change"), { token: ALICE, session });
    await waitUntil(() => listening.messages.length === 1);
    const heard = stateful.heard.length;
    const called = await openStream(url, { token: ALICE, session, body: call(2, "poll") });
    await called.ended;
    expect(called.messages).toMatchObject([{ id: 2, result: { content: [{ text: "polled" }] } }]);
    await waitUntil(() => listening.messages.length === 2);
    expect(listening.isEnded).toBe(false);
    const since = stateful.heard.slice(heard);
    expect(since.filter(({ text }) => text.includes("tools/call"))).toHaveLength(1);
    expect(since.filter(({ method, headers }) => method === "GET" && headers["last-event-id"] !== undefined)).toHaveLength(2);
    listening.cut();
  });

  it("of two clients at once never mix, though their ids are the same", async () => {
    const calls = await Promise.all(
      [ALICE, BOB, ALICE, BOB].map(async (token, index) => {
        const session = await openSession(url, token);
        const stream = await openStream(url, { token, session, body: call(1, "count", {}, { progressToken: `of-${index}` }) });
        await stream.ended;
        return stream.messages;
      }),
    );
    calls.forEach((messages, index) => {
      expect(messages).toHaveLength(4);
      for (const message of messages.slice(0, 3)) expect(message).toMatchObject({ params: { progressToken: `of-${index}` } });
      expect(messages[3]).toMatchObject({ id: 1, result: {} });
    });
  });
});

describe("cancellation", () => {
  it("reaches the server under the server's own id, once, and both sides go on", async () => {
    const session = await openSession(url, ALICE);
    const stream = await openStream(url, { token: ALICE, session, body: call("mine", "wait", {}, { progressToken: 1 }) });
    await waitUntil(() => progressOf(stream).length === 1);
    const sent = stateful.heard.map(({ text }) => text).findLast((text) => text.includes("tools/call")) ?? "{}";
    const own = (JSON.parse(sent) as { id: number }).id;
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "mine", reason: "enough" } };
    const unknown = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 12_345 } };
    expect((await post(url, unknown, { token: ALICE, session })).status).toBe(202);
    expect((await post(url, cancel, { token: ALICE, session })).status).toBe(202);
    await waitUntil(() => stateful.cancelled.includes(own));
    const told = stateful.heard.filter(({ text }) => text.includes("notifications/cancelled"));
    expect(told.map(({ text }) => JSON.parse(text) as unknown)).toEqual([
      { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: own, reason: "enough" } },
    ]);
    await stream.ended;
    expect(stream.messages.filter((message) => "id" in message)).toHaveLength(1);
    expect((await post(url, call(2, "echo", { text: "on" }), { token: ALICE, session })).messages.at(-1)).toMatchObject({
      id: 2,
      result: {},
    });
    await waitUntil(async () => (await gateway.readLog()).some(({ code, outcome }) => code === "cancelled" && outcome === "unknown"));
  });

  it("of another session's call does nothing", async () => {
    const mine = await openSession(url, ALICE);
    const theirs = await openSession(url, BOB);
    const stream = await openStream(url, { token: ALICE, session: mine, body: call(4, "wait", {}, { progressToken: 1 }) });
    await waitUntil(() => progressOf(stream).length === 1);
    const before = stateful.cancelled.length;
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 4 } };
    expect((await post(url, cancel, { token: BOB, session: theirs })).status).toBe(202);
    stateful.release();
    await stream.ended;
    expect(stream.messages.at(-1)).toMatchObject({ id: 4, result: {} });
    expect(stateful.cancelled).toHaveLength(before);
  });

  it("is not what hanging up means", async () => {
    const session = await openSession(url, ALICE);
    const stream = await openStream(url, { token: ALICE, session, body: call(5, "wait", {}, { progressToken: 1 }) });
    await waitUntil(() => progressOf(stream).length === 1);
    const before = stateful.cancelled.length;
    stream.cut();
    await stream.ended;
    stateful.release();
    await waitUntil(async () => (await gateway.readLog()).at(-1)?.["outcome"] === "ok");
    expect(stateful.cancelled).toHaveLength(before);
  });
});
