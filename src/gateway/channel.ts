/**
 * Where an exchange's answer goes: one message, or a stream of events that ends with it. The HTTP and stdio faces bring
 * their own; the journey knows only this.
 */
import type { AnswerStream } from "./stream.ts";

export interface Channel {
  /** Sends the one answer. Does nothing when the client is gone or was answered. */
  answer(status: number, message: Buffer, headers?: Readonly<Record<string, string>>): void;
  /** Opens the stream of events, once; undefined where the client takes none. */
  openStream(): AnswerStream | undefined;
  /** Calls back when the client hangs up before its answer. */
  onGone(act: () => void): void;
  /** The client is known by its connection: it has a session with us also where the server has none with it. */
  readonly isConnection?: boolean | undefined;
  /** Takes the upstream's session that an `initialize` opened; left out: it becomes one of ours. */
  readonly takeSession?: ((upstreamSession: string) => void) | undefined;
}
