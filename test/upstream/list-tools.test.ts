import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { createMcpHandler, Server as ModernServer } from "@modelcontextprotocol/server";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Result } from "../../src/kernel/failure.ts";
import { listServerTools, type ServerListing } from "../../src/upstream/list-tools.ts";
import { type EraVerdict, LEGACY_VERDICT_MS } from "../../src/upstream/server-session.ts";
import { type Answer, openUpstream, startServer } from "./loopback-server.ts";

const CLIENT = { name: "sallyport", version: "0.0.0" };

function list(url: string, more: { known?: EraVerdict; nowMs?: number; timeoutMs?: number } = {}): Promise<Result<ServerListing>> {
  return listServerTools({ upstream: openUpstream(url), clientInfo: CLIENT, nowMs: 1_000, ...more });
}

const names = (result: Result<ServerListing>): readonly string[] | undefined =>
  result.ok ? result.value.tools.map((tool) => tool.name) : result.failures.map((failure) => failure.code);

interface Asked {
  readonly id?: string | number;
  readonly method: string;
  readonly params?: { readonly cursor?: string; readonly _meta?: Record<string, unknown> };
}

const asResult = (id: unknown, result: object): string => JSON.stringify({ jsonrpc: "2.0", id, result });
const asError = (id: unknown, code: number, data?: object): string =>
  JSON.stringify({ jsonrpc: "2.0", id, error: { code, message: "no", ...(data === undefined ? {} : { data }) } });

/** A legacy server that knows the pages it is given, by cursor (`""` stands for the first). */
function legacy(pages: (cursor: string | undefined) => object | string, framing: "json" | "sse" = "json"): Answer {
  return (request, response) => {
    if (request.method === "DELETE") return void response.writeHead(200).end();
    const asked = JSON.parse(request.body) as Asked;
    if (asked.id === undefined) return void response.writeHead(202).end();
    if (asked.method === "initialize") {
      response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "s-1" });
      const result = {
        protocolVersion: "2025-06-18",
        capabilities: { tools: {} },
        serverInfo: { name: "old", version: "1" },
        instructions: "hi",
      };
      return void response.end(asResult(asked.id, result));
    }
    if (request.headers["mcp-session-id"] !== "s-1") return void response.writeHead(400).end(asError(null, -32000));
    const page = pages(asked.params?.cursor);
    const body = typeof page === "string" ? page : asResult(asked.id, page);
    if (framing === "json") return void response.writeHead(200, { "content-type": "application/json" }).end(body);
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    response.write(
      `: hello\r\n\r\nid: 1\ndata:\n\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n`,
    );
    return void response.end(`event: message\ndata: ${body}\n\n`);
  };
}

const tool = (name: string): object => ({ name, inputSchema: { type: "object" } });

describe("a server of the older kit", () => {
  async function start(stateful: boolean, count: number): Promise<string> {
    const sessions = new Map<string, StreamableHTTPServerTransport>();
    const open = async (): Promise<StreamableHTTPServerTransport> => {
      const server = new Server({ name: "old", version: "1" }, { capabilities: { tools: {} } });
      server.setRequestHandler(ListToolsRequestSchema, (request) => {
        const from = Number(request.params?.cursor ?? 0);
        const tools = Array.from({ length: Math.min(10, count - from) }, (_, index) => ({
          name: `tool-${from + index}`,
          inputSchema: { type: "object" as const },
        }));
        return from + 10 < count ? { tools, nextCursor: String(from + 10) } : { tools };
      });
      const keep = {
        sessionIdGenerator: () => `s${sessions.size}`,
        onsessioninitialized: (id: string) => void sessions.set(id, transport),
      };
      const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport(stateful ? keep : {});
      await server.connect(transport as Parameters<typeof server.connect>[0]);
      return transport;
    };
    const http = createServer((request, response) => {
      const known = sessions.get(String(request.headers["mcp-session-id"]));
      void (known === undefined ? open() : Promise.resolve(known)).then((transport) => transport.handleRequest(request, response));
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      http.close();
      http.closeAllConnections();
    });
    return `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
  }

  test.each([true, false])("is found to be legacy and listed whole (with sessions: %s)", async (stateful) => {
    const listed = await list(await start(stateful, 25));
    expect(names(listed)).toEqual(Array.from({ length: 25 }, (_, index) => `tool-${index}`));
    expect(listed.ok && listed.value.verdict).toEqual({ era: "legacy", revision: "2025-11-25", atMs: 1_000 });
    expect(listed.ok && listed.value.introduction.serverInfo).toEqual({ name: "old", version: "1" });
  });
});

describe("a server of the newer kit", () => {
  async function start(options: Parameters<typeof createMcpHandler>[1]): Promise<string> {
    const handler = createMcpHandler(() => {
      const server = new ModernServer({ name: "new", version: "2" }, { capabilities: { tools: {} }, instructions: "read me" });
      server.setRequestHandler("tools/list", () => ({ tools: [{ name: "one", inputSchema: { type: "object" as const } }] }));
      return server;
    }, options);
    const serve = toNodeHandler(handler);
    const http = createServer((request, response) => void serve(request as Parameters<typeof serve>[0], response));
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      http.close();
      http.closeAllConnections();
    });
    return `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
  }

  test.each(["stateless", "reject"] as const)("is found to be modern (its older face: %s)", async (legacyFace) => {
    const listed = await list(await start({ legacy: legacyFace }));
    expect(names(listed)).toEqual(["one"]);
    expect(listed.ok && listed.value.verdict).toEqual({ era: "modern", revision: "2026-07-28", atMs: 1_000 });
    expect(listed.ok && listed.value.introduction).toMatchObject({ serverInfo: { name: "new", version: "2" }, instructions: "read me" });
  });
});

describe("a legacy server", () => {
  test("is asked in its session, which is ended", async () => {
    const server = await startServer(legacy(() => ({ tools: [tool("a")] })));
    const listed = await list(server.url);
    expect(names(listed)).toEqual(["a"]);
    expect(listed.ok && listed.value.introduction.instructions).toBe("hi");
    expect(server.arrived.map((one) => (one.body === "" ? one.method : (JSON.parse(one.body) as Asked).method))).toEqual([
      "server/discover",
      "initialize",
      "notifications/initialized",
      "tools/list",
      "DELETE",
    ]);
    for (const one of server.arrived.slice(2)) {
      expect(one.headers).toMatchObject({ "mcp-session-id": "s-1", "mcp-protocol-version": "2025-06-18" });
    }
    expect(server.arrived[1]?.headers["mcp-protocol-version"]).toBeUndefined();
  });

  test("may answer on a stream with other messages before", async () => {
    const server = await startServer(
      legacy((cursor) => (cursor === undefined ? { tools: [tool("a")], nextCursor: "" } : { tools: [tool("b")] }), "sse"),
    );
    expect(names(await list(server.url))).toEqual(["a", "b"]);
  });

  test("may have no tools at all", async () => {
    const server = await startServer(legacy(() => asError("sallyport-1", -32601)));
    expect(names(await list(server.url))).toEqual([]);
  });

  test("is believed to be one only for a while", async () => {
    const server = await startServer(legacy(() => ({ tools: [] })));
    const known: EraVerdict = { era: "legacy", revision: "2025-06-18", atMs: 1_000 };
    const fresh = await list(server.url, { known, nowMs: 999 + LEGACY_VERDICT_MS });
    expect(fresh.ok && fresh.value.verdict.atMs).toBe(1_000);
    expect(server.arrived[0]?.body).toContain('"initialize"');
    server.arrived.length = 0;
    const stale = await list(server.url, { known, nowMs: 1_000 + LEGACY_VERDICT_MS });
    expect(stale.ok && stale.value.verdict.atMs).toBe(1_000 + LEGACY_VERDICT_MS);
    expect(server.arrived[0]?.body).toContain('"server/discover"');
  });
});

describe("a modern server", () => {
  const modern =
    (pages: (cursor: string | undefined) => object): Answer =>
    (request, response) => {
      const { id, method, params } = JSON.parse(request.body) as Asked;
      response.writeHead(200, { "content-type": "application/json" });
      if (method === "server/discover")
        return void response.end(asResult(id, { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: {} }));
      return void response.end(asResult(id, pages(params?.cursor)));
    };

  test("is told version, client and method in body and headers, and keeps no session", async () => {
    const server = await startServer(
      modern((cursor) => (cursor === undefined ? { tools: [tool("a")], nextCursor: "2" } : { tools: [tool("b")] })),
    );
    expect(names(await list(server.url))).toEqual(["a", "b"]);
    expect(server.arrived).toHaveLength(3);
    for (const one of server.arrived) {
      const { method, params } = JSON.parse(one.body) as Asked;
      expect(one.headers).toMatchObject({ "mcp-protocol-version": "2026-07-28", "mcp-method": method });
      expect(params?._meta).toEqual({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": CLIENT,
        "io.modelcontextprotocol/clientCapabilities": {
          elicitation: { form: {}, url: {} },
          roots: { listChanged: true },
          sampling: { tools: {}, context: {} },
        },
      });
    }
  });
});

describe("no evidence of an era", () => {
  test.each([401, 403, 408, 429, 500, 502, 503])("is a status of %i: nothing else is asked", async (status) => {
    const server = await startServer((_request, response) => response.writeHead(status).end("no"));
    expect(names(await list(server.url))).toEqual(["upstream_unavailable"]);
    expect(server.arrived).toHaveLength(1);
  });

  test("is silence", async () => {
    const server = await startServer(() => {});
    expect(names(await list(server.url, { timeoutMs: 100 }))).toEqual(["upstream_unavailable"]);
    expect(server.arrived).toHaveLength(1);
  });

  test("is an answer that can't be read", async () => {
    const server = await startServer((_request, response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>"));
    expect(names(await list(server.url))).toEqual(["upstream_unavailable"]);
    expect(server.arrived).toHaveLength(1);
  });

  test.each([404, 405, 415])("is not a status of %i: the older way is tried", async (status) => {
    const server = await startServer((request, response, raw) => {
      if (request.body.includes("server/discover")) response.writeHead(status).end();
      else legacy(() => ({ tools: [tool("a")] }))(request, response, raw);
    });
    expect(names(await list(server.url))).toEqual(["a"]);
  });

  test("a modern server of another revision is unsupported, unless it speaks an older one too", async () => {
    const refuse =
      (supported: string[]): Answer =>
      (request, response, raw) => {
        const { id, method } = JSON.parse(request.body || "{}") as Asked;
        if (method === "server/discover") response.writeHead(400).end(asError(id, -32022, { supported, requested: "2026-07-28" }));
        else legacy(() => ({ tools: [tool("a")] }))(request, response, raw);
      };
    expect(names(await list((await startServer(refuse(["2027-01-01"]))).url))).toEqual(["upstream_unsupported"]);
    expect(names(await list((await startServer(refuse(["2027-01-01", "2025-06-18"]))).url))).toEqual(["a"]);
  });

  test("a server that knows neither way is unsupported", async () => {
    const server = await startServer((_request, response) => response.writeHead(404).end());
    expect(names(await list(server.url))).toEqual(["upstream_unsupported"]);
  });

  test("a session id that no header can carry is not taken", async () => {
    const server = await startServer((request, response) => {
      const { id } = JSON.parse(request.body) as Asked;
      if (request.body.includes("server/discover")) return void response.writeHead(404).end();
      response.writeHead(200, { "mcp-session-id": "a b" });
      return void response.end(asResult(id, { protocolVersion: "2025-06-18", capabilities: {} }));
    });
    expect(names(await list(server.url))).toEqual(["upstream_unsupported"]);
  });
});

describe("half a list is none", () => {
  test.each<[string, (cursor: string | undefined) => object | string]>([
    ["a cursor comes again", () => ({ tools: [tool("a")], nextCursor: "again" })],
    ["cursors go in a ring", (cursor) => ({ tools: [], nextCursor: cursor === "1" ? "2" : "1" })],
    [
      "a later page is an error",
      (cursor) => (cursor === undefined ? { tools: [tool("a")], nextCursor: "x" } : asError("sallyport-2", -32603)),
    ],
    ["a later page is no list", (cursor) => (cursor === undefined ? { tools: [tool("a")], nextCursor: "x" } : { tools: "none" })],
    ["a later page is no JSON", (cursor) => (cursor === undefined ? { tools: [tool("a")], nextCursor: "x" } : "{")],
    ["an answer is another's", () => asResult("someone-else", { tools: [] })],
    ["an answer is a batch", () => `[${asResult("sallyport-1", { tools: [] })}]`],
  ])("where %s", async (_what, pages) => {
    const server = await startServer(legacy(pages));
    expect(names(await list(server.url))).toEqual(["upstream_unavailable"]);
  });

  test("where there is no end of tools", async () => {
    const page = (cursor: string | undefined): object => ({
      tools: Array.from({ length: 2_500 }, (_, index) => ({ name: `${cursor}-${index}` })),
      nextCursor: `${cursor}x`,
    });
    const server = await startServer(legacy(page));
    const listed = await list(server.url);
    expect(listed.ok ? "" : listed.failures[0]?.message).toContain("more tools");
  });

  test("and the failure names neither address nor credential", async () => {
    const server = await startServer((_request, response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end());
    const upstream = openUpstream(server.url, { authorization: "Bearer upstream-credential" });
    const listed = await listServerTools({ upstream, clientInfo: CLIENT, nowMs: 0 });
    expect(listed.ok).toBe(false);
    expect(JSON.stringify(listed)).not.toMatch(/127\.0\.0\.1|upstream-credential/);
    expect(JSON.stringify(listed)).toContain("redirect");
  });
});
