/**
 * One child process that is asked many things at once: requests go out under numbers of our own, answers find their
 * asker, progress finds its call, and what the server says unasked goes to `onMessage`. When the process ends, every call
 * in flight hears of it at once. It starts nothing a second time and knows no sessions.
 */
import { type Json, readMember } from "../../kernel/json.ts";
import {
  type Answer,
  DEFAULT_ANSWER_LIMIT_BYTES,
  type ErrorAnswer,
  peekAnswerId,
  type ResultAnswer,
  skimAnswer,
} from "../../mcp/answer.ts";
import { META } from "../../mcp/meta.ts";
import { writeAnswer } from "../../mcp/relay.ts";
import { writeRelayed } from "../../mcp/rewrite.ts";
import type { LineItem } from "../../mcp/stdio.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamFault, UpstreamRequest } from "../http-upstream.ts";
import { StdioCall } from "./call.ts";
import { type ChannelPorts, type ChildExit, type StdioBounds, type StdioUpstream, startStdioUpstream } from "./child-process.ts";
import { type PostedRequest, readPosted, readWhole, writeNumbered } from "./posted.ts";
import { SinkFeed } from "./sink-feed.ts";

/** Requests that one process has and has not answered. */
export const MAX_STDIO_IN_FLIGHT = 4096;

export interface ChildCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** The child's whole environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly bounds?: Partial<StdioBounds> | undefined;
}

export interface StdioLinkOptions {
  /** The command of a process, or what opens another kind of channel. */
  readonly child: ChildCommand | ((ports: ChannelPorts) => StdioUpstream);
  /** How long a call may be silent; left out: for ever. */
  readonly answerTimeoutMs?: number | undefined;
  readonly maxInFlight?: number | undefined;
  /** There is one client alone: its progress tokens go on as they are, and what carries one is a message like any other. */
  readonly keepsTokens?: boolean | undefined;
  /** What the server says unasked. `call`: the call that it is the progress of. */
  onMessage(bytes: Buffer, kind: "request" | "notification", call: StdioCall | undefined): void;
  onStderr(line: string): void;
  onDropped(reason: string): void;
  /** A call's reader falls behind, or has caught up. */
  onBackedUp?(isBackedUp: boolean): void;
  /** Comes once, after every call has heard of it. */
  onExit(exit: ChildExit): void;
}

/** What the asker gets in place of what the server said. */
export interface AnswerEdit {
  readonly status?: number;
  readonly message?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AskOptions {
  /** Whose call it is, to find it again. */
  readonly scope?: string | undefined;
  /** In place of the link's own; null: none. */
  readonly timeoutMs?: number | null | undefined;
  /** Sees the answer first, and may change it. */
  readonly onAnswer?: ((answer: ResultAnswer | ErrorAnswer, bytes: Buffer) => AnswerEdit | undefined) | undefined;
}

export class StdioLink implements HttpUpstream {
  readonly child: StdioUpstream;
  readonly #options: StdioLinkOptions;
  readonly #calls = new Map<number, StdioCall>();
  readonly #edits = new Map<number, NonNullable<AskOptions["onAnswer"]>>();
  #lastNumber = 0;

  constructor(options: StdioLinkOptions) {
    this.#options = options;
    const ports: ChannelPorts = {
      onStderr: (line) => options.onStderr(line),
      onLine: (item) => this.#takeLine(item),
      onExit: (exit) => {
        const fault: UpstreamFault =
          exit.failure === undefined
            ? { reason: "broken", sent: "unknown", detail: "the process ended" }
            : { reason: "connect", sent: "not_sent", detail: exit.failure };
        for (const call of [...this.#calls.values()]) call.fault(fault);
        options.onExit(exit);
      },
    };
    const { child } = options;
    this.child = typeof child === "function" ? child(ports) : startStdioUpstream({ ...child, ...ports });
  }

  /** Requests that wait for their answer. */
  get waiting(): number {
    return this.#calls.size;
  }

  /** The calls in flight, of one session or of all. */
  *calls(scope?: string): Iterable<StdioCall> {
    for (const call of this.#calls.values()) if (scope === undefined || call.scope === scope) yield call;
  }

  /** The call that its asker knows by that id. */
  findCall(key: { readonly value: string | number }, scope: string | undefined): StdioCall | undefined {
    for (const call of this.#calls.values()) if (call.scope === scope && call.id.value === key.value) return call;
    return undefined;
  }

  /** By the number that the process knows it by, which some servers give back as text. */
  callOf(number: Json | undefined): StdioCall | undefined {
    const value = typeof number === "string" && /^\d{1,15}$/.test(number) ? Number(number) : number;
    return typeof value === "number" ? this.#calls.get(value) : undefined;
  }

  tell(message: Buffer): boolean {
    return this.child.send(message);
  }

  ask(posted: PostedRequest, request: UpstreamRequest, sink: AnswerSink, how: AskOptions = {}): StdioCall | UpstreamFault {
    const refused = (reason: UpstreamFault["reason"], detail: string): UpstreamFault => ({ reason, sent: "not_sent", detail });
    if (request.signal?.aborted === true) return refused("cancelled", "cancelled before it was sent");
    if (!this.child.isRunning) return refused("connect", "the process is not running");
    if (this.#calls.size >= (this.#options.maxInFlight ?? MAX_STDIO_IN_FLIGHT)) return refused("busy", "too many requests are in flight");
    const number = ++this.#lastNumber;
    const written = writeNumbered(posted, number, this.#options.keepsTokens);
    if (written === undefined) return refused("unsendable", "the message can't be read");
    if (!this.child.send(written.bytes)) return refused("busy", "the process does not take messages");
    const { onBackedUp, onDropped, answerTimeoutMs } = this.#options;
    const feed = new SinkFeed(sink, { onDropped, ...(onBackedUp ? { onBackedUp } : {}) });
    const timeoutMs = request.stream === true || how.timeoutMs === null ? undefined : (how.timeoutMs ?? answerTimeoutMs);
    const { scope } = how;
    const { signal, answerLimitBytes } = request;
    const seed = { number, id: posted.id, method: posted.method, token: written.token, scope, feed, answerLimitBytes, timeoutMs, signal };
    const call = new StdioCall(seed, { tell: (message) => this.tell(message), forget: (ended) => this.#forget(ended) });
    this.#calls.set(number, call);
    if (how.onAnswer) this.#edits.set(number, how.onAnswer);
    return call;
  }

  /** As every server is asked; whoever asks this way waits as long as it wants. */
  exchange(request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const posted = request.body && readPosted(request.body);
    if (!posted) return refuse(sink, { reason: "unsendable", sent: "not_sent", detail: "there is no message to write" });
    if (posted.kind !== "request") {
      if (!this.tell(posted.body))
        return refuse(sink, { reason: "closed", sent: "not_sent", detail: "the process does not take messages" });
      return answer(sink, 202);
    }
    const asked = this.ask(posted, request, sink, { timeoutMs: null });
    return asked instanceof StdioCall ? asked : refuse(sink, asked);
  }

  /** Ends the process; settles when nothing of it is left. */
  async close(): Promise<void> {
    await this.child.stop();
  }

  #forget(number: number): void {
    this.#calls.delete(number);
    this.#edits.delete(number);
  }

  #takeLine(item: LineItem): void {
    if (item.kind === "invalid") return this.#options.onDropped(item.reason);
    if (item.kind === "line") return this.#take(Buffer.from(item.bytes.buffer, item.bytes.byteOffset, item.bytes.byteLength));
    this.#options.onDropped("a line larger than its bound");
    this.callOf(peekAnswerId(item.head)?.value)?.fault({
      reason: "too_large",
      sent: "unknown",
      detail: "the answer is larger than its bound",
    });
  }

  #take(bytes: Buffer): void {
    const answered = skimAnswer(bytes, { limitBytes: DEFAULT_ANSWER_LIMIT_BYTES });
    switch (answered.kind) {
      case "result":
      case "error":
        return this.#takeAnswer(answered, bytes);
      case "invalid":
        return this.#takeInvalid(answered.reason, bytes);
      default:
        return this.#takeMessage(answered, bytes);
    }
  }

  #takeAnswer(answered: ResultAnswer | ErrorAnswer, bytes: Buffer): void {
    const call = typeof answered.id?.value === "number" ? this.#calls.get(answered.id.value) : undefined;
    if (!call) return this.#options.onDropped("an answer to nothing that was asked");
    if (bytes.length > call.answerLimitBytes) {
      call.fault({ reason: "too_large", sent: "unknown", detail: "the answer is larger than its bound" });
      return;
    }
    const edit = this.#edits.get(call.number)?.(answered, bytes);
    call.finish(edit?.status ?? 200, edit?.message ?? writeAnswer(call.id, answered, bytes), edit?.headers);
  }

  /** Where it can be told whose answer it was meant to be, its asker judges it. */
  #takeInvalid(reason: string, bytes: Buffer): void {
    this.#options.onDropped(reason);
    const id = peekAnswerId(bytes)?.value;
    const call = typeof id === "number" ? this.#calls.get(id) : undefined;
    if (call && bytes.length <= call.answerLimitBytes) call.finish(200, bytes);
  }

  #takeMessage(said: Extract<Answer, { kind: "request" | "notification" }>, bytes: Buffer): void {
    if (said.method !== "notifications/progress" || this.#options.keepsTokens) return this.#options.onMessage(bytes, said.kind, undefined);
    const message = readWhole(bytes);
    const call =
      message?.kind === "notification" ? this.callOf(message.params && readMember(message.params, META.progressToken)) : undefined;
    if (message?.kind !== "notification" || call?.token === undefined)
      return this.#options.onDropped("progress of nothing that is under way");
    this.#options.onMessage(writeRelayed(message, { set: { progressToken: call.token } }), "notification", call);
  }
}

export const CLOSED: OpenExchange = { cancel: () => undefined, resume: () => undefined };

/** A fault that comes after the asker has its handle. */
export function refuse(sink: AnswerSink, fault: UpstreamFault): OpenExchange {
  queueMicrotask(() => sink.onFault(fault));
  return CLOSED;
}

/** A whole answer of our own, after the asker has its handle. */
export function answer(sink: AnswerSink, status: number, message?: Buffer, headers: Readonly<Record<string, string>> = {}): OpenExchange {
  queueMicrotask(() => {
    sink.onStart(status, message ? { "content-type": "application/json", ...headers } : headers);
    if (message) sink.onData(message);
    sink.onEnd();
  });
  return CLOSED;
}
