/**
 * A small server of the SDK's first generation: with sessions and an event store, or stateless and answering in JSON. It
 * keeps what it was sent, and its tools do what the reference server does only by the clock.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  CallToolRequestSchema,
  CreateMessageResultSchema,
  ElicitResultSchema,
  type JSONRPCMessage,
  ListRootsResultSchema,
  ListToolsRequestSchema,
  type Tool,
} from "@modelcontextprotocol/sdk/types.js";
import { type Listening, listenOn, readText } from "./listen.ts";

export interface Heard {
  readonly method: string;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

export interface LegacyServer extends Listening {
  /** Every HTTP request, in the order of arrival. */
  readonly heard: readonly Heard[];
  /** Ids of the calls that the server was told to cancel. */
  readonly cancelled: readonly (string | number)[];
  /** Lets the calls of `wait` go on. */
  release(): void;
  readonly sessions: ReadonlyMap<string, Server>;
}

const text = (words: string): { content: { type: "text"; text: string }[] } => ({ content: [{ type: "text", text: words }] });
const OPEN = { type: "object" as const };
export const TOOLS: readonly Tool[] = [
  { name: "echo", description: "says it again", inputSchema: { type: "object", properties: { text: { type: "string" } } } },
  { name: "count", description: "tells its progress three times", inputSchema: OPEN },
  { name: "wait", description: "answers when it is let go", inputSchema: OPEN },
  { name: "ask", description: "asks the person", inputSchema: { type: "object", properties: { aside: { type: "boolean" } } } },
  { name: "sample", description: "asks the model", inputSchema: OPEN },
  { name: "roots", description: "asks for folders", inputSchema: OPEN },
  { name: "log", description: "says something", inputSchema: OPEN },
  { name: "change", description: "changes its own list", inputSchema: OPEN },
  { name: "poll", description: "lets its clients come back", inputSchema: OPEN },
  { name: "withdraw", description: "asks and takes it back", inputSchema: OPEN },
  { name: "secret", description: "is not for everybody", inputSchema: OPEN },
];

class EventStore {
  readonly #events: { readonly id: string; readonly stream: string; readonly message: JSONRPCMessage }[] = [];

  async storeEvent(stream: string, message: JSONRPCMessage): Promise<string> {
    const id = `${stream}/${this.#events.length}`;
    this.#events.push({ id, stream, message });
    return id;
  }

  async replayEventsAfter(last: string, { send }: { send: (id: string, message: JSONRPCMessage) => Promise<void> }): Promise<string> {
    const at = this.#events.findIndex(({ id }) => id === last);
    const stream = this.#events[at]?.stream ?? "";
    for (const event of this.#events.slice(at + 1)) if (event.stream === stream) await send(event.id, event.message);
    return stream;
  }
}

export async function startLegacyServer(how: { readonly stateless?: boolean } = {}): Promise<LegacyServer> {
  const heard: Heard[] = [];
  const cancelled: (string | number)[] = [];
  const sessions = new Map<string, Server>();
  const transports = new Map<string, StreamableHTTPServerTransport>();
  let gate = Promise.withResolvers<void>();

  function build(): Server {
    const server = new Server(
      { name: "small-upstream", version: "9.9.9" },
      { capabilities: { tools: { listChanged: true }, logging: {} }, instructions: "Be kind." },
    );
    server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [...TOOLS] }));
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
      const token = params._meta?.progressToken;
      switch (params.name) {
        case "echo":
          return text(String(params.arguments?.["text"]));
        case "count":
          for (const progress of [1, 2, 3]) {
            if (token !== undefined)
              await extra.sendNotification({ method: "notifications/progress", params: { progressToken: token, progress, total: 3 } });
          }
          return text("counted");
        case "wait": {
          extra.signal.addEventListener("abort", () => void cancelled.push(extra.requestId));
          if (token !== undefined)
            await extra.sendNotification({ method: "notifications/progress", params: { progressToken: token, progress: 1 } });
          await gate.promise;
          if (token !== undefined)
            await extra.sendNotification({ method: "notifications/progress", params: { progressToken: token, progress: 2 } });
          return text("waited");
        }
        case "ask": {
          const asked = {
            method: "elicitation/create" as const,
            params: {
              message: "Your name?",
              requestedSchema: { type: "object" as const, properties: { name: { type: "string" as const } } },
            },
          };
          const answer =
            params.arguments?.["aside"] === true
              ? await server.elicitInput(asked.params)
              : await extra.sendRequest(asked, ElicitResultSchema);
          return text(JSON.stringify(answer));
        }
        case "sample": {
          const params = { messages: [{ role: "user" as const, content: { type: "text" as const, text: "Hello?" } }], maxTokens: 5 };
          const answer = await extra.sendRequest({ method: "sampling/createMessage", params }, CreateMessageResultSchema);
          return text(JSON.stringify(answer));
        }
        case "roots":
          return text(JSON.stringify(await extra.sendRequest({ method: "roots/list" }, ListRootsResultSchema)));
        case "log":
          await extra.sendNotification({ method: "notifications/message", params: { level: "info", data: "on the call's stream" } });
          await server.sendLoggingMessage({ level: "warning", data: "on the listening stream" });
          return text("logged");
        case "change":
          await server.sendToolListChanged();
          return text("changed");
        case "poll":
          // Lets its clients go at once, and answers whoever comes back.
          extra.closeSSEStream?.();
          extra.closeStandaloneSSEStream?.();
          await new Promise((resolve) => setTimeout(resolve, 50));
          await server.sendToolListChanged();
          return text("polled");
        case "withdraw": {
          const asked = {
            method: "elicitation/create" as const,
            params: { message: "Never mind?", requestedSchema: { type: "object" as const, properties: {} } },
          };
          const failed = await extra.sendRequest(asked, ElicitResultSchema, { timeout: 300 }).catch((error: unknown) => String(error));
          return text(JSON.stringify(failed));
        }
        default:
          return text(`called ${params.name}`);
      }
    });
    return server;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readText(request);
    heard.push({ method: request.method ?? "", headers: request.headers, text: body });
    const parsed: unknown = body === "" ? undefined : JSON.parse(body);
    if (how.stateless) {
      const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true } as never);
      await build().connect(transport as Transport);
      return await transport.handleRequest(request, response, parsed);
    }
    const id = request.headers["mcp-session-id"];
    const known = typeof id === "string" ? transports.get(id) : undefined;
    if (known) return await known.handleRequest(request, response, parsed);
    if (id !== undefined) {
      response.writeHead(404).end();
      return;
    }
    const server = build();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      eventStore: new EventStore(),
      retryInterval: 100,
      onsessioninitialized: (made) => {
        transports.set(made, transport);
        sessions.set(made, server);
      },
      onsessionclosed: (ended) => {
        transports.delete(ended);
        sessions.delete(ended);
      },
    });
    await server.connect(transport as Transport);
    await transport.handleRequest(request, response, parsed);
  }

  const listening = await listenOn((request, response) => void serve(request, response).catch(() => response.destroy()));
  return {
    ...listening,
    heard,
    cancelled,
    sessions,
    release() {
      gate.resolve();
      gate = Promise.withResolvers<void>();
    },
  };
}
