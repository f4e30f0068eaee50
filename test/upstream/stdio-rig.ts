/** A server on standard streams made of the puppet, and what a gateway would send to it, by hand. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { SseParser } from "../../src/mcp/sse.ts";
import { createLog } from "../../src/observe/log.ts";
import { createStdioServer, type StdioServer, type StdioServerBounds } from "../../src/upstream/channel/server.ts";
import type { OpenExchange, UpstreamFault, UpstreamRequest } from "../../src/upstream/http-upstream.ts";

const PUPPET = fileURLToPath(new URL("./puppet.mjs", import.meta.url));
const PATIENCE_MS = 20_000;
export const MODERN = { "mcp-protocol-version": "2026-07-28" };
export const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "rig", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

export interface Told {
  status: number;
  headers: Record<string, unknown>;
  /** JSON-RPC messages, of a body or of events. */
  readonly messages: Record<string, unknown>[];
  fault: UpstreamFault | undefined;
  ended: boolean;
  /** How often it was told its end. */
  ends: number;
  readonly done: Promise<Told>;
  readonly open: OpenExchange;
}

export interface Rig {
  readonly server: StdioServer;
  readonly said: string[];
  send(request: Partial<UpstreamRequest> & { readonly message?: unknown }): Told;
  /** Opens a session and gives its id. */
  open(owner?: string, capabilities?: object): Promise<string>;
  call(session: string | undefined, name: string, args?: object, meta?: object, owner?: string): Told;
  listen(session: string, owner?: string): Told;
}

export interface RigOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly process?: "server" | "session";
  readonly bounds?: Partial<StdioServerBounds>;
  readonly secrets?: readonly string[];
  readonly command?: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
}

/** Short where a test would wait, and the same everywhere else. */
const BOUNDS: Partial<StdioServerBounds> = {
  probeMs: 2_000,
  restartMinMs: 20,
  restartMaxMs: 400,
  child: { stopInputMs: 300, stopTermMs: 300 },
};

export function startRig(options: RigOptions = {}): Rig {
  const said: string[] = [];
  const server = createStdioServer({
    name: "puppet",
    command: options.command ?? process.execPath,
    args: options.args ?? [PUPPET],
    env: options.env ?? {},
    ownEnv: { PATH: process.env["PATH"], SECRET_OF_OURS: "never-handed-on" },
    cwd: options.cwd,
    process: options.process ?? "server",
    secrets: options.secrets ?? [],
    clientInfo: { name: "rig", version: "1" },
    log: createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() }),
    bounds: { ...BOUNDS, ...options.bounds },
  });
  onTestFinished(() => server.close());
  let nextId = 1;

  const send: Rig["send"] = ({ message, ...request }) => {
    const { promise, resolve } = Promise.withResolvers<Told>();
    const parser = new SseParser();
    let body = "";
    let isStream = false;
    const told = { status: 0, headers: {}, messages: [], fault: undefined, ended: false, ends: 0, done: promise } as unknown as Told & {
      open: OpenExchange;
    };
    const end = (): void => {
      told.ends++;
      told.ended = true;
      if (!isStream && body !== "") told.messages.push(JSON.parse(body) as Record<string, unknown>);
      resolve(told);
    };
    told.open = server.exchange(
      {
        method: "POST",
        headers: {},
        ...request,
        ...(message === undefined ? {} : { body: Buffer.from(typeof message === "string" ? message : JSON.stringify(message)) }),
      },
      {
        onStart(status, headers) {
          told.status = status;
          told.headers = headers;
          isStream = headers["content-type"] === "text/event-stream";
        },
        onData(chunk) {
          if (!isStream) body += chunk.toString();
          else {
            for (const item of parser.push(chunk)) {
              if (item.kind === "event") told.messages.push(JSON.parse(Buffer.from(item.data).toString()) as Record<string, unknown>);
            }
          }
          return true;
        },
        onEnd: end,
        onFault(fault) {
          told.fault = fault;
          end();
        },
      },
    );
    return told;
  };

  return {
    server,
    said,
    send,
    async open(owner, capabilities = {}) {
      const params = { protocolVersion: "2025-11-25", capabilities, clientInfo: { name: "client", version: "1" } };
      const opened = await send({ owner, message: { jsonrpc: "2.0", id: nextId++, method: "initialize", params } }).done;
      const session = opened.headers["mcp-session-id"];
      if (typeof session !== "string")
        throw new Error(`no session: ${JSON.stringify([opened.status, opened.messages, opened.fault, said])}`);
      const told = await send({
        owner,
        headers: { "mcp-session-id": session },
        message: { jsonrpc: "2.0", method: "notifications/initialized" },
      }).done;
      if (told.status !== 202) throw new Error(`initialized was answered ${told.status}`);
      return session;
    },
    call(session, name, args = {}, meta, owner) {
      const headers: Record<string, string> = session === undefined ? MODERN : { "mcp-session-id": session };
      const params = { name, arguments: args, ...(meta ? { _meta: meta } : {}) };
      return send({ owner, headers, message: { jsonrpc: "2.0", id: nextId++, method: "tools/call", params } });
    },
    listen: (session, owner) => send({ owner, method: "GET", stream: true, headers: { "mcp-session-id": session } }),
  };
}

/** The text of the first block of the last message. */
export function textOf(told: Told): string {
  const result = told.messages.at(-1)?.["result"] as { content?: { text: string }[] } | undefined;
  return result?.content?.[0]?.text ?? JSON.stringify([told.status, told.messages, told.fault]);
}

/** What the process has heard, by method. */
export async function heardBy(
  rig: Rig,
  session: string | undefined,
  meta?: object,
): Promise<{ method?: string; id?: unknown; params?: unknown }[]> {
  return JSON.parse(textOf(await rig.call(session, "heard", {}, meta).done)) as { method?: string }[];
}

export async function until(isTrue: () => boolean): Promise<void> {
  const giveUpMs = performance.now() + PATIENCE_MS;
  while (!isTrue()) {
    if (performance.now() > giveUpMs) throw new Error(`still not true: ${isTrue.toString().slice(0, 200)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A process that has ended and that nobody has asked after yet is not alive. */
export function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
