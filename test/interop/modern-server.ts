/** A small server of the SDK's second generation that speaks 2026-07-28 alone. It keeps what it was sent. */
import type { IncomingMessage } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { acceptedContent, createMcpHandler, inputRequired, Server } from "@modelcontextprotocol/server";
import type { Heard } from "./legacy-server.ts";
import { type Listening, listenOn, readText } from "./listen.ts";

export interface ModernServer extends Listening {
  readonly heard: readonly Heard[];
  /** How many calls of `wait` have seen their client leave. */
  readonly left: () => number;
  readonly release: () => void;
  readonly notify: ReturnType<typeof createMcpHandler>["notify"];
}

const text = (words: string): { content: { type: "text"; text: string }[] } => ({ content: [{ type: "text", text: words }] });
const OPEN = { type: "object" as const };
const REGIONAL = {
  type: "object" as const,
  properties: { region: { type: "string", "x-mcp-header": "Region" }, size: { type: "integer", "x-mcp-header": "Size" } },
};

export async function startModernServer(how: { readonly legacy?: "stateless" | "reject" } = {}): Promise<ModernServer> {
  const heard: Heard[] = [];
  let left = 0;
  let gate = Promise.withResolvers<void>();

  function build(): Server {
    const server = new Server(
      { name: "modern-upstream", version: "7.7.7" },
      {
        capabilities: {
          tools: { listChanged: true },
          resources: { subscribe: true, listChanged: true },
          prompts: {},
          logging: {},
          completions: {},
        },
        instructions: "Be brief.",
      },
    );
    server.setRequestHandler("tools/list", () => ({
      tools: [
        { name: "echo", description: "says it again", inputSchema: OPEN },
        { name: "count", inputSchema: OPEN },
        { name: "wait", inputSchema: OPEN },
        { name: "ask", inputSchema: OPEN },
        { name: "regional", inputSchema: REGIONAL },
        { name: "secret", inputSchema: OPEN },
      ],
    }));
    server.setRequestHandler("tools/call", async ({ params }, context) => {
      const { mcpReq } = context;
      const token = mcpReq._meta?.progressToken;
      switch (params.name) {
        case "count":
          for (const progress of [1, 2, 3]) {
            if (token !== undefined) await mcpReq.notify({ method: "notifications/progress", params: { progressToken: token, progress } });
          }
          await mcpReq.log("info", "counting");
          return text("counted");
        case "wait":
          mcpReq.signal.addEventListener("abort", () => left++);
          if (token !== undefined) await mcpReq.notify({ method: "notifications/progress", params: { progressToken: token, progress: 1 } });
          await gate.promise;
          return text("waited");
        case "ask": {
          const told = acceptedContent(mcpReq.inputResponses, "who") as { name?: string } | undefined;
          if (told === undefined) {
            const who = inputRequired.elicit({
              message: "Your name?",
              requestedSchema: { type: "object", properties: { name: { type: "string" } } },
            });
            return inputRequired({ inputRequests: { who }, requestState: "the-upstream's-own-state" });
          }
          return text(`${told.name ?? ""} with ${String(mcpReq.requestState())}`);
        }
        default:
          return text(JSON.stringify(params.arguments ?? {}));
      }
    });
    server.setRequestHandler("resources/list", () => ({
      resources: [
        { uri: "docs://open", name: "open" },
        { uri: "docs://shut", name: "shut" },
      ],
    }));
    server.setRequestHandler("resources/read", ({ params }) => {
      if (params.uri !== "docs://open" && params.uri !== "docs://shut")
        throw Object.assign(new Error(`Resource ${params.uri} not found`), { code: -32_602 });
      return { contents: [{ uri: params.uri, text: "words" }], ttlMs: 60_000, cacheScope: "public" as const };
    });
    server.setRequestHandler("prompts/list", () => ({ prompts: [{ name: "greet" }, { name: "shut-prompt" }] }));
    server.setRequestHandler("prompts/get", ({ params }) => ({
      messages: [{ role: "user" as const, content: { type: "text" as const, text: params.name } }],
    }));
    server.setRequestHandler("completion/complete", () => ({ completion: { values: ["one"] } }));
    return server;
  }

  const handler = createMcpHandler(build, { legacy: how.legacy ?? "reject", keepAliveMs: 0 });
  const serve = toNodeHandler(handler);
  const listening = await listenOn((request: IncomingMessage, response) => {
    const take = async (): Promise<void> => {
      const body = await readText(request);
      heard.push({ method: request.method ?? "", headers: request.headers, text: body });
      await serve(request as Parameters<typeof serve>[0], response, body === "" ? undefined : JSON.parse(body));
    };
    void take().catch(() => response.destroy());
  });
  return {
    ...listening,
    heard,
    left: () => left,
    release() {
      gate.resolve();
      gate = Promise.withResolvers<void>();
    },
    notify: handler.notify,
    async stop() {
      await handler.close();
      await listening.stop();
    },
  };
}
