/** A client of 2026-07-28 alone before the reference server of the legacy era, through a real gateway. */
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createModernFront, type ModernFront } from "../../src/upstream/modern-front.ts";
import { CLIENT_INFO, type FrontGateway, startFrontGateway } from "../support/front-gateway.ts";
import { waitUntil } from "../support/gateway.ts";
import { type Everything, startEverything } from "./everything.ts";
import { connectV2, textOf } from "./sdk-clients.ts";

const ALICE = "token-of-alice-0000000001";
const PIN = { versionNegotiation: { mode: { pin: "2026-07-28" as const } } };
const ALL = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
let everything: Everything;
let gateway: FrontGateway<ModernFront>;

beforeAll(async () => {
  everything = await startEverything();
  gateway = await startFrontGateway({
    server: everything.url,
    policy: {},
    grants: { alice: ALICE },
    open: ({ upstream: port }) => createModernFront({ upstream: port, clientInfo: CLIENT_INFO, bounds: { urlVisitWaitMs: 50 } }),
  });
});

afterAll(async () => {
  await gateway?.stop();
  await everything?.stop();
});

async function connect(capabilities: Record<string, object> = {}, prepare: (client: Client) => void = () => undefined): Promise<Client> {
  const { client } = await connectV2(gateway.url, ALICE, { ...PIN, capabilities }, prepare);
  return client;
}

describe("the reference server before a modern client", () => {
  it("is discovered without its tasks, listed and called", async () => {
    const client = await connect();
    expect(client.getServerCapabilities()).toMatchObject({ tools: {}, prompts: {}, resources: { subscribe: true } });
    expect(client.getServerCapabilities()).not.toHaveProperty("tasks");
    expect(client.getInstructions()?.length).toBeGreaterThan(10);
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("echo");
    expect(textOf(await client.callTool({ name: "echo", arguments: { message: "hi" } }))).toBe("Echo: hi");
    const seen: number[] = [];
    const slow = { name: "trigger-long-running-operation", arguments: { duration: 0.2, steps: 3 } };
    await client.callTool(slow, { onprogress: ({ progress }) => void seen.push(progress) });
    expect(seen).toEqual([1, 2, 3]);
    const structured = await client.callTool({ name: "get-structured-content", arguments: { location: "New York" } });
    expect(structured.structuredContent).toMatchObject({ temperature: expect.any(Number) });
    await client.close();
  });

  it("gives its resources, prompts and completions", async () => {
    const client = await connect();
    const { resources } = await client.listResources();
    expect(resources.length).toBeGreaterThan(0);
    expect((await client.listResourceTemplates()).resourceTemplates.length).toBeGreaterThan(0);
    expect((await client.readResource({ uri: "demo://resource/dynamic/text/1" })).contents).toHaveLength(1);
    await expect(client.readResource({ uri: "demo://nothing/at/all" })).rejects.toMatchObject({ code: -32602 });
    expect((await client.listPrompts()).prompts.map(({ name }) => name)).toContain("completable-prompt");
    expect((await client.getPrompt({ name: "simple-prompt" })).messages.length).toBeGreaterThan(0);
    const completed = await client.complete({
      ref: { type: "ref/prompt", name: "completable-prompt" },
      argument: { name: "department", value: "S" },
    });
    expect(completed.completion.values).toEqual(["Sales", "Support"]);
    await client.close();
  });

  it("asks its person, its model and for its folders, in rounds", async () => {
    const visited: string[] = [];
    const client = await connect(ALL, (made) => {
      made.setRequestHandler("elicitation/create", ({ params }) => {
        if (params.mode !== "url") return { action: "accept", content: { name: "Ada" } };
        visited.push(params.url);
        return { action: "accept" };
      });
      made.setRequestHandler("sampling/createMessage", () => ({
        role: "assistant",
        model: "two",
        content: { type: "text", text: "Well said." },
      }));
      made.setRequestHandler("roots/list", () => ({ roots: [{ uri: "file:///srv/docs", name: "docs" }] }));
    });
    await client.listTools();
    expect(JSON.stringify(await client.callTool({ name: "trigger-elicitation-request", arguments: {} }))).toContain("Ada");
    const sampling = { name: "trigger-sampling-request", arguments: { prompt: "say", maxTokens: 10 } };
    expect(JSON.stringify(await client.callTool(sampling))).toContain("Well said.");
    expect(JSON.stringify(await client.callTool({ name: "get-roots-list", arguments: {} }))).toContain("file:///srv/docs");
    const open = { url: "https://a.example/sign-in", message: "Sign in" };
    expect(JSON.stringify(await client.callTool({ name: "trigger-url-elicitation", arguments: open }))).not.toContain('"isError":true');
    expect(visited).toEqual([open.url]);
    const first = { ...open, url: "https://b.example/", errorPath: true };
    expect(JSON.stringify(await client.callTool({ name: "trigger-url-elicitation", arguments: first }))).not.toContain('"isError":true');
    expect(visited).toEqual([open.url, "https://modelcontextprotocol.io", first.url]);
    expect(gateway.front.kept.parked).toBe(0);
    await client.close();
  });

  it("tells of the resources that are listened to", async () => {
    const heard: string[] = [];
    const client = await connect({}, (made) => {
      made.setNotificationHandler("notifications/resources/updated", ({ params }) => void heard.push(params.uri));
    });
    const uri = "demo://resource/dynamic/text/1";
    const subscription = await client.listen({ resourceSubscriptions: [uri], toolsListChanged: true });
    expect(subscription.honoredFilter).toEqual({ toolsListChanged: true, resourceSubscriptions: [uri] });
    await client.callTool({ name: "toggle-subscriber-updates", arguments: {} });
    await waitUntil(() => heard.length > 0);
    expect(heard[0]).toBe(uri);
    await client.callTool({ name: "toggle-subscriber-updates", arguments: {} });
    await subscription.close();
    await client.close();
  });

  it("cancels what its client gives up", async () => {
    const client = await connect();
    const abort = new AbortController();
    const long = { name: "trigger-long-running-operation", arguments: { duration: 60, steps: 600 } };
    const cancelled = client.callTool(long, { signal: abort.signal, onprogress: () => abort.abort(new Error("enough")) });
    await expect(cancelled).rejects.toThrow("enough");
    await waitUntil(async () =>
      (await gateway.readLog()).some(({ tool, code }) => tool === "trigger-long-running-operation" && code === "cancelled"),
    );
    await client.close();
  });
});
