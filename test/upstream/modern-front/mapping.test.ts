/** What a modern request becomes for a legacy server, and what its answer becomes for a modern client. */
import { describe, expect, it } from "vitest";
import { listServerTools } from "../../../src/upstream/list-tools.ts";
import { ALL, ask, call, eventually, openFront } from "./asking.ts";
import { startScripted } from "./scripted-server.ts";

const INFO = "io.modelcontextprotocol/serverInfo";

describe("server/discover", () => {
  it("is made of what the server said when the session was opened", async () => {
    const capabilities = {
      tools: { listChanged: true },
      logging: {},
      tasks: { list: {} },
      extensions: { "io.modelcontextprotocol/tasks": {}, "io.modelcontextprotocol/ui": { a: 1 } },
      odd: 5,
    };
    const server = await startScripted({ capabilities, instructions: "Be kind." });
    const front = openFront(server.url);
    const found = ask(
      front,
      "server/discover",
      {},
      { capabilities: { ...ALL, tasks: {}, extensions: { x: {}, "io.modelcontextprotocol/tasks": {} } } },
    );
    expect(await found.done).toEqual({
      jsonrpc: "2.0",
      id: expect.any(Number),
      result: {
        resultType: "complete",
        supportedVersions: ["2026-07-28"],
        capabilities: { tools: { listChanged: true }, logging: {}, extensions: { "io.modelcontextprotocol/ui": { a: 1 } } },
        instructions: "Be kind.",
        ttlMs: 0,
        cacheScope: "private",
        _meta: { [INFO]: { name: "scripted", version: "3.2.1" } },
      },
    });
    expect(server.of("initialize")[0]?.message?.params).toEqual({
      protocolVersion: "2025-11-25",
      capabilities: { elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: {}, extensions: { x: {} } },
      clientInfo: { name: "sallyport", version: "1.2.3" },
    });
    expect(server.of("server/discover")).toEqual([]);
    expect(server.of("notifications/initialized")).toHaveLength(1);
  });
});

describe("a request", () => {
  it("reaches the server with its very bytes, under our own id, without what speaks of the modern hop", async () => {
    const server = await startScripted({ revision: "2025-06-18" });
    server.plays.set("echo", (turn) => turn.result("{}"));
    const front = openFront(server.url);
    const args = '{"big":12345678901234567890, "one":1.0,"exp":1e30,"text":"\\u0061\\/é","o":{"z":1,"a":[ ]}}';
    const how = {
      id: 77,
      rawParams: `"name":"echo","arguments":${args},"odd" : [1.50]`,
      meta: { "io.modelcontextprotocol/logLevel": "info", "example.com/kept": { n: 1 }, traceparent: "00-aa", progressToken: "mine" },
      headers: { traceparent: "00-bb", "mcp-param-size": "3" },
    };
    await ask(front, "tools/call", {}, how).done;
    const sent = server.of("tools/call")[0];
    expect(sent?.text).toContain(`"arguments":${args}`);
    expect(sent?.text).toContain('"odd":[1.50]');
    expect(sent?.message?.params?.["_meta"]).toEqual({
      progressToken: sent?.message?.id,
      traceparent: "00-aa",
      "example.com/kept": { n: 1 },
    });
    expect(sent?.message?.id).not.toBe(77);
    expect(sent?.headers).toMatchObject({ "mcp-protocol-version": "2025-06-18", "mcp-session-id": "session-1", traceparent: "00-bb" });
    expect(Object.keys(sent?.headers ?? {}).filter((name) => /^mcp-(method|name|param)/.test(name))).toEqual([]);
    expect(server.of("initialize")[0]?.headers["mcp-protocol-version"]).toBeUndefined();
  });

  it("never carries on what only a round may hold, nor makes a task of a call", async () => {
    const server = await startScripted();
    server.plays.set("echo", (turn) => turn.result('{"content":[]}'));
    const front = openFront(server.url);
    await ask(front, "tools/call", {}, { rawParams: '"name":"echo","arguments":{},"task":{"ttl":5}' }).done;
    expect(server.of("tools/call")[0]?.message?.params).toEqual({ name: "echo", arguments: {} });
    const stray = ask(front, "tools/call", { name: "echo", arguments: {}, inputResponses: { a: {} } });
    expect(await stray.done).toMatchObject({ result: { isError: true, resultType: "complete" } });
    expect(await ask(front, "tools/list", { requestState: "x" }).done).toMatchObject({ error: { code: -32602 } });
    expect(server.of("tools/call")).toHaveLength(1);
    expect(server.of("tools/list")).toEqual([]);
  });

  it("is refused where a modern server would refuse it", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    for (const method of ["no/such", "initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/get"]) {
      const refused = ask(front, method, {});
      expect(await refused.done).toMatchObject({ error: { code: -32601 } });
      expect(refused.status).toBe(404);
    }
    const old = ask(front, "tools/list", {}, { meta: { "io.modelcontextprotocol/protocolVersion": "2025-11-25" } });
    expect([(await old.done).error.code, old.status]).toEqual([-32022, 400]);
    expect(server.heard).toEqual([]);
    const legacy = await new Promise<number>((resolve) => {
      const body = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}');
      const sink = { onStart: (status: number) => resolve(status), onData: () => true, onEnd: () => undefined, onFault: () => resolve(0) };
      front.exchange({ method: "POST", body, headers: {} }, sink);
    });
    expect(legacy).toBe(400);
    const got = await new Promise<number>((resolve) => {
      const sink = { onStart: (status: number) => resolve(status), onData: () => true, onEnd: () => undefined, onFault: () => resolve(0) };
      front.exchange({ method: "GET", headers: {} }, sink);
    });
    expect(got).toBe(405);
    expect(server.heard).toEqual([]);
  });
});

describe("a result", () => {
  it("keeps its bytes and says what the modern era wants of every result", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const content = '[ {"type":"odd","n":12345678901234567890, "x":1.0} ]';
    server.plays.set("echo", (turn) =>
      turn.result(
        `{"content":${content},"structuredContent":{"a":1e400},"_meta":{"k":1.50,"${INFO}":{"name":"liar"}},"requestState":"mine"}`,
      ),
    );
    const answered = call(front, "echo", { id: 5 });
    const { result, id } = await answered.done;
    expect(id).toBe(5);
    expect(answered.type).toBe("application/json");
    expect(answered.texts[0]).toContain(`"content":${content}`);
    expect(answered.texts[0]).toContain('"structuredContent":{"a":1e400}');
    expect(answered.texts[0]).toContain('"k":1.50');
    expect(result).toMatchObject({ resultType: "complete", _meta: { [INFO]: { name: "scripted", version: "3.2.1" } } });
    expect(result).not.toHaveProperty("ttlMs");
    expect(result).not.toHaveProperty("requestState");
  });

  it("says how long it may be kept where that is required, and nothing of the kind elsewhere", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const lists: Record<string, string> = {
      "tools/list": '{"tools":[{"name":"a","inputSchema":{"type":"object"},"execution":{"x":1.0}}],"nextCursor":""}',
      "prompts/list": '{"prompts":[]}',
      "resources/list": '{"resources":[]}',
      "resources/templates/list": '{"resourceTemplates":[]}',
      "resources/read": '{"contents":[{"uri":"a://b","text":"c"}]}',
    };
    for (const [method, result] of Object.entries(lists)) {
      server.plays.set(method, (turn) => turn.result(result));
      const params = method === "resources/read" ? { uri: "a://b" } : {};
      const asked = ask(front, method, params);
      expect(await asked.done).toMatchObject({ result: { resultType: "complete", ttlMs: 0, cacheScope: "private" } });
      expect(asked.texts[0]).toContain(result.slice(1, -1));
    }
    server.plays.set("prompts/get", (turn) => turn.result('{"messages":[]}'));
    server.plays.set("completion/complete", (turn) => turn.result('{"completion":{"values":[]}}'));
    for (const method of ["prompts/get", "completion/complete"]) {
      const { result } = await ask(front, method, { name: "p" }).done;
      expect(result.resultType).toBe("complete");
      expect(result).not.toHaveProperty("ttlMs");
    }
  });

  it("is complete, whatever a legacy server calls it", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    for (const said of ["input_required", "task", "complete"]) {
      server.plays.set("echo", (turn) => turn.result(`{"resultType":"${said}","inputRequests":{"a":{}},"requestState":"s","content":[]}`));
      const { result } = await call(front, "echo").done;
      expect(Object.keys(result).sort()).toEqual(["_meta", "content", "resultType"]);
      expect(result.resultType).toBe("complete");
    }
  });
});

describe("an error", () => {
  it("keeps its code, its words and its data, but for the codes that have a successor", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const said = async (error: string, status = 200): Promise<{ status: number | undefined; text: string | undefined }> => {
      server.plays.set("echo", (turn) => turn.error(error, status));
      const asked = call(front, "echo", { id: 9 });
      await asked.done;
      return { status: asked.status, text: asked.texts[0] };
    };
    const head = '{"jsonrpc":"2.0","id":9,"error":';
    expect(await said('{"code":-32002,"message":"no \\u0061","data":{"n":1.0}}')).toEqual({
      status: 200,
      text: `${head}{"code":-32602,"message":"no \\u0061","data":{"n":1.0}}}`,
    });
    expect(await said('{"code":-32601, "message":"none"}')).toEqual({ status: 404, text: `${head}{"code":-32601, "message":"none"}}` });
    expect(await said('{"code":17,"message":"own","data":[1.0]}')).toEqual({
      status: 200,
      text: `${head}{"code":17,"message":"own","data":[1.0]}}`,
    });
    expect((await said('{"code":-32600,"message":"bad"}', 400)).status).toBe(400);
  });

  it("of the credential or of the server's health is told by status alone", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    for (const status of [401, 403, 500, 503]) {
      server.plays.set("echo", (turn) => turn.error('{"code":-32603,"message":"the secret place"}', status));
      const asked = call(front, "echo");
      expect(await asked.done).toBeUndefined();
      expect([asked.status, asked.texts, asked.fault]).toEqual([status, [], undefined]);
    }
    server.plays.set("initialize", (turn) => turn.json("{}", 401));
    const shut = call(front, "echo", { owner: "bob" });
    await shut.done;
    expect(shut.status).toBe(401);
    server.plays.set("initialize", (turn) => turn.error('{"code":-32603,"message":"no"}'));
    expect(await call(front, "echo", { owner: "carol" }).done).toMatchObject({ error: { code: -32603 } });
  });

  it("of the connection is the fault that it is", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("echo", (turn) => void turn.response.destroy());
    const broken = call(front, "echo");
    await broken.done;
    expect(broken.fault).toMatchObject({ reason: "broken", sent: "unknown" });
    server.plays.set("echo", (turn) => void turn.send({ jsonrpc: "2.0", method: "notifications/message", params: {} }).response.end());
    const cut = call(front, "echo");
    expect(await cut.done).toBeUndefined();
    expect([cut.status, cut.type, cut.fault]).toEqual([200, "text/event-stream", undefined]);
    server.plays.set("echo", (turn) => turn.json('{"jsonrpc":"2.0","id":1,"id":2}'));
    const odd = call(front, "echo");
    expect(await odd.done).toBeUndefined();
    expect([odd.status, odd.texts]).toEqual([200, []]);
    await server.stop();
    const gone = call(front, "echo", { owner: "dave" });
    await gone.done;
    expect(gone.fault).toMatchObject({ sent: "not_sent" });
  });
});

describe("a server that is looked at through the front", () => {
  it("lists its tools as one of the modern era", async () => {
    const server = await startScripted();
    server.plays.set("tools/list", (turn) => turn.result('{"tools":[{"name":"a","inputSchema":{"type":"object"}}]}'));
    const listing = await listServerTools({ upstream: openFront(server.url), clientInfo: { name: "sallyport", version: "1" }, nowMs: 0 });
    expect(listing).toMatchObject({ ok: true, value: { verdict: { era: "modern", revision: "2026-07-28" }, tools: [{ name: "a" }] } });
    expect(server.heard.every(({ headers }) => headers["mcp-method"] === undefined)).toBe(true);
  });
});

describe("a client that is slow", () => {
  it("holds back its own server's stream, and nothing is lost", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    const big = "x".repeat(200_000);
    let written = 0;
    server.plays.set("echo", (turn) => {
      const token = turn.sent.message?.id;
      turn.send();
      const write = (): void => {
        while (written < 100) {
          const params = { progressToken: token, progress: ++written, message: big };
          const more = turn.response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/progress", params })}\n\n`);
          if (!more) return void turn.response.once("drain", write);
        }
        turn.finish("{}");
      };
      write();
    });
    const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
    const params = { name: "echo", arguments: {}, _meta: { ...meta, progressToken: 1 } };
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }));
    let taken = 0;
    let isSlow = true;
    const ended = Promise.withResolvers<void>();
    const sink = {
      onStart: () => undefined,
      onData: () => {
        taken++;
        return !isSlow;
      },
      onEnd: () => ended.resolve(),
      onFault: () => ended.reject(new Error("a fault")),
    };
    const open = front.exchange({ method: "POST", body, headers: {} }, sink);
    await eventually(() => taken).toBeGreaterThan(0);
    for (let last = -1; last !== written; ) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    expect(taken).toBeLessThan(10);
    expect(written).toBeLessThan(100);
    isSlow = false;
    open.resume();
    await ended.promise;
    expect(taken).toBe(101);
  });
});

describe("messages before the answer", () => {
  it("are progress under the client's own token, for clients that gave one", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("echo", (turn) => {
      const token = turn.sent.message?.id;
      turn.send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${token},"progress":1.50,"odd":1.0}}`);
      turn.send('{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"stolen","progress":9}}');
      turn.finish("{}");
    });
    const [first, second] = [
      call(front, "echo", { meta: { progressToken: "same" } }),
      call(front, "echo", { meta: { progressToken: "same" } }),
    ];
    for (const asked of [first, second]) {
      await asked.done;
      expect(asked.texts).toHaveLength(2);
      expect(asked.texts[0]).toContain('"progress":1.50,"odd":1.0');
      expect(asked.messages[0]).toMatchObject({ method: "notifications/progress", params: { progressToken: "same" } });
    }
    const none = call(front, "echo");
    await none.done;
    expect(none.messages).toHaveLength(1);
  });

  it("are log messages from the level that the request asked for, and none where it asked for none", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("logging/setLevel", (turn) => turn.result("{}"));
    server.plays.set("echo", (turn) => {
      for (const level of ["debug", "info", "error", "odd"])
        turn.send({ jsonrpc: "2.0", method: "notifications/message", params: { level, data: level } });
      turn.finish("{}");
    });
    const heard = async (logLevel?: string): Promise<unknown[]> => {
      const asked = call(front, "echo", { meta: logLevel === undefined ? {} : { "io.modelcontextprotocol/logLevel": logLevel } });
      await asked.done;
      return asked.messages.slice(0, -1).map(({ params }) => params.level);
    };
    expect(await heard()).toEqual([]);
    expect(await heard("info")).toEqual(["info", "error"]);
    expect(await heard("error")).toEqual(["error"]);
    expect(await heard("debug")).toEqual(["debug", "info", "error"]);
    const levels = server.of("logging/setLevel").map(({ message }) => message?.params?.["level"]);
    expect(levels).toEqual(["info", "debug"]);
  });

  it("of the GET stream are the request's where it is the only one", async () => {
    const server = await startScripted();
    const front = openFront(server.url);
    server.plays.set("logging/setLevel", (turn) => turn.result("{}"));
    const turns: (() => void)[] = [];
    server.plays.set("echo", (turn) => {
      turns.push(() => turn.finish("{}"));
      server.say({ jsonrpc: "2.0", method: "notifications/message", params: { level: "error", data: turns.length } });
      if (turns.length === 1) setTimeout(() => turns[0]?.(), 50);
    });
    const meta = { "io.modelcontextprotocol/logLevel": "info" };
    const alone = call(front, "echo", { meta });
    await alone.done;
    expect(alone.messages.map(({ params }) => params?.data)).toEqual([1, undefined]);
    const both = [call(front, "echo", { meta }), call(front, "echo", { meta })];
    await eventually(() => turns.length).toBe(3);
    server.say({ jsonrpc: "2.0", method: "notifications/message", params: { level: "error", data: "whose?" } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const end of turns.slice(1)) end();
    for (const asked of both) await asked.done;
    expect(JSON.stringify(both.map(({ messages }) => messages))).not.toContain("whose?");
  });
});
