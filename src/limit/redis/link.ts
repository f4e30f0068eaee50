/**
 * One connection to Redis or Valkey. Commands of one turn of the event loop go out together; nothing waits for a
 * connection, nothing is ever sent twice. Answers come in order, so one that is late means that all are: the connection is
 * given up, everyone who waits is told that the outcome is not known, and another one is made in the background.
 * No error that leaves here holds an address, a name or a password.
 */
import type { Script } from "./scripts.ts";

/** Commands that may wait for an answer; the next one is refused at once. */
export const MAX_COMMANDS_IN_FLIGHT = 4096;
/** How long an answer may take. */
export const COMMAND_TIMEOUT_MS = 2_000;
export const CONNECT_TIMEOUT_MS = 2_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;
const SWEEP_MS = 200;
/** Times of answered commands that are kept before they are let go of together. */
const FORGET_ANSWERED = 1024;
const ERROR_WORD = /^[A-Z]{2,24}\b/;

/** `unsent`: it certainly did not run. `unknown`: it may have. `refused`: Redis answered with an error. */
export type LinkFault = "unsent" | "unknown" | "refused";

export class LinkError extends Error {
  override readonly name = "LinkError";
  readonly fault: LinkFault;
  constructor(fault: LinkFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

export interface Link {
  readonly isReady: boolean;
  send(args: readonly string[]): Promise<unknown>;
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  close(): void;
}

export interface LinkOptions {
  readonly url: string;
  /** Told to every server beforehand, so that what is sent first arrives first. */
  readonly scripts: readonly Script[];
  /** Called with every connection that is made. */
  readonly onReady: () => void;
  /** Called when a connection has gone, or could not be made; `words` name no address. */
  readonly onLost: (words: string) => void;
  readonly commandTimeoutMs?: number | undefined;
}

interface Connection {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  sendCommand(args: readonly string[]): Promise<unknown>;
  destroy(): void;
  on(event: "error" | "end", listener: (error?: unknown) => void): unknown;
}

type Connect = () => Connection;

/** Loads the library, which only those pay for who count in Redis. */
async function loadConnect(url: string): Promise<Connect> {
  const { createClient } = await import("@redis/client");
  // Valkey's own names for the same two schemes.
  const address = url.replace(/^valkey(s?):/i, "redis$1:");
  return () =>
    createClient({
      url: address,
      RESP: 2,
      disableClientInfo: true,
      disableOfflineQueue: true,
      commandsQueueMaxLength: MAX_COMMANDS_IN_FLIGHT * 2,
      socket: { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: false },
    }) as unknown as Connection;
}

class RedisLink implements Link {
  readonly #connect: Connect;
  readonly #options: LinkOptions;
  readonly #timeoutMs: number;
  readonly #sweeper: NodeJS.Timeout;
  #connection: Connection | undefined;
  #retry: NodeJS.Timeout | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #closed = false;
  /** When each command of the connection that stands was sent; those before `#answered` have their answer. */
  #sentAt: number[] = [];
  #answered = 0;
  #wasLate = false;

  constructor(connect: Connect, options: LinkOptions) {
    this.#connect = connect;
    this.#options = options;
    this.#timeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(SWEEP_MS, this.#timeoutMs));
    this.#sweeper.unref();
    this.#open();
  }

  get isReady(): boolean {
    return this.#connection?.isReady === true;
  }

  async send(args: readonly string[]): Promise<unknown> {
    const connection = this.#connection;
    if (connection?.isReady !== true) throw new LinkError("unsent", "Redis can't be reached.");
    if (this.#sentAt.length - this.#answered >= MAX_COMMANDS_IN_FLIGHT) throw new LinkError("unsent", "Too many commands wait for Redis.");
    this.#sentAt.push(performance.now());
    try {
      return await connection.sendCommand(args);
    } catch (error) {
      throw toLinkError(error);
    } finally {
      if (connection === this.#connection) this.#count();
    }
  }

  async run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.send(["EVALSHA", script.sha, ...rest]);
    } catch (error) {
      // It did not run: Redis does not know it (a restart, SCRIPT FLUSH, another server).
      if (error instanceof LinkError && error.message.includes("NOSCRIPT")) return await this.send(["EVAL", script.text, ...rest]);
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    clearTimeout(this.#retry);
    this.#forget();
  }

  #open(): void {
    const connection = this.#connect();
    this.#connection = connection;
    this.#sentAt = [];
    this.#answered = 0;
    this.#wasLate = false;
    let wasReady = false;
    const lose = (words: string): void => this.#lose(connection, words);
    const fail = (error?: unknown): void =>
      lose(wasReady ? "The connection to Redis was lost." : `Redis can't be reached: ${wordOf(error)}.`);
    connection.on("error", fail);
    connection.on("end", () => fail());
    // A server that was stopped accepts connections and says nothing on them.
    const late = setTimeout(() => lose("Redis does not answer."), CONNECT_TIMEOUT_MS + this.#timeoutMs);
    late.unref();
    connection
      .connect()
      .then(() => {
        if (connection !== this.#connection || this.#closed) return;
        wasReady = true;
        this.#pauseMs = FIRST_PAUSE_MS;
        // Where that is not allowed, each is sent whole when it is first needed.
        for (const { text } of this.#options.scripts) this.send(["SCRIPT", "LOAD", text]).catch(() => undefined);
        this.#options.onReady();
      }, fail)
      .finally(() => clearTimeout(late));
  }

  #lose(connection: Connection, words: string): void {
    if (connection !== this.#connection || this.#closed) return;
    this.#forget();
    this.#retry = setTimeout(() => this.#open(), this.#pauseMs);
    this.#retry.unref();
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
    this.#options.onLost(words);
  }

  #forget(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    try {
      connection?.destroy();
    } catch {
      // It was never open, or has ended by itself.
    }
  }

  #count(): void {
    this.#answered++;
    if (this.#answered < FORGET_ANSWERED) return;
    this.#sentAt.splice(0, this.#answered);
    this.#answered = 0;
  }

  /** Late twice in a row, so that a turn in which this process itself was late is not held against Redis. */
  #sweep(): void {
    const oldest = this.#sentAt[this.#answered];
    const isLate = oldest !== undefined && performance.now() - oldest > this.#timeoutMs;
    if (isLate && this.#wasLate && this.#connection) return this.#lose(this.#connection, "Redis does not answer.");
    this.#wasLate = isLate;
  }
}

function toLinkError(error: unknown): LinkError {
  const message = error instanceof Error ? error.message : "";
  const word = ERROR_WORD.exec(message)?.[0];
  const name = error instanceof Error ? error.constructor.name : "";
  if (name === "ClientClosedError" || name === "ClientOfflineError") return new LinkError("unsent", "Redis can't be reached.");
  // What an error says after its first word may hold keys.
  if (word !== undefined && (name === "SimpleError" || name === "ErrorReply" || name === "BlobError"))
    return new LinkError("refused", `Redis refused it: ${word}.`);
  return new LinkError("unknown", "The connection to Redis was lost before it answered.");
}

/** A word that says why, and nothing of the address. */
function wordOf(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,40}$/.test(code)) return code;
  return (typeof message === "string" && ERROR_WORD.exec(message)?.[0]) || "no connection";
}

export async function openLink(options: LinkOptions): Promise<Link> {
  const connect = await loadConnect(options.url);
  try {
    return new RedisLink(connect, options);
  } catch {
    // What the library says of an address it can't read holds the address.
    throw new LinkError("unsent", "The address of Redis can't be read.");
  }
}
