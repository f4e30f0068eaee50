/** The answer's way over HTTP: one JSON body, or a stream of events that is flushed event by event. */
import type { HttpReply, HttpRequest } from "../http/request.ts";
import type { Channel } from "./channel.ts";
import type { Desk } from "./desk.ts";
import type { Hold } from "./holds.ts";
import type { Session } from "./session.ts";
import { type EventSink, EventStream } from "./stream.ts";

/** How often a silent stream gets a sign of life. */
export const BEAT_MS = 15_000;
const EVENT_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
} as const;

export function acceptsEvents(request: HttpRequest): boolean {
  const { accept } = request.headers;
  return accept === undefined || /text\/event-stream|text\/\*|\*\/\*/i.test(accept);
}

/** Opens a response as a stream of events and ties it to `stream`. */
export function attachResponse(
  response: HttpReply,
  stream: EventStream,
  afterSequence?: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(200, { ...EVENT_HEADERS, ...headers });
  response.flushHeaders();
  const sink: EventSink = {
    write: (bytes) => response.write(bytes),
    end: () => void response.end(),
    onDrain: (resume) => void response.once("drain", resume),
  };
  const beat = setInterval(() => stream.beat(), BEAT_MS);
  beat.unref();
  response.on("close", () => {
    clearInterval(beat);
    stream.detach(sink);
  });
  stream.attach(sink, afterSequence);
}

export function createSessionStream(session: Session): EventStream {
  const stream = new EventStream(`${session.mark}${session.nextStream++}`, true);
  session.streams.set(stream.id, stream);
  return stream;
}

export class HttpChannel implements Channel {
  readonly #desk: Desk;
  readonly #request: HttpRequest;
  readonly #response: HttpReply;
  readonly #session: Session | undefined;
  readonly #hold: Omit<Hold, "close">;
  #stream: EventStream | undefined;
  #leave: (() => void) | undefined;

  constructor(desk: Desk, request: HttpRequest, response: HttpReply, session: Session | undefined, hold: Omit<Hold, "close">) {
    this.#desk = desk;
    this.#request = request;
    this.#response = response;
    this.#session = session;
    this.#hold = hold;
  }

  answer(status: number, message: Buffer, headers?: Readonly<Record<string, string>>): void {
    sendJson(this.#response, status, message, headers);
  }

  openStream(): EventStream | undefined {
    if (this.#stream) return this.#stream;
    if (!acceptsEvents(this.#request) || this.#response.headersSent || this.#response.destroyed) return undefined;
    const session = this.#session;
    const stream = session ? createSessionStream(session) : new EventStream("0", false);
    this.#stream = stream;
    attachResponse(this.#response, stream, 0);
    if (session && session.protocolVersion >= PRIMED_SINCE) stream.prime();
    const close = (): void => {
      stream.end();
      this.#leave?.();
    };
    const release = this.#desk.holds.add({ ...this.#hold, close });
    this.#response.on("close", release);
    return stream;
  }

  onGone(act: () => void): void {
    const response = this.#response;
    this.#leave = act;
    // Who hung up while the request was judged is gone already.
    if (response.destroyed) act();
    else {
      response.on("close", () => {
        if (!response.writableFinished) act();
      });
    }
  }
}

/** Older clients stumble over an event without data. */
const PRIMED_SINCE = "2025-11-25";

export function sendJson(response: HttpReply, status: number, message: Buffer, headers?: Readonly<Record<string, string>>): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { "content-type": "application/json", "content-length": message.length, ...headers });
  response.end(message);
}
