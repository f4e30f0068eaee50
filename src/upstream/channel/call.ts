/**
 * One request that a process has and has not answered yet: under which number it is known there, what it was called by
 * whoever asked, and where its answer goes. It ends once: by its answer, by its asker, by time, or with the process.
 */
import type { Json } from "../../kernel/json.ts";
import { asData } from "../../mcp/refusal.ts";
import type { MessageId } from "../../mcp/request-id.ts";
import { writeNotification } from "../../mcp/rewrite.ts";
import type { OpenExchange, UpstreamFault } from "../http-upstream.ts";
import type { SinkFeed } from "./sink-feed.ts";

/** What a call needs of the process that it is asked of. */
export interface CallPorts {
  /** Writes a message to the process. */
  tell(message: Buffer): boolean;
  /** The process's answer to that number is for nobody any more. */
  forget(number: number): void;
}

export interface CallSeed {
  readonly number: number;
  readonly id: MessageId;
  readonly method: string;
  /** The asker's own progress token. */
  readonly token: Json | undefined;
  /** Whose it is: a session's id, or nothing. */
  readonly scope: string | undefined;
  readonly feed: SinkFeed;
  readonly answerLimitBytes: number | undefined;
  /** How long it may be silent; undefined: for ever. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

export class StdioCall implements OpenExchange {
  readonly number: number;
  readonly id: MessageId;
  readonly method: string;
  readonly token: Json | undefined;
  readonly scope: string | undefined;
  readonly feed: SinkFeed;
  readonly answerLimitBytes: number;
  readonly #ports: CallPorts;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.cancel();
  #isWithdrawn = false;

  constructor(seed: CallSeed, ports: CallPorts) {
    this.number = seed.number;
    this.id = seed.id;
    this.method = seed.method;
    this.token = seed.token;
    this.scope = seed.scope;
    this.feed = seed.feed;
    this.answerLimitBytes = seed.answerLimitBytes ?? Number.POSITIVE_INFINITY;
    this.#ports = ports;
    this.#signal = seed.signal;
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (seed.timeoutMs === undefined) return;
    this.#timer = setTimeout(() => this.#giveUp("answer_timeout", "no answer in time"), seed.timeoutMs);
    this.#timer.unref();
  }

  /** A message on the way to the answer: a sign of life too. */
  push(message: Uint8Array): void {
    this.#timer?.refresh();
    this.feed.push(message);
  }

  resume(): void {
    this.feed.resume();
  }

  /** Nobody waits any more: the process is told, once. */
  cancel(): void {
    this.#giveUp("cancelled", "cancelled");
  }

  /** The asker's own word that it waits no more; an answer that crosses it still passes. */
  withdraw(reason: Json | undefined): void {
    if (this.#isWithdrawn || this.method === "initialize") return;
    this.#isWithdrawn = true;
    const told = { requestId: this.number, ...(typeof reason === "string" ? { reason } : {}) };
    this.#ports.tell(writeNotification("notifications/cancelled", asData(told)));
  }

  finish(status: number, message: Buffer, headers?: Readonly<Record<string, string>>): void {
    this.#close();
    this.feed.finish(status, message, headers);
  }

  fault(fault: UpstreamFault): void {
    this.#close();
    this.feed.fault(fault);
  }

  #giveUp(reason: UpstreamFault["reason"], detail: string): void {
    if (this.feed.isEnded) return;
    this.withdraw(undefined);
    this.fault({ reason, sent: "unknown", detail });
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#ports.forget(this.number);
  }
}
