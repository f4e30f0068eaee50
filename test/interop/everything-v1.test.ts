/** The SDK's first generation of clients, through the gateway, before the reference server. */
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { type Everything, startEverything } from "./everything.ts";
import { connectV1, textOf } from "./sdk-clients.ts";

const TOKEN = "token-of-the-first-client-0001";
let everything: Everything;
let gateway: TestGateway;
let url: URL;

beforeAll(async () => {
  everything = await startEverything();
  gateway = await startGateway({
    servers: { everything: { url: everything.url, asks: ["sampling", "elicitation", "roots"] } },
    policies: {
      most: {
        server: "everything",
        document: {
          version: "1",
          default: "allow",
          tools: {
            "get-env": { action: "deny" },
            "get-sum": { require: [{ conditions: [{ path: "args.a", op: "lte", value: 10 }], on_deny: "Small numbers only." }] },
          },
          hide: ["gzip-*"],
          resources: { default: "deny", allow: ["demo://resource/dynamic/*", "demo://resource/static/document/features.md"] },
          prompts: { default: "allow", hide: ["args-prompt"] },
        },
      },
    },
    grants: { alice: { servers: { everything: "most" }, token: TOKEN } },
  });
  url = gateway.addressOf("everything");
});

afterAll(async () => {
  await gateway?.stop();
  await everything?.stop();
});

describe("a client of the first generation", () => {
  it("is greeted by the gateway, in its own name and without tasks", async () => {
    const { client } = await connectV1(url, TOKEN);
    expect(client.getServerVersion()).toMatchObject({ name: "everything" });
    const capabilities = client.getServerCapabilities() ?? {};
    expect(Object.keys(capabilities)).toEqual(expect.arrayContaining(["tools", "resources", "prompts", "logging", "completions"]));
    expect(capabilities).not.toHaveProperty("tasks");
    expect(client.getInstructions()).toContain("Everything Server");
    await client.ping();
    await client.close();
  });

  it("lists what it may call, and is denied the rest in words", async () => {
    const { client } = await connectV1(url, TOKEN);
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["echo", "get-env", "get-sum"]));
    expect(names).not.toContain("gzip-file-as-resource");
    expect(textOf(await client.callTool({ name: "echo", arguments: { message: "hi" } }))).toBe("Echo: hi");
    expect(textOf(await client.callTool({ name: "get-sum", arguments: { a: 2, b: 40 } }))).toContain("42");
    const denied = await client.callTool({ name: "get-sum", arguments: { a: 11, b: 1 } });
    expect(denied).toMatchObject({ isError: true, _meta: { "sallyport/decision": { code: "denied", rule: "/tools/get-sum/require/0" } } });
    expect(textOf(denied)).toBe("[POLICY DENIED] Small numbers only.");
    const hidden = client.callTool({ name: "gzip-file-as-resource", arguments: {} });
    const unknown = client.callTool({ name: "nothing-of-the-kind", arguments: {} });
    await expect(hidden).rejects.toMatchObject({ code: -32602, message: expect.stringContaining("Unknown tool: gzip-file-as-resource") });
    await expect(unknown).rejects.toMatchObject({ code: -32602, message: expect.stringContaining("Unknown tool: nothing-of-the-kind") });
    await client.close();
  });

  it("gets structured results and images as they are", async () => {
    const { client } = await connectV1(url, TOKEN);
    const structured = await client.callTool({ name: "get-structured-content", arguments: { location: "New York" } });
    expect(structured.structuredContent).toMatchObject({ conditions: expect.any(String) });
    const image = (await client.callTool({ name: "get-tiny-image", arguments: {} })) as { content: { type: string; mimeType?: string }[] };
    expect(image.content.find(({ type }) => type === "image")).toMatchObject({ mimeType: "image/png" });
    await client.close();
  });

  it("follows progress in order, to the last", async () => {
    const { client } = await connectV1(url, TOKEN);
    const seen: number[] = [];
    const result = await client.callTool({ name: "trigger-long-running-operation", arguments: { duration: 0.3, steps: 4 } }, undefined, {
      onprogress: ({ progress }) => void seen.push(progress),
    });
    expect(textOf(result)).toContain("completed");
    expect(seen).toEqual([1, 2, 3, 4]);
    await client.close();
  });

  it("cancels, and goes on with the session", async () => {
    const { client } = await connectV1(url, TOKEN);
    const abort = new AbortController();
    const long = client.callTool({ name: "trigger-long-running-operation", arguments: { duration: 60, steps: 600 } }, undefined, {
      signal: abort.signal,
      onprogress: () => abort.abort("enough"),
    });
    await expect(long).rejects.toThrow("enough");
    expect(textOf(await client.callTool({ name: "echo", arguments: { message: "still here" } }))).toBe("Echo: still here");
    const told = await gateway.readLog();
    expect(told.filter(({ method }) => method === "notifications/cancelled")).toMatchObject([{ kind: "intent", decision: "allow" }]);
    await client.close();
  });

  it("answers elicitation, sampling and roots of the server's", async () => {
    const asked: string[] = [];
    const { client } = await connectV1(
      url,
      TOKEN,
      { capabilities: { elicitation: {}, sampling: {}, roots: { listChanged: true } } },
      (made) => {
        made.setRequestHandler(ElicitRequestSchema, ({ params }) => {
          asked.push(params.message);
          return { action: "accept", content: { name: "Ada", check: true } };
        });
        made.setRequestHandler(CreateMessageRequestSchema, () => ({
          role: "assistant",
          model: "none",
          content: { type: "text", text: "Well said." },
        }));
        made.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///tmp/here", name: "here" }] }));
      },
    );
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["trigger-elicitation-request", "trigger-sampling-request", "get-roots-list"]));
    const elicited = await client.callTool({ name: "trigger-elicitation-request", arguments: {} });
    expect(JSON.stringify(elicited)).toContain("Ada");
    expect(asked).toEqual([expect.stringContaining("Please provide inputs")]);
    const sampled = await client.callTool({ name: "trigger-sampling-request", arguments: { prompt: "say", maxTokens: 10 } });
    expect(JSON.stringify(sampled)).toContain("Well said.");
    expect(textOf(await client.callTool({ name: "get-roots-list", arguments: {} }))).toContain("file:///tmp/here");
    await client.close();
  });

  it("lists and reads the resources that it may see", async () => {
    const { client } = await connectV1(url, TOKEN);
    const listed = (await client.listResources()).resources.map(({ uri }) => uri);
    expect(listed).toEqual(["demo://resource/static/document/features.md"]);
    const templates = (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate);
    expect(templates.length).toBeGreaterThan(0);
    expect(templates.every((template) => template.startsWith("demo://resource/dynamic/"))).toBe(true);
    const read = await client.readResource({ uri: "demo://resource/dynamic/text/1" });
    expect(read.contents[0]).toMatchObject({ uri: "demo://resource/dynamic/text/1" });
    const unselected = await client.readResource({ uri: "demo://resource/static/document/startup.md" }).catch((error: unknown) => error);
    const unknown = await client.readResource({ uri: "demo://resource/dynamic/nothing" }).catch((error: unknown) => error);
    expect(unselected).toMatchObject({ code: -32002, data: { uri: "demo://resource/static/document/startup.md" } });
    expect(unknown).toMatchObject({ code: -32002, data: { uri: "demo://resource/dynamic/nothing" } });
    await client.close();
  });

  it("subscribes, hears of changes on the listening stream, and unsubscribes", async () => {
    const updated: string[] = [];
    const { client } = await connectV1(url, TOKEN, {}, (made) => {
      made.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
    });
    await client.subscribeResource({ uri: "demo://resource/dynamic/text/1" });
    await expect(client.subscribeResource({ uri: "demo://resource/static/document/startup.md" })).rejects.toMatchObject({ code: -32002 });
    await client.callTool({ name: "toggle-subscriber-updates", arguments: {} });
    await waitUntil(() => updated.length > 0);
    expect(updated[0]).toBe("demo://resource/dynamic/text/1");
    await client.callTool({ name: "toggle-subscriber-updates", arguments: {} });
    await client.unsubscribeResource({ uri: "demo://resource/dynamic/text/1" });
    await client.close();
  });

  it("sets a log level and hears the server's log", async () => {
    const heard: unknown[] = [];
    const { client } = await connectV1(url, TOKEN, {}, (made) => {
      made.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void heard.push(params.level));
    });
    await client.setLoggingLevel("debug");
    await client.callTool({ name: "toggle-simulated-logging", arguments: {} });
    await waitUntil(() => heard.length > 0);
    await client.callTool({ name: "toggle-simulated-logging", arguments: {} });
    await client.close();
  });

  it("gets the prompts that it may see; a hidden one is one that is not there", async () => {
    const { client } = await connectV1(url, TOKEN);
    const names = (await client.listPrompts()).prompts.map(({ name }) => name);
    expect(names).toContain("simple-prompt");
    expect(names).not.toContain("args-prompt");
    expect((await client.getPrompt({ name: "simple-prompt" })).messages.length).toBeGreaterThan(0);
    const hidden = await client.getPrompt({ name: "args-prompt", arguments: { city: "Berlin" } }).catch((error: unknown) => error);
    const unknown = await client.getPrompt({ name: "no-prompt", arguments: { city: "Berlin" } }).catch((error: unknown) => error);
    const like = (name: string): unknown => ({ code: -32602, message: `MCP error -32602: Unknown prompt: ${name}` });
    expect(hidden).toMatchObject(like("args-prompt") as object);
    expect(unknown).toMatchObject(like("no-prompt") as object);
    await client.close();
  });

  it("completes arguments of prompts and templates that it may see", async () => {
    const { client } = await connectV1(url, TOKEN);
    const completed = await client.complete({
      ref: { type: "ref/prompt", name: "completable-prompt" },
      argument: { name: "department", value: "E" },
    });
    expect(completed.completion.values).toContain("Engineering");
    const hidden = client.complete({ ref: { type: "ref/prompt", name: "args-prompt" }, argument: { name: "city", value: "B" } });
    await expect(hidden).rejects.toMatchObject({ code: -32602 });
    const foreign = client.complete({ ref: { type: "ref/resource", uri: "other://{id}" }, argument: { name: "id", value: "1" } });
    await expect(foreign).rejects.toMatchObject({ code: -32002 });
    await client.close();
  });

  it("ends its session, and the reference server's with it", async () => {
    const { client, terminate } = await connectV1(url, TOKEN);
    await terminate();
    await expect(client.callTool({ name: "echo", arguments: { message: "hi" } })).rejects.toThrow();
    await client.close();
  });

  it("leaves every step on record, intent before outcome, and no secret", async () => {
    const { client } = await connectV1(url, TOKEN);
    await client.callTool({ name: "echo", arguments: { message: "the-quiet-word" } });
    await client.close();
    await waitUntil(async () => (await gateway.readLog()).filter(({ method }) => method === "tools/call").at(-1)?.["kind"] === "outcome");
    const log = await gateway.readLog();
    const last = log.filter(({ tool }) => tool === "echo").slice(-2);
    expect(last).toMatchObject([
      { kind: "intent", decision: "allow", grant: "alice", identity: "alice@example.com", argumentKeys: ["message"] },
      { kind: "outcome", decision: "allow", outcome: "ok", upstreamStatus: 200, client: { name: "first-generation" } },
    ]);
    expect(last[0]?.["exchange"]).toBe(last[1]?.["exchange"]);
    const whole = JSON.stringify(log) + gateway.said.join("");
    for (const secret of [TOKEN, "the-quiet-word", "of-the-client"]) expect(whole).not.toContain(secret);
  });
});
