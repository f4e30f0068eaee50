/**
 * One connection to a server. It carries one request at a time and the whole of its answer, then it may carry the next.
 * Bytes that nobody asked for, or that come behind the end of an answer, end it: they could be taken for the next answer.
 */
import type { Socket } from "node:net";
import { type ResponseHeaders, ResponseReader, type ResponseTaker } from "../../http/read-response.ts";
import type { OpenSocket, SocketOwner } from "./open-socket.ts";

/** A larger body is not copied behind its head. */
const MAX_JOINED_BODY_BYTES: number = 32 * 1024;
/** Two of these would be two answers' worth of meaning. */
const SINGULAR_FIELDS: ReadonlySet<string> = new Set(["content-type", "mcp-session-id"]);

/** One request and whoever waits for its answer. */
export interface Passenger {
  readonly head: string;
  readonly body: Buffer | undefined;
  /** It had its end: what comes is for nobody. */
  readonly hasEnded: boolean;
  /** The first byte is about to leave. */
  onLeaving(connection: Connection): void;
  /** May end the exchange, and with it the connection. */
  onHead(status: number, headers: ResponseHeaders): void;
  /** `false` asks for a pause. */
  onPiece(piece: Buffer): boolean;
  onWhole(): void;
  onBroken(reason: "broken" | "answer_timeout" | "closed", detail: string): void;
}

export interface ConnectionOwner {
  /** Turns of a coarse clock. */
  readonly ticks: number;
  onReady(connection: Connection): void;
  /** It can carry the next request. */
  onFree(connection: Connection): void;
  /** It is gone. `error`: why, where it never was ready. */
  onGone(connection: Connection, error: Error | undefined): void;
}

export class Connection implements SocketOwner, ResponseTaker {
  readonly #owner: ConnectionOwner;
  readonly #reader = new ResponseReader(SINGULAR_FIELDS);
  #socket: Socket | undefined;
  #passenger: Passenger | undefined;
  #isReady = false;
  #isPaused = false;
  #isUnreferenced = false;
  /** The clock's turn of the last sign of life: opened, written, answered. */
  lastTick = 0;
  /** Whom it is opened for. */
  openedFor: Passenger | undefined;
  /** Until when it is surely kept by the server, on `performance.now()`. */
  freeUntil = 0;
  /** The turn of the event loop in which it became free. */
  freeSince = 0;

  constructor(owner: ConnectionOwner) {
    this.#owner = owner;
  }

  get passenger(): Passenger | undefined {
    return this.#passenger;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** It can carry a request, as far as is known. */
  get isUsable(): boolean {
    return this.#isReady && this.#socket?.destroyed === false;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get awaitsHead(): boolean {
    return !this.#reader.hasBegun;
  }

  get keepAliveMs(): number | undefined {
    return this.#reader.keepAliveMs;
  }

  open(openSocket: OpenSocket): void {
    this.lastTick = this.#owner.ticks;
    const opened = tryOpening(openSocket, this);
    if (opened instanceof Error) process.nextTick(() => this.onClose(opened));
    else this.#socket = opened;
  }

  /** Sends a request. From here on nobody knows whether it arrived, until its answer says so. */
  carry(passenger: Passenger): void {
    const socket = this.#socket as Socket;
    if (this.#isUnreferenced) {
      socket.ref();
      this.#isUnreferenced = false;
    }
    this.#passenger = passenger;
    this.#reader.reset();
    this.lastTick = this.#owner.ticks;
    passenger.onLeaving(this);
    const { head, body } = passenger;
    const bodyLength = body?.length ?? 0;
    const isJoined = bodyLength <= MAX_JOINED_BODY_BYTES;
    const bytes = Buffer.allocUnsafe(head.length + (isJoined ? bodyLength : 0));
    bytes.write(head, "latin1");
    if (isJoined) {
      body?.copy(bytes, head.length);
      socket.write(bytes);
      return;
    }
    socket.cork();
    socket.write(bytes);
    socket.write(body as Buffer);
    socket.uncork();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.lastTick = this.#owner.ticks;
    this.#socket?.resume();
  }

  /** An idle connection does not keep the process alive. */
  unreference(): void {
    if (this.#isUnreferenced) return;
    this.#isUnreferenced = true;
    this.#socket?.unref();
  }

  /** Ends it; whoever travels has been told, or is told so. */
  destroy(reason: "broken" | "answer_timeout" | "closed" = "broken", detail = "the connection was ended"): void {
    this.#socket?.destroy();
    this.#leave(reason, detail);
  }

  /** Ends it before it was ready. */
  giveUp(error: Error): void {
    this.#socket?.destroy(error);
  }

  onReady(): void {
    this.#isReady = true;
    this.#owner.onReady(this);
  }

  onBytes(bytes: Buffer, length: number): boolean {
    if (this.#passenger === undefined) {
      this.destroy();
      return false;
    }
    const { informational } = this.#reader;
    const told = this.#reader.push(bytes, length, this);
    // A head that comes byte by byte is no sign of life.
    if (this.#reader.hasBegun || this.#reader.informational !== informational) this.lastTick = this.#owner.ticks;
    if (told === "more") return !this.#isPaused;
    if (told === "complete") this.#complete(this.#reader.end < length);
    else if (told !== "stopped") this.destroy("broken", `the answer can't be read (${told})`);
    return !this.#isPaused;
  }

  onHead(status: number, headers: ResponseHeaders): boolean {
    const passenger = this.#passenger as Passenger;
    passenger.onHead(status, headers);
    return !passenger.hasEnded;
  }

  onBody(bytes: Buffer, start: number, end: number): boolean {
    const passenger = this.#passenger as Passenger;
    // The bytes are overwritten by what comes next; whoever takes the piece may keep it.
    if (!passenger.onPiece(Buffer.from(bytes.subarray(start, end)))) this.#isPaused = true;
    return !passenger.hasEnded;
  }

  onFinish(): void {
    if (this.#passenger !== undefined && this.#reader.finish() === "complete") this.#complete(true);
    else this.destroy("broken", "the server ended the connection");
  }

  onClose(error: Error | undefined): void {
    this.#leave("broken", error?.message ?? "the connection was closed");
    this.#owner.onGone(this, error);
  }

  #complete(hasMore: boolean): void {
    const passenger = this.#passenger as Passenger;
    this.#passenger = undefined;
    this.#isPaused = false;
    const socket = this.#socket as Socket;
    // A request that was answered before it was written whole would go on into the next.
    if (!hasMore && this.#reader.keepsAlive && socket.writableLength === 0 && !socket.destroyed) this.#owner.onFree(this);
    else socket.destroy();
    passenger.onWhole();
  }

  #leave(reason: "broken" | "answer_timeout" | "closed", detail: string): void {
    const passenger = this.#passenger;
    this.#passenger = undefined;
    passenger?.onBroken(reason, detail);
  }
}

/** Node throws at once where it can't even begin, as with certificate authorities that can't be read. */
function tryOpening(openSocket: OpenSocket, owner: SocketOwner): Socket | Error {
  try {
    return openSocket(owner);
  } catch (error) {
    return error instanceof Error ? error : new Error("no socket could be opened");
  }
}
