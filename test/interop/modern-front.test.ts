/** A client of 2026-07-28 alone before a small server of the SDK's first generation, through a real gateway. */
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createModernFront, type ModernFront } from "../../src/upstream/modern-front.ts";
import { waitUntil } from "../support/gateway.ts";
import { type BridgedGateway, CLIENT_INFO, startBridgedGateway } from "./bridged-gateway.ts";
import { type LegacyServer, startLegacyServer } from "./legacy-server.ts";
import { connectV2, textOf } from "./sdk-clients.ts";

const ALICE = "token-of-alice-0000000001";
const BOB = "token-of-bob-000000000001";
const PIN = { versionNegotiation: { mode: { pin: "2026-07-28" as const } } };
const ALL = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
let upstream: LegacyServer;
let gateway: BridgedGateway<ModernFront>;

beforeAll(async () => {
  upstream = await startLegacyServer();
  gateway = await startBridgedGateway({
    server: upstream.url,
    policy: { version: "1", default: "allow", hide: ["secret"] },
    grants: { alice: ALICE, bob: BOB },
    open: (port) => createModernFront({ upstream: port, clientInfo: CLIENT_INFO }),
  });
});

afterAll(async () => {
  await gateway?.stop();
  await upstream?.stop();
});

async function connect(
  capabilities: Record<string, object> = {},
  prepare: (client: Client) => void = () => undefined,
  token = ALICE,
): Promise<Client> {
  const { client } = await connectV2(gateway.url, token, { ...PIN, capabilities }, prepare);
  return client;
}

describe("a modern client before a legacy server", () => {
  it("discovers, lists and calls", async () => {
    const client = await connect();
    expect(client.getServerVersion()).toMatchObject({ name: "behind" });
    expect(client.getInstructions()).toBe("Be kind.");
    expect(client.getServerCapabilities()).toMatchObject({ tools: { listChanged: true }, logging: {} });
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toContain("echo");
    expect(names).not.toContain("secret");
    expect(textOf(await client.callTool({ name: "echo", arguments: { text: "hi" } }))).toBe("hi");
    await expect(client.callTool({ name: "secret", arguments: {} })).rejects.toMatchObject({ code: -32602 });
    await client.close();
  });

  it("hears of progress", async () => {
    const client = await connect();
    const seen: number[] = [];
    await client.callTool({ name: "count", arguments: {} }, { onprogress: ({ progress }) => void seen.push(progress) });
    expect(seen).toEqual([1, 2, 3]);
    await client.close();
  });

  it("cancels, and the server learns of it", async () => {
    const client = await connect();
    const abort = new AbortController();
    const before = upstream.cancelled.length;
    const waiting = client.callTool(
      { name: "wait", arguments: {} },
      { signal: abort.signal, onprogress: () => abort.abort(new Error("enough")) },
    );
    await expect(waiting).rejects.toThrow("enough");
    await waitUntil(() => upstream.cancelled.length > before);
    upstream.release();
    await client.close();
  });

  it("answers what the server asks, in rounds", async () => {
    const client = await connect(ALL, (made) => {
      made.setRequestHandler("elicitation/create", ({ params }) => ({ action: "accept", content: { name: params.message } }));
      made.setRequestHandler("sampling/createMessage", ({ params }) => ({
        role: "assistant",
        model: `at most ${params.maxTokens}`,
        content: { type: "text", text: "Hello!" },
      }));
      made.setRequestHandler("roots/list", () => ({ roots: [{ uri: "file:///srv/docs" }] }));
    });
    const asked = { action: "accept", content: { name: "Your name?" } };
    expect(JSON.parse(textOf(await client.callTool({ name: "ask", arguments: {} })))).toEqual(asked);
    expect(JSON.parse(textOf(await client.callTool({ name: "ask", arguments: { aside: true } })))).toEqual(asked);
    expect(JSON.parse(textOf(await client.callTool({ name: "sample", arguments: {} })))).toMatchObject({ model: "at most 5" });
    expect(JSON.parse(textOf(await client.callTool({ name: "roots", arguments: {} })))).toEqual({ roots: [{ uri: "file:///srv/docs" }] });
    expect(gateway.port.kept.parked).toBe(0);
    await client.close();
  });

  it("reads on where a server lets its streams go", async () => {
    const client = await connect();
    expect(textOf(await client.callTool({ name: "poll", arguments: {} }))).toBe("polled");
    await client.close();
  });
});
