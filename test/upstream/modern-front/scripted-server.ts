/**
 * A legacy server by hand: sessions, a GET stream, and for each method or tool what a test says. It keeps all that it was
 * sent and writes its answers byte for byte.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface Sent {
  readonly http: string;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  readonly message: { readonly id?: string | number; readonly method?: string; readonly params?: Record<string, unknown> } | undefined;
}

export class Turn {
  readonly sent: Sent;
  readonly response: ServerResponse;

  constructor(sent: Sent, response: ServerResponse) {
    this.sent = sent;
    this.response = response;
  }

  get id(): string {
    return JSON.stringify(this.sent.message?.id);
  }

  json(text: string, status = 200, headers: Record<string, string> = {}): void {
    this.response.writeHead(status, { "content-type": "application/json", ...headers }).end(text);
  }

  /** `result` is JSON text. */
  result(result: string): void {
    this.json(`{"jsonrpc":"2.0","id":${this.id},"result":${result}}`);
  }

  error(error: string, status = 200): void {
    this.json(`{"jsonrpc":"2.0","id":${this.id},"error":${error}}`, status);
  }

  /** Opens the answer as events and sends each; text is sent as it is. */
  send(...messages: readonly (string | object)[]): this {
    if (!this.response.headersSent) {
      this.response.writeHead(200, { "content-type": "text/event-stream" });
      this.response.flushHeaders();
    }
    for (const message of messages) this.response.write(`data: ${typeof message === "string" ? message : JSON.stringify(message)}\n\n`);
    return this;
  }

  /** The answer as the last event. */
  finish(result: string): void {
    this.send(`{"jsonrpc":"2.0","id":${this.id},"result":${result}}`);
    this.response.end();
  }
}

export type Play = (turn: Turn) => void | Promise<void>;

export interface ScriptedOptions {
  readonly capabilities?: object;
  readonly revision?: string;
  /** False: it keeps no session. */
  readonly keepsSessions?: boolean;
  /** False: it offers no GET stream. */
  readonly offersStream?: boolean;
  readonly instructions?: string;
}

export interface Scripted {
  readonly url: string;
  readonly heard: Sent[];
  /** By method, or by the name of the tool that is called. */
  readonly plays: Map<string, Play>;
  /** Sessions that are known; forget them and it answers 404. */
  readonly sessions: Set<string>;
  /** GET streams that are open, oldest first. */
  readonly streams: ServerResponse[];
  of(method: string): Sent[];
  /** Answers of the client's to what was asked, as they came. */
  replies(): Sent[];
  /** Says something on the last GET stream. */
  say(message: object, eventId?: string): void;
  stop(): Promise<void>;
}

export async function startScripted(options: ScriptedOptions = {}): Promise<Scripted> {
  const { keepsSessions = true, offersStream = true, revision = "2025-11-25" } = options;
  const heard: Sent[] = [];
  const plays = new Map<string, Play>();
  const sessions = new Set<string>();
  const streams: ServerResponse[] = [];
  let opened = 0;

  function open(turn: Turn): void {
    const info = { name: "scripted", version: "3.2.1", icons: [] };
    const result = {
      protocolVersion: revision,
      capabilities: options.capabilities ?? { tools: { listChanged: true }, logging: {}, tasks: { list: {} } },
      serverInfo: info,
      ...(options.instructions === undefined ? {} : { instructions: options.instructions }),
    };
    const headers: Record<string, string> = {};
    if (keepsSessions) {
      headers["mcp-session-id"] = `session-${++opened}`;
      sessions.add(headers["mcp-session-id"]);
    }
    turn.json(`{"jsonrpc":"2.0","id":${turn.id},"result":${JSON.stringify(result)}}`, 200, headers);
  }

  function listen(response: ServerResponse): void {
    if (!offersStream) return void response.writeHead(405).end();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    streams.push(response);
    response.on("close", () => void streams.splice(streams.indexOf(response), 1));
  }

  async function take(sent: Sent, response: ServerResponse): Promise<void> {
    const turn = new Turn(sent, response);
    const { message, http } = sent;
    const own =
      plays.get(http === "POST" ? ((message?.params?.["name"] as string | undefined) ?? "") : http) ??
      plays.get(message?.method ?? http) ??
      (message && message.id !== undefined && message.method === undefined ? plays.get("POST") : undefined);
    if (own) return await own(turn);
    const session = sent.headers["mcp-session-id"];
    if (keepsSessions && message?.method !== "initialize" && !(typeof session === "string" && sessions.has(session))) {
      return turn.json('{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}', 404);
    }
    if (http === "GET") return listen(response);
    if (http === "DELETE") {
      sessions.delete(session as string);
      return void response.writeHead(200).end();
    }
    if (message?.id === undefined || message.method === undefined) return void response.writeHead(202).end();
    if (message.method === "initialize") return open(turn);
    turn.error('{"code":-32601,"message":"Method not found"}');
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => undefined);
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString("utf8");
      const sent: Sent = {
        http: request.method ?? "",
        headers: request.headers,
        text,
        message: text === "" ? undefined : JSON.parse(text),
      };
      heard.push(sent);
      void take(sent, response).catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  onTestFinished(stop);
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    heard,
    plays,
    sessions,
    streams,
    of: (method) => heard.filter(({ message }) => message?.method === method),
    replies: () => heard.filter(({ message }) => message !== undefined && message.method === undefined),
    say(message, eventId) {
      const stream = streams.at(-1);
      if (!stream) throw new Error("nobody listens");
      stream.write(`${eventId === undefined ? "" : `id: ${eventId}\n`}data: ${JSON.stringify(message)}\n\n`);
    },
    stop,
  };
}
