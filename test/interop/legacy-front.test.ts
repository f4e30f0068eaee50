/** Legacy clients of both generations of the SDK before a server that speaks 2026-07-28 alone, through a real gateway. */
import type { Client as ClientV2 } from "@modelcontextprotocol/client";
import { Client as ClientOfV1 } from "@modelcontextprotocol/sdk/client/index.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HttpUpstream } from "../../src/upstream/http-upstream.ts";
import { type FrontGateway, openLegacyFront, startFrontGateway } from "../support/front-gateway.ts";
import { waitUntil } from "../support/gateway.ts";
import { type AskingServer, startAskingServer } from "./asking-server.ts";
import { connectV1, connectV2, textOf } from "./sdk-clients.ts";

const TOKEN = "token-of-alice-0000000001";
const ALL = { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } };
const ROOTS = [{ uri: "file:///srv/docs", name: "docs" }];
let upstream: AskingServer;
let gateway: FrontGateway<HttpUpstream>;
let url: URL;

beforeAll(async () => {
  upstream = await startAskingServer();
  gateway = await startFrontGateway({
    server: upstream.url,
    label: "asking",
    policy: { hide: ["resting"] },
    grants: { alice: TOKEN },
    open: openLegacyFront({ handoverMs: 50, listenRetryMs: 50, listenRetryMaxMs: 100 }),
  });
  url = gateway.url;
});

afterAll(async () => {
  await gateway?.stop();
  await upstream?.stop();
});

interface Told {
  readonly asked: unknown[];
  readonly log: unknown[];
  readonly updated: string[];
  changed: number;
}

/** What both generations can do, by one name each. */
interface Legacy {
  readonly told: Told;
  readonly session: string | undefined;
  readonly client: ClientOfV1 | ClientV2;
  terminate(): Promise<void>;
}

const sampled = { role: "assistant" as const, model: "small", content: { type: "text" as const, text: "Hi." } };

function answerElicitation(
  told: Told,
  params: { readonly message: string; readonly mode?: string | undefined },
): { action: "accept"; content?: { name: string } } {
  told.asked.push(params);
  return params.mode === "url" ? { action: "accept" } : { action: "accept", content: { name: params.message } };
}

async function openV1(capabilities: object = ALL): Promise<Legacy> {
  const told: Told = { asked: [], log: [], updated: [], changed: 0 };
  const connected = await connectV1(url, TOKEN, { capabilities }, (client) => {
    if ("elicitation" in capabilities) client.setRequestHandler(ElicitRequestSchema, ({ params }) => answerElicitation(told, params));
    if ("sampling" in capabilities) client.setRequestHandler(CreateMessageRequestSchema, () => sampled);
    if ("roots" in capabilities) client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: ROOTS }));
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void told.log.push(params));
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void told.updated.push(params.uri));
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void told.changed++);
  });
  return { told, client: connected.client, session: connected.session, terminate: connected.terminate };
}

async function openV2(capabilities: object = ALL): Promise<Legacy> {
  const told: Told = { asked: [], log: [], updated: [], changed: 0 };
  const connected = await connectV2(url, TOKEN, { capabilities }, (client) => {
    if ("elicitation" in capabilities) client.setRequestHandler("elicitation/create", ({ params }) => answerElicitation(told, params));
    if ("sampling" in capabilities) client.setRequestHandler("sampling/createMessage", () => sampled);
    if ("roots" in capabilities) client.setRequestHandler("roots/list", () => ({ roots: ROOTS }));
    client.setNotificationHandler("notifications/message", ({ params }) => void told.log.push(params));
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => void told.updated.push(params.uri));
    client.setNotificationHandler("notifications/tools/list_changed", () => void told.changed++);
  });
  return { told, client: connected.client, session: connected.session, terminate: connected.terminate };
}

const call = async ({ client }: Legacy, name: string, args: Record<string, unknown> = {}): Promise<string> =>
  textOf(await client.callTool({ name, arguments: args }));

interface Watched {
  readonly signal?: AbortSignal;
  readonly onprogress: (said: { readonly progress: number }) => void;
}

/** The two generations take their options in another place. */
async function callWith(client: ClientOfV1 | ClientV2, name: string, options: Watched): Promise<unknown> {
  if (client instanceof ClientOfV1) return await client.callTool({ name, arguments: {} }, undefined, options);
  return await client.callTool({ name, arguments: {} }, options);
}

describe.each([
  ["first", openV1],
  ["second", openV2],
] as const)("a legacy client of the %s generation", (_generation, open) => {
  it("opens a session with what the server can do and the gateway lets through", async () => {
    const { client, session, terminate } = await open();
    expect(client.getServerVersion()).toMatchObject({ name: "behind" });
    expect(client.getServerCapabilities()).toEqual({
      tools: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      prompts: { listChanged: true },
      logging: {},
      completions: {},
    });
    expect(client.getInstructions()).toBe("Be brief.");
    expect(session).toMatch(/^[\w-]{24}\.[\w.-]+$/);
    expect(await client.ping()).toEqual({});
    await terminate();
    await client.close();
  });

  it("lists every page and calls, with the headers that the server wants", async () => {
    const one = await open();
    const { client } = one;
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.listTools(cursor === undefined ? {} : { cursor });
      names.push(...page.tools.map(({ name }) => name));
      cursor = page.nextCursor;
    } while (cursor !== undefined && !names.includes("paired"));
    expect(names).toContain("echo");
    expect(names).toContain("paired");
    expect(names).not.toContain("resting");
    expect(await call(one, "echo", { a: [1, { b: "é" }] })).toBe('{"a":[1,{"b":"é"}]}');
    expect(await call(one, "regional", { region: "Zürich" })).toContain("Zürich");
    const sent = upstream.heard.findLast(({ text }) => text.includes("Zürich"));
    expect(sent?.headers).toMatchObject({
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "regional",
      "mcp-param-region": `=?base64?${Buffer.from("Zürich").toString("base64")}?=`,
    });
    expect(sent?.headers).not.toHaveProperty("mcp-session-id");
    expect(sent?.headers).not.toHaveProperty("authorization");
    expect(sent?.text).toContain('"io.modelcontextprotocol/clientInfo":{"name":"sallyport"');
    await client.close();
  });

  it("gets structured results that it can read, and the others as text", async () => {
    const one = await open();
    const tools = [...(await one.client.listTools({ cursor: "second" })).tools];
    expect(tools.find(({ name }) => name === "listed")?.outputSchema).toBeUndefined();
    expect(tools.find(({ name }) => name === "paired")?.outputSchema).toMatchObject({ type: "object" });
    expect(await one.client.callTool({ name: "paired", arguments: {} })).toMatchObject({ structuredContent: { n: 4 } });
    const listed = await one.client.callTool({ name: "listed", arguments: {} });
    expect(listed).toEqual({ content: [{ type: "text", text: "[1,2,3]" }] });
    await one.client.close();
  });

  it("hears progress, and the log at the level that it set", async () => {
    const { client, told } = await open();
    const seen: number[] = [];
    await callWith(client, "count", { onprogress: ({ progress }) => void seen.push(progress) });
    expect(seen).toEqual([1, 2, 3]);
    expect(told.log).toEqual([]);
    await client.setLoggingLevel("info");
    await client.callTool({ name: "count", arguments: {} });
    await waitUntil(() => told.log.length > 0);
    expect(told.log).toEqual([expect.objectContaining({ level: "warning", data: "counting" })]);
    await client.close();
  });

  it("is asked in as many rounds as the server wants, on its own requests", async () => {
    const one = await open();
    const accepted = (name: string): object => ({ action: "accept", content: { name } });
    expect(await call(one, "ask")).toBe(`${JSON.stringify({ kind: "elicit", ...accepted("[server asking] Your name?") })} with state-1`);
    expect(await call(one, "ask-twice")).toBe(`${JSON.stringify({ second: accepted("[server asking] And then?") })} with two "é"`);
    expect(JSON.parse(await call(one, "sample"))).toEqual(sampled);
    expect(JSON.parse(await call(one, "roots"))).toEqual(ROOTS);
    expect(JSON.parse(await call(one, "everything"))).toEqual({ a: accepted("[server asking] Name?"), b: sampled, c: { roots: ROOTS } });
    expect((await one.client.readResource({ uri: "docs://asking" })).contents).toEqual([
      { uri: "docs://asking", text: '{"name":"[server asking] Who reads?"}' },
    ]);
    expect(JSON.stringify(await one.client.getPrompt({ name: "greet" }))).toContain("Hello [server asking] Greet whom?");
    await one.client.close();
  });

  it("opens a page for the server, under an id that the gateway made up", async () => {
    const one = await open();
    expect(JSON.parse(await call(one, "open-page"))).toMatchObject({ kind: "elicit", action: "accept" });
    expect(one.told.asked).toEqual([
      expect.objectContaining({ mode: "url", url: "https://example.com/sign", elicitationId: expect.stringMatching(/^[0-9a-f-]{36}$/) }),
    ]);
    await one.client.close();
  });

  it("is told in words where it can't do what a tool needs", async () => {
    const one = await open({ elicitation: {} });
    expect(await one.client.callTool({ name: "needs", arguments: {} })).toEqual({
      content: [{ type: "text", text: "The server needs a client with the capability: roots." }],
      isError: true,
    });
    expect(await call(one, "ask")).toContain("Your name?");
    expect(await one.client.callTool({ name: "open-page", arguments: {} })).toMatchObject({ isError: true });
    await one.client.close();
  });

  it("cancels, and the server sees its stream closed", async () => {
    const { client } = await open();
    const before = upstream.left();
    const abort = new AbortController();
    const waiting = callWith(client, "wait", { signal: abort.signal, onprogress: () => abort.abort(new Error("enough")) });
    await expect(waiting).rejects.toThrow("enough");
    await waitUntil(() => upstream.left() > before);
    await client.close();
  });

  it("reads resources, gets prompts and completions, and hears what is not there in its own code", async () => {
    const { client } = await open();
    const first = await client.listResources();
    expect(first.resources.length).toBeGreaterThan(0);
    expect((await client.listResourceTemplates()).resourceTemplates).toEqual([{ uriTemplate: "docs://{name}", name: "docs" }]);
    const read = await client.readResource({ uri: "docs://one" });
    expect(read).toEqual({ contents: [{ uri: "docs://one", text: "words" }] });
    await expect(client.readResource({ uri: "docs://none" })).rejects.toThrow("Resource not found");
    expect((await client.listPrompts()).prompts).toHaveLength(1);
    expect(JSON.stringify(await client.getPrompt({ name: "greet", arguments: { who: "Ada" } }))).toContain("Hello Ada");
    const completed = await client.complete({ ref: { type: "ref/prompt", name: "greet" }, argument: { name: "who", value: "A" } });
    expect(completed.completion.values).toEqual(["A!"]);
    await client.close();
  });

  it("hears of changes of lists, and of the resources that it subscribed to", async () => {
    const { client, told, terminate } = await open();
    await client.subscribeResource({ uri: "docs://one" });
    await client.subscribeResource({ uri: "docs://two" });
    upstream.notify.toolsChanged();
    upstream.notify.resourceUpdated("docs://one");
    upstream.notify.resourceUpdated("docs://two");
    upstream.notify.resourceUpdated("docs://three");
    await waitUntil(() => told.updated.length === 2, 5000);
    await waitUntil(() => told.changed >= 1, 5000);
    expect(told.updated.toSorted()).toEqual(["docs://one", "docs://two"]);
    await client.unsubscribeResource({ uri: "docs://one" });
    upstream.notify.resourceUpdated("docs://one");
    upstream.notify.resourceUpdated("docs://two");
    await waitUntil(() => told.updated.length === 3);
    expect(told.updated.at(-1)).toBe("docs://two");
    // A listen that breaks is opened again, and what may have been missed is told.
    upstream.drop();
    await waitUntil(() => told.updated.length === 4, 5000);
    await waitUntil(() => told.changed >= 2, 5000);
    await terminate();
    await client.close();
  });
});
