/**
 * One connection on the quick way: request by request, each read whole and answered before the next one is looked at.
 * At the first thing that is not plain the connection goes, with every byte that was not served, to Node's own server,
 * for good. Holds a bounded number of bytes, and has no timer of its own: the server looks after it.
 */
import type { Socket } from "node:net";
import { QuickReply, type ReplyLine } from "./quick-reply.ts";
import type { FieldReader } from "./read-fields.ts";
import { hasLooseLineEnd, readRequest } from "./read-request.ts";
import type { Serve } from "./request.ts";

/** A request that comes in more pieces than this is for the reader that takes them one by one. */
export const MAX_PIECES = 16;
/** What may come while a reply is under way; then the client is let wait. */
export const MAX_WAITING_BYTES: number = 64 * 1024;

const BAD_REQUEST = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

/** What all connections of one server share. */
export interface QuickLine {
  readonly fields: FieldReader;
  /** What serves a target; undefined: Node's server does. */
  readonly find: (target: string) => Serve | undefined;
  /** Gives a connection to Node's server. */
  readonly handOver: (socket: Socket) => void;
  /** Nothing new is taken: a connection ends with its reply. */
  readonly isClosing: () => boolean;
  readonly writeTail: (closes: boolean) => string;
  readonly turn: () => number;
  readonly forget: (connection: QuickConnection) => void;
}

export class QuickConnection implements ReplyLine {
  readonly socket: Socket;
  readonly writeTail: (closes: boolean) => string;
  readonly isClosing: () => boolean;
  readonly #line: QuickLine;
  #reply: QuickReply | undefined;
  /** What came and is not served. */
  #waiting: Buffer | undefined;
  #pieces = 0;
  #served = false;
  /** Said to be at its end: what still comes is not looked at. */
  #isEnding = false;
  /** The turn of the server's look since which nothing happened, or since which a request is incomplete. */
  #since: number;

  constructor(line: QuickLine, socket: Socket) {
    this.#line = line;
    this.socket = socket;
    this.writeTail = line.writeTail;
    this.isClosing = line.isClosing;
    this.#since = line.turn();
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("drain", this.#onDrain);
    socket.on("error", ignore);
    socket.on("close", this.#onClose);
  }

  /** The server looks round: a request that does not come on goes to Node's server, which has its times for it. */
  look(turn: number, stalledTurns: number, silentTurns: number, idleTurns: number): void {
    if (this.#reply) return;
    const turns = turn - this.#since;
    if (this.#waiting) {
      if (turns >= stalledTurns) this.#leave(this.#waiting);
    } else if (turns >= (this.#served ? idleTurns : silentTurns)) this.socket.destroy();
  }

  closeIfIdle(): void {
    if (!this.#reply && !this.#waiting) this.socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isEnding) return;
    const bytes = this.#waiting ? Buffer.concat([this.#waiting, chunk]) : chunk;
    if (!this.#reply) return this.#read(bytes);
    this.#waiting = bytes;
    if (bytes.length > MAX_WAITING_BYTES) this.socket.pause();
  };

  #read(bytes: Buffer): void {
    const reading = readRequest(this.#line.fields, bytes, this.socket);
    if (reading === "partial") {
      if (this.#waiting === undefined) this.#since = this.#line.turn();
      this.#waiting = bytes;
      if (++this.#pieces > MAX_PIECES || hasLooseLineEnd(bytes)) this.#leave(bytes);
      return;
    }
    // More than one request at a time is for Node's server, which knows what to do with them.
    if (reading === "other" || reading.length !== bytes.length) return this.#leave(bytes);
    const serve = this.#line.find(reading.request.url);
    if (!serve) return this.#leave(bytes);
    this.#waiting = undefined;
    this.#pieces = 0;
    this.#served = true;
    const reply = new QuickReply(this, reading.closes);
    this.#reply = reply;
    serve(reading.request, reply);
  }

  readonly onFlushed = (error?: Error | null): void => {
    const reply = this.#reply;
    if (error || !reply || this.socket.destroyed) return;
    this.#reply = undefined;
    this.#since = this.#line.turn();
    reply.finish();
    if (reply.closes || this.isClosing()) {
      this.#isEnding = true;
      this.#waiting = undefined;
      this.socket.end(() => void this.socket.destroy());
      return;
    }
    const bytes = this.#waiting;
    if (!bytes) return;
    this.#waiting = undefined;
    this.#read(bytes);
    // On Node's server it goes on anyway.
    if (this.socket.isPaused()) this.socket.resume();
  };

  /** Who sends no more gets no more: the reply that is under way has lost its client. */
  readonly #onEnd = (): void => {
    if (this.#waiting && !this.#reply) {
      this.socket.write(BAD_REQUEST);
      this.socket.destroy();
    } else this.socket.end();
  };

  readonly #onDrain = (): void => this.#reply?.drain();

  readonly #onClose = (): void => {
    const reply = this.#reply;
    this.#reply = undefined;
    this.#waiting = undefined;
    this.#line.forget(this);
    reply?.vanish();
  };

  #leave(bytes: Buffer): void {
    const { socket } = this;
    this.#waiting = undefined;
    this.#line.forget(this);
    if (socket.destroyed) return;
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("drain", this.#onDrain);
    socket.off("error", ignore);
    socket.off("close", this.#onClose);
    // Stopped, so that what goes back is given out again, and not before somebody listens.
    socket.pause();
    if (bytes.length > 0) socket.unshift(bytes);
    this.#line.handOver(socket);
    process.nextTick(resume, socket);
  }
}

const ignore = (): void => undefined;

function resume(socket: Socket): void {
  socket.resume();
}
