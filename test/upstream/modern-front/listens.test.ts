/** Modern listens, fed by a legacy session's GET stream and by its subscriptions. */
import { describe, expect, it } from "vitest";
import { MAX_LISTENS_PER_SESSION } from "../../../src/upstream/modern-front/bounds.ts";
import { type Asking, ask, call, eventually, type How, openFront } from "./asking.ts";
import { type Scripted, type ScriptedOptions, startScripted } from "./scripted-server.ts";

const KEY = "io.modelcontextprotocol/subscriptionId";
const ALL_LISTS = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
const CAPABILITIES = { tools: { listChanged: true }, prompts: {}, resources: { subscribe: true, listChanged: true } };
const changed = (what: string, params: object = {}): object => ({ jsonrpc: "2.0", method: `notifications/${what}`, params });
const updated = (uri: string): object => changed("resources/updated", { uri });

async function start(options: ScriptedOptions = {}): Promise<Scripted> {
  const server = await startScripted({ capabilities: CAPABILITIES, ...options });
  for (const method of ["resources/subscribe", "resources/unsubscribe"]) {
    server.plays.set(method, (turn) =>
      turn.sent.message?.params?.["uri"] === "docs://shut" ? turn.error('{"code":-32602,"message":"no"}') : turn.result("{}"),
    );
  }
  return server;
}

async function listen(front: Parameters<typeof ask>[0], notifications: object, how: How = {}): Promise<Asking> {
  const listening = ask(front, "subscriptions/listen", { notifications }, how);
  await eventually(() => listening.messages.length + (listening.fault ? 1 : 0)).toBeGreaterThan(0);
  return listening;
}

const uris = (server: Scripted, method: string): unknown[] =>
  server.of(`resources/${method}`).map(({ message }) => message?.params?.["uri"]);

describe("a listen", () => {
  it("is told first what it will hear of, then that, each under its own id", async () => {
    const server = await start();
    const front = openFront(server.url);
    const listening = await listen(front, { ...ALL_LISTS, resourceSubscriptions: ["docs://open", "docs://shut"] }, { id: 41 });
    expect([listening.status, listening.type]).toEqual([200, "text/event-stream"]);
    expect(listening.messages[0]).toEqual({
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: {
        notifications: { toolsListChanged: true, resourcesListChanged: true, resourceSubscriptions: ["docs://open"] },
        _meta: { [KEY]: 41 },
      },
    });
    server.say(changed("tools/list_changed", { _meta: { mine: 1, [KEY]: "liar" } }));
    server.say(changed("prompts/list_changed"));
    server.say(updated("docs://shut"));
    server.say(updated("docs://open"));
    server.say(changed("message", { level: "error", data: 1 }));
    await eventually(() => listening.messages.length).toBe(3);
    expect(listening.messages.slice(1)).toMatchObject([
      { method: "notifications/tools/list_changed", params: { _meta: { mine: 1, [KEY]: 41 } } },
      { method: "notifications/resources/updated", params: { uri: "docs://open", _meta: { [KEY]: 41 } } },
    ]);
  });

  it("hears only what it asked for, and shares session, stream and subscriptions with the others", async () => {
    const server = await start();
    const front = openFront(server.url);
    const tools = await listen(front, { toolsListChanged: true });
    const one = await listen(front, { resourceSubscriptions: ["docs://a", "docs://a", "docs://b"] });
    const two = await listen(front, { resourceSubscriptions: ["docs://a"] });
    expect(server.streams).toHaveLength(1);
    expect(server.of("initialize")).toHaveLength(1);
    expect(uris(server, "subscribe").sort()).toEqual(["docs://a", "docs://b"]);
    server.say(updated("docs://a"));
    server.say(changed("tools/list_changed"));
    await eventually(() => [tools, one, two].map(({ messages }) => messages.length)).toEqual([2, 2, 2]);
    one.open.cancel();
    await eventually(() => uris(server, "unsubscribe")).toEqual(["docs://b"]);
    two.open.cancel();
    await eventually(() => uris(server, "unsubscribe")).toEqual(["docs://b", "docs://a"]);
    await listen(front, { resourceSubscriptions: ["docs://a"] });
    expect(uris(server, "subscribe")).toHaveLength(3);
  });

  it("hears what the server says on the stream of a call too; the call's client does not", async () => {
    let seen = 0;
    const server = await start();
    const front = openFront(server.url, {}, () => void seen++);
    const listening = await listen(front, { toolsListChanged: true });
    server.plays.set("echo", (turn) => turn.send(changed("tools/list_changed")).finish('{"content":[]}'));
    const called = call(front, "echo");
    await called.done;
    expect(called.messages).toHaveLength(1);
    await eventually(() => listening.messages.length).toBe(2);
    expect(seen).toBe(1);
  });

  it("is another grant's own: it hears nothing of this one's session", async () => {
    const server = await start();
    const front = openFront(server.url);
    const mine = await listen(front, { toolsListChanged: true });
    const theirs = await listen(front, { toolsListChanged: true }, { owner: "bob" });
    server.say(changed("tools/list_changed"));
    await eventually(() => theirs.messages.length).toBe(2);
    expect(mine.messages).toHaveLength(1);
  });

  it("is honoured in nothing where the server has no stream to tell it on", async () => {
    const server = await start({ offersStream: false });
    const front = openFront(server.url);
    const listening = await listen(front, { ...ALL_LISTS, resourceSubscriptions: ["docs://a"] });
    expect(listening.messages[0]).toMatchObject({ params: { notifications: {} } });
    expect(uris(server, "subscribe")).toEqual([]);
  });

  it("is refused where its filter can't be read", async () => {
    const server = await start();
    const front = openFront(server.url);
    expect((await ask(front, "subscriptions/listen", { notifications: { toolsListChanged: 1 } }).done).error.code).toBe(-32602);
  });

  it("ends with the empty result when the server goes", async () => {
    const server = await start();
    const front = openFront(server.url);
    const listening = await listen(front, { toolsListChanged: true }, { id: 7 });
    await server.stop();
    expect(await listening.done).toMatchObject({ id: 7, result: { resultType: "complete", _meta: { [KEY]: 7 } } });
  });

  it("ends with the empty result when the server forgets the session, and when the front closes", async () => {
    const server = await start();
    const front = openFront(server.url);
    const listening = await listen(front, { toolsListChanged: true });
    server.sessions.clear();
    server.streams[0]?.end();
    expect(await listening.done).toMatchObject({ result: { resultType: "complete" } });
    const second = await listen(front, { toolsListChanged: true });
    expect(server.of("initialize")).toHaveLength(2);
    await front.close();
    expect(await second.done).toMatchObject({ result: { resultType: "complete" } });
  });

  it("goes on where its stream broke off", async () => {
    const server = await start();
    const front = openFront(server.url);
    const listening = await listen(front, { toolsListChanged: true });
    server.streams[0]?.write("id: s/1\nretry: 100\ndata: \n\n");
    server.streams[0]?.end();
    await eventually(() => server.heard.filter(({ http }) => http === "GET").length).toBe(2);
    expect(server.heard.findLast(({ http }) => http === "GET")?.headers["last-event-id"]).toBe("s/1");
    await eventually(() => server.streams.length).toBe(1);
    server.say(changed("tools/list_changed"), "s/2");
    await eventually(() => listening.messages.length).toBe(2);
  });

  it("is one of so many", async () => {
    const server = await start();
    const front = openFront(server.url);
    const all = Array.from({ length: MAX_LISTENS_PER_SESSION }, () => ask(front, "subscriptions/listen", { notifications: {} }));
    await eventually(() => all.every(({ messages }) => messages.length === 1)).toBe(true);
    const refused = await listen(front, {});
    expect(refused.fault).toMatchObject({ reason: "busy", sent: "not_sent" });
    all[0]?.open.cancel();
    expect((await listen(front, {})).fault).toBeUndefined();
  });
});

describe("a listen whose client is slow", () => {
  it("hears of each change once, when there is room again", async () => {
    const server = await start();
    const front = openFront(server.url);
    const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
    const params = { notifications: { toolsListChanged: true, resourceSubscriptions: ["docs://a"] }, _meta: meta };
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscriptions/listen", params }));
    let text = "";
    let isSlow = true;
    const sink = {
      onStart: () => undefined,
      onData: (chunk: Buffer) => {
        text += chunk.toString();
        return !isSlow;
      },
      onEnd: () => undefined,
      onFault: () => undefined,
    };
    const open = front.exchange({ method: "POST", body, headers: {}, stream: true }, sink);
    await eventually(() => text).toContain("acknowledged");
    const other = await listen(front, { toolsListChanged: true }, { owner: "" });
    for (let count = 0; count < 50; count++) {
      server.say(changed("tools/list_changed", { count }));
      server.say(updated("docs://a"));
    }
    server.say(changed("tools/list_changed", { count: "last" }));
    await eventually(() => other.messages.length).toBe(52);
    expect(text.match(/list_changed/g)).toBeNull();
    isSlow = false;
    open.resume();
    expect(text.match(/list_changed/g)).toHaveLength(1);
    expect(text.match(/docs:\/\/a"/g)?.length).toBe(2);
    expect(text).toContain('"count":"last"');
  });
});
