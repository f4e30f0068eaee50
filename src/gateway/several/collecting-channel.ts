/** The channel of a request whose answer the gateway reads itself before the client hears of it. */
import type { Channel } from "../channel.ts";

export interface Collected {
  readonly status: number;
  readonly message: Buffer;
}

export class CollectingChannel implements Channel {
  readonly answered: Promise<Collected>;
  /** The session of the upstream's that an `initialize` opened. */
  upstreamSession: string | undefined;
  #resolve: (collected: Collected) => void = () => undefined;
  #leave: () => void = () => undefined;

  constructor() {
    this.answered = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  answer(status: number, message: Buffer): void {
    this.#resolve({ status, message });
  }

  /** What a server says on the way to such an answer is for nobody. */
  openStream(): undefined {
    return undefined;
  }

  onGone(act: () => void): void {
    this.#leave = act;
  }

  takeSession = (upstreamSession: string): void => {
    this.upstreamSession = upstreamSession;
  };

  /** Nobody waits for the answer any more. */
  leave(): void {
    this.#leave();
  }
}
