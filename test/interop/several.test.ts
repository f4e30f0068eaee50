/** All servers of a grant behind one endpoint, through real clients of both generations and real servers, legacy era. */
import {
  ElicitRequestSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { type Everything, startEverything } from "./everything.ts";
import { type HandMade, startHandMade } from "./hand-made-server.ts";
import { type LegacyServer, startLegacyServer } from "./legacy-server.ts";
import { call, openSession, openStream, post } from "./raw-client.ts";
import { connectV1, connectV2, textOf } from "./sdk-clients.ts";

const ALICE = "token-of-alice-0000000001";
const BOB = "token-of-bob-000000000001";
const CAPPED = "token-of-one-with-a-limit1";
const GONE = "token-of-one-that-is-gone1";
const SINGLE = "token-of-a-single-server-1";
let everything: Everything;
let small: LegacyServer;
let made: HandMade;
let gateway: TestGateway;
let url: URL;

beforeAll(async () => {
  everything = await startEverything();
  small = await startLegacyServer();
  made = await startHandMade(["echo", "slow"]);
  gateway = await startGateway({
    servers: { all: { url: everything.url }, small: { url: small.url, asks: ["elicitation"] }, "made-by-hand": { url: made.url } },
    policies: {
      everything: { server: "all", document: { version: "1", default: "allow", hide: ["get-env"] } },
      small: { server: "small", document: { version: "1", default: "allow", hide: ["secret"] } },
      capped: {
        server: "small",
        document: {
          version: "1",
          default: "allow",
          tools: { echo: { limits: [{ counter: "echoes", window: "hour", max: 2, scope: "session" }] } },
        },
      },
      made: { server: "made-by-hand", document: { version: "1", default: "allow" } },
    },
    grants: {
      alice: { servers: { all: "everything", small: "small", "made-by-hand": "made" }, token: ALICE },
      bob: { servers: { small: "small" }, token: BOB },
      capped: { servers: { small: "capped", "made-by-hand": "made" }, token: CAPPED },
      gone: { servers: { small: "small", "made-by-hand": "made" }, token: GONE },
      single: { servers: { small: "small" }, token: SINGLE },
    },
  });
  url = new URL(`${gateway.app.url}/mcp`);
});

afterAll(async () => {
  await gateway?.stop();
  await everything?.stop();
  await small?.stop();
  await made?.stop();
});

describe("one endpoint for several servers, before a client of the first generation", () => {
  it("opens once, with what all of them can do and say, under names of the operator's", async () => {
    const { client } = await connectV1(url, ALICE);
    expect(client.getServerVersion()).toMatchObject({ name: "sallyport" });
    expect(client.getServerCapabilities()).toMatchObject({
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {},
    });
    expect(client.getInstructions()).toMatch(/Server `small` \(its tools begin with `small__`\) says:\nBe kind\./);
    await client.close();
  });

  it("lists the tools of all, in the order of their servers, less what is hidden", async () => {
    const { client } = await connectV1(url, ALICE);
    const { tools, nextCursor } = await client.listTools();
    const names = tools.map(({ name }) => name);
    expect(nextCursor).toBeUndefined();
    expect(names).toContain("all__echo");
    expect(names).toContain("small__echo");
    expect(names).toContain("made-by-hand__echo");
    expect(names).not.toContain("all__get-env");
    expect(names).not.toContain("small__secret");
    expect(names.map((name) => name.split("__")[0])).toEqual(names.map((name) => name.split("__")[0]).sort());
    const direct = await connectV1(gateway.addressOf("small"), ALICE);
    const own = (await direct.client.listTools()).tools;
    expect(tools.filter(({ name }) => name.startsWith("small__"))).toEqual(own.map((one) => ({ ...one, name: `small__${one.name}` })));
    await direct.client.close();
    await client.close();
  });

  it("sends a call to its server, in that server's own name", async () => {
    const { client } = await connectV1(url, ALICE);
    const before = (await gateway.readLog()).length;
    expect(textOf(await client.callTool({ name: "small__echo", arguments: { text: "hello" } }))).toBe("hello");
    expect(textOf(await client.callTool({ name: "all__echo", arguments: { message: "hello" } }))).toContain("hello");
    const log = (await gateway.readLog()).slice(before).filter(({ method, kind }) => method === "tools/call" && kind === "intent");
    expect(log.map(({ server, tool }) => [server, tool])).toEqual([
      ["small", "echo"],
      ["all", "echo"],
    ]);
    expect(log.every(({ session }) => session === log[0]?.["session"] && session !== undefined)).toBe(true);
    await client.close();
  });

  it("answers what is hidden, what is not there and who is not there alike", async () => {
    const { client } = await connectV1(url, ALICE);
    for (const name of ["small__secret", "small__nothing", "nobody__echo", "echo", "all__get-env"]) {
      await expect(client.callTool({ name, arguments: {} })).rejects.toMatchObject({
        code: -32602,
        message: expect.stringContaining(`Unknown tool: ${name}`),
      });
    }
    await client.close();
    const other = await connectV1(url, BOB);
    await expect(other.client.callTool({ name: "all__echo", arguments: { message: "x" } })).rejects.toMatchObject({ code: -32602 });
    expect((await other.client.listTools()).tools.every(({ name }) => name.startsWith("small__"))).toBe(true);
    await other.client.close();
  });

  it("has prompts, resources, templates and completions of all", async () => {
    const { client } = await connectV1(url, ALICE);
    const { prompts } = await client.listPrompts();
    expect(prompts.map(({ name }) => name)).toContain("all__simple-prompt");
    expect((await client.getPrompt({ name: "all__simple-prompt" })).messages.length).toBeGreaterThan(0);
    const { resources } = await client.listResources();
    expect(resources.length).toBeGreaterThan(0);
    const uri = resources[0]?.uri ?? "";
    expect(uri).toMatch(/^sallyport\+all:demo:\/\//);
    const read = await client.readResource({ uri });
    expect(read.contents[0]?.uri).toBe(uri);
    const { resourceTemplates } = await client.listResourceTemplates();
    const template = resourceTemplates.find(({ uriTemplate }) => uriTemplate.includes("text"))?.uriTemplate ?? "";
    expect(template).toMatch(/^sallyport\+all:.*\{resourceId\}/);
    const expanded = template.replace("{resourceId}", "1");
    expect((await client.readResource({ uri: expanded })).contents[0]?.uri).toBe(expanded);
    const completed = await client.complete({
      ref: { type: "ref/prompt", name: "all__completable-prompt" },
      argument: { name: "department", value: "E" },
    });
    expect(completed.completion.values).toContain("Engineering");
    const ofTemplate = await client.complete({
      ref: { type: "ref/resource", uri: template },
      argument: { name: "resourceId", value: "1" },
    });
    expect(ofTemplate.completion.values).toContain("1");
    await expect(client.getPrompt({ name: "all__nothing" })).rejects.toThrow("Unknown prompt: all__nothing");
    await expect(client.getPrompt({ name: "nobody__nothing" })).rejects.toThrow("Unknown prompt: nobody__nothing");
    for (const none of ["demo://resource/static/document/features.md", "sallyport+nobody:x"]) {
      await expect(client.readResource({ uri: none })).rejects.toMatchObject({ code: -32002, data: { uri: none } });
    }
    await client.close();
  });

  it("turns the URIs inside of results", async () => {
    const { client } = await connectV1(url, ALICE);
    const linked = (await client.callTool({ name: "all__get-resource-links", arguments: { count: 2 } })) as {
      content: { type: string; uri?: string }[];
    };
    const links = linked.content.filter(({ type }) => type === "resource_link").map(({ uri }) => uri ?? "");
    expect(links.length).toBe(2);
    expect(links.every((uri) => uri.startsWith("sallyport+all:demo://"))).toBe(true);
    expect((await client.readResource({ uri: links[0] ?? "" })).contents[0]?.uri).toBe(links[0]);
    const embedded = (await client.callTool({
      name: "all__get-resource-reference",
      arguments: { resourceType: "Text", resourceId: 1 },
    })) as {
      content: { type: string; resource?: { uri: string } }[];
    };
    expect(embedded.content.find(({ type }) => type === "resource")?.resource?.uri).toMatch(/^sallyport\+all:demo:/);
    await client.close();
  });

  it("passes progress, questions to the person and a cancel through the one session", async () => {
    const { client } = await connectV1(url, ALICE, { capabilities: { elicitation: {} } }, (one) =>
      one.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { name: "Ada" } })),
    );
    const seen: number[] = [];
    await client.callTool({ name: "small__count", arguments: {} }, undefined, { onprogress: ({ progress }) => void seen.push(progress) });
    expect(seen).toEqual([1, 2, 3]);
    expect(textOf(await client.callTool({ name: "small__ask", arguments: {} }))).toContain("Ada");
    await waitUntil(() => small.heard.some(({ method }) => method === "GET"));
    await waitUntil(async () => textOf(await client.callTool({ name: "small__ask", arguments: { aside: true } })).includes("Ada"));
    const before = small.cancelled.length;
    const stop = new AbortController();
    const waiting = client.callTool({ name: "small__wait", arguments: {} }, undefined, {
      signal: stop.signal,
      onprogress: () => stop.abort(),
    });
    await expect(waiting).rejects.toThrow();
    await waitUntil(() => small.cancelled.length === before + 1);
    small.release();
    await client.close();
  });

  it("tells what a server says on its own, and of resources that changed", async () => {
    let changed = 0;
    const updated: string[] = [];
    const { client } = await connectV1(url, ALICE, {}, (one) => {
      one.setNotificationHandler(ToolListChangedNotificationSchema, () => void changed++);
      one.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
    });
    await waitUntil(async () => {
      await client.callTool({ name: "small__change", arguments: {} });
      return changed > 0;
    });
    const uri = "sallyport+all:demo://resource/dynamic/text/1";
    await client.subscribeResource({ uri });
    await client.callTool({ name: "all__toggle-subscriber-updates", arguments: {} });
    await waitUntil(() => updated.includes(uri));
    await client.callTool({ name: "all__toggle-subscriber-updates", arguments: {} });
    await client.unsubscribeResource({ uri });
    await client.close();
  });

  it("works before a client of the second generation, and for a grant of a single server", async () => {
    const { client } = await connectV2(url, SINGLE);
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("small__echo");
    expect(textOf(await client.callTool({ name: "small__echo", arguments: { text: "two" } }))).toBe("two");
    await client.close();
  });
});

describe("a session with several servers", () => {
  it("is nobody else's, and ends on all servers", async () => {
    const session = await openSession(url, ALICE);
    const before = small.sessions.size;
    const ping = { jsonrpc: "2.0", id: 5, method: "ping" };
    expect((await post(url, ping, { token: ALICE, session })).messages).toMatchObject([{ id: 5, result: {} }]);
    expect((await post(url, ping, { token: BOB, session })).status).toBe(404);
    expect((await post(gateway.addressOf("small"), ping, { token: ALICE, session })).status).toBe(404);
    const listening = await openStream(url, { token: ALICE, session });
    const deleted = await fetch(url, { method: "DELETE", headers: { authorization: `Bearer ${ALICE}`, "mcp-session-id": session } });
    expect(deleted.status).toBe(204);
    await listening.ended;
    expect(small.sessions.size).toBe(before - 1);
    expect((await post(url, ping, { token: ALICE, session })).status).toBe(404);
  });

  it("goes on when one of its servers has forgotten its part", async () => {
    const session = await openSession(url, ALICE);
    const [own] = [...small.sessions.keys()].slice(-1);
    await fetch(small.url, { method: "DELETE", headers: { "mcp-session-id": own ?? "" } });
    const listed = await post(url, { jsonrpc: "2.0", id: 1, method: "tools/list" }, { token: ALICE, session });
    expect(listed.text).toContain("small__echo");
    const answered = await post(url, call(2, "small__echo", { text: "again" }), { token: ALICE, session });
    expect(answered.text).toContain("again");
  });

  it("does not send a call twice, and says that it is not known", async () => {
    const session = await openSession(url, ALICE);
    const [own] = [...small.sessions.keys()].slice(-1);
    await fetch(small.url, { method: "DELETE", headers: { "mcp-session-id": own ?? "" } });
    const before = small.heard.length;
    const answered = await post(url, call(1, "small__echo", { text: "once" }), { token: ALICE, session });
    expect(answered.messages).toMatchObject([{ id: 1, result: { isError: true } }]);
    expect(small.heard.slice(before).filter(({ text }) => text.includes('"once"')).length).toBe(1);
    expect((await post(url, call(2, "small__echo", { text: "twice" }), { token: ALICE, session })).text).toContain("twice");
  });

  it("takes its client back to a stream that broke off, and goes back to servers that let theirs go", async () => {
    const session = await openSession(url, ALICE);
    const stream = await openStream(url, { token: ALICE, session, body: call(1, "small__wait", {}, { progressToken: "p" }) });
    await waitUntil(() => stream.messages.length === 1);
    stream.cut();
    small.release();
    const back = await openStream(url, { token: ALICE, session, headers: { "last-event-id": stream.lastId ?? "" } });
    await waitUntil(() => back.messages.length === 2);
    expect(back.messages).toMatchObject([
      { method: "notifications/progress", params: { progress: 2 } },
      { id: 1, result: {} },
    ]);
    const polled = await post(url, call(2, "small__poll"), { token: ALICE, session });
    expect(polled.messages.at(-1)).toMatchObject({ id: 2, result: { content: [{ text: "polled" }] } });
  });

  it("is told of a log's level once, whatever servers open later", async () => {
    const session = await openSession(url, ALICE);
    const before = small.heard.length;
    const set = { jsonrpc: "2.0", id: 1, method: "logging/setLevel", params: { level: "debug" } };
    expect((await post(url, set, { token: ALICE, session })).messages).toMatchObject([{ id: 1, result: {} }]);
    expect(small.heard.slice(before).filter(({ text }) => text.includes("logging/setLevel")).length).toBe(1);
    const [own] = [...small.sessions.keys()].slice(-1);
    await fetch(small.url, { method: "DELETE", headers: { "mcp-session-id": own ?? "" } });
    await post(url, { jsonrpc: "2.0", id: 2, method: "tools/list" }, { token: ALICE, session });
    const levels = small.heard.slice(before).filter(({ text }) => text.includes("logging/setLevel"));
    expect(levels.length).toBe(2);
    expect(levels[1]?.text).toContain('"debug"');
    const wrong = { ...set, params: { level: "loud" } };
    expect((await post(url, wrong, { token: ALICE, session })).messages).toMatchObject([{ error: { code: -32602 } }]);
  });

  it("shares a limit of a session over everything that it does, and counts by the server's own name", async () => {
    const charged = await openSession(url, CAPPED);
    const calls = [];
    for (let id = 1; id <= 3; id++)
      calls.push(await post(url, call(id, "small__echo", { text: "x" }), { token: CAPPED, session: charged }));
    expect(calls.map(({ text }) => text.includes("limit_exceeded"))).toEqual([false, false, true]);
    const other = await openSession(url, CAPPED);
    expect((await post(url, call(4, "small__echo", { text: "x" }), { token: CAPPED, session: other })).text).not.toContain(
      "limit_exceeded",
    );
  });

  it("ends with its grant, and so do its streams", async () => {
    const session = await openSession(url, GONE);
    const listening = await openStream(url, { token: GONE, session });
    const waiting = await openStream(url, { token: GONE, session, body: call(1, "small__wait", {}, { progressToken: "p" }) });
    await waitUntil(() => waiting.messages.length > 0);
    await gateway.revoke("gone");
    await Promise.all([listening.ended, waiting.ended]);
    small.release();
    expect(waiting.messages.some(({ result }) => result !== undefined)).toBe(false);
    expect((await post(url, { jsonrpc: "2.0", id: 2, method: "tools/list" }, { token: GONE, session })).status).toBe(401);
  });

  it("knows one set of ids", async () => {
    const session = await openSession(url, ALICE);
    const stream = await openStream(url, { token: ALICE, session, body: call(7, "small__wait", {}, { progressToken: "p" }) });
    await waitUntil(() => stream.messages.length > 0);
    const again = await post(url, call(7, "all__echo", { message: "x" }), { token: ALICE, session });
    expect(again.messages).toMatchObject([{ id: 7, error: { code: -32600 } }]);
    small.release();
    await stream.ended;
    expect(stream.messages.at(-1)).toMatchObject({ id: 7, result: {} });
  });
});
