/** The stream of a GET, on which a session is told what belongs to no request. It ends by its client or with its session. */
import type { AnswerSink, OpenExchange, UpstreamRequest } from "../http-upstream.ts";
import { type FeedPorts, SinkFeed } from "./sink-feed.ts";

export class Listening implements OpenExchange {
  readonly #feed: SinkFeed;
  readonly #onEnd: () => void;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.cancel();

  /** `onOpen` comes when messages can be told, `onEnd` once when they no longer can. */
  constructor(request: UpstreamRequest, sink: AnswerSink, ports: FeedPorts & { readonly onOpen: () => void; readonly onEnd: () => void }) {
    this.#feed = new SinkFeed(sink, ports);
    this.#onEnd = ports.onEnd;
    this.#signal = request.signal;
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    // The asker has its handle first.
    queueMicrotask(() => {
      this.#feed.open();
      if (!this.#feed.isEnded) ports.onOpen();
    });
  }

  push(message: Uint8Array): void {
    this.#feed.push(message);
  }

  resume(): void {
    this.#feed.resume();
  }

  cancel(): void {
    if (this.#feed.isEnded) return;
    this.#close();
    this.#feed.fault({ reason: "cancelled", sent: "unknown", detail: "cancelled" });
  }

  /** Its session is over, or another stream takes its place. */
  end(): void {
    if (this.#feed.isEnded) return;
    this.#close();
    this.#feed.finish(200);
  }

  #close(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onEnd();
  }
}
