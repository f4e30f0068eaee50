/**
 * An exchange that can't begin yet: its asker has a handle at once, and whoever gives up before the beginning is told so,
 * once, and nothing is sent.
 */
import type { AnswerSink, OpenExchange, UpstreamRequest } from "./http-upstream.ts";

export class LateExchange implements OpenExchange {
  readonly #request: UpstreamRequest;
  readonly #sink: AnswerSink;
  readonly #onAbort = (): void => this.cancel();
  #open: OpenExchange | undefined;
  #isCancelled = false;

  constructor(request: UpstreamRequest, sink: AnswerSink) {
    this.#request = request;
    this.#sink = sink;
    request.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  begin(act: () => OpenExchange): void {
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
    if (!this.#isCancelled) this.#open = act();
  }

  cancel(): void {
    if (this.#open) this.#open.cancel();
    else if (!this.#isCancelled) {
      this.#isCancelled = true;
      this.#sink.onFault({ reason: "cancelled", sent: "not_sent", detail: "cancelled before it was sent" });
    }
  }

  resume(): void {
    this.#open?.resume();
  }
}
