/** Clients and servers that find a common era by themselves. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { type Everything, startEverything } from "./everything.ts";
import { type ModernServer, startModernServer } from "./modern-server.ts";
import { connectV1, connectV2, textOf } from "./sdk-clients.ts";

const TOKEN = "token-of-alice-0000000001";
const PIN = { versionNegotiation: { mode: { pin: "2026-07-28" as const } } };
const AUTO = { versionNegotiation: { mode: "auto" as const } };
let everything: Everything;
let both: ModernServer;
let modern: ModernServer;
let gateway: TestGateway;

beforeAll(async () => {
  everything = await startEverything();
  both = await startModernServer({ legacy: "stateless" });
  modern = await startModernServer();
  const allow = { version: "1", default: "allow" };
  gateway = await startGateway({
    servers: {
      everything: { url: everything.url, asks: ["sampling", "elicitation", "roots"] },
      both: { url: both.url },
      modern: { url: modern.url },
    },
    policies: {
      everything: { server: "everything", document: allow },
      both: { server: "both", document: allow },
      modern: { server: "modern", document: allow },
    },
    grants: { alice: { servers: { everything: "everything", both: "both", modern: "modern" }, token: TOKEN } },
  });
});

afterAll(async () => {
  await gateway?.stop();
  await everything?.stop();
  await both?.stop();
  await modern?.stop();
});

describe("a client of the second generation before the reference server", () => {
  it("speaks the legacy era unless it is told otherwise", async () => {
    const { client, terminate } = await connectV2(gateway.addressOf("everything"), TOKEN);
    expect(client.getServerVersion()).toMatchObject({ name: "everything" });
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("echo");
    expect(textOf(await client.callTool({ name: "echo", arguments: { message: "hi" } }))).toBe("Echo: hi");
    const seen: number[] = [];
    const slow = { name: "trigger-long-running-operation", arguments: { duration: 0.2, steps: 3 } };
    await client.callTool(slow, { onprogress: ({ progress }) => void seen.push(progress) });
    expect(seen).toEqual([1, 2, 3]);
    const abort = new AbortController();
    const long = { name: "trigger-long-running-operation", arguments: { duration: 60, steps: 600 } };
    const cancelled = client.callTool(long, { signal: abort.signal, onprogress: () => abort.abort(new Error("enough")) });
    await expect(cancelled).rejects.toThrow("enough");
    expect((await client.readResource({ uri: "demo://resource/dynamic/text/1" })).contents).toHaveLength(1);
    expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0);
    expect((await client.getPrompt({ name: "simple-prompt" })).messages.length).toBeGreaterThan(0);
    await terminate();
    await client.close();
  });

  it("answers what the reference server asks", async () => {
    const { client } = await connectV2(
      gateway.addressOf("everything"),
      TOKEN,
      { capabilities: { elicitation: {}, sampling: {} } },
      (made) => {
        made.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { name: "Ada" } }));
        made.setRequestHandler("sampling/createMessage", () => ({
          role: "assistant",
          model: "two",
          content: { type: "text", text: "Well said." },
        }));
      },
    );
    expect(JSON.stringify(await client.callTool({ name: "trigger-elicitation-request", arguments: {} }))).toContain("Ada");
    const sampling = { name: "trigger-sampling-request", arguments: { prompt: "say", maxTokens: 10 } };
    expect(JSON.stringify(await client.callTool(sampling))).toContain("Well said.");
    await client.close();
  });

  it("finds a way by itself when it negotiates", async () => {
    const { client } = await connectV2(gateway.addressOf("everything"), TOKEN, AUTO);
    expect(textOf(await client.callTool({ name: "echo", arguments: { message: "found" } }))).toBe("Echo: found");
    await client.close();
  });
});

describe("a server of both eras", () => {
  it("serves clients of each in their own", async () => {
    const at = gateway.addressOf("both");
    const first = await connectV1(at, TOKEN);
    const second = await connectV2(at, TOKEN, PIN);
    const third = await connectV2(at, TOKEN, AUTO);
    for (const { client } of [first, second, third]) {
      expect(client.getServerVersion()).toMatchObject({ name: "both" });
      expect(textOf(await client.callTool({ name: "echo", arguments: { a: 1 } }))).toBe('{"a":1}');
      await client.close();
    }
  });
});

describe("a server of one era", () => {
  it("serves the clients of the other, both told of no more than their own", async () => {
    const old = await connectV1(gateway.addressOf("modern"), TOKEN);
    expect(old.session).toBeDefined();
    expect(old.client.getServerVersion()).toMatchObject({ name: "modern" });
    expect((await old.client.listTools()).tools.map(({ name }) => name)).toContain("regional");
    expect(textOf(await old.client.callTool({ name: "echo", arguments: { a: 1 } }))).toBe('{"a":1}');
    await old.terminate();
    await old.client.close();
    const { client } = await connectV2(gateway.addressOf("everything"), TOKEN, PIN);
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("echo");
    expect(textOf(await client.callTool({ name: "echo", arguments: { message: "hi" } }))).toBe("Echo: hi");
    expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0);
    await client.close();
  });
});
