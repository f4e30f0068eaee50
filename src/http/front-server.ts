/**
 * Node's HTTP server with a quick way in front. Every connection begins there and is served there as long as its requests
 * are plain; the rest goes to Node's own reader, whose limits and times hold for it. To whoever starts and stops it the
 * server is one.
 */
import { type RequestListener, Server, type ServerOptions } from "node:http";
import type { Socket } from "node:net";
import { assert } from "../kernel/assert.ts";
import { QuickConnection, type QuickLine } from "./quick-connection.ts";
import { createRequestReader } from "./read-request.ts";
import type { Serve } from "./request.ts";

/** How often the server looks after its connections. */
export const LOOK_EVERY_MS = 500;
/** A request that is incomplete after so many looks is for Node's server. */
const STALLED_LOOKS = 2;
/** A client that reads what it was promised may come back at the last moment. */
const IDLE_GRACE_MS = 1_000;

export interface FrontOptions {
  readonly node: ServerOptions & { readonly headersTimeout: number; readonly keepAliveTimeout: number };
  /** What serves a plain POST to that target; undefined: `otherwise` does. */
  readonly find: (target: string) => Serve | undefined;
  /** Serves everything else. */
  readonly otherwise: RequestListener;
  readonly nowMs?: () => number;
}

export class FrontServer extends Server {
  readonly #connections = new Set<QuickConnection>();
  readonly #silentLooks: number;
  readonly #idleLooks: number;
  #turn = 0;
  #closing = false;

  constructor(options: FrontOptions) {
    super(options.node, options.otherwise);
    const { headersTimeout, keepAliveTimeout } = options.node;
    this.#silentLooks = Math.ceil(headersTimeout / LOOK_EVERY_MS);
    this.#idleLooks = Math.ceil((keepAliveTimeout + IDLE_GRACE_MS) / LOOK_EVERY_MS);
    const [receive, ...others] = this.listeners("connection");
    assert(receive && others.length === 0, "Node's server takes its connections in one place");
    this.removeAllListeners("connection");
    const line: QuickLine = {
      fields: createRequestReader(),
      find: options.find,
      handOver: (socket) => void receive.call(this, socket),
      isClosing: () => this.#closing,
      writeTail: createTailWriter(keepAliveTimeout, options.nowMs ?? Date.now),
      turn: () => this.#turn,
      forget: (connection) => void this.#connections.delete(connection),
    };
    this.on("connection", (socket: Socket) => void this.#connections.add(new QuickConnection(line, socket)));
    const looking = setInterval(() => this.look(), LOOK_EVERY_MS);
    looking.unref();
    this.on("close", () => clearInterval(looking));
  }

  /** Connections on the quick way. */
  get quickCount(): number {
    return this.#connections.size;
  }

  look(): void {
    this.#turn++;
    for (const connection of this.#connections) connection.look(this.#turn, STALLED_LOOKS, this.#silentLooks, this.#idleLooks);
  }

  override close(callback?: (error?: Error) => void): this {
    this.#closing = true;
    return super.close(callback);
  }

  override closeIdleConnections(): void {
    super.closeIdleConnections();
    for (const connection of this.#connections) connection.closeIfIdle();
  }

  override closeAllConnections(): void {
    super.closeAllConnections();
    for (const { socket } of this.#connections) socket.destroy();
  }
}

/** Date and connection as Node writes them; made anew once a second. */
function createTailWriter(keepAliveMs: number, nowMs: () => number): (closes: boolean) => string {
  const keeping = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1_000)}\r\n\r\n`;
  let second = Number.NaN;
  let kept = "";
  let closed = "";
  return (closes) => {
    const now = Math.floor(nowMs() / 1_000);
    if (now !== second) {
      second = now;
      const date = `Date: ${new Date(now * 1_000).toUTCString()}\r\n`;
      kept = `${date}${keeping}`;
      closed = `${date}Connection: close\r\n\r\n`;
    }
    return closes ? closed : kept;
  };
}
