/** The hostile servers that are reached over HTTP: of either era alone, and of HTTP+SSE. They list one tool for each case. */
import type { ServerResponse } from "node:http";
import { type Arrived, type Asked, OK_RESULT, type RawUpstream, type Reply, startRawUpstream } from "../raw-upstream.ts";
import { findCase, type Mouth, TOOLS } from "./cases.ts";

const EVENTS = { "content-type": "text/event-stream" };
const OPENED = '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"hostile","version":"1"}}';

export function createEventMouth(response: ServerResponse, id: string, keepsOpen = false): Mouth {
  return {
    id,
    frame: (message) => `data: ${message}\n\n`,
    async say(bytes) {
      if (response.destroyed || response.writableEnded) return false;
      if (!response.headersSent) response.writeHead(200, EVENTS);
      if (response.write(bytes)) return true;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          response.off("drain", go).off("close", go);
          resolve();
        };
        response.on("drain", go).on("close", go);
      });
      return !response.destroyed;
    },
    cut: () => void response.socket?.destroy(),
    end: () => void (keepsOpen || response.end()),
  };
}

const NO_METHOD: Reply = { error: '{"code":-32601,"message":"Method not found"}' };

function open(response: ServerResponse, _socket: unknown, id: string): void {
  response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "of-the-server" }).end(answer(id, "initialize"));
}

export async function startHostileServer(era: "legacy" | "modern"): Promise<RawUpstream> {
  return await startRawUpstream({
    era: era === "legacy" ? "legacy" : "both",
    tools: TOOLS,
    respond(_arrived, asked): Reply | undefined {
      if (asked.method === "initialize") return era === "modern" ? NO_METHOD : { act: open };
      const found = asked.method === "tools/call" ? findCase(asked.params?.["name"]) : undefined;
      if (!found) return undefined;
      if (found.http) return { act: found.http };
      return { act: (response, _socket, id) => void found.act?.(createEventMouth(response, id)) };
    },
  });
}

/** Posts are taken where the stream said, and answered on the stream alone. */
export async function startHostileSseServer(): Promise<RawUpstream> {
  const streams = new Map<string, ServerResponse>();
  const upstream = await startRawUpstream({
    tools: TOOLS,
    respond: (arrived, asked) => ({ act: (response, _socket, id) => take(arrived, asked, response, id) }),
  });
  upstream.onGet = (response) => {
    const name = `${streams.size + 1}`;
    streams.set(name, response);
    response.writeHead(200, EVENTS).write(`event: endpoint\ndata: /mcp?stream=${name}\n\n`);
  };
  function take(arrived: Arrived, asked: Asked, response: ServerResponse, id: string): void {
    const stream = streams.get(new URLSearchParams(arrived.url.split("?")[1]).get("stream") ?? "");
    if (!stream) return void response.writeHead(405).end();
    response.writeHead(202).end();
    const found = asked.method === "tools/call" ? findCase(asked.params?.["name"]) : undefined;
    const mouth = createEventMouth(stream, id, true);
    if (found) return void found.act?.(mouth);
    void mouth.say(mouth.frame(answer(id, asked.method)));
  }
  return upstream;
}

/** What the servers without any fault say to everything but their tools. */
export function answer(id: string, method: string): string {
  const result = { initialize: OPENED, "tools/list": `{"tools":${TOOLS}}`, "tools/call": OK_RESULT, ping: "{}" }[method];
  if (result === undefined) return `{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"Method not found"}}`;
  return `{"jsonrpc":"2.0","id":${id},"result":${result}}`;
}
