/**
 * A server of the SDK's second generation that speaks 2026-07-28 alone and uses all of it: rounds of every kind, progress,
 * the log, resources that change, structured results that are no objects. It keeps what it was sent.
 */
import type { IncomingMessage } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { acceptedContent, createMcpHandler, inputRequired, inputResponse, Server } from "@modelcontextprotocol/server";
import type { Heard } from "./legacy-server.ts";
import { type Listening, listenOn, readText } from "./listen.ts";

export interface AskingServer extends Listening {
  readonly heard: Heard[];
  /** How many calls of `wait` have seen their client leave. */
  readonly left: () => number;
  readonly release: () => void;
  readonly notify: ReturnType<typeof createMcpHandler>["notify"];
  /** Ends every listen that is open, and keeps serving. */
  readonly drop: () => void;
  /** Listens that are open now. */
  readonly listens: () => number;
}

const text = (words: string): { content: { type: "text"; text: string }[] } => ({ content: [{ type: "text", text: words }] });
const OPEN = { type: "object" as const };
const REGIONAL = { type: "object" as const, properties: { region: { type: "string", "x-mcp-header": "Region" } } };
const NAMES = ["echo", "count", "wait", "ask", "ask-twice", "open-page", "sample", "roots", "everything", "needs", "resting"] as const;

function elicit(message: string): ReturnType<typeof inputRequired.elicit> {
  return inputRequired.elicit({ message, requestedSchema: { type: "object", properties: { name: { type: "string" } } } });
}

export async function startAskingServer(): Promise<AskingServer> {
  const heard: Heard[] = [];
  const listens = new Set<{ destroy(): unknown }>();
  let left = 0;
  let gate = Promise.withResolvers<void>();

  function build(): Server {
    const server = new Server(
      { name: "asking-upstream", version: "7.7.7" },
      {
        capabilities: {
          tools: { listChanged: true },
          resources: { subscribe: true, listChanged: true },
          prompts: { listChanged: true },
          logging: {},
          completions: {},
        },
        instructions: "Be brief.",
      },
    );
    server.setRequestHandler("tools/list", ({ params }) =>
      params?.cursor === "second"
        ? {
            tools: [
              { name: "regional", inputSchema: REGIONAL },
              { name: "listed", inputSchema: OPEN, outputSchema: { type: "array", items: { type: "integer" } } as never },
              { name: "paired", inputSchema: OPEN, outputSchema: { type: "object", properties: { n: { type: "integer" } } } },
            ],
          }
        : { tools: NAMES.map((name) => ({ name, inputSchema: OPEN })), nextCursor: "second" },
    );
    server.setRequestHandler("tools/call", async ({ params }, { mcpReq }) => {
      const token = mcpReq._meta?.progressToken;
      const responses = mcpReq.inputResponses;
      const state = String(mcpReq.requestState());
      switch (params.name) {
        case "count":
          for (const progress of [1, 2, 3]) {
            if (token !== undefined) await mcpReq.notify({ method: "notifications/progress", params: { progressToken: token, progress } });
          }
          await mcpReq.log("debug", "too quiet");
          await mcpReq.log("warning", "counting");
          return text("counted");
        case "wait":
          mcpReq.signal.addEventListener("abort", () => left++);
          if (token !== undefined) await mcpReq.notify({ method: "notifications/progress", params: { progressToken: token, progress: 1 } });
          await gate.promise;
          return text("waited");
        case "ask": {
          const told = inputResponse(responses, "who");
          if (told.kind === "missing") return inputRequired({ inputRequests: { who: elicit("Your name?") }, requestState: "state-1" });
          return text(`${JSON.stringify(told)} with ${state}`);
        }
        case "ask-twice": {
          if (acceptedContent(responses, "second")) return text(`${JSON.stringify(responses)} with ${state}`);
          if (acceptedContent(responses, "first"))
            return inputRequired({ inputRequests: { second: elicit("And then?") }, requestState: 'two "é"' });
          if (state === "undefined") return inputRequired({ requestState: "none yet" });
          return inputRequired({ inputRequests: { first: elicit("At first?") } });
        }
        case "open-page": {
          const told = inputResponse(responses, "page");
          if (told.kind !== "missing") return text(JSON.stringify(told));
          return inputRequired({
            inputRequests: { page: inputRequired.elicitUrl({ message: "Sign here", url: "https://example.com/sign" }) },
          });
        }
        case "sample": {
          const told = inputResponse(responses, "said");
          if (told.kind === "sampling") return text(JSON.stringify(told.result));
          const messages = [{ role: "user" as const, content: { type: "text" as const, text: "Hello?" } }];
          return inputRequired({ inputRequests: { said: inputRequired.createMessage({ messages, maxTokens: 5 }) } });
        }
        case "roots": {
          const told = inputResponse(responses, "folders");
          if (told.kind === "roots") return text(JSON.stringify(told.roots));
          return inputRequired({ inputRequests: { folders: inputRequired.listRoots() } });
        }
        case "everything": {
          if (responses) return text(JSON.stringify(responses));
          const messages = [{ role: "user" as const, content: { type: "text" as const, text: "Well?" } }];
          return inputRequired({
            inputRequests: { a: elicit("Name?"), b: inputRequired.createMessage({ messages, maxTokens: 7 }), c: inputRequired.listRoots() },
          });
        }
        case "needs":
          return inputRequired({ inputRequests: { folders: inputRequired.listRoots() } });
        case "listed":
          return { content: [], structuredContent: [1, 2, 3] as never };
        case "paired":
          return { content: [], structuredContent: { n: 4 } };
        default:
          return text(JSON.stringify(params.arguments ?? {}));
      }
    });
    server.setRequestHandler("resources/list", ({ params }) =>
      params?.cursor === "next"
        ? { resources: [{ uri: "docs://two", name: "two" }] }
        : { resources: [{ uri: "docs://one", name: "one" }], nextCursor: "next" },
    );
    server.setRequestHandler("resources/templates/list", () => ({ resourceTemplates: [{ uriTemplate: "docs://{name}", name: "docs" }] }));
    server.setRequestHandler("resources/read", ({ params }, { mcpReq }) => {
      if (params.uri === "docs://asking") {
        const told = acceptedContent(mcpReq.inputResponses, "who");
        if (!told) return inputRequired({ inputRequests: { who: elicit("Who reads?") }, requestState: "reading" });
        return { contents: [{ uri: params.uri, text: JSON.stringify(told) }] };
      }
      if (!/^docs:\/\/(?:one|two)$/.test(params.uri)) throw Object.assign(new Error(`Resource ${params.uri} not found`), { code: -32_602 });
      return { contents: [{ uri: params.uri, text: "words" }], ttlMs: 60_000, cacheScope: "public" as const };
    });
    server.setRequestHandler("prompts/list", () => ({ prompts: [{ name: "greet", arguments: [{ name: "who" }] }] }));
    server.setRequestHandler("prompts/get", ({ params }, { mcpReq }) => {
      const told = acceptedContent(mcpReq.inputResponses, "who") as { name?: string } | undefined;
      const who = params.arguments?.["who"] ?? told?.name;
      if (who === undefined) return inputRequired({ inputRequests: { who: elicit("Greet whom?") } });
      return { messages: [{ role: "user" as const, content: { type: "text" as const, text: `Hello ${who}` } }] };
    });
    server.setRequestHandler("completion/complete", ({ params }) => ({ completion: { values: [`${params.argument.value}!`] } }));
    return server;
  }

  const handler = createMcpHandler(build, { legacy: "reject", keepAliveMs: 0 });
  const serve = toNodeHandler(handler);
  const listening = await listenOn((request: IncomingMessage, response) => {
    const take = async (): Promise<void> => {
      const body = await readText(request);
      heard.push({ method: request.method ?? "", headers: request.headers, text: body });
      if (request.headers["mcp-method"] === "subscriptions/listen") {
        listens.add(response);
        response.on("close", () => listens.delete(response));
      }
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
    drop() {
      for (const response of [...listens]) response.destroy();
    },
    listens: () => listens.size,
    async stop() {
      await handler.close();
      await listening.stop();
    },
  };
}
