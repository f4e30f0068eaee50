/** The legacy front by itself: what it makes of a modern server's answers, and what the server gets to see. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpUpstream } from "../../src/upstream/http-upstream.ts";
import { createLegacyFront, type LegacyFrontOptions } from "../../src/upstream/legacy-front.ts";
import {
  type Answered,
  ask,
  call,
  createFakeModernServer,
  DISCOVERED,
  type FakeModernServer,
  initialize,
  notify,
  openSession,
  send,
  settled,
} from "./fake-modern-server.ts";

const VERSION = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
const LEVEL = "io.modelcontextprotocol/logLevel";
const fronts: HttpUpstream[] = [];

afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});

function start(options: Partial<LegacyFrontOptions> = {}): { server: FakeModernServer; front: HttpUpstream; dropped: string[] } {
  const server = createFakeModernServer();
  const dropped: string[] = [];
  const front = createLegacyFront({
    upstream: server,
    clientInfo: { name: "sallyport", version: "1" },
    paramHeadersOf: () => [],
    onDropped: (reason) => void dropped.push(reason),
    ...options,
  });
  fronts.push(front);
  return { server, front, dropped };
}

/** Sends a request in a session; gives what the server got of it, and what is answered. */
async function pass(front: HttpUpstream, server: FakeModernServer, session: string, body: string | object) {
  const before = server.arrived.length;
  const answered = await send(front, body, { session });
  const arrived = server.arrived[before];
  if (!arrived) throw new Error("nothing reached the server");
  return { answered, arrived };
}

describe("initialize", () => {
  it.each([
    ["2025-11-25", "2025-11-25"],
    ["2025-06-18", "2025-06-18"],
    ["2025-03-26", "2025-03-26"],
    ["2024-11-05", "2025-03-26"],
    ["1999-01-01", "2025-11-25"],
    ["2026-07-28", "2025-11-25"],
  ])("of %s is answered in %s, from what the server says of itself", async (asked, spoken) => {
    const { server, front } = start();
    const opened = await send(front, initialize({}, asked));
    expect(opened.status).toBe(200);
    expect(opened.headers["mcp-session-id"]).toMatch(/^[\w-]{43}$/);
    expect(opened.messages).toEqual([
      {
        jsonrpc: "2.0",
        id: 1,
        result: {
          protocolVersion: spoken,
          capabilities: {
            tools: { listChanged: true },
            prompts: {},
            resources: { subscribe: true, listChanged: true },
            logging: {},
            completions: {},
            extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html"] } },
          },
          serverInfo: { name: "modern", version: "7" },
          instructions: "Be brief.",
        },
      },
    ]);
    expect(server.arrived[0]?.message.params._meta).toEqual({
      [VERSION]: "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "sallyport", version: "1" },
      [CAPABILITIES]: {},
    });
    expect(server.arrived[0]?.request).toMatchObject({
      owner: "alice",
      headers: { "mcp-protocol-version": "2026-07-28", "mcp-method": "server/discover" },
    });
  });

  const everything = {
    elicitation: { form: {}, url: {} },
    sampling: { tools: {}, context: {} },
    roots: { listChanged: true },
    tasks: {},
    experimental: {},
    extensions: { "io.modelcontextprotocol/tasks": {}, "io.modelcontextprotocol/ui": {} },
  };
  const ui = { extensions: { "io.modelcontextprotocol/ui": {} } };
  it.each([
    ["2025-11-25", everything, { elicitation: { form: {}, url: {} }, sampling: { tools: {}, context: {} }, roots: {}, ...ui }],
    ["2025-06-18", everything, { elicitation: { form: {} }, sampling: {}, roots: {}, ...ui }],
    ["2025-03-26", everything, { sampling: {}, roots: {}, ...ui }],
    ["2025-11-25", { elicitation: {} }, { elicitation: { form: {} } }],
    ["2025-11-25", { elicitation: { url: {} } }, { elicitation: { url: {} } }],
    ["2025-11-25", { elicitation: true, roots: null, sampling: [] }, {}],
  ])("tells the server what a client of %s can do and the bridge can keep", async (version, declared, told) => {
    const { server, front } = start();
    const session = await openSession(front, declared, version);
    const { arrived } = await pass(front, server, session, ask(2, "tools/list"));
    expect(arrived.message.params._meta[CAPABILITIES]).toEqual(told);
  });

  it("fails as the server fails, and opens no session", async () => {
    const cases: [(one: FakeModernServer["arrived"][number]) => void, Partial<Answered>][] = [
      [(one) => one.status(401), { status: 401, text: "" }],
      [(one) => one.status(404), { status: 502, text: "" }],
      [(one) => one.fault("connect", "not_sent"), { fault: { reason: "connect", sent: "not_sent", detail: "in a test" } }],
      [(one) => one.error(-32_601), { status: 200 }],
      [(one) => one.result(DISCOVERED.replace("2026-07-28", "2027-01-01")), { status: 200 }],
      [(one) => one.result(DISCOVERED.replace('"resultType":"complete"', '"resultType":"task"')), { status: 200 }],
      [(one) => one.json("<html>"), { status: 200 }],
    ];
    for (const [respond, expected] of cases) {
      const { server, front } = start();
      server.respond = respond;
      const opened = await send(front, initialize());
      expect(opened).toMatchObject(expected);
      expect(opened.headers).not.toHaveProperty("mcp-session-id");
      if (expected.status === 200) expect(opened.messages).toMatchObject([{ id: 1, error: { code: -32_603 } }]);
    }
  });

  it("waits for the server no longer than its bound", async () => {
    const { server, front } = start({ bounds: { discoverWaitMs: 5 } });
    server.respond = () => undefined;
    const opened = await send(front, initialize());
    await expect.poll(() => opened.fault?.reason).toBe("answer_timeout");
    expect(server.arrived[0]?.isCancelled).toBe(true);
  });
});

describe("a session", () => {
  it("is its owner's alone, and gone when it was ended", async () => {
    const { server, front } = start();
    const session = await openSession(front);
    for (const sent of [{ session, owner: "bob" }, { session, owner: undefined }, { session: "none" }]) {
      for (const method of ["POST", "GET", "DELETE"] as const) {
        const answered = await send(front, method === "POST" ? ask(2, "ping") : undefined, { ...sent, method });
        expect([answered.status, answered.text]).toEqual([404, ""]);
      }
    }
    expect((await send(front, ask(2, "ping"))).status).toBe(400);
    expect((await send(front, undefined, { method: "GET" })).status).toBe(400);
    expect((await send(front, ask(2, "ping"), { session })).messages).toEqual([{ jsonrpc: "2.0", id: 2, result: {} }]);
    const { answered, arrived } = await pass(front, server, session, call(3, "echo"));
    const listening = await send(front, undefined, { session, method: "GET" });
    expect((await send(front, undefined, { session, method: "DELETE" })).status).toBe(204);
    expect(answered.fault).toMatchObject({ reason: "cancelled", sent: "unknown" });
    expect(arrived.isCancelled).toBe(true);
    expect(listening.isEnded).toBe(true);
    expect(server.of("subscriptions/listen").every(({ isCancelled }) => isCancelled)).toBe(true);
    expect((await send(front, ask(4, "ping"), { session })).status).toBe(404);
  });

  it("makes room when there are too many, first its owner's own", async () => {
    const { front } = start({ bounds: { sessionsPerOwner: 2, sessions: 3 } });
    const isThere = async (session: string, owner: string): Promise<boolean> =>
      (await send(front, ask(2, "ping"), { session, owner })).status === 200;
    const bobs = await openSession(front, {}, undefined, "bob");
    const first = await openSession(front);
    const second = await openSession(front);
    expect(await isThere(first, "alice")).toBe(true);
    const third = await openSession(front);
    expect(await Promise.all([isThere(first, "alice"), isThere(second, "alice"), isThere(third, "alice"), isThere(bobs, "bob")])).toEqual([
      true,
      false,
      true,
      true,
    ]);
    await openSession(front, {}, undefined, "eve");
    expect(await isThere(first, "alice")).toBe(false);
  });

  it("is forgotten when nobody uses it, unless something is under way", async () => {
    let nowMs = 0;
    const { server, front } = start({ nowMs: () => nowMs, bounds: { idleMs: 10 } });
    const idle = await openSession(front);
    const listening = await openSession(front);
    const calling = await openSession(front);
    await send(front, undefined, { session: listening, method: "GET" });
    await pass(front, server, calling, call(2, "wait"));
    nowMs = 1000;
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect((await send(front, ask(2, "ping"), { session: idle })).status).toBe(404);
    expect((await send(front, ask(2, "ping"), { session: listening })).status).toBe(200);
    expect((await send(front, ask(3, "ping"), { session: calling })).status).toBe(200);
  });

  it("takes a client's notifications, which a modern server has no use for", async () => {
    const { server, front } = start();
    const session = await openSession(front);
    const before = server.arrived.length;
    for (const method of ["notifications/initialized", "notifications/roots/list_changed", "notifications/cancelled"]) {
      expect((await send(front, notify(method), { session })).status).toBe(202);
    }
    expect(server.arrived).toHaveLength(before);
  });

  it("has a level of the log of its own, told with every request", async () => {
    const { server, front } = start();
    const one = await openSession(front);
    const other = await openSession(front);
    expect((await send(front, ask(2, "logging/setLevel", { level: "warning" }), { session: one })).messages).toMatchObject([
      { result: {} },
    ]);
    expect((await send(front, ask(3, "logging/setLevel", { level: "loud" }), { session: one })).messages).toMatchObject([
      { error: { code: -32_602 } },
    ]);
    const { arrived, answered } = await pass(front, server, one, call(4, "talk"));
    expect(arrived.message.params._meta[LEVEL]).toBe("warning");
    const said = (level: string): string =>
      `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"${level}","data":1.0,"_meta":{"io.modelcontextprotocol/subscriptionId":"x","mine":2}}}`;
    arrived.event(said("info"));
    arrived.event(said("error"));
    expect(answered.texts).toEqual([
      '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1.0,"_meta":{"mine":2}}}',
    ]);
    const silent = await pass(front, server, other, call(4, "talk"));
    expect(silent.arrived.message.params._meta).not.toHaveProperty(LEVEL);
    silent.arrived.event(said("emergency"));
    expect(silent.answered.texts).toEqual([]);
  });
});

describe("a request", () => {
  it("goes out once, as a modern one, and nothing of the legacy hop with it", async () => {
    const paramHeadersOf = (tool: string) => (tool === "re/gion" ? [{ header: "Region", path: ["where", "region"] }] : []);
    const { server, front } = start({ paramHeadersOf });
    const session = await openSession(front, { roots: {} });
    const params = {
      name: "re/gion",
      arguments: { where: { region: "Zürich" } },
      requestState: "stolen",
      inputResponses: { a: {} },
      task: { ttl: 1 },
      _meta: { progressToken: 7, traceparent: "00-1", "com.example/key": { a: 1 }, [LEVEL]: "debug", [VERSION]: "2025-11-25" },
    };
    const { answered, arrived } = await pass(front, server, session, ask("mine", "tools/call", params));
    expect(arrived.request).toMatchObject({ method: "POST", owner: "alice" });
    expect(arrived.request.stream).toBeUndefined();
    expect(arrived.request.headers).toEqual({
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "re/gion",
      "mcp-param-region": `=?base64?${Buffer.from("Zürich").toString("base64")}?=`,
    });
    expect(arrived.message.id).not.toBe("mine");
    expect(arrived.message.params).toEqual({
      name: "re/gion",
      arguments: { where: { region: "Zürich" } },
      _meta: {
        [VERSION]: "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { name: "sallyport", version: "1" },
        [CAPABILITIES]: { roots: {} },
        progressToken: 7,
        traceparent: "00-1",
        "com.example/key": { a: 1 },
      },
    });
    arrived.result('{"resultType":"complete","content":[]}');
    expect(answered.messages).toEqual([{ jsonrpc: "2.0", id: "mine", result: { content: [] } }]);
    expect(server.of("tools/call")).toHaveLength(1);
  });

  it("of a method that the modern era does not have stays here", async () => {
    const { server, front } = start();
    const session = await openSession(front);
    const before = server.arrived.length;
    for (const method of ["tasks/get", "tasks/list", "server/discover", "subscriptions/listen", "shell/run"]) {
      expect((await send(front, ask(2, method), { session })).messages).toMatchObject([{ id: 2, error: { code: -32_601 } }]);
    }
    for (const body of ["[]", "{", '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}']) {
      expect((await send(front, body, { session })).status).toBe(400);
    }
    expect(server.arrived).toHaveLength(before);
  });

  it("keeps every byte of what it asks and of what it is answered", async () => {
    const { server, front } = start();
    const session = await openSession(front);
    const odd = '{ "n": 1.0, "big": 12345678901234567890, "e": 1E3, "t": "\\u0061\\/é", "__proto__": {"x":[ ]}, "z": -0 }';
    const { answered, arrived } = await pass(
      front,
      server,
      session,
      `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":${odd},"more":${odd}}}`,
    );
    expect(arrived.text).toContain(`"arguments":${odd}`);
    expect(arrived.text).toContain(`"more":${odd}`);
    arrived.result(
      `{"ttlMs":5,"content":[${odd}],"resultType":"complete","structuredContent":${odd},"cacheScope":"public","x":${odd},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"},"k":1.0}}`,
    );
    expect(answered.texts).toEqual([
      `{"jsonrpc":"2.0","id":2,"result":{"content":[${odd}],"structuredContent":${odd},"x":${odd},"_meta":{"k":1.0}}}`,
    ]);
  });

  /** JSON in spellings that a printer would change. */
  const number = fc.oneof(
    fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
    fc.tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: 0, max: 99 })).map(([whole, part]) => `${whole}.${part}0`),
    fc.integer({ min: 1, max: 30 }).map((exponent) => `1${"0".repeat(exponent % 3)}e${exponent}`),
  );
  const text = fc.string({ unit: "binary" }).map((value) => JSON.stringify(value.toWellFormed()).replaceAll("/", "\\/"));
  const blank = fc.constantFrom("", " ", "\n", "\t ");
  const spelled = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      number,
      text,
      fc.constantFrom("true", "null"),
      fc.tuple(blank, fc.array(tie("value"), { maxLength: 3 })).map(([space, items]) => `[${space}${items.join(`${space},`)}]`),
      fc
        .tuple(blank, fc.array(tie("value"), { maxLength: 3 }))
        .map(([space, items]) => `{${items.map((item, index) => `${space}"k\\u006${index}":${space}${item}`).join(",")}}`),
    ),
  })).value;

  it("passes arguments and results as they are spelled, whatever they are", async () => {
    const { server, front } = start();
    const session = await openSession(front);
    let id = 10;
    await fc.assert(
      fc.asyncProperty(spelled, spelled, fc.boolean(), async (argument, answer, streams) => {
        const head = `{"jsonrpc":"2.0","id":${++id},"method":"tools/call","params":{"name":"echo","arguments":{"a":`;
        const { answered, arrived } = await pass(front, server, session, `${head}${argument}}}}`);
        expect(arrived.text).toContain(`"arguments":{"a":${argument}}`);
        const message = `{"jsonrpc":"2.0","id":ID,"result":{"resultType":"complete","content":[],"structuredContent":${answer}}}`;
        if (!streams) arrived.json(message);
        else {
          arrived.event(message.replaceAll("\n", "\ndata: "));
          arrived.end();
        }
        expect(answered.texts).toEqual([`{"jsonrpc":"2.0","id":${id},"result":{"content":[],"structuredContent":${answer}}}`]);
      }),
      { numRuns: 200 },
    );
  });

  it("hears the progress of its own token alone, on its own stream", async () => {
    const { server, front, dropped } = start();
    const session = await openSession(front);
    const { answered, arrived } = await pass(front, server, session, ask(2, "tools/call", { name: "t", _meta: { progressToken: "1" } }));
    const progress = (token: string): string =>
      `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${token},"progress":1}}`;
    arrived.event(progress("1"));
    arrived.event(progress('"2"'));
    arrived.event('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}');
    arrived.event('{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{}}');
    arrived.event('{"jsonrpc":"2.0","id":"other","result":{}}');
    arrived.event("[]");
    expect(answered.texts).toEqual([]);
    expect(dropped).toHaveLength(4);
    arrived.event(progress('"1"'));
    arrived.event('{"jsonrpc":"2.0","id":ID,"result":{"resultType":"complete","content":[]}}');
    expect(answered.texts).toEqual([progress('"1"'), '{"jsonrpc":"2.0","id":2,"result":{"content":[]}}']);
    expect(answered.isEnded).toBe(true);
    arrived.event(progress('"1"'));
    expect(answered.texts).toHaveLength(2);
  });

  it("lets its server pause when its client can't follow", async () => {
    const { server, front } = start();
    const session = await openSession(front);
    const { answered, arrived } = await pass(front, server, session, ask(2, "tools/call", { name: "t", _meta: { progressToken: 1 } }));
    answered.takesMore = false;
    arrived.event('{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}');
    expect(arrived.wantsMore).toBe(false);
    answered.open?.resume();
    expect(arrived.isResumed).toBe(1);
  });

  it("is cancelled by its client's word, by whoever sent it, and by a signal", async () => {
    const { server, front } = start();
    const session = await openSession(front);
    const first = await pass(front, server, session, call(2, "wait"));
    await send(front, notify("notifications/cancelled", { requestId: "2" }), { session });
    expect(first.arrived.isCancelled).toBe(false);
    const other = await openSession(front);
    await send(front, notify("notifications/cancelled", { requestId: 2 }), { session: other });
    expect(first.arrived.isCancelled).toBe(false);
    await send(front, notify("notifications/cancelled", { requestId: 2 }), { session });
    expect(first.arrived.isCancelled).toBe(true);
    expect(first.answered.fault).toMatchObject({ reason: "cancelled", sent: "unknown" });
    const second = await pass(front, server, session, call(2, "wait"));
    second.answered.open?.cancel();
    expect([second.arrived.isCancelled, second.answered.fault?.reason]).toEqual([true, "cancelled"]);
    const abort = new AbortController();
    const third = await send(front, call(3, "wait"), { session, signal: abort.signal });
    abort.abort();
    expect([server.arrived.at(-1)?.isCancelled, third.fault?.reason]).toEqual([true, "cancelled"]);
    const before = server.arrived.length;
    const fourth = await send(front, call(4, "wait"), { session, signal: AbortSignal.abort() });
    expect(fourth.fault).toMatchObject({ reason: "cancelled", sent: "not_sent" });
    expect(server.arrived).toHaveLength(before);
  });

  it("is refused where its id is in use, or too many are under way", async () => {
    const { server, front } = start({ bounds: { requestsPerSession: 1 } });
    const session = await openSession(front);
    await pass(front, server, session, call(2, "wait"));
    expect((await send(front, call(2, "wait"), { session })).messages).toMatchObject([{ error: { code: -32_600 } }]);
    expect((await send(front, call(3, "wait"), { session })).messages).toMatchObject([{ error: { code: -32_603 } }]);
    expect(server.of("tools/call")).toHaveLength(1);
  });
});

describe("an error of the server", () => {
  const tool = call(2, "t");
  const read = ask(2, "resources/read", { uri: "docs://x" });
  const prompt = ask(2, "prompts/get", { name: "p" });
  const needs = '{"requiredCapabilities":{"roots":{},"sampling":{"tools":{}},"<b>evil</b>":{}}}';
  const words = "The server needs a client with the capability: sampling, roots.";
  it.each([
    ["a missing capability, of a call", tool, -32_021, needs, 400, { result: { isError: true, content: [{ type: "text", text: words }] } }],
    ["a missing capability, of a prompt", prompt, -32_021, needs, 400, { error: { code: -32_603, message: words } }],
    ["a missing capability without a name", prompt, -32_021, undefined, 400, { error: { code: -32_603 } }],
    ["headers that differ", tool, -32_020, undefined, 400, { error: { code: -32_603 } }],
    ["another version", tool, -32_022, '{"supported":[]}', 400, { error: { code: -32_603 } }],
    ["an unknown method", prompt, -32_601, undefined, 404, { error: { code: -32_601, message: "no" } }],
    ["a resource that is not there", read, -32_602, '{"uri":"docs://x"}', 200, { error: { code: -32_002, data: { uri: "docs://x" } } }],
    ["another fault of a read", read, -32_602, '{"uri":"docs://y"}', 200, { error: { code: -32_602, data: { uri: "docs://y" } } }],
    ["a prompt that is not there", prompt, -32_602, undefined, 200, { error: { code: -32_602 } }],
    ["a server's own code", tool, 1234, '{"n":1.0}', 200, { error: { code: 1234, data: { n: 1 } } }],
  ])("%s", async (_name, body, code, data, status, told) => {
    const { server, front } = start();
    const { answered, arrived } = await pass(front, server, await openSession(front), body);
    arrived.error(code, "no", data, status);
    expect(answered.status).toBe(200);
    expect(answered.messages).toHaveLength(1);
    expect(answered.messages).toMatchObject([{ id: 2, ...told }]);
    expect(answered.text).not.toContain("evil");
  });

  it("by its words alone says that a resource is not there", async () => {
    const { server, front } = start();
    const { answered, arrived } = await pass(front, server, await openSession(front), read);
    arrived.error(-32_602, "Resource docs://x not found");
    expect(answered.messages).toMatchObject([{ id: 2, error: { code: -32_002 } }]);
  });
});

describe("an answer that is none", () => {
  const invalid = { fault: { reason: "invalid_answer", sent: "unknown" } };
  it.each([
    ["an unknown kind of result", (one) => one.result('{"resultType":"task","taskId":"1"}'), invalid],
    ["a kind that is no text", (one) => one.result('{"resultType":1}'), invalid],
    ["no JSON", (one) => one.json("{"), invalid],
    ["the answer to something else", (one) => one.json('{"jsonrpc":"2.0","id":"x","result":{}}'), invalid],
    ["a batch", (one) => one.json('[{"jsonrpc":"2.0","id":ID,"result":{}}]'), invalid],
    ["a page", (one) => one.status(200, { "content-type": "text/html" }), { status: 200, text: "", isEnded: true }],
    ["a refused credential", (one) => one.status(401), { status: 401, text: "", isEnded: true }],
    ["a path that is not there", (one) => one.status(404), { status: 502, text: "", isEnded: true }],
    ["a proxy's page", (one) => one.json("{}", 503), { status: 503, text: "", isEnded: true }],
    [
      "a stream without the answer",
      (one) => {
        one.event('{"jsonrpc":"2.0","id":"x","result":{}}');
        one.end();
      },
      { status: 200, isEnded: true, text: "" },
    ],
    ["a connection that was not made", (one) => one.fault("connect", "not_sent"), { fault: { reason: "connect", sent: "not_sent" } }],
    ["a connection that broke", (one) => one.fault("broken"), { fault: { reason: "broken", sent: "unknown" } }],
  ] as [string, (one: FakeModernServer["arrived"][number]) => void, object][])("%s: is told as what it is", async (_name, act, told) => {
    const { server, front } = start();
    const { answered, arrived } = await pass(front, server, await openSession(front), call(2, "t"));
    act(arrived);
    await settled();
    expect(answered).toMatchObject(told);
    expect(answered.texts).toEqual([]);
    expect(server.of("tools/call")).toHaveLength(1);
  });
});

describe("a front that is closed", () => {
  it("ends what is open, closes its server and takes nothing more", async () => {
    const { server, front } = start();
    const session = await openSession(front);
    const { answered } = await pass(front, server, session, call(2, "t"));
    await front.close();
    expect(answered.isOver).toBe(true);
    expect(server.isClosed).toBe(true);
    expect((await send(front, ask(3, "ping"), { session })).fault).toMatchObject({ reason: "closed", sent: "not_sent" });
  });
});
