/** Servers that misbehave: whatever they send, each request has exactly one answer, and the session goes on. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { type HandMade, openEvents, type Play, sendJson, startHandMade } from "./hand-made-server.ts";
import { call, openSession, openStream, post } from "./raw-client.ts";

const TOKEN = "token-of-alice-0000000001";
let upstream: HandMade;
let gateway: TestGateway;
let url: URL;
let session: string;

beforeAll(async () => {
  upstream = await startHandMade(["tool"]);
  const counted = { limits: [{ counter: "calls", window: "hour", max: 1000, scope: "grant" }] };
  gateway = await startGateway({
    servers: { hostile: { url: upstream.url } },
    policies: { all: { server: "hostile", document: { version: "1", default: "deny", tools: { tool: counted } } } },
    grants: { alice: { servers: { hostile: "all" }, token: TOKEN } },
  });
  url = gateway.addressOf("hostile");
  session = await openSession(url, TOKEN);
});

afterAll(async () => {
  await gateway?.stop();
  await upstream?.stop();
});

let lastId = 0;

/** Calls the tool and gives everything that came back, whichever form it had. */
async function play(act: Play): Promise<readonly Record<string, unknown>[]> {
  upstream.plays.set("tool", act);
  const answered = await post(url, call(++lastId, "tool"), { token: TOKEN, session });
  expect(answered.status).toBe(200);
  expect(answered.messages.filter(({ id, method }) => method === undefined && id === lastId)).toHaveLength(1);
  return answered.messages;
}

const good = (id: unknown): string => `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[{"type":"text","text":"good"}]}}`;
const failed = { result: { isError: true } };

describe("a server that answers too much", () => {
  it("is heard once: the second answer of an event stream goes nowhere", async () => {
    const messages = await play(({ id }, response) => {
      openEvents(response);
      response.end(`data: ${good(id)}\n\ndata: ${good(id).replace("good", "second")}\n\n`);
    });
    expect(messages).toMatchObject([{ result: { content: [{ text: "good" }] } }]);
  });

  it("can't answer what was not asked, nor send what nobody knows", async () => {
    const messages = await play(({ id }, response) => {
      openEvents(response);
      const others = [
        good(987_654),
        good("x"),
        '{"jsonrpc":"2.0","id":1,"method":"shell/run","params":{}}',
        '{"jsonrpc":"2.0","method":"notifications/strange"}',
        '{"jsonrpc":"2.0","id":7,"method":"tasks/list"}',
        "[]",
        `[${good(id)}]`,
        "not json",
        '{"jsonrpc":"2.0","id":1,"id":2,"result":{}}',
      ];
      response.end([...others, good(id)].map((text) => `data: ${text}\n\n`).join(""));
    });
    expect(messages).toMatchObject([{ result: { content: [{ text: "good" }] } }]);
    expect(gateway.said.filter((line) => line.includes("was dropped")).length).toBeGreaterThan(5);
  });

  it("may leave its stream open; nobody waits for its end", async () => {
    upstream.plays.set("tool", ({ id }, response) => {
      openEvents(response);
      response.write(`data: ${good(id)}\n\n`);
    });
    const startedMs = performance.now();
    const messages = await Promise.all(
      Array.from(
        { length: 70 },
        async (_none, index) => (await post(url, call(`open-${index}`, "tool"), { token: TOKEN, session })).messages,
      ),
    );
    expect(messages.every((each) => each.length === 1)).toBe(true);
    expect(performance.now() - startedMs).toBeLessThan(15_000);
  });
});

describe("a server that answers in another way", () => {
  it("is understood byte by byte, with comments, marks and line ends of all kinds", async () => {
    const messages = await play(async ({ id }, response) => {
      openEvents(response);
      const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"é","progress":1}}';
      const [left, right] = good(id).split(',"result"');
      const text = `\uFEFF: hello\r\n\r\nretry: 10\r\nevent: message\r\ndata:${progress}\r\n\r\nid: 7\rdata: ${left}\rdata: ,"result"${right}\r\rdata: never\n`;
      for (const byte of Buffer.from(text)) {
        response.write(Uint8Array.of(byte));
        await sleep(0);
      }
      response.end();
    });
    expect(messages).toMatchObject([{ params: { progressToken: "é" } }, { result: { content: [{ text: "good" }] } }]);
  });

  it("is not understood with a page, another type, another encoding or another address", async () => {
    const plays: Play[] = [
      (_asked, response) =>
        void response.writeHead(200, { "content-type": "text/html" }).end("<h1>Welcome to the intranet at 10.0.0.7</h1>"),
      (_asked, response) => void response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad gateway 10.0.0.7</h1>"),
      ({ id }, response) => void response.writeHead(200, { "content-type": "text/plain" }).end(good(id)),
      ({ id }, response) => sendJson(response, good(id), 200, { "content-encoding": "gzip" }),
      (_asked, response) => void response.writeHead(302, { location: "http://10.0.0.7/" }).end(),
      (_asked, response) => void response.writeHead(202).end(),
      (_asked, response) => void response.writeHead(204).end(),
      (_asked, response) => void response.writeHead(401, { "www-authenticate": 'Bearer realm="10.0.0.7"' }).end(),
      (_asked, response) => sendJson(response, ""),
      ({ id }, response) => sendJson(response, `${good(id)}${good(id)}`),
      ({ id }, response) => sendJson(response, good(id).replace('"result":', '"Result":')),
      ({ id }, response) => sendJson(response, good(id).replace('"result":{', '"result":{"isError":1,')),
      ({ id }, response) => sendJson(response, good(String(id))),
    ];
    for (const act of plays) {
      const [message] = await play(act);
      expect(message).toMatchObject(failed);
      expect(JSON.stringify(message)).not.toContain("10.0.0.7");
    }
  });

  it("may answer with an HTTP error and a JSON-RPC error", async () => {
    const [told] = await play(({ id }, response) =>
      sendJson(response, `{"jsonrpc":"2.0","id":${String(id)},"error":{"code":-32000,"message":"Busy"}}`, 500),
    );
    expect(told).toMatchObject({ error: { code: -32000, message: "Busy" } });
    const [nameless] = await play((_asked, response) =>
      sendJson(response, '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}', 400),
    );
    expect(nameless).toMatchObject({ error: { code: -32700 } });
  });
});

describe("a server that breaks off", () => {
  it("leaves one answer that says so, before its answer or in it", async () => {
    const plays: Play[] = [
      (_asked, response) => void response.destroy(),
      (_asked, response) => void response.socket?.end(),
      ({ id }, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
        response.write(good(id));
        response.destroy();
      },
      ({ id }, response) => {
        response.writeHead(200, { "content-type": "application/json", connection: "close" });
        response.end(good(id).slice(0, -3));
      },
      (_asked, response) => {
        openEvents(response);
        response.end();
      },
      ({ id }, response) => {
        openEvents(response);
        response.end(`data: ${good(id)}`);
      },
    ];
    for (const act of plays) expect((await play(act)).at(-1)).toMatchObject(failed);
    const outcomes = (await gateway.readLog())
      .filter(({ kind, method }) => kind === "outcome" && method === "tools/call")
      .slice(-plays.length);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(plays.map(() => "unknown"));
  });

  it("is asked to go on where it broke off, never to do it again", async () => {
    const calls = upstream.heard.filter(({ text }) => text.includes("tools/call")).length;
    const gets = upstream.heard.filter(({ method }) => method === "GET").length;
    // This server does not let anybody come back: the call ends, and is not repeated.
    const messages = await play((_asked, response) => {
      openEvents(response);
      response.end("retry: 1\nid: e1\ndata:\n\n");
    });
    expect(messages.at(-1)).toMatchObject(failed);
    expect(upstream.heard.filter(({ text }) => text.includes("tools/call"))).toHaveLength(calls + 1);
    expect(upstream.heard.filter(({ method }) => method === "GET")).toHaveLength(gets + 1);
    expect(upstream.heard.findLast(({ method }) => method === "GET")?.headers["last-event-id"]).toBe("e1");
  });

  it("in the middle of an event is heard again from the last whole one", async () => {
    let own: unknown;
    upstream.plays.set("GET", (_asked, response) => {
      openEvents(response);
      response.end(`id: e2\ndata: ${good(own)}\n\n`);
    });
    const messages = await play(async ({ id }, response) => {
      own = id;
      openEvents(response);
      const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}';
      response.write(`retry: 1\nid: e1\ndata: ${progress}\n\nid: e2\ndata: {"jsonrpc":"2.0","id":${String(id)},"res`, () =>
        response.destroy(),
      );
    });
    upstream.plays.delete("GET");
    expect(messages).toMatchObject([{ method: "notifications/progress" }, { result: { content: [{ text: "good" }] } }]);
    expect(upstream.heard.findLast(({ method }) => method === "GET")?.headers["last-event-id"]).toBe("e1");
  });

  it("is not waited for by others while it is slow", async () => {
    const gate = Promise.withResolvers<void>();
    upstream.plays.set("tool", async ({ id, text }, response) => {
      if (text.includes("slow")) await gate.promise;
      sendJson(response, good(id));
    });
    const slow = post(url, call("slow-one", "tool", { how: "slow" }), { token: TOKEN, session });
    const quick = await post(url, call("quick-one", "tool"), { token: TOKEN, session });
    expect(quick.messages).toMatchObject([{ id: "quick-one", result: {} }]);
    gate.resolve();
    expect((await slow).messages).toMatchObject([{ id: "slow-one", result: {} }]);
  });

  it("that is gone altogether is told in words that name no address", async () => {
    const other = await startHandMade(["tool"]);
    const lost = await startGateway({
      servers: { lost: { url: other.url } },
      policies: { all: { server: "lost", document: { version: "1", default: "allow" } } },
      grants: { alice: { servers: { lost: "all" }, token: TOKEN } },
    });
    const at = lost.addressOf("lost");
    const own = await openSession(at, TOKEN);
    await other.stop();
    const answered = await post(at, call(1, "tool"), { token: TOKEN, session: own });
    expect(answered.messages).toMatchObject([
      { id: 1, result: { isError: true, content: [{ text: "The server can't be reached now." }] } },
    ]);
    expect(answered.text).not.toContain("127.0.0.1");
    await waitUntil(async () => (await lost.readLog()).at(-1)?.["kind"] === "outcome");
    expect((await lost.readLog()).at(-1)).toMatchObject({ outcome: "not_sent", code: "connect" });
    await lost.stop();
  });

  it("that is gone when it is asked to go on has had the call: it is never taken for unsent", async () => {
    const other = await startHandMade(["tool"]);
    const lost = await startGateway({
      servers: { lost: { url: other.url } },
      policies: { all: { server: "lost", document: { version: "1", default: "allow" } } },
      grants: { alice: { servers: { lost: "all" }, token: TOKEN } },
    });
    const at = lost.addressOf("lost");
    const own = await openSession(at, TOKEN);
    const stopped = Promise.withResolvers<void>();
    other.plays.set("tool", async (_asked, response) => {
      openEvents(response);
      await new Promise((resolve) => response.write("retry: 300\nid: e1\ndata:\n\n", resolve));
      response.destroy();
      stopped.resolve(other.stop());
    });
    const answered = await post(at, call(1, "tool"), { token: TOKEN, session: own });
    await stopped.promise;
    expect(answered.messages).toMatchObject([{ id: 1, result: { isError: true } }]);
    await waitUntil(async () => (await lost.readLog()).at(-1)?.["kind"] === "outcome");
    expect((await lost.readLog()).at(-1)).toMatchObject({ tool: "tool", outcome: "unknown" });
    await lost.stop();
  });
});

describe("a client that misbehaves", () => {
  it("has one answer to each of two requests under one id, and none is the other's", async () => {
    const gate = Promise.withResolvers<void>();
    upstream.plays.set("tool", async ({ id, text }, response) => {
      await gate.promise;
      sendJson(response, good(id).replace("good", text.includes("first") ? "first" : "second"));
    });
    const first = post(url, call("same", "tool", { which: "first" }), { token: TOKEN, session });
    await waitUntil(() => upstream.heard.at(-1)?.text.includes("first") ?? false);
    const second = await post(url, call("same", "tool", { which: "second" }), { token: TOKEN, session });
    gate.resolve();
    expect((await first).messages).toMatchObject([{ id: "same", result: { content: [{ text: "first" }] } }]);
    expect(second.messages).toMatchObject([{ id: "same", error: { code: -32600 } }]);
  });

  it("that hangs up in the middle of a legacy call leaves an outcome on record", async () => {
    const gate = Promise.withResolvers<void>();
    upstream.plays.set("tool", async ({ id }, response) => {
      openEvents(response);
      await gate.promise;
      response.end(`data: ${good(id)}\n\n`);
    });
    const stream = await openStream(url, { token: TOKEN, session, body: call("left", "tool") });
    stream.cut();
    gate.resolve();
    await waitUntil(async () => (await gateway.readLog()).some(({ requestId, outcome }) => requestId === "left" && outcome === "ok"));
  });
});

describe("all of it", () => {
  it("is on record: each outcome has its intent before it, and each intent one outcome", async () => {
    const log = (await gateway.readLog()).filter(({ method }) => method === "tools/call");
    const intents = log.filter(({ kind }) => kind === "intent").map(({ exchange }) => exchange);
    const outcomes = log.filter(({ kind }) => kind === "outcome").map(({ exchange }) => exchange);
    expect(new Set(intents).size).toBe(intents.length);
    expect(outcomes.toSorted()).toEqual(intents.toSorted());
    for (const exchange of outcomes) {
      const kinds = log.filter((entry) => entry["exchange"] === exchange).map(({ kind }) => kind);
      expect(kinds).toEqual(["intent", "outcome"]);
    }
  });
});
