/** What servers ask of clients: nothing where their entry is silent, whatever they send; labelled, bounded and on record where it is not. */
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type AskKind, type AskRules, judgeAsk } from "../../src/gateway/asks.ts";
import { type JsonObject, toJson } from "../../src/kernel/json.ts";
import { waitUntil } from "../support/gateway.ts";
import { type RawGateway, startGateway } from "../support/raw-gateway.ts";
import type { HeaderList } from "../support/raw-http.ts";
import { type Respond, tool } from "../support/raw-upstream.ts";

const ALL: AskRules = { kinds: new Set(["sampling", "elicitation", "roots"]), label: "files" };
const judge = (params: unknown, kind: AskKind = "elicitation", rules: AskRules = ALL) =>
  judgeAsk(rules, kind, toJson(params) as JsonObject);
const form = (properties: object, message = "Please.") => ({ message, requestedSchema: { type: "object", properties } });

describe("a question", () => {
  test("is labelled with the server that asks", () => {
    expect(judge(form({ city: { type: "string" } }))).toEqual({
      params: toJson(form({ city: { type: "string" } }, "[server files] Please.")),
    });
    expect(judge({ maxTokens: 5, messages: [] }, "sampling")).toEqual({
      params: toJson({ maxTokens: 5, messages: [], _meta: { "sallyport/server": "files" } }),
    });
    expect(judgeAsk(ALL, "roots", undefined)).toEqual({ params: toJson({ _meta: { "sallyport/server": "files" } }) });
  });

  test("of a kind that is not open does not pass", () => {
    for (const kind of ["sampling", "elicitation", "roots"] as const) {
      expect(judge(form({}), kind, { kinds: new Set(), label: "files" })).toEqual({ fault: "ask_closed" });
    }
    expect(judge({}, "roots", { kinds: new Set(["sampling"]), label: "files" })).toEqual({ fault: "ask_closed" });
  });

  test.each([
    "password",
    "userPassword",
    "API_KEY",
    "apiKey",
    "access-token",
    "token",
    "GITHUB_TOKEN",
    "secret",
    "client_secret",
    "private_key",
    "passphrase",
    "otp",
    "pin",
    "cvv",
    "cardNumber",
    "ｐａｓｓｗｏｒｄ",
    "pass\u200bword",
  ])("for %s does not pass", (name) => {
    expect(judge(form({ [name]: { type: "string" } }))).toEqual({ fault: "ask_secret" });
    expect(judge(form({ field: { type: "string", title: name } }))).toEqual({ fault: "ask_secret" });
  });

  test.each([
    { x: { type: "string", format: "password" } },
    { x: { type: "string", description: "Enter your password here" } },
    { x: { type: "string", description: "an API key of the account" } },
  ])("for a secret by another sign does not pass: %j", (properties) => {
    expect(judge(form(properties))).toEqual({ fault: "ask_secret" });
  });

  test.each([
    "maxTokens",
    "tokens",
    "keyword",
    "monkey",
    "shipping",
    "opinion",
    "passenger",
    "primary_key",
    "secretary",
    "author",
    "keyboard layout",
  ])("for %s passes", (name) => {
    expect(judge(form({ [name]: { type: "string" } }))).toHaveProperty("params");
  });

  test("that sends a person to a page shows its host, and only pages of the web", () => {
    const page = (url: unknown) => judge({ mode: "url", message: "Sign in.", url });
    expect(page("https://accounts.example.com/login?x=1")).toMatchObject({
      params: { message: "[server files, accounts.example.com] Sign in." },
    });
    expect(page("https://xn--pple-43d.com/")).toMatchObject({ params: { message: "[server files, xn--pple-43d.com] Sign in." } });
    for (const url of [
      "javascript:alert(1)",
      "file:///etc/passwd",
      "data:text/html,x",
      "https://good.example@evil.example/",
      "/login",
      "",
      5,
      undefined,
    ]) {
      expect(page(url), String(url)).toEqual({ fault: "ask_address" });
    }
  });

  test.each([{}, { message: 5 }, { message: "x" }, { message: "x", mode: "other" }, { message: "x", requestedSchema: { properties: [] } }])(
    "that can't be read does not pass: %j",
    (params) => {
      expect(judge(params)).toEqual({ fault: "ask_unreadable" });
    },
  );
});

/** A legacy server with a session whose tool asks what `question` says, whatever its client can do. */
interface Asking {
  question: string;
  readonly heard: string[];
  respond: Respond;
}

function createAsking(): Asking {
  let open: ServerResponse | undefined;
  let id = "";
  const asking: Asking = {
    question: "",
    heard: [],
    respond(arrived, asked) {
      if (asked.method === "initialize") {
        const result = '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"raw","version":"1"}}';
        return {
          act: (response, _socket, own) =>
            void response
              .writeHead(200, { "content-type": "application/json", "mcp-session-id": "upstream-session" })
              .end(`{"jsonrpc":"2.0","id":${own},"result":${result}}`),
        };
      }
      if (asked.method === "tools/call") {
        return {
          act(response, _socket, own) {
            open = response;
            id = own;
            response.writeHead(200, { "content-type": "text/event-stream" });
            for (const one of asking.question.split("\n")) response.write(`data: ${one}\n\n`);
          },
        };
      }
      if (asked.method !== undefined) return undefined;
      asking.heard.push(arrived.text);
      return {
        act(response) {
          response.writeHead(202).end();
          open?.end(`data: {"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"done"}]}}\n\n`);
          open = undefined;
        },
      };
    },
  };
  return asking;
}

const asks = (method: string, params: string, id = 77): string => `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${params}}`;
const CITY = '{"message":"Where?","requestedSchema":{"type":"object","properties":{"city":{"type":"string"}}}}';

describe("in the legacy era", () => {
  const servers = { shut: createAsking(), open: createAsking() };
  let gateway: RawGateway;
  const sessions: Record<string, HeaderList> = {};
  beforeAll(async () => {
    const common = { policy: { version: "1", default: "allow" }, tools: `[${tool("t")}]`, era: "legacy" as const };
    gateway = await startGateway({
      servers: {
        shut: { ...common, respond: servers.shut.respond },
        open: { ...common, respond: servers.open.respond, entry: { asks: ["elicitation", "sampling"] } },
      },
      grant: { server: undefined, policy: undefined, servers: { shut: "shut-policy", open: "open-policy" } },
    });
    for (const server of ["shut", "open"]) {
      const capabilities = '{"sampling":{},"elicitation":{},"roots":{"listChanged":true},"x-own":{}}';
      const opening = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":${capabilities},"clientInfo":{"name":"c","version":"1"}}}`;
      const answer = await gateway.post(opening, { server, headers: [["Accept", "application/json, text/event-stream"]] });
      sessions[server] = [
        ["Mcp-Session-Id", String(answer.headers["mcp-session-id"])],
        ["Accept", "application/json, text/event-stream"],
        ["MCP-Protocol-Version", "2025-11-25"],
      ];
    }
  });
  afterAll(() => gateway.stop());
  beforeEach(() => {
    servers.shut.heard.length = 0;
    servers.open.heard.length = 0;
  });
  const call = (server: "shut" | "open", question: string) => {
    servers[server].question = question;
    return gateway.call("t", "{}", { server, headers: sessions[server] as HeaderList });
  };

  test("a server hears only of what it may ask", () => {
    // The gateway's own looks say something else.
    const told = (server: string): unknown =>
      gateway.upstreams[server]
        ?.calls("initialize")
        .map(({ message }) => message?.params?.["capabilities"] as object)
        .find((capabilities) => "x-own" in capabilities);
    expect(told("shut")).toEqual({ "x-own": {} });
    expect(told("open")).toEqual({ sampling: {}, elicitation: {}, "x-own": {} });
  });

  test("folders that changed are told to those who may ask for them", async () => {
    gateway.upstreams["open"]?.forget();
    const told = await gateway.post('{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}', {
      server: "open",
      headers: sessions["open"] as HeaderList,
    });
    expect(told.status).toBe(202);
    expect(gateway.upstreams["open"]?.arrived).toEqual([]);
  });

  test.each([
    ["shut", "elicitation/create", CITY, "ask_closed"],
    ["shut", "sampling/createMessage", '{"messages":[],"maxTokens":1}', "ask_closed"],
    ["open", "roots/list", "{}", "ask_closed"],
    [
      "open",
      "elicitation/create",
      '{"message":"x","requestedSchema":{"type":"object","properties":{"password":{"type":"string"}}}}',
      "ask_secret",
    ],
    ["open", "elicitation/create", '{"mode":"url","message":"x","url":"javascript:alert(1)"}', "ask_address"],
  ] as const)(
    "%s asks for %s %s: its client hears nothing, the server hears no, and it is on record",
    async (server, method, params, code) => {
      const entries = await gateway.during(async () => {
        const answer = await call(server, asks(method, params));
        expect(answer.text).toContain('"done"');
        expect(answer.text).not.toContain(method);
        expect(answer.text).not.toContain("message");
      }, 3);
      expect(servers[server].heard).toHaveLength(1);
      expect(JSON.parse(servers[server].heard[0] ?? "")).toMatchObject({ id: 77, error: { code: -32_601 } });
      expect(entries.find((entry) => entry["method"] === method)).toMatchObject({
        kind: "denial",
        server,
        grant: "first",
        decision: "deny",
        code,
        argumentDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
      expect(JSON.stringify(entries)).not.toContain("password");
    },
  );

  test("an open question passes, labelled and on record before it is seen, and its answer finds back", async () => {
    const calling = call("open", asks("elicitation/create", CITY));
    await waitUntil(async () => (await gateway.entries()).some(({ method, kind }) => method === "elicitation/create" && kind === "intent"));
    const answer = `{"jsonrpc":"2.0","id":"s1","result":{"action":"accept","content":{"city":"Ulm"}}}`;
    await waitUntil(async () => (await gateway.post(answer, { server: "open", headers: sessions["open"] as HeaderList })).status === 202);
    const { text } = await calling;
    expect(text).toContain('"id":"s1","method":"elicitation/create"');
    expect(text).toContain('"message":"[server open] Where?"');
    expect(text).toContain('"requestedSchema":{"type":"object","properties":{"city":{"type":"string"}}}');
    expect(JSON.parse(servers.open.heard[0] ?? "")).toEqual({
      jsonrpc: "2.0",
      id: 77,
      result: { action: "accept", content: { city: "Ulm" } },
    });
    const metrics = await fetch(`${gateway.app.url}/metrics`).then((page) => page.text());
    expect(metrics).toContain('sallyport_server_asks_total{server="open",ask="elicitation",result="passed"} 1');
    expect(metrics).toContain('sallyport_server_asks_total{server="shut",ask="elicitation",result="ask_closed"} 1');
  });

  test("one server has so many open questions and no more", async () => {
    const many = Array.from({ length: 18 }, (_, index) =>
      asks("sampling/createMessage", '{"messages":[],"maxTokens":1}', 100 + index),
    ).join("\n");
    const { text } = await call("open", many);
    expect(text).toContain('"done"');
    await waitUntil(() => servers.open.heard.length === 2);
    for (const heard of servers.open.heard) expect(JSON.parse(heard).error.message).toContain("no more open questions");
  });
});

describe("in the modern era", () => {
  let gateway: RawGateway;
  let asked = "{}";
  const META =
    '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{},"sampling":{}}}';
  const respond: Respond = (_arrived, { method }) => {
    if (method !== "tools/call") return undefined;
    return asked.startsWith("{")
      ? { result: `{"resultType":"input_required","inputRequests":${asked},"requestState":"up"}` }
      : { error: asked.slice(1) };
  };
  beforeAll(async () => {
    const common = { policy: { version: "1", default: "allow" }, tools: `[${tool("t")}]`, respond };
    gateway = await startGateway({
      servers: { shut: common, open: { ...common, entry: { asks: ["elicitation"] } } },
      grant: { server: undefined, policy: undefined, servers: { shut: "shut-policy", open: "open-policy" } },
    });
  });
  afterAll(() => gateway.stop());
  const call = async (server: string, round: string) => {
    asked = round;
    const headers: HeaderList = [
      ["MCP-Protocol-Version", "2026-07-28"],
      ["Mcp-Method", "tools/call"],
      ["Mcp-Name", "t"],
      ["Accept", "application/json, text/event-stream"],
    ];
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{},${META}}}`;
    return (await gateway.post(body, { server, headers })).json();
  };
  const question = (params = CITY, method = "elicitation/create"): string => `{"who":{"method":"${method}","params":${params}}}`;

  test("a server hears only of what it may ask", async () => {
    await call("shut", question());
    await call("open", question());
    const told = (server: string): unknown => {
      const meta = gateway.upstreams[server]?.calls().at(-1)?.message?.params?.["_meta"] as Record<string, unknown>;
      return meta["io.modelcontextprotocol/clientCapabilities"];
    };
    expect([told("shut"), told("open")]).toEqual([{}, { elicitation: {} }]);
  });

  test.each([
    ["shut", question(), "ask_closed"],
    ["open", question('{"messages":[],"maxTokens":1}', "sampling/createMessage"), "ask_closed"],
    ["open", question('{"message":"x","requestedSchema":{"type":"object","properties":{"apiKey":{}}}}'), "ask_secret"],
    ["open", question("{}", "tools/call"), "ask_unreadable"],
    [
      "open",
      `{${Array.from({ length: 17 }, (_, index) => `"q${index}":{"method":"elicitation/create","params":${CITY}}`).join(",")}}`,
      "ask_too_many",
    ],
    [
      "shut",
      '!{"code":-32042,"message":"x","data":{"elicitations":[{"mode":"url","message":"x","url":"https://a.example/"}]}}',
      "ask_closed",
    ],
    ["open", '!{"code":-32042,"message":"x","data":{"elicitations":[{"mode":"url","message":"x","url":"file:///x"}]}}', "ask_address"],
    ["shut", '!{"code":-32021,"message":"x","data":{"requiredCapabilities":{"elicitation":{}}}}', "ask_closed"],
  ])("%s asks what it may not (%#): the call ends in words", async (server, round, code) => {
    const entries = await gateway.during(async () => {
      const { result } = await call(server, round);
      expect(result).toMatchObject({ isError: true, resultType: "complete" });
      expect(result.content[0].text).toContain("The gateway");
      expect(result.inputRequests).toBeUndefined();
    }, 2);
    expect(entries.find(({ kind }) => kind === "outcome")).toMatchObject({ code });
  });

  test("an open question passes, labelled and on record", async () => {
    const entries = await gateway.during(async () => {
      const { result } = await call("open", question());
      expect(result).toMatchObject({
        resultType: "input_required",
        inputRequests: { who: { method: "elicitation/create", params: { message: "[server open] Where?" } } },
      });
      expect(result.requestState).not.toBe("up");
    }, 2);
    expect(entries.find(({ kind }) => kind === "outcome")).toMatchObject({
      code: "input_required",
      detail: { asks: ["elicitation/create"], askDigest: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  });

  test("a page in an error passes, labelled", async () => {
    const { error } = await call(
      "open",
      '!{"code":-32042,"message":"x","data":{"elicitations":[{"mode":"url","elicitationId":"e","message":"Sign in","url":"https://a.example/p"}]}}',
    );
    expect(error).toMatchObject({
      code: -32_042,
      data: { elicitations: [{ elicitationId: "e", message: "[server open, a.example] Sign in" }] },
    });
  });
});
