/** A server written by hand: well-behaved until a test says what it answers to a tool's call, byte by byte if it likes. */
import type { ServerResponse } from "node:http";
import type { Heard } from "./legacy-server.ts";
import { type Listening, listenOn, readText } from "./listen.ts";

interface Asked {
  /** As the gateway spelled it. */
  readonly id: unknown;
  readonly method: string;
  readonly tool: string;
  readonly text: string;
}

export type Play = (asked: Asked, response: ServerResponse) => void | Promise<void>;

export interface HandMade extends Listening {
  readonly heard: readonly Heard[];
  /** What answers the call of a tool of that name, or a GET. */
  readonly plays: Map<string, Play>;
  /** The result of `tools/list`, as text, by cursor. */
  readonly lists: Map<string | undefined, string>;
}

export function sendJson(response: ServerResponse, text: string, status = 200, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(text);
}

export function openEvents(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
}

export async function startHandMade(tools: readonly string[]): Promise<HandMade> {
  const heard: Heard[] = [];
  const plays = new Map<string, Play>();
  const listed = tools.map((name) => JSON.stringify({ name, inputSchema: { type: "object" } })).join(",");
  const lists = new Map<string | undefined, string>([[undefined, `{"tools":[${listed}]}`]]);
  const listening = await listenOn((request, response) => {
    const take = async (): Promise<void> => {
      const text = await readText(request);
      heard.push({ method: request.method ?? "", headers: request.headers, text });
      const listen = plays.get(request.method ?? "");
      if (listen) return await listen({ id: undefined, method: "", tool: "", text: "" }, response);
      if (request.method !== "POST") return void response.writeHead(405).end();
      const message = JSON.parse(text) as { id?: unknown; method?: string; params?: { name?: string; cursor?: string } };
      const { id, method = "", params = {} } = message;
      if (id === undefined) return void response.writeHead(202).end();
      const head = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},`;
      switch (method) {
        case "initialize":
          return sendJson(
            response,
            `${head}"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"tasks":{"list":{}}},"serverInfo":{"name":"hand-made","version":"1"}}}`,
            200,
            { "mcp-session-id": `of-the-server-${heard.length}` },
          );
        case "tools/list":
          return sendJson(response, `${head}"result":${lists.get(params.cursor) ?? '{"tools":[]}'}}`);
        case "tools/call":
          return await plays.get(params.name ?? "")?.({ id, method, tool: params.name ?? "", text }, response);
        default:
          return sendJson(response, `${head}"error":{"code":-32601,"message":"Method not found"}}`);
      }
    };
    void take().catch(() => response.destroy());
  });
  return { ...listening, heard, plays, lists };
}
