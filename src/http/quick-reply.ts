/**
 * One reply on the quick way: a head made at once, then one body in one write, or chunks that are flushed once a turn.
 * Writes what Node's server would have written. What is told of a body's length is true, and after its end a reply
 * writes nothing: the connection has gone on to the next request.
 */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { assert } from "../kernel/assert.ts";
import { TOKEN_OCTETS, VALUE_OCTETS } from "./octets.ts";
import type { HttpReply, ReplyFields } from "./request.ts";

/** Up to here copying a body behind its head is cheaper than two writes. */
const COPY_MAX_BYTES: number = 32 * 1024;
const LINE_END = Buffer.from("\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** How the connection goes on after a reply, as its head says it. */
export interface ReplyLine {
  readonly socket: Socket;
  /** Nothing new is taken: whatever the client wants, the connection ends. */
  readonly isClosing: () => boolean;
  /** The last lines of a head, its empty one included. */
  writeTail(closes: boolean): string;
  /** Called with an error where the bytes did not leave. */
  readonly onFlushed: (error?: Error | null) => void;
}

export class QuickReply implements HttpReply {
  readonly #line: ReplyLine;
  #closes: boolean;
  /** The head as it will be written, without its tail; undefined before it is made and after it was written. */
  #head: string | undefined;
  #length: number | undefined;
  #bodiless = false;
  #ended = false;
  #onClose: (() => void)[] | undefined;
  #onDrain: (() => void)[] | undefined;
  headersSent = false;
  destroyed = false;
  writableFinished = false;

  constructor(line: ReplyLine, closes: boolean) {
    this.#line = line;
    this.#closes = closes;
  }

  /** Whether the connection ends with this reply. */
  get closes(): boolean {
    return this.#closes;
  }

  get writableNeedDrain(): boolean {
    return this.#line.socket.writableNeedDrain;
  }

  writeHead(status: number, fields: ReplyFields = {}): this {
    assert(!this.headersSent, "a reply has one head");
    assert(status >= 200 && status <= 599, "a reply has a final status");
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "unknown"}\r\n`;
    for (const name in fields) {
      const value = String(fields[name]);
      assertField(name, value);
      if (name === "connection") {
        assert(value === "close", "a reply says of the connection that it ends, or nothing");
        this.#closes = true;
        continue;
      }
      if (name === "content-length") this.#length = Number(value);
      head += `${name}: ${value}\r\n`;
    }
    this.#bodiless = status === 204 || status === 304;
    this.headersSent = true;
    this.#head = head;
    return this;
  }

  flushHeaders(): void {
    assert(this.headersSent, "a head comes first");
    if (this.#head !== undefined && !this.#isOver()) this.#writeStreamHead();
  }

  write(bytes: Uint8Array): boolean {
    assert(this.headersSent, "a head comes first");
    if (this.#isOver()) return true;
    if (this.#head !== undefined) this.#writeStreamHead();
    // An empty chunk would be the last one.
    if (bytes.length > 0) this.#writeChunk(bytes);
    return !this.#line.socket.writableNeedDrain;
  }

  end(bytes?: Uint8Array): this {
    assert(this.headersSent, "a head comes first");
    if (this.#isOver()) return this;
    const { socket, onFlushed } = this.#line;
    if (this.#head !== undefined) this.#writeWhole(bytes);
    else {
      if (bytes !== undefined && bytes.length > 0) this.#writeChunk(bytes);
      socket.write(LAST_CHUNK, onFlushed);
    }
    this.#ended = true;
    return this;
  }

  destroy(): this {
    this.#line.socket.destroy();
    return this;
  }

  on(_event: "close", act: () => void): this {
    (this.#onClose ??= []).push(act);
    return this;
  }

  once(_event: "drain", act: () => void): this {
    (this.#onDrain ??= []).push(act);
    return this;
  }

  /** The connection can take more. */
  drain(): void {
    const waiting = this.#onDrain;
    this.#onDrain = undefined;
    if (waiting) for (const act of waiting) act();
  }

  /** Everything has left. */
  finish(): void {
    this.writableFinished = true;
    this.#close();
  }

  /** The connection is gone. */
  vanish(): void {
    this.#close();
  }

  #close(): void {
    this.destroyed = true;
    const closing = this.#onClose;
    this.#onClose = undefined;
    this.#onDrain = undefined;
    if (closing) for (const act of closing) act();
  }

  /** Nothing is written after the end, nor to who has hung up. */
  #isOver(): boolean {
    return this.#ended || this.destroyed || !this.#line.socket.writable;
  }

  #writeWhole(bytes: Uint8Array | undefined): void {
    const { socket, onFlushed } = this.#line;
    const length = bytes?.length ?? 0;
    const isTrue = (this.#length === undefined || this.#length === length) && (!this.#bodiless || length === 0);
    // Whoever reads it would take what comes next for its end, or its end for what comes next.
    if (!isTrue) socket.destroy();
    assert(isTrue, "a reply is as long as it says");
    const told = this.#length === undefined && !this.#bodiless ? `content-length: ${length}\r\n` : "";
    const head = `${this.#head}${told}${this.#writeTail()}`;
    this.#head = undefined;
    if (bytes === undefined || length === 0) {
      socket.write(head, "latin1", onFlushed);
      return;
    }
    if (length <= COPY_MAX_BYTES) {
      const whole = Buffer.allocUnsafe(head.length + length);
      whole.write(head, 0, "latin1");
      whole.set(bytes, head.length);
      socket.write(whole, onFlushed);
      return;
    }
    socket.cork();
    socket.write(head, "latin1");
    socket.write(bytes, onFlushed);
    socket.uncork();
  }

  #writeStreamHead(): void {
    assert(this.#length === undefined && !this.#bodiless, "a stream has no length");
    this.#corkThisTurn();
    this.#line.socket.write(`${this.#head}${CHUNKED}${this.#writeTail()}`, "latin1");
    this.#head = undefined;
  }

  #writeTail(): string {
    if (this.#line.isClosing()) this.#closes = true;
    return this.#line.writeTail(this.#closes);
  }

  #writeChunk(bytes: Uint8Array): void {
    const { socket } = this.#line;
    this.#corkThisTurn();
    socket.write(`${bytes.length.toString(16)}\r\n`, "latin1");
    socket.write(bytes);
    socket.write(LINE_END);
  }

  /** What is written in one turn leaves together. */
  #corkThisTurn(): void {
    const { socket } = this.#line;
    if (socket.writableCorked > 0) return;
    socket.cork();
    process.nextTick(uncork, socket);
  }
}

const CHUNKED = "transfer-encoding: chunked\r\n";

function uncork(socket: Socket): void {
  socket.uncork();
}

/** Names and values are our own; that one would break out of its line is a bug, and ends the exchange. */
function assertField(name: string, value: string): void {
  assert(name !== "transfer-encoding" && name !== "keep-alive", "the reply frames itself");
  assert(name.length > 0 && holdsOnly(name, TOKEN_OCTETS), "a field's name is a token");
  assert(holdsOnly(value, VALUE_OCTETS), "a field's value stays in its line");
}

function holdsOnly(text: string, octets: Uint8Array): boolean {
  for (let index = 0; index < text.length; index++) if (octets[text.charCodeAt(index)] !== 1) return false;
  return true;
}
