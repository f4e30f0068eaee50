/** The SDK's own clients, of both generations and both eras, find what the sample says of itself and use it. */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { describe, expect, test } from "vitest";
import { makeFolder, startHere } from "./support.ts";

interface AnyClient {
  listTools(): Promise<{ tools: { name: string; annotations?: object | undefined; title?: string | undefined }[] }>;
  // biome-ignore lint/suspicious/noExplicitAny: three clients, three result types.
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<any>;
  close(): Promise<void>;
}

const IDENTITY = { name: "test", version: "1" };

const CLIENTS: Record<string, (url: URL) => Promise<AnyClient>> = {
  "SDK v1": async (url) => {
    const client = new Client(IDENTITY);
    await client.connect(new StreamableHTTPClientTransport(url) as Transport);
    return client as unknown as AnyClient;
  },
  "SDK v2, as it comes": async (url) => {
    const client = new ModernClient(IDENTITY);
    await client.connect(new ModernTransport(url));
    return client as unknown as AnyClient;
  },
  "SDK v2, choosing by itself": async (url) => {
    const client = new ModernClient(IDENTITY, { versionNegotiation: { mode: "auto" } });
    await client.connect(new ModernTransport(url));
    expect(client.getNegotiatedProtocolVersion()).toBe("2026-07-28");
    return client as unknown as AnyClient;
  },
  "SDK v2, pinned to 2026-07-28": async (url) => {
    const client = new ModernClient(IDENTITY, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
    await client.connect(new ModernTransport(url));
    return client as unknown as AnyClient;
  },
};

describe.each(Object.entries(CLIENTS))("%s", (_name, connect) => {
  test("lists, connects, looks and disconnects", async () => {
    const sample = await startHere(makeFolder());
    const client = await connect(new URL(`${sample.origin}/mcp`));
    const { tools } = await client.listTools();
    const hints = (readOnlyHint: boolean, destructiveHint: boolean, idempotentHint: boolean, openWorldHint: boolean) => ({
      readOnlyHint,
      destructiveHint,
      idempotentHint,
      openWorldHint,
    });
    expect(Object.fromEntries(tools.map((tool) => [tool.name, tool.annotations]))).toEqual({
      list_connectors: hints(true, false, true, false),
      connect_connector: hints(false, false, false, true),
      list_connected_connectors: hints(true, false, true, false),
      disconnect_connector: hints(false, true, true, false),
    });
    expect(tools.every((tool) => tool.title !== undefined)).toBe(true);

    const key = { connector: "notion", apiKey: "secret-key-123456" };
    const connected = await client.callTool({ name: "connect_connector", arguments: key });
    expect(connected.structuredContent.connection).toMatchObject({ connector: "notion", status: "connected", credential: "****3456" });
    expect(JSON.stringify(connected)).not.toContain(key.apiKey);
    const listed = await client.callTool({ name: "list_connectors", arguments: {} });
    expect(listed.structuredContent.connectors.filter((one: { connected: boolean }) => one.connected)).toMatchObject([{ id: "notion" }]);
    const held = await client.callTool({ name: "list_connected_connectors", arguments: {} });
    expect(held.structuredContent.connections).toHaveLength(1);
    const removed = await client.callTool({ name: "disconnect_connector", arguments: { connector: "notion" } });
    expect(removed.structuredContent).toMatchObject({ connector: "notion", removed: 1 });
    await expect(client.callTool({ name: "drop_everything", arguments: {} })).rejects.toMatchObject({ code: -32602 });
    await client.close();
  });
});
