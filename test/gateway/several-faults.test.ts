/** Several servers behind one endpoint when one of them hangs, dies, comes back or answers nonsense; pages and their cursors. */
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { call, openSession, openStream, type RawStream } from "../interop/raw-client.ts";
import { waitUntil } from "../support/gateway.ts";
import { type RawGateway, startGateway, TOKEN } from "../support/raw-gateway.ts";
import type { RawAnswer } from "../support/raw-http.ts";
import { type RawUpstream, type Respond, tool } from "../support/raw-upstream.ts";

const ALL = "the-token-of-all-servers";
const OTHER = "another-token-of-all-servers";
const OPEN = { version: "1", default: "allow" };
const LONG = `a_tool_${"with_a_long_name_".repeat(5)}end`;
const SETTLED = { timeout: 30_000 };

let gateway: RawGateway;
beforeAll(async () => {
  const servers = { "a-server": "a", b: "b", c: "c" };
  gateway = await startGateway({
    servers: Object.fromEntries(
      Object.entries(servers).map(([name, mark]) => [
        name,
        {
          policy: OPEN,
          era: "legacy" as const,
          tools: `[${tool("same", `,"x":{"n":1.0,"of":"${mark}"}`)},${tool(LONG)}, ${tool("secret")}]`,
        },
      ]),
    ),
    grants: Object.fromEntries(
      [ALL, OTHER].map((token, index) => [
        `all-${index}`,
        { servers: { "a-server": "a-server-policy", b: "b-policy", c: "c-policy" }, identity: "all@example.com", token },
      ]),
    ),
  });
  await Promise.all(Object.keys(servers).map((server) => gateway.call("same", "{}", { server, token: ALL })));
});
afterAll(() => gateway?.stop());
beforeEach(() => {
  for (const upstream of Object.values(gateway.upstreams)) upstream.respond = () => undefined;
});

const at = (name: string): RawUpstream => gateway.upstreams[name] as RawUpstream;
const url = (): URL => new URL(`${gateway.app.url}/mcp`);
const HANG: Respond = () => ({ act: () => undefined });
const only =
  (method: string, respond: Respond): Respond =>
  (arrived, asked) =>
    asked.method === method ? respond(arrived, asked) : undefined;

function list(method = "tools/list", cursor?: string, token = ALL): Promise<RawAnswer> {
  const params = cursor === undefined ? {} : { cursor };
  return gateway.post(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }), { server: "", token });
}

const namesOf = (answer: RawAnswer): string[] => (answer.json().result.tools as { name: string }[]).map(({ name }) => name);
const textOf = (answer: RawAnswer): string => answer.json().result.content[0].text as string;
const methodsOf = (stream: RawStream): unknown[] => stream.messages.map(({ method }) => method);

describe("a list of several servers", () => {
  it("holds every definition as its server spelled it, under another name", async () => {
    const { text } = await list();
    expect(text).toContain('{"name":"a-server__same","inputSchema":{"type":"object"},"x":{"n":1.0,"of":"a"}}');
    expect(text).toContain('{"name":"c__same","inputSchema":{"type":"object"},"x":{"n":1.0,"of":"c"}}');
  });

  it("cuts long names, and calls reach the tool under the cut one and in full", async () => {
    const names = namesOf(await list());
    const cut = names.filter((name) => name.length === 64);
    expect(cut.length).toBe(3);
    for (const name of [cut[1] as string, `b__${LONG}`]) {
      at("b").forget();
      expect(textOf(await gateway.call(name, "{}", { server: "", token: ALL }))).toBe("done");
      expect(
        at("b")
          .calls()
          .map(({ message }) => message?.params?.["name"]),
      ).toEqual([LONG]);
    }
    const wrong = `${(cut[1] as string).slice(0, -8)}00000000`;
    expect((await gateway.call(wrong, "{}", { server: "", token: ALL })).json().error).toEqual({
      code: -32602,
      message: `Unknown tool: ${wrong}`,
    });
  });

  it("leaves out who hangs, names it, and waits for it less from then on", SETTLED, async () => {
    at("b").respond = only("tools/list", HANG);
    const start = performance.now();
    const first = await list();
    const waited = performance.now() - start;
    expect(first.json().result._meta).toEqual({ "sallyport/unavailable": ["b"] });
    expect(namesOf(first).map((name) => name.split("__")[0])).toEqual(["a-server", "a-server", "a-server", "c", "c", "c"]);
    const began = performance.now();
    expect((await list()).json().result._meta).toEqual({ "sallyport/unavailable": ["b"] });
    expect(performance.now() - began).toBeLessThan(waited);
    expect(gateway.said.join("")).toContain("The server b does not answer; it is left out of lists.");
    at("b").respond = () => undefined;
    await waitUntil(async () => namesOf(await list()).length === 9);
    expect(gateway.said.join("")).toContain("The server b is back.");
  });

  it("keeps nobody waiting for a server that hangs in a call", async () => {
    at("b").respond = only("tools/call", HANG);
    const hanging = gateway.call("b__same", "{}", { server: "", token: ALL });
    await waitUntil(() => at("b").calls().length > 0);
    expect(textOf(await gateway.call("c__same", "{}", { server: "", token: ALL }))).toBe("done");
    expect(namesOf(await list()).length).toBe(9);
    await at("b").stop();
    expect((await hanging).json().result.isError).toBe(true);
    await at("b").start();
  });

  it("leaves out half a list, a cursor that comes again, and what can't be read", async () => {
    const broken: Respond[] = [
      only("tools/list", () => ({ result: `{"tools":[${tool("same")}],"nextCursor":"again"}` })),
      only("tools/list", (_arrived, asked) =>
        asked.params?.["cursor"] === undefined
          ? { result: `{"tools":[${tool("same")}],"nextCursor":"x"}` }
          : { error: '{"code":-1,"message":"no"}' },
      ),
      only("tools/list", () => ({ result: '{"tools":{}}' })),
    ];
    for (const respond of broken) {
      at("c").respond = respond;
      const answer = await list();
      expect(answer.json().result._meta).toEqual({ "sallyport/unavailable": ["c"] });
      expect(namesOf(answer).length).toBe(6);
    }
  });

  it("is empty where a server has none of a kind", async () => {
    at("a-server").respond = only("prompts/list", () => ({ result: '{"prompts":[{"name":"greet","title":"Hello"}]}' }));
    const answer = await list("prompts/list");
    expect(answer.json().result).toEqual({ prompts: [{ name: "a-server__greet", title: "Hello" }] });
  });

  it("turns a prompt's cut name back without having listed it for that client", async () => {
    const respond: Respond = (_arrived, asked) => {
      if (asked.method === "prompts/list") return { result: `{"prompts":[{"name":"${LONG}"}]}` };
      return asked.method === "prompts/get" ? { result: '{"messages":[]}' } : undefined;
    };
    at("b").respond = respond;
    const shown = (await list("prompts/list")).json().result.prompts[0].name as string;
    expect(shown).toHaveLength(64);
    at("b").forget();
    const get = { jsonrpc: "2.0", id: 2, method: "prompts/get", params: { name: shown } };
    const answer = await gateway.post(JSON.stringify(get), { server: "", token: OTHER });
    expect(answer.json().result).toEqual({ messages: [] });
    expect(at("b").calls("prompts/get")[0]?.message?.params).toEqual({ name: LONG });
  });
});

describe("pages", () => {
  const COUNT = 200;
  const names = Array.from({ length: COUNT }, (_, index) => `item-${String(index).padStart(3, "0")}`);
  const paged: Respond = only("resources/list", (_arrived, asked) => {
    const start = Number(asked.params?.["cursor"] ?? 0);
    const items = names.slice(start, start + 30).map((name) => `{"uri":"x://${name}","name":"${name}"}`);
    const next = start + 30 < COUNT ? `,"nextCursor":"${start + 30}"` : "";
    return { result: `{"resources":[${items.join(",")}]${next}}` };
  });

  it("of three servers with 200 items each hold every one of them, once and in order", async () => {
    for (const upstream of Object.values(gateway.upstreams)) upstream.respond = paged;
    const seen: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const { result } = (await list("resources/list", cursor)).json();
      seen.push(...result.resources.map(({ uri }: { uri: string }) => uri));
      cursor = result.nextCursor;
      pages++;
    } while (cursor !== undefined);
    expect(seen).toEqual(["a-server", "b", "c"].flatMap((server) => names.map((name) => `sallyport+${server}:x://${name}`)));
    expect(pages).toBe(2);
  });

  it("are sealed: what was changed, is another grant's, of another list or made up is refused", async () => {
    for (const upstream of Object.values(gateway.upstreams)) upstream.respond = paged;
    const { nextCursor } = (await list("resources/list")).json().result as { nextCursor: string };
    expect(Buffer.from(nextCursor.split(".")[2] ?? "", "base64url").toString("latin1")).not.toContain("item");
    const middle = nextCursor.length - 20;
    const changed = nextCursor.slice(0, middle) + (nextCursor[middle] === "A" ? "B" : "A") + nextCursor.slice(middle + 1);
    const refused = [list("resources/list", changed), list("tools/list", nextCursor), list("resources/list", nextCursor, OTHER)];
    for (const answer of await Promise.all([...refused, list("resources/list", ""), list("resources/list", "30")])) {
      expect(answer.json().error).toMatchObject({ code: -32602 });
      expect(answer.text).not.toContain("item");
    }
    expect((await list("resources/list", nextCursor)).json().result.resources.length).toBe(100);
  });
});

describe("what is on record", () => {
  it("names the server and its own tool, and what no server has", async () => {
    const entries = await gateway.during(async () => {
      await gateway.call("b__same", "{}", { server: "", token: ALL });
      await gateway.call("nobody__same", "{}", { server: "", token: ALL });
    }, 3);
    expect(entries.map(({ kind, server, tool: name, code }) => ({ kind, server, name, code }))).toEqual([
      { kind: "intent", server: "b", name: "same", code: null },
      { kind: "outcome", server: "b", name: "same", code: null },
      { kind: "denial", server: null, name: "nobody__same", code: "unknown_tool" },
    ]);
  });

  it("refuses a message that is no good, as on every endpoint", async () => {
    expect((await gateway.post("[]", { server: "", token: ALL })).json().error.code).toBe(-32600);
    expect((await gateway.post("{}", { server: "", token: null })).status).toBe(401);
    expect((await gateway.post('{"jsonrpc":"2.0","id":1,"method":"no/such"}', { server: "", token: ALL })).json().error.code).toBe(-32601);
    expect((await gateway.post("{}", { server: "", token: ALL, host: "evil.example" })).status).toBe(403);
    expect(namesOf(await list("tools/list", undefined, TOKEN))).toEqual([
      "a-server__same",
      expect.stringContaining("a-server__a_tool"),
      "a-server__secret",
    ]);
  });
});

describe("a listening client", { timeout: SETTLED.timeout * 3 }, () => {
  it("hears of a server's death and of its return", async () => {
    const session = await openSession(url(), ALL);
    const stream = await openStream(url(), { token: ALL, session });
    await at("c").stop();
    const answered = await gateway.post(JSON.stringify(call(5, "c__same")), {
      server: "",
      token: ALL,
      headers: [["mcp-session-id", session]],
    });
    expect(answered.json().result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("can't be reached") }] });
    await waitUntil(() => methodsOf(stream).includes("notifications/tools/list_changed"));
    expect(methodsOf(stream)).toEqual([
      "notifications/tools/list_changed",
      "notifications/prompts/list_changed",
      "notifications/resources/list_changed",
    ]);
    expect(namesOf(await list()).some((name) => name.startsWith("c__"))).toBe(false);
    await at("c").start();
    await waitUntil(() => methodsOf(stream).filter((method) => method === "notifications/tools/list_changed").length === 2);
    expect(namesOf(await list()).some((name) => name.startsWith("c__"))).toBe(true);
    const again = await gateway.post(JSON.stringify(call(6, "c__same")), {
      server: "",
      token: ALL,
      headers: [["mcp-session-id", session]],
    });
    expect(textOf(again)).toBe("done");
    stream.cut();
  });

  it("hears nothing more of a server that is taken from its grant", async () => {
    let heard: ServerResponse | undefined;
    let isClosed = false;
    at("b").onGet = (response) => {
      heard = response;
      response.on("close", () => (isClosed = true));
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    };
    const session = await openSession(url(), OTHER);
    const stream = await openStream(url(), { token: OTHER, session });
    await waitUntil(() => heard !== undefined);
    heard?.write('data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x:1"}}\n\n');
    await waitUntil(() => stream.messages.length === 1);
    expect(stream.messages).toMatchObject([{ method: "notifications/resources/updated", params: { uri: "sallyport+b:x:1" } }]);
    gateway.rewriteConfig((config: { grants?: Record<string, { servers: Record<string, string> }> }) => {
      const { b: _taken, ...servers } = config.grants?.["all-1"]?.servers ?? {};
      return { ...config, grants: { ...config.grants, "all-1": { ...config.grants?.["all-1"], servers } } };
    });
    await waitUntil(() => isClosed && methodsOf(stream).includes("notifications/tools/list_changed"));
    at("b").onGet = undefined;
    const post = { server: "", token: OTHER, headers: [["mcp-session-id", session]] as const };
    expect((await gateway.post(JSON.stringify(call(9, "b__same")), post)).json().error.message).toBe("Unknown tool: b__same");
    stream.cut();
  });

  it("hears of a policy that changes what it sees of one server alone, too", async () => {
    const alone = new URL(`${gateway.app.url}/mcp/c`);
    at("c").respond = only("initialize", () => ({
      act(response, _socket, id) {
        const result = '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"raw","version":"1"}}';
        response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "of-the-server" });
        response.end(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
      },
    }));
    const session = await openSession(alone, ALL);
    at("c").onGet = (response) => response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    const stream = await openStream(alone, { token: ALL, session });
    gateway.rewriteConfig((config: { policies?: Record<string, { document: object }> }) => {
      const policies = { ...config.policies, "c-policy": { server: "c", document: { ...OPEN, hide: ["secret"] } } };
      return { ...config, policies };
    });
    await waitUntil(() => methodsOf(stream).includes("notifications/tools/list_changed"));
    at("c").onGet = undefined;
    stream.cut();
  });

  it("hears of a policy that changes what it sees, and a cursor from before is refused", async () => {
    const session = await openSession(url(), ALL);
    const stream = await openStream(url(), { token: ALL, session });
    for (const upstream of Object.values(gateway.upstreams)) {
      upstream.respond = only("resources/list", () => ({
        result: `{"resources":[${Array.from({ length: 200 }, (_, index) => `{"uri":"x://${index}","name":"n"}`).join(",")}]}`,
      }));
    }
    const { nextCursor } = (await list("resources/list")).json().result as { nextCursor: string };
    gateway.rewriteConfig((config: { policies?: Record<string, { document: object }> }) => {
      const policies = { ...config.policies, "b-policy": { server: "b", document: { ...OPEN, hide: ["secret"] } } };
      return { ...config, policies };
    });
    await waitUntil(() => methodsOf(stream).includes("notifications/tools/list_changed"));
    expect(namesOf(await list())).not.toContain("b__secret");
    expect((await gateway.call("b__secret", "{}", { server: "", token: ALL })).json().error.message).toBe("Unknown tool: b__secret");
    expect((await list("resources/list", nextCursor)).json().error).toMatchObject({ code: -32602 });
    stream.cut();
  });
});
