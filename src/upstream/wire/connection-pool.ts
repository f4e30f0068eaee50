/**
 * The connections to one server, bounded, and the requests that wait for one, in their order. A request leaves on the
 * connection that was used last; one that was used before is looked at once more by the event loop before anything is
 * written to it, so that what has come in the meantime, an end or bytes that nobody asked for, is not taken for an answer.
 * One coarse clock keeps all times.
 */
import { AddressRefused } from "../address-guard.ts";
import { Connection, type ConnectionOwner, type Passenger } from "./connection.ts";
import type { OpenSocket } from "./open-socket.ts";

/** How long an idle connection is kept; shorter than most servers keep theirs. */
export const KEEP_ALIVE_MS = 4_000;
/** The same where the server names a time. */
const KEEP_ALIVE_MAX_MS = 60_000;
/** How much sooner than the server would it is ended. */
const KEEP_ALIVE_MARGIN_MS = 2_000;
const MIN_TICK_MS = 5;
const MAX_TICK_MS = 500;
/** Parts of the shortest time that are told apart. */
const TICKS_OF_SHORTEST = 8;

export interface Waiting extends Passenger {
  onRefused(reason: "connect" | "address_refused" | "wait_timeout" | "closed", detail: string): void;
}

export interface PoolBounds {
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly waitTimeoutMs: number;
  /** Until the answer's head. */
  readonly headTimeoutMs: number;
  /** Between its bytes; 0: any time. */
  readonly silenceTimeoutMs: number;
}

export class ConnectionPool implements ConnectionOwner {
  readonly #openSocket: OpenSocket;
  readonly #bounds: PoolBounds;
  readonly #tickMs: number;
  readonly #connections = new Set<Connection>();
  /** Free ones, the last used last. */
  readonly #free: Connection[] = [];
  /** Requests without a connection, in order; with the clock's turn of their coming. */
  readonly #queue = new Map<Waiting, number>();
  /** Connections about to carry what they are reserved for. */
  #reserved = new Map<Connection, Waiting>();
  #opening = 0;
  #turn = 0;
  #isTurning = false;
  #clock: NodeJS.Timeout | undefined;
  #isClosed = false;
  #onEmpty: (() => void) | undefined;
  ticks = 0;

  constructor(openSocket: OpenSocket, bounds: PoolBounds) {
    this.#openSocket = openSocket;
    this.#bounds = bounds;
    const times = [bounds.connectTimeoutMs, bounds.waitTimeoutMs, bounds.headTimeoutMs, KEEP_ALIVE_MS];
    if (bounds.silenceTimeoutMs > 0) times.push(bounds.silenceTimeoutMs);
    this.#tickMs = Math.min(MAX_TICK_MS, Math.max(MIN_TICK_MS, Math.min(...times) / TICKS_OF_SHORTEST));
  }

  take(waiting: Waiting): void {
    const free = this.#popFree();
    if (free !== undefined) {
      this.#reserve(free, waiting);
      return;
    }
    this.#startClock();
    this.#queue.set(waiting, this.ticks);
    this.#openFor(waiting);
  }

  /** It waits no longer. */
  forget(waiting: Waiting): void {
    this.#queue.delete(waiting);
  }

  /** Settles when every connection is gone. */
  close(): Promise<void> {
    this.#isClosed = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    const waiting = [...this.#queue.keys(), ...this.#reserved.values()];
    this.#queue.clear();
    this.#reserved.clear();
    for (const connection of this.#connections) connection.destroy("closed", "the server's connections are closed");
    for (const one of waiting) one.onRefused("closed", "the server's connections are closed");
    this.#settle();
    return promise;
  }

  onReady(connection: Connection): void {
    this.#opening--;
    connection.openedFor = undefined;
    if (this.#isClosed) {
      connection.destroy();
      return;
    }
    const next = this.#shiftQueue();
    // Nothing was asked on it yet, so nothing can have been answered.
    if (next === undefined) this.#release(connection);
    else connection.carry(next);
  }

  onFree(connection: Connection): void {
    const { keepAliveMs } = connection;
    const keptMs = keepAliveMs === undefined ? KEEP_ALIVE_MS : Math.min(keepAliveMs - KEEP_ALIVE_MARGIN_MS, KEEP_ALIVE_MAX_MS);
    if (this.#isClosed || keptMs <= 0) {
      connection.destroy();
      return;
    }
    connection.freeUntil = performance.now() + keptMs;
    this.#release(connection);
  }

  onGone(connection: Connection, error: Error | undefined): void {
    this.#connections.delete(connection);
    const place = this.#free.indexOf(connection);
    if (place >= 0) this.#free.splice(place, 1);
    if (!connection.isReady) this.#failOpening(connection, error);
    const waiting = this.#reserved.get(connection);
    if (waiting !== undefined) {
      // It was gone before a byte was written, so the request has not left and may leave on another.
      this.#reserved.delete(connection);
      if (!waiting.hasEnded) this.take(waiting);
    }
    this.#openMore();
    this.#settle();
  }

  #failOpening(connection: Connection, error: Error | undefined): void {
    this.#opening--;
    const waiting = connection.openedFor as Waiting | undefined;
    if (waiting === undefined || !this.#queue.delete(waiting)) return;
    if (error instanceof AddressRefused) waiting.onRefused("address_refused", error.message);
    else waiting.onRefused("connect", error?.message ?? "the connection was closed before it was ready");
  }

  #shiftQueue(): Waiting | undefined {
    for (const waiting of this.#queue.keys()) {
      this.#queue.delete(waiting);
      return waiting;
    }
    return undefined;
  }

  #popFree(): Connection | undefined {
    if (this.#free.length === 0) return undefined;
    const now = performance.now();
    for (let connection = this.#free.pop(); connection !== undefined; connection = this.#free.pop()) {
      if (connection.isUsable && now < connection.freeUntil) return connection;
      connection.destroy();
    }
    return undefined;
  }

  #release(connection: Connection): void {
    connection.freeSince = this.#turn;
    const next = this.#shiftQueue();
    if (next !== undefined) {
      this.#reserve(connection, next);
      return;
    }
    this.#free.push(connection);
    this.#awaitTurn();
  }

  #reserve(connection: Connection, waiting: Waiting): void {
    this.#reserved.set(connection, waiting);
    this.#awaitTurn();
  }

  #awaitTurn(): void {
    if (this.#isTurning) return;
    this.#isTurning = true;
    setImmediate(this.#onTurn);
  }

  /** The event loop has looked at its sockets. */
  readonly #onTurn = (): void => {
    this.#isTurning = false;
    const turn = this.#turn++;
    const reserved = this.#reserved;
    if (reserved.size === 0) return;
    this.#reserved = new Map();
    for (const [connection, waiting] of reserved) {
      if (waiting.hasEnded) {
        if (connection.isUsable) this.#release(connection);
      } else if (!connection.isUsable) this.take(waiting);
      // Freed in this very turn: not looked at since.
      else if (connection.freeSince === turn) this.#reserve(connection, waiting);
      else connection.carry(waiting);
    }
  };

  #openFor(waiting: Waiting): void {
    if (this.#isClosed || this.#connections.size >= this.#bounds.connections) return;
    const connection = new Connection(this);
    connection.openedFor = waiting;
    this.#connections.add(connection);
    this.#opening++;
    connection.open(this.#openSocket);
  }

  /** There may be room for those for whom nothing is being opened. */
  #openMore(): void {
    if (this.#queue.size <= this.#opening || this.#isClosed) return;
    const served = new Set<Passenger | undefined>();
    for (const connection of this.#connections) served.add(connection.openedFor);
    for (const waiting of this.#queue.keys()) {
      if (this.#queue.size <= this.#opening || this.#connections.size >= this.#bounds.connections) return;
      if (!served.has(waiting)) this.#openFor(waiting);
    }
  }

  #startClock(): void {
    if (this.#clock !== undefined) return;
    this.#clock = setInterval(() => this.#tick(), this.#tickMs);
    this.#clock.unref();
  }

  #tick(): void {
    this.ticks++;
    const { connectTimeoutMs, waitTimeoutMs, headTimeoutMs, silenceTimeoutMs } = this.#bounds;
    for (const [waiting, since] of this.#queue) {
      if (!this.#isOver(since, waitTimeoutMs)) continue;
      this.#queue.delete(waiting);
      waiting.onRefused("wait_timeout", "no connection in time");
    }
    for (const connection of this.#connections) {
      const { passenger, lastTick } = connection;
      if (!connection.isReady) {
        if (this.#isOver(lastTick, connectTimeoutMs)) connection.giveUp(new Error("no connection in time"));
      } else if (passenger === undefined) continue;
      else if (connection.awaitsHead ? this.#isOver(lastTick, headTimeoutMs) : this.#isSilent(connection, silenceTimeoutMs)) {
        connection.destroy("answer_timeout", "no answer in time");
      }
    }
    this.#endStale();
    this.#settle();
  }

  #endStale(): void {
    const now = performance.now();
    for (const connection of this.#free) {
      if (now >= connection.freeUntil) connection.destroy();
      else connection.unreference();
    }
  }

  #isOver(since: number, timeoutMs: number): boolean {
    // The turn in which it began is not a whole one.
    return (this.ticks - since - 1) * this.#tickMs >= timeoutMs;
  }

  #isSilent(connection: Connection, timeoutMs: number): boolean {
    return timeoutMs > 0 && !connection.isPaused && this.#isOver(connection.lastTick, timeoutMs);
  }

  /** With nothing left the clock stands, and whoever closed it may go on. */
  #settle(): void {
    if (this.#connections.size > 0) return;
    if (this.#queue.size === 0) {
      clearInterval(this.#clock);
      this.#clock = undefined;
    }
    if (this.#isClosed) this.#onEmpty?.();
  }
}
