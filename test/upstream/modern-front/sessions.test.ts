/** The legacy sessions that a modern front keeps: apart by grant and capabilities, bounded, ended, and opened again. */
import { describe, expect, it } from "vitest";
import { ALL, ask, call, comeBack, eventually, openFront } from "./asking.ts";
import { type Scripted, startScripted } from "./scripted-server.ts";

const ended = (server: Scripted): unknown[] =>
  server.heard.filter(({ http }) => http === "DELETE").map(({ headers }) => headers["mcp-session-id"]);
const usedBy = (server: Scripted): unknown[] => server.of("tools/call").map(({ headers }) => headers["mcp-session-id"]);

function echoes(server: Scripted): void {
  server.plays.set("tools/call", (turn) => {
    const session = turn.sent.headers["mcp-session-id"];
    if (typeof session === "string" && !server.sessions.has(session)) {
      turn.json('{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}', 404);
    } else turn.result('{"content":[]}');
  });
}

describe("a session whose questions name no call", () => {
  const elicit = '{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object"}}}';

  it("has one call alone that may be asked, and so may every such call, up to the bound", async () => {
    const server = await startScripted();
    const front = openFront(server.url, { askedCallsPerOwner: 2 }, undefined, true);
    server.plays.set("buy", async (turn) => {
      turn.send(elicit);
      await eventually(() => server.replies().length).toBeGreaterThan(0);
      turn.finish('{"content":[]}');
    });
    echoes(server);
    const both = [call(front, "buy", { capabilities: ALL }), call(front, "buy", { capabilities: ALL })];
    const [mine, other] = await Promise.all(both.map(({ done }) => done));
    expect(new Set(usedBy(server)).size).toBe(2);
    const third = call(front, "buy", { capabilities: ALL });
    await third.done;
    expect(third.fault).toMatchObject({ reason: "busy", sent: "not_sent" });
    // Neither another grant nor what can't be asked is kept waiting.
    expect((await call(front, "a").done).result).toMatchObject({ resultType: "complete" });
    expect((await call(front, "a", { capabilities: ALL, owner: "bob" }).done).result).toMatchObject({ resultType: "complete" });
    const opened = server.of("initialize").length;
    for (const { result } of [mine, other]) {
      const back = comeBack(front, "buy", result.requestState, { "ask-1": { action: "decline" } });
      expect((await back.done).result).toMatchObject({ resultType: "complete" });
    }
    // Their sessions are free again.
    const next = [call(front, "a", { capabilities: ALL }), call(front, "a", { capabilities: ALL })];
    for (const one of next) expect((await one.done).result).toMatchObject({ resultType: "complete" });
    expect(server.of("initialize")).toHaveLength(opened);
  });

  it("is shared by calls of clients that can't be asked", async () => {
    const server = await startScripted();
    echoes(server);
    const front = openFront(server.url, {}, undefined, true);
    await Promise.all([1, 2, 3].map(() => call(front, "a").done));
    expect(server.of("initialize")).toHaveLength(1);
  });
});

describe("a session", () => {
  it("is one for a grant and what its client declares, opened once for all who wait", async () => {
    const server = await startScripted();
    echoes(server);
    const front = openFront(server.url);
    await Promise.all([1, 2, 3].map(() => call(front, "a").done));
    await call(front, "a", { owner: "bob" }).done;
    await call(front, "a", { capabilities: { roots: {}, sampling: {} } }).done;
    await call(front, "a", { capabilities: { sampling: {}, roots: { listChanged: true }, odd: 1 } }).done;
    expect(usedBy(server)).toEqual(["session-1", "session-1", "session-1", "session-2", "session-3", "session-3"]);
    expect(server.of("initialize")).toHaveLength(3);
    expect(front.kept.sessions).toBe(3);
  });

  it("is not needed: a server without them is asked as it wants", async () => {
    const server = await startScripted({ keepsSessions: false, offersStream: false });
    echoes(server);
    const front = openFront(server.url);
    expect(await call(front, "a").done).toMatchObject({ result: { resultType: "complete" } });
    expect(await call(front, "a", { capabilities: ALL }).done).toMatchObject({ result: { resultType: "complete" } });
    expect(usedBy(server)).toEqual([undefined, undefined]);
    server.plays.set("tools/call", (turn) => turn.json("", 404));
    const none = call(front, "a");
    await none.done;
    expect(none.status).toBe(404);
    expect(server.of("tools/call")).toHaveLength(3);
    await front.close();
    expect(ended(server)).toEqual([]);
  });

  it("that the server forgot is opened again, and the request that was not run is sent once more; never a second time", async () => {
    const server = await startScripted();
    echoes(server);
    const front = openFront(server.url);
    await call(front, "a").done;
    server.sessions.clear();
    const both = [call(front, "a"), call(front, "a")];
    for (const one of both) expect(await one.done).toMatchObject({ result: { resultType: "complete" } });
    expect(server.of("initialize")).toHaveLength(2);
    expect(usedBy(server).slice(-2)).toEqual(["session-2", "session-2"]);
    expect(ended(server)).toEqual([]);
    server.plays.set("tools/call", (turn) => turn.json("", 404));
    const before = server.of("tools/call").length;
    const never = call(front, "a");
    await never.done;
    expect(never.status).toBe(404);
    expect(server.of("tools/call").length - before).toBe(2);
  });

  it("is not lost where a status of 404 comes with the answer: that request was run", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("tools/call", (turn) => turn.error('{"code":-32602,"message":"no such thing"}', 404));
    expect(await call(front, "a").done).toMatchObject({ error: { code: -32602 } });
    expect(server.of("tools/call")).toHaveLength(1);
    echoes(server);
    await call(front, "a").done;
    expect(usedBy(server)).toEqual(["session-1", "session-1"]);
  });

  it("that the server does not place by another status is not used again, and nothing is sent twice", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("tools/call", (turn) =>
      turn.json('{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"No valid session"}}', 400),
    );
    const refused = call(front, "a", { id: 4 });
    expect(await refused.done).toMatchObject({ id: 4, error: { code: -32000 } });
    expect(server.of("tools/call")).toHaveLength(1);
    echoes(server);
    await call(front, "a").done;
    expect(usedBy(server)).toEqual(["session-1", "session-2"]);
  });

  it("is lost with what was parked in it, and the call is not run again", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("buy", (turn) => void turn.send('{"jsonrpc":"2.0","id":1,"method":"roots/list"}'));
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    server.sessions.clear();
    const back = comeBack(front, "buy", result.requestState, { "ask-1": { roots: [] } });
    await back.done;
    expect(back.fault).toMatchObject({ reason: "broken", sent: "unknown" });
    expect(server.of("tools/call")).toHaveLength(1);
    await call(front, "buy", { capabilities: ALL }).done;
    expect(usedBy(server)).toEqual(["session-1", "session-2"]);
  });

  it("that nobody uses is ended at the server", async () => {
    const server = await startScripted();
    echoes(server);
    const front = openFront(server.url, { sessionIdleMs: 60 });
    await call(front, "a").done;
    await eventually(() => ended(server)).toEqual(["session-1"]);
    expect(front.kept.sessions).toBe(0);
    await call(front, "a").done;
    expect(usedBy(server)).toEqual(["session-1", "session-2"]);
  });

  it("is not ended while something in it is under way", async () => {
    const server = await startScripted();
    const front = openFront(server.url, { sessionIdleMs: 30 });
    server.plays.set("buy", (turn) => void turn.send('{"jsonrpc":"2.0","id":1,"method":"roots/list"}'));
    await call(front, "buy", { capabilities: ALL }).done;
    const listening = ask(front, "subscriptions/listen", { notifications: { toolsListChanged: true } });
    await eventually(() => listening.messages.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(ended(server)).toEqual([]);
    listening.open.cancel();
    await eventually(() => ended(server).length).toBe(1);
  });

  it("makes room for another: the one of that grant that was used longest ago ends first", async () => {
    const server = await startScripted();
    echoes(server);
    const front = openFront(server.url, { sessionsPerOwner: 2, sessions: 3 });
    const kinds = [{}, { roots: {} }, { sampling: {} }];
    await call(front, "a", { capabilities: {} }).done;
    await call(front, "a", { capabilities: { roots: {} } }).done;
    await call(front, "a", { capabilities: {} }).done;
    await call(front, "a", { capabilities: kinds[2] as object }).done;
    await eventually(() => ended(server)).toEqual(["session-2"]);
    await call(front, "a", { owner: "bob" }).done;
    await call(front, "a", { owner: "carol" }).done;
    await eventually(() => ended(server)).toEqual(["session-2", "session-1"]);
    expect(front.kept.sessions).toBe(3);
  });

  it("in use gives no room: one more is refused, and nothing was sent", async () => {
    const server = await startScripted();
    const front = openFront(server.url, { sessionsPerOwner: 1 });
    server.plays.set("wait", () => undefined);
    const waiting = call(front, "wait");
    await eventually(() => server.of("tools/call").length).toBe(1);
    const refused = call(front, "wait", { capabilities: ALL });
    await refused.done;
    expect(refused.fault).toMatchObject({ reason: "busy", sent: "not_sent" });
    waiting.open.cancel();
    await waiting.done;
  });

  it("that can't be opened is tried again by the next request", async () => {
    const server = await startScripted();
    echoes(server);
    const hasty = openFront(server.url, { openTimeoutMs: 100 });
    server.plays.set("initialize", () => undefined);
    const late = call(hasty, "a");
    await late.done;
    expect(late.fault).toMatchObject({ reason: "cancelled", sent: "not_sent" });
    const front = openFront(server.url);
    server.plays.set("initialize", (turn) => turn.result('{"protocolVersion":"2099-01-01","capabilities":{}}'));
    expect(await call(front, "a").done).toMatchObject({ error: { code: -32603 } });
    server.plays.delete("initialize");
    expect(await call(front, "a").done).toMatchObject({ result: { resultType: "complete" } });
    expect(usedBy(server)).toHaveLength(1);
  });

  it("opens its GET stream where the server may ask, and does without where there is none", async () => {
    const server = await startScripted();
    echoes(server);
    const front = openFront(server.url);
    await call(front, "a").done;
    expect(server.streams).toHaveLength(0);
    await call(front, "a", { capabilities: ALL }).done;
    expect(server.streams).toHaveLength(1);
    const mute = await startScripted({ offersStream: false });
    echoes(mute);
    const other = openFront(mute.url);
    expect(await call(other, "a", { capabilities: ALL }).done).toMatchObject({ result: { resultType: "complete" } });
    await call(other, "a", { capabilities: ALL }).done;
    expect(mute.heard.filter(({ http }) => http === "GET")).toHaveLength(1);
  });

  it("ends with the front: the server is told, and what is under way hears of it", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("wait", () => undefined);
    const waiting = call(front, "wait", { capabilities: ALL });
    await eventually(() => server.of("tools/call").length).toBe(1);
    await front.close();
    await waiting.done;
    expect(waiting.fault).toMatchObject({ reason: "closed", sent: "unknown" });
    expect(ended(server)).toEqual(["session-1"]);
    await eventually(() => server.streams.length).toBe(0);
  });
});

describe("an answer that is larger than its asker takes", () => {
  it("ends as a fault", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("echo", (turn) => turn.result(`{"content":[{"type":"text","text":"${"x".repeat(5000)}"}]}`));
    const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
    const body = Buffer.from(
      JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo", arguments: {}, _meta: meta } }),
    );
    const reason = await new Promise((resolve) => {
      const sink = {
        onStart: () => undefined,
        onData: () => true,
        onEnd: () => resolve("ended"),
        onFault: ({ reason }: { reason: string }) => resolve(reason),
      };
      front.exchange({ method: "POST", body, headers: {}, answerLimitBytes: 1000 }, sink);
    });
    expect(reason).toBe("too_large");
  });
});
