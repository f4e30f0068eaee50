/**
 * One endpoint for servers of different eras and transports, one of them dead: whatever a client speaks, it sees one
 * server. Clients of both generations of the SDK, in both eras.
 */
import type { Client as ClientV2 } from "@modelcontextprotocol/client";
import type { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import {
  ElicitRequestSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { EVERYTHING, type Everything, startEverything } from "./everything.ts";
import { type LegacyServer, startLegacyServer } from "./legacy-server.ts";
import { listenOn } from "./listen.ts";
import { type ModernServer, startModernServer } from "./modern-server.ts";
import { openStream, post } from "./raw-client.ts";
import { connectV1, connectV2, textOf } from "./sdk-clients.ts";

const ALICE = "token-of-alice-0000000001";
const DUAL = new URL("./dual-stdio.mjs", import.meta.url).pathname;
const MODERN = { versionNegotiation: { mode: { pin: "2026-07-28" as const } } };
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "raw-modern", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};
const ADA = { action: "accept" as const, content: { name: "Ada" } };
/** Where which server has a tool that says again what it is told. */
const ECHOES = [
  ["everything", "everything__echo", { message: "hello" }],
  ["old", "old__echo", { text: "hello" }],
  ["new", "new__echo", { text: "hello" }],
  ["dual", "dual__echo", { text: "hello" }],
  ["child", "child__echo", { message: "hello" }],
] as const;
const LIVING = ECHOES.map(([server]) => server).sort();

let everything: Everything;
let old: LegacyServer;
let fresh: ModernServer;
let gateway: TestGateway;
let url: URL;

beforeAll(async () => {
  everything = await startEverything();
  old = await startLegacyServer();
  fresh = await startModernServer();
  const nobody = await listenOn(() => undefined);
  await nobody.stop();
  const asks = ["elicitation"];
  const servers = {
    everything: { url: everything.url, asks },
    old: { url: old.url, asks },
    new: { url: fresh.url, asks },
    dual: { upstream: { command: process.execPath, args: [DUAL] }, asks },
    child: { upstream: { command: process.execPath, args: [EVERYTHING, "stdio"] }, asks },
    dead: { url: nobody.url },
  };
  const names = Object.keys(servers);
  gateway = await startGateway({
    servers,
    policies: Object.fromEntries(
      names.map((name) => [name, { server: name, document: { version: "1", default: "allow", hide: ["secret"] } }]),
    ),
    grants: { alice: { servers: Object.fromEntries(names.map((name) => [name, name])), token: ALICE } },
  });
  url = new URL(`${gateway.app.url}/mcp`);
}, 120_000);

afterAll(async () => {
  await gateway?.stop();
  await everything?.stop();
  await old?.stop();
  await fresh?.stop();
});

/** What the two generations have in common, as far as it is used here. */
type AnyClient = Pick<
  ClientV1,
  "listTools" | "listPrompts" | "getPrompt" | "listResources" | "listResourceTemplates" | "readResource" | "complete" | "close"
> & { callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown> };

const CLIENTS: readonly (readonly [string, () => Promise<AnyClient>])[] = [
  [
    "SDK 1",
    async () =>
      (
        await connectV1(url, ALICE, { capabilities: { elicitation: {} } }, (client) =>
          client.setRequestHandler(ElicitRequestSchema, () => ADA),
        )
      ).client,
  ],
  ["SDK 2, legacy", async () => await second({})],
  ["SDK 2, modern", async () => await second(MODERN)],
];

async function second(options: object): Promise<AnyClient> {
  const prepare = (client: ClientV2): void => void client.setRequestHandler("elicitation/create", () => ADA);
  const { client } = await connectV2(url, ALICE, { ...options, capabilities: { elicitation: {} } }, prepare);
  return client as unknown as AnyClient;
}

const serversOf = (names: readonly string[]): string[] => [...new Set(names.map((name) => name.split("__")[0] ?? ""))].sort();

describe.each(CLIENTS)("%s before servers of every kind", (_name, connect) => {
  it("lists the tools of all that live, and calls one of each", async () => {
    const client = await connect();
    const listed = await client.listTools();
    expect(serversOf(listed.tools.map(({ name }) => name))).toEqual(LIVING);
    expect(listed._meta).toMatchObject({ "sallyport/unavailable": ["dead"] });
    expect(listed.tools.some(({ name }) => name.endsWith("__secret"))).toBe(false);
    for (const [server, name, args] of ECHOES) {
      const answered = await client.callTool({ name, arguments: args });
      expect([server, textOf(answered)]).toEqual([server, expect.stringContaining("hello")]);
    }
    await client.close();
  });

  it("answers for the dead one, and for what nobody has", async () => {
    const client = await connect();
    await expect(client.callTool({ name: "dead__echo", arguments: {} })).resolves.toMatchObject({ isError: true });
    await expect(client.callTool({ name: "nobody__echo", arguments: {} })).rejects.toMatchObject({ code: -32602 });
    await expect(client.callTool({ name: "old__secret", arguments: {} })).rejects.toMatchObject({ code: -32602 });
    await client.close();
  });

  it("has the prompts, resources, templates and completions of all", async () => {
    const client = await connect();
    const prompts = (await client.listPrompts()).prompts.map(({ name }) => name);
    expect(serversOf(prompts)).toEqual(["child", "everything", "new"]);
    for (const name of ["child__simple-prompt", "everything__simple-prompt", "new__greet"]) {
      expect((await client.getPrompt({ name })).messages.length, name).toBeGreaterThan(0);
    }
    const uris = (await client.listResources()).resources.map(({ uri }) => uri);
    for (const server of ["child", "everything", "new"]) {
      const uri = uris.find((one) => one.startsWith(`sallyport+${server}:`)) ?? "";
      expect((await client.readResource({ uri })).contents[0]?.uri, server).toBe(uri);
    }
    const templates = (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate);
    expect(templates.some((one) => one.startsWith("sallyport+child:"))).toBe(true);
    const ref = { type: "ref/prompt" as const, name: "child__completable-prompt" };
    expect((await client.complete({ ref, argument: { name: "department", value: "E" } })).completion.values).toContain("Engineering");
    await client.close();
  });

  it("is asked by servers of either era", async () => {
    const client = await connect();
    for (const name of ["old__ask", "new__ask", "dual__ask"]) {
      expect([name, textOf(await client.callTool({ name, arguments: {} }))]).toEqual([name, expect.stringContaining("Ada")]);
    }
    await client.close();
  });
});

describe("what servers of every kind say unasked", () => {
  it("reaches a legacy client on its one stream", async () => {
    let changes = 0;
    const updated: string[] = [];
    const { client } = await connectV1(url, ALICE, {}, (made) => {
      made.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++);
      made.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
    });
    await client.listTools();
    for (const name of ["old__change", "dual__change"]) {
      const before = changes;
      // The server's own stream may not be open yet when it says so first.
      await waitUntil(async () => {
        await client.callTool({ name, arguments: {} });
        return changes > before;
      });
    }
    const before = changes;
    await waitUntil(() => {
      fresh.notify.toolsChanged();
      return changes > before;
    });
    const uri = "sallyport+new:docs://open";
    await client.subscribeResource({ uri });
    await waitUntil(() => {
      fresh.notify.resourceUpdated("docs://open");
      return updated.includes(uri);
    });
    await client.close();
  });

  it("reaches a modern client's one listen", async () => {
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" };
    const notifications = { toolsListChanged: true, resourceSubscriptions: ["sallyport+new:docs://open"] };
    const body = { jsonrpc: "2.0", id: "listen", method: "subscriptions/listen", params: { notifications, _meta: ENVELOPE } };
    const stream = await openStream(url, { token: ALICE, headers, body });
    await waitUntil(() => stream.messages.length > 0);
    expect(stream.messages[0]).toMatchObject({
      method: "notifications/subscriptions/acknowledged",
      params: { notifications: { toolsListChanged: true } },
    });
    const count = (): number => stream.messages.filter(({ method }) => method === "notifications/tools/list_changed").length;
    const callHeaders = (name: string) => ({ "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name });
    for (const name of ["old__change", "dual__change"]) {
      const before = count();
      const params = { name, arguments: {}, _meta: ENVELOPE };
      await waitUntil(async () => {
        await post(url, { jsonrpc: "2.0", id: 1, method: "tools/call", params }, { token: ALICE, headers: callHeaders(name) });
        return count() > before;
      });
    }
    const before = count();
    await waitUntil(() => {
      fresh.notify.toolsChanged();
      return count() > before;
    });
    const subscription = { "io.modelcontextprotocol/subscriptionId": "listen" };
    for (const { params } of stream.messages) expect(params).toMatchObject({ _meta: subscription });
    stream.cut();
  });
});
