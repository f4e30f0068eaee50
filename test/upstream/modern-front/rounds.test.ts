/** Calls on which a legacy server asks: parked, asked in rounds, gone on with, and given up. Hostile servers among them. */
import { describe, expect, it } from "vitest";
import { MAX_ASKS_PER_CALL, MAX_OPEN_ASKS, MAX_REFUSED_ASKS } from "../../../src/upstream/modern-front/bounds.ts";
import { ALL, ask, call, comeBack, eventually, openFront } from "./asking.ts";
import { type Scripted, startScripted, type Turn } from "./scripted-server.ts";

const FORM =
  '{ "message" : "Name?\\u0021","requestedSchema":{"type":"object","properties":{"n":{"type":"number","minimum":1.0}}},"odd":1.50}';
const elicit = (id: number | string, params = FORM): string =>
  `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":"elicitation/create","params":${params}}`;
const ACCEPT = { action: "accept", content: { n: 5 } };

/** Waits until the client has answered so many of the server's requests. */
async function replied(server: Scripted, count: number): Promise<readonly Record<string, unknown>[]> {
  await eventually(() => server.replies().length).toBeGreaterThanOrEqual(count);
  return server.replies().map(({ message }) => message as Record<string, unknown>);
}

/** A tool that asks with `texts` and answers when it has so many replies. */
function asking(server: Scripted, texts: readonly string[], result = '{"content":[]}'): (turn: Turn) => Promise<void> {
  return async (turn) => {
    const before = server.replies().length;
    turn.send(...texts);
    await eventually(() => server.replies().length).toBeGreaterThanOrEqual(before + texts.length);
    turn.finish(result);
  };
}

describe("a call on which the server asks", () => {
  it("is parked, asks its client with the server's very words, and goes on with the same answer", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("buy", asking(server, [elicit("own-id")], '{"content":[],"n":1.0}'));
    const first = call(front, "buy", { capabilities: ALL, id: 1 });
    const { result } = await first.done;
    expect(result).toMatchObject({ resultType: "input_required", requestState: expect.stringMatching(/^[\w-]{43}$/) });
    expect(first.texts[0]).toContain(
      '"inputRequests":{"ask-1":{"method":"elicitation/create","params":{"message":"Name?\\u0021","requestedSchema":{"type":"object","properties":{"n":{"type":"number","minimum":1.0}}},"odd":1.50}}}',
    );
    expect(front.kept.parked).toBe(1);
    const raw = '{ "action":"accept","content":{"n":1.0,"big":12345678901234567890}}';
    const params = `"name":"buy","arguments":{},"requestState":${JSON.stringify(result.requestState)},"inputResponses":{"ask-1":${raw}}`;
    const second = ask(front, "tools/call", {}, { rawParams: params, capabilities: ALL, id: 2 });
    expect(await second.done).toMatchObject({ id: 2, result: { resultType: "complete", n: 1 } });
    expect(server.replies()[0]?.text).toBe(`{"jsonrpc":"2.0","id":"own-id","result":${raw}}`);
    expect(server.replies()[0]?.headers).toMatchObject({ "mcp-session-id": "session-1", "mcp-protocol-version": "2025-11-25" });
    expect(server.of("tools/call")).toHaveLength(1);
    expect(front.kept.parked).toBe(0);
  });

  it("asks for all that the server asks at once, and again for what was not answered", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const sample =
      '{"jsonrpc":"2.0","id":2,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":5,"_meta":{"progressToken":1}}}';
    const roots = '{"jsonrpc":"2.0","id":"1","method":"roots/list"}';
    server.plays.set("buy", asking(server, [elicit(1), sample, roots]));
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    expect(result.inputRequests).toEqual({
      "ask-1": { method: "elicitation/create", params: expect.anything() },
      "ask-2": { method: "sampling/createMessage", params: { messages: [], maxTokens: 5 } },
      "ask-3": { method: "roots/list" },
    });
    const answers = { "ask-1": ACCEPT, "ask-3": { roots: [] }, "ask-9": ACCEPT, "ask-2": "not an object" };
    const again = await comeBack(front, "buy", result.requestState, answers).done;
    expect(Object.keys(again.result.inputRequests)).toEqual(["ask-2"]);
    expect(again.result.requestState).not.toBe(result.requestState);
    const done = await comeBack(front, "buy", again.result.requestState, { "ask-2": { model: "m" } }).done;
    expect(done.result.resultType).toBe("complete");
    expect((await replied(server, 3)).map(({ id }) => id)).toEqual([1, "1", 2]);
  });

  it("can ask many times, each in a round of its own", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("buy", async (turn) => {
      for (let round = 1; round <= 3; round++) {
        turn.send(elicit(round));
        await replied(server, round);
      }
      turn.finish('{"content":[]}');
    });
    let answer = await call(front, "buy", { capabilities: ALL }).done;
    for (let round = 1; round <= 3; round++) {
      expect(Object.keys(answer.result.inputRequests)).toEqual([`ask-${round}`]);
      answer = await comeBack(front, "buy", answer.result.requestState, { [`ask-${round}`]: ACCEPT }).done;
    }
    expect(answer.result.resultType).toBe("complete");
  });

  it("tells progress and messages on the request that is open, also what came in between", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const tell = (turn: Turn, progress: number): void => {
      turn.send({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: turn.sent.message?.id, progress } });
      turn.send({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: progress } });
    };
    let parked: Turn | undefined;
    server.plays.set("buy", async (turn) => {
      tell(turn, 1);
      turn.send(elicit(1));
      parked = turn;
      await replied(server, 1);
      tell(turn, 3);
      turn.finish('{"content":[]}');
    });
    const meta = { progressToken: "first", "io.modelcontextprotocol/logLevel": "debug" };
    const first = call(front, "buy", { capabilities: ALL, meta });
    const { result } = await first.done;
    expect(first.messages.slice(0, -1).map(({ params }) => params.progressToken ?? params.data)).toEqual(["first", 1]);
    tell(parked as Turn, 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const second = comeBack(front, "buy", result.requestState, { "ask-1": ACCEPT }, { meta: { progressToken: 2 } });
    await second.done;
    expect(second.messages.slice(0, -1).map(({ params }) => [params.progressToken, params.progress])).toEqual([
      [2, 2],
      [2, 3],
    ]);
  });

  it("may ask on the GET stream where it is the only call, and not where it is one of several", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("buy", async (turn) => {
      server.say(JSON.parse(elicit("aside")));
      await replied(server, 1);
      turn.result('{"content":[]}');
    });
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    expect(result.resultType).toBe("input_required");
    expect(await comeBack(front, "buy", result.requestState, { "ask-1": ACCEPT }).done).toMatchObject({
      result: { resultType: "complete" },
    });
    const ends: (() => void)[] = [];
    server.plays.set("wait", (turn) => void ends.push(() => turn.result('{"content":[]}')));
    const both = [call(front, "wait", { capabilities: ALL }), call(front, "wait", { capabilities: ALL })];
    await eventually(() => ends.length).toBe(2);
    server.say(JSON.parse(elicit("whose")));
    expect((await replied(server, 2)).at(-1)).toMatchObject({ id: "whose", error: { code: -32603 } });
    for (const end of ends) end();
    for (const one of both) expect(await one.done).toMatchObject({ result: { resultType: "complete" } });
    server.say(JSON.parse(elicit("nobody")));
    expect((await replied(server, 3)).at(-1)).toMatchObject({ id: "nobody", error: { code: -32603 } });
  });

  it("takes no answer to what it has not told the client yet", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    let parked: Turn | undefined;
    server.plays.set("buy", async (turn) => {
      parked = turn.send(elicit(1));
      await replied(server, 2);
      turn.finish('{"content":[]}');
    });
    const first = await call(front, "buy", { capabilities: ALL }).done;
    parked?.send(elicit(2));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const second = await comeBack(front, "buy", first.result.requestState, { "ask-1": ACCEPT, "ask-2": ACCEPT }).done;
    expect(Object.keys(second.result.inputRequests)).toEqual(["ask-2"]);
    expect(await replied(server, 1)).toHaveLength(1);
    const third = await comeBack(front, "buy", second.result.requestState, { "ask-2": { action: "decline" } }).done;
    expect(third.result.resultType).toBe("complete");
    expect((await replied(server, 2))[1]).toMatchObject({ id: 2, result: { action: "decline" } });
  });

  it("holds back the stream of a server that says more than is kept meanwhile, and loses no answer", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    let written = 0;
    server.plays.set("buy", async (turn) => {
      turn.send(elicit(1));
      await eventually(() => front.kept.parked).toBe(1);
      const more = { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "x".repeat(100_000) } };
      const write = (): void => {
        while (written < 200) {
          written++;
          if (!turn.response.write(`data: ${JSON.stringify(more)}\n\n`)) return void turn.response.once("drain", write);
        }
        turn.finish('{"content":[],"late":true}');
      };
      write();
    });
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    for (let last = -1; last !== written; ) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    expect(written).toBeLessThan(200);
    const done = await comeBack(front, "buy", result.requestState, { "ask-1": ACCEPT }).done;
    expect(done.result).toMatchObject({ resultType: "complete", late: true });
    expect(written).toBe(200);
  });

  it("forgets what the server takes back", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const back = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } };
    server.plays.set("buy", (turn) => turn.send(elicit(1), back).finish('{"content":[]}'));
    expect(await call(front, "buy", { capabilities: ALL }).done).toMatchObject({ result: { resultType: "complete" } });
    let parked: Turn | undefined;
    server.plays.set("late", (turn) => void (parked = turn.send(elicit(2))));
    const { result } = await call(front, "late", { capabilities: ALL }).done;
    parked?.send({ ...back, params: { requestId: 2 } }).finish('{"content":[]}');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await comeBack(front, "late", result.requestState, { "ask-1": ACCEPT }).done).toMatchObject({
      result: { resultType: "complete" },
    });
    expect(server.replies()).toEqual([]);
  });

  it("reads on where the stream broke off while it was parked, and asks nothing twice", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    let id = "";
    server.plays.set("buy", (turn) => {
      id = turn.id;
      turn.send().response.end(`id: s1/1\ndata: ${elicit(1)}\n\n`);
    });
    server.plays.set("GET", async (turn) => {
      turn.send();
      if (turn.sent.headers["last-event-id"] === undefined) return;
      expect(turn.sent.headers["last-event-id"]).toBe("s1/1");
      turn.send(elicit(1));
      await replied(server, 1);
      turn.send(`{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}`);
    });
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    const answer = await comeBack(front, "buy", result.requestState, { "ask-1": ACCEPT }).done;
    expect(answer.result.resultType).toBe("complete");
    expect(server.of("tools/call")).toHaveLength(1);
    expect(server.replies()).toHaveLength(1);
  });
});

describe("a handle", () => {
  it("is good for one return, of its grant, for its method; anything else is told to start again and runs nothing", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("buy", asking(server, [elicit(1)]));
    server.plays.set("prompts/get", asking(server, [elicit(2)], '{"messages":[]}'));
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    const state = result.requestState;
    const again = { isError: true, resultType: "complete", content: [{ type: "text", text: expect.stringContaining("Start it again") }] };
    expect((await comeBack(front, "buy", "made-up", { "ask-1": ACCEPT }).done).result).toMatchObject(again);
    expect((await comeBack(front, "buy", state, { "ask-1": ACCEPT }, { owner: "bob" }).done).result).toMatchObject(again);
    const other = ask(
      front,
      "prompts/get",
      { name: "buy", requestState: state, inputResponses: { "ask-1": ACCEPT } },
      { capabilities: ALL },
    );
    expect(await other.done).toMatchObject({ error: { code: -32602, message: expect.stringContaining("Start it again") } });
    expect(server.of("prompts/get")).toEqual([]);
    const both = [comeBack(front, "buy", state, { "ask-1": ACCEPT }), comeBack(front, "buy", state, { "ask-1": ACCEPT })];
    const [one, two] = await Promise.all(both.map(({ done }) => done));
    expect(one.result).not.toHaveProperty("isError");
    expect(two.result).toMatchObject(again);
    expect((await comeBack(front, "buy", state, {}).done).result).toMatchObject(again);
    expect(server.of("tools/call")).toHaveLength(1);
    expect(server.replies()).toHaveLength(1);
  });

  it("expires, and the server is told that nobody waits", async () => {
    const server = await startScripted();
    const front = openFront(server.url, { parkLifeMs: 100 });
    server.plays.set("buy", (turn) => void turn.send(elicit(1)));
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    const id = server.of("tools/call")[0]?.message?.id;
    await eventually(() => server.of("notifications/cancelled").map(({ message }) => message?.params?.["requestId"])).toEqual([id]);
    expect(front.kept.parked).toBe(0);
    expect((await comeBack(front, "buy", result.requestState, { "ask-1": ACCEPT }).done).result).toMatchObject({ isError: true });
    expect(server.of("tools/call")).toHaveLength(1);
  });

  it("of a server that died is answered by the fault, once", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("buy", (turn) => void turn.send(elicit(1)));
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    await server.stop();
    const back = comeBack(front, "buy", result.requestState, { "ask-1": ACCEPT });
    await back.done;
    expect(back.fault ?? back.type).toEqual(expect.anything());
    expect(back.texts).toEqual([]);
    expect((await comeBack(front, "buy", result.requestState, {}).done).result).toMatchObject({ isError: true });
    expect(server.of("tools/call")).toHaveLength(1);
  });

  it("is gone with the grant that it was given to, and with the front", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("buy", (turn) => void turn.send(elicit(1)));
    const mine = await call(front, "buy", { capabilities: ALL }).done;
    await call(front, "buy", { capabilities: ALL, owner: "bob" }).done;
    expect(front.kept).toEqual({ sessions: 2, parked: 2 });
    front.endOwner("alice");
    expect(front.kept).toEqual({ sessions: 1, parked: 1 });
    await eventually(() => server.of("notifications/cancelled").length).toBe(1);
    expect((await comeBack(front, "buy", mine.result.requestState, { "ask-1": ACCEPT }).done).result).toMatchObject({ isError: true });
    await front.close();
    expect(front.kept).toEqual({ sessions: 0, parked: 0 });
    const late = call(front, "buy");
    await late.done;
    expect(late.fault).toMatchObject({ reason: "closed", sent: "not_sent" });
  });

  it("ends with its grant at once, while a call that is under way there comes to its end", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const gate = Promise.withResolvers<void>();
    server.plays.set("buy", (turn) => void turn.send(elicit(1)));
    server.plays.set("slow", (turn) => void gate.promise.then(() => turn.finish('{"content":[]}')));
    await call(front, "buy", { capabilities: ALL }).done;
    const slow = call(front, "slow", { capabilities: ALL });
    await eventually(() => server.of("tools/call").length).toBe(2);
    front.endOwner("alice");
    expect(front.kept).toEqual({ sessions: 0, parked: 0 });
    await eventually(() => server.of("notifications/cancelled").length).toBe(1);
    gate.resolve();
    expect((await slow.done).result).toMatchObject({ resultType: "complete" });
    await eventually(() => server.heard.filter(({ http }) => http === "DELETE").length).toBe(1);
  });

  it("is not given beyond the bounds: the server is refused instead, and the call ends as it will", async () => {
    const server = await startScripted();
    const front = openFront(server.url, { parkedCallsPerOwner: 1, parkedCalls: 2 });
    server.plays.set("buy", asking(server, [elicit(1)]));
    server.plays.set("stay", (turn) => void turn.send(elicit(1)));
    expect((await call(front, "stay", { capabilities: ALL }).done).result.resultType).toBe("input_required");
    expect((await call(front, "buy", { capabilities: ALL }).done).result.resultType).toBe("complete");
    expect((await replied(server, 1))[0]).toMatchObject({ error: { code: -32603 } });
    expect((await call(front, "stay", { capabilities: ALL, owner: "bob" }).done).result.resultType).toBe("input_required");
    expect((await call(front, "buy", { capabilities: ALL, owner: "carol" }).done).result.resultType).toBe("complete");
  });
});

describe("a client that leaves", () => {
  it("cancels its call at the server, whether it has asked before or not", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("wait", () => undefined);
    server.plays.set("buy", (turn) => void turn.send(elicit(1)));
    const waiting = call(front, "wait");
    await eventually(() => server.of("tools/call").length).toBe(1);
    waiting.open.cancel();
    await waiting.done;
    expect(waiting.fault).toMatchObject({ reason: "cancelled", sent: "unknown" });
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    const back = comeBack(front, "buy", result.requestState, { "ask-1": ACCEPT });
    await replied(server, 1);
    back.open.cancel();
    const ids = server.of("tools/call").map(({ message }) => message?.id);
    await eventually(() => server.of("notifications/cancelled").map(({ message }) => message?.params?.["requestId"])).toEqual(ids);
    const stopped = new AbortController();
    const aborted = call(front, "wait", { signal: stopped.signal });
    await eventually(() => server.of("tools/call").length).toBe(3);
    stopped.abort();
    await aborted.done;
    await eventually(() => server.of("notifications/cancelled").length).toBe(3);
  });

  it("before anything was sent leaves nothing behind", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const opening = Promise.withResolvers<void>();
    const play = async (turn: Turn): Promise<void> => {
      await opening.promise;
      server.plays.delete("initialize");
      turn.json(
        `{"jsonrpc":"2.0","id":${turn.id},"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}`,
      );
    };
    server.plays.set("initialize", play);
    const early = call(front, "echo");
    await eventually(() => server.of("initialize").length).toBe(1);
    early.open.cancel();
    await early.done;
    expect(early.fault).toMatchObject({ reason: "cancelled", sent: "not_sent" });
    opening.resolve();
    await eventually(() => server.of("notifications/initialized").length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.of("tools/call")).toEqual([]);
    expect(server.of("notifications/cancelled")).toEqual([]);
  });
});

describe("a server that asks for what it may not", () => {
  it("is refused what the client did not declare", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const url = '{"mode":"url","message":"m","url":"https://a.example/","elicitationId":"e"}';
    const tools = '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1,"tools":[]}}';
    const roots = '{"jsonrpc":"2.0","id":1,"method":"roots/list"}';
    const tries: readonly (readonly [object, string, boolean])[] = [
      [{}, elicit(1), false],
      [{ elicitation: {} }, elicit(1), true],
      [{ elicitation: { url: {} } }, elicit(1), false],
      [{ elicitation: {} }, elicit(1, url), false],
      [{ elicitation: { url: {} } }, elicit(1, url), true],
      [{ elicitation: {} }, elicit(1, '{"mode":"odd","message":"m"}'), false],
      [{ sampling: {} }, tools, false],
      [{ sampling: { tools: {} } }, tools, true],
      [{ sampling: {} }, roots, false],
      [{ roots: {} }, roots, true],
    ];
    for (const [capabilities, text, may] of tries) {
      const before = server.replies().length;
      server.plays.set("buy", asking(server, [text]));
      const { result } = await call(front, "buy", { capabilities }).done;
      expect([text, capabilities, result.resultType]).toEqual([text, capabilities, may ? "input_required" : "complete"]);
      if (may) await comeBack(front, "buy", result.requestState, { "ask-1": {} }, { capabilities }).done;
      else expect((await replied(server, before + 1)).at(-1)).toMatchObject({ id: 1, error: { code: -32601 } });
    }
  });

  it("has its ping answered, and nothing else that is no question to the client", async () => {
    const server = await startScripted({ revision: "2025-03-26" });
    const front = openFront(server.url);
    const other = (id: number, method: string): object => ({ jsonrpc: "2.0", id, method });
    const asked = [other(1, "ping"), other(2, "tasks/list"), other(3, "tools/call"), other(4, "elicitation/create")].map((one) =>
      JSON.stringify(one),
    );
    server.plays.set("buy", asking(server, asked));
    expect((await call(front, "buy", { capabilities: ALL }).done).result.resultType).toBe("complete");
    const replies = await replied(server, 4);
    const byId = new Map(replies.map((reply) => [reply["id"], reply]));
    expect(byId.get(1)).toEqual({ jsonrpc: "2.0", id: 1, result: {} });
    for (const id of [2, 3, 4]) expect(byId.get(id)).toMatchObject({ error: { code: -32601 } });
  });

  it("can't ask on a request that has no rounds", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("tools/list", asking(server, [elicit(1)], '{"tools":[]}'));
    expect(await ask(front, "tools/list", {}, { capabilities: ALL }).done).toMatchObject({ result: { resultType: "complete", tools: [] } });
    expect((await replied(server, 1))[0]).toMatchObject({ error: { code: -32603 } });
  });

  it("can't ask after its answer", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("buy", (turn) => {
      turn.send(`{"jsonrpc":"2.0","id":${turn.id},"result":{"content":[]}}`, elicit("late"));
    });
    expect((await call(front, "buy", { capabilities: ALL }).done).result.resultType).toBe("complete");
    expect((await replied(server, 1))[0]).toMatchObject({ id: "late", error: { code: -32603 } });
    expect(front.kept.parked).toBe(0);
    server.plays.set("hasty", (turn) => turn.send(elicit("open")).finish('{"content":[]}'));
    expect((await call(front, "hasty", { capabilities: ALL }).done).result.resultType).toBe("complete");
    expect((await replied(server, 2)).at(-1)).toMatchObject({ id: "open", error: { code: -32603 } });
  });

  it("gets no more than is asked at once, and is left when it asks for ever", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const many = Array.from({ length: MAX_OPEN_ASKS + 3 }, (_, index) => elicit(index));
    server.plays.set("buy", (turn) => void turn.send(...many));
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    expect(Object.keys(result.inputRequests)).toHaveLength(MAX_OPEN_ASKS);
    expect(await replied(server, 3)).toHaveLength(3);
    server.plays.set("ever", (turn) => {
      for (let index = 0; index < MAX_REFUSED_ASKS + 2; index++) turn.send(elicit(`e${index}`));
    });
    const left = call(front, "ever", { capabilities: {} });
    await left.done;
    expect(left.fault).toMatchObject({ reason: "broken", sent: "unknown" });
    await eventually(() => server.of("notifications/cancelled").length).toBe(1);
  });

  it("in round after round is refused at last, and the call ends", async () => {
    const server = await startScripted();
    const front = openFront(server.url, { gatherPauseMs: 1 });
    let asked = 0;
    server.plays.set("ever", async (turn) => {
      for (;;) {
        turn.send(elicit(++asked));
        const replies = await replied(server, asked);
        if (replies.at(-1)?.["error"]) return turn.finish('{"content":[]}');
      }
    });
    let answer = await call(front, "ever", { capabilities: ALL }).done;
    while (answer.result.resultType === "input_required") {
      const [name] = Object.keys(answer.result.inputRequests);
      answer = await comeBack(front, "ever", answer.result.requestState, { [name as string]: ACCEPT }).done;
    }
    expect(asked).toBe(MAX_ASKS_PER_CALL + 1);
  });

  it("and has begun a large answer is refused: nothing large waits for a client", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("buy", async (turn) => {
      turn.send(elicit(1));
      turn.response.write(`data: {"jsonrpc":"2.0","id":${turn.id},"result":{"content":[{"type":"text","text":"${"x".repeat(2_000_000)}`);
      await replied(server, 1);
      turn.response.end('"}]}}\n\n');
    });
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    expect(result.resultType).toBe("complete");
    expect((await replied(server, 1))[0]).toMatchObject({ id: 1, error: { code: -32603 } });
  });

  it("in a way that can't be read is told so", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const odd = '{"jsonrpc":"2.0","id":"odd","method":"elicitation/create","params":{"message":"a","message":"b"}}';
    const list = '{"jsonrpc":"2.0","id":"list","method":"elicitation/create","params":[]}';
    server.plays.set("buy", async (turn) => {
      turn.send(odd, list);
      await replied(server, 1);
      turn.finish('{"content":[]}');
    });
    expect((await call(front, "buy", { capabilities: ALL }).done).result.resultType).toBe("complete");
    expect((await replied(server, 1))[0]).toMatchObject({ id: "list", error: { code: -32600 } });
  });

  it("takes answers in its own way: a stream for them is not waited for", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("POST", (turn) => void turn.send());
    server.plays.set("buy", asking(server, [elicit(1)]));
    const { result } = await call(front, "buy", { capabilities: ALL }).done;
    expect((await comeBack(front, "buy", result.requestState, { "ask-1": ACCEPT }).done).result.resultType).toBe("complete");
  });

  it("is not waited for when it stays silent", async () => {
    const server = await startScripted();
    const front = openFront(server.url, { silenceMs: 150 });
    server.plays.set("wait", (turn) => void turn.send());
    const silent = call(front, "wait", { capabilities: ALL });
    await silent.done;
    expect(silent.fault).toMatchObject({ reason: "answer_timeout", sent: "unknown" });
    await eventually(() => server.of("notifications/cancelled").length).toBe(1);
  });
});

describe("addresses that a person is to open", () => {
  const URL_ASK = '{"mode":"url","message":"Sign in","url":"https://a.example/x","elicitationId":"e-1","task":{"ttl":1}}';
  const REQUIRED =
    '{"code":-32042,"message":"first","data":{"elicitations":[{"mode":"url","message":"Sign in","url":"https://a.example/x","elicitationId":"e-1"}]}}';

  it("are asked for without the legacy era's id, and the word that one was opened is for nobody", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("buy", async (turn) => {
      turn.send(elicit(1, URL_ASK));
      await replied(server, 1);
      turn
        .send({ jsonrpc: "2.0", method: "notifications/elicitation/complete", params: { elicitationId: "e-1" } })
        .finish('{"content":[]}');
    });
    const first = await call(front, "buy", { capabilities: ALL }).done;
    expect(first.result.inputRequests).toEqual({
      "ask-1": { method: "elicitation/create", params: { mode: "url", message: "Sign in", url: "https://a.example/x" } },
    });
    const second = comeBack(front, "buy", first.result.requestState, { "ask-1": { action: "accept" } });
    await second.done;
    expect(second.messages).toHaveLength(1);
  });

  it("that the server wants before it runs a call are a round; the call is sent when they were opened", async () => {
    const server = await startScripted();
    const front = openFront(server.url, { urlVisitWaitMs: 20_000 });
    server.plays.set("buy", (turn) => turn.error(REQUIRED));
    const first = await call(front, "buy", { capabilities: ALL }).done;
    expect(first.result).toMatchObject({
      resultType: "input_required",
      inputRequests: { "url-1": { method: "elicitation/create", params: { mode: "url", message: "Sign in", url: "https://a.example/x" } } },
    });
    server.plays.set("buy", (turn) => turn.result('{"content":[]}'));
    const second = comeBack(front, "buy", first.result.requestState, { "url-1": { action: "accept" } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.of("tools/call")).toHaveLength(1);
    server.say({ jsonrpc: "2.0", method: "notifications/elicitation/complete", params: { elicitationId: "e-1" } });
    expect((await second.done).result.resultType).toBe("complete");
    expect(server.of("tools/call")).toHaveLength(2);
    expect(server.of("tools/call")[1]?.message?.params).toEqual({ name: "buy", arguments: {} });
  });

  it("that nobody opened leave the call unrun; a client that can't is told what it lacks", async () => {
    const server = await startScripted();
    const front = openFront(server.url, { urlVisitWaitMs: 10 });
    server.plays.set("buy", (turn) => turn.error(REQUIRED));
    const first = await call(front, "buy", { capabilities: ALL }).done;
    const declined = await comeBack(front, "buy", first.result.requestState, { "url-1": { action: "decline" } }).done;
    expect(declined.result).toMatchObject({ isError: true, resultType: "complete" });
    expect(server.of("tools/call")).toHaveLength(1);
    const lacking = call(front, "buy", { capabilities: { elicitation: {} } });
    expect(await lacking.done).toMatchObject({ error: { code: -32021, data: { requiredCapabilities: { elicitation: { url: {} } } } } });
    expect(lacking.status).toBe(400);
    server.plays.set("buy", (turn) => turn.error('{"code":-32042,"message":"first","data":{"elicitations":[]}}'));
    expect((await call(front, "buy", { capabilities: ALL }).done).result).toMatchObject({ isError: true });
  });
});
