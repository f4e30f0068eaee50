/**
 * One session with a process of its own: all that both sides say is relayed, also what the server asks. What the server
 * starts goes to the request that it can only belong to, else to the session's stream, else it waits for one. The process
 * ends with its session, and the session with its process.
 */
import { readMember } from "../../kernel/json.ts";
import { type ErrorAnswer, type ResultAnswer, skimAnswer } from "../../mcp/answer.ts";
import { readAnswerMember } from "../../mcp/relay.ts";
import { readId } from "../../mcp/request-id.ts";
import { isLegacyRevision } from "../../mcp/revisions.ts";
import type { AnswerSink, OpenExchange, UpstreamRequest } from "../http-upstream.ts";
import { StdioCall } from "./call.ts";
import type { ChildLog } from "./child-log.ts";
import type { ChildExit, OpenChannel } from "./child-process.ts";
import { type AnswerEdit, answer, type ChildCommand, refuse, StdioLink } from "./link.ts";
import { Listening } from "./listening.ts";
import type { Posted, PostedRequest } from "./posted.ts";

/** Messages that wait for a session's stream; the oldest go first. */
export const MAX_KEPT_MESSAGES = 256;
/** What is about the session as a whole and never about a request of it. */
const SESSION_WIDE = /^notifications\/(?:(?:tools|prompts|resources)\/list_changed|resources\/updated)$/;

export interface SessionProcessOptions {
  readonly id: string;
  readonly owner: string | undefined;
  readonly child: ChildCommand | OpenChannel;
  readonly answerMs: number;
  readonly openMs: number;
  readonly inFlight: number;
  readonly log: ChildLog;
  readonly now: () => number;
  /** The server has taken the conversation up. */
  onOpen(): void;
  /** The process is gone; `isOpen`: after it had taken the conversation up. */
  onExit(exit: ChildExit, isOpen: boolean): void;
}

export class SessionProcess {
  readonly id: string;
  readonly owner: string | undefined;
  usedMs: number;
  isOpen = false;
  readonly #options: SessionProcessOptions;
  readonly #link: StdioLink;
  #listening: Listening | undefined;
  #kept: Buffer[] = [];
  #backedUp = 0;

  constructor(options: SessionProcessOptions) {
    this.id = options.id;
    this.owner = options.owner;
    this.usedMs = options.now();
    this.#options = options;
    const { child } = options;
    this.#link = new StdioLink({
      child: typeof child === "function" ? (ports) => child(ports, options.owner) : child,
      answerTimeoutMs: options.answerMs,
      maxInFlight: options.inFlight,
      onMessage: (bytes, kind, call) => this.#takeMessage(bytes, kind, call),
      onStderr: (line) => options.log.stderr(line),
      onDropped: (reason) => options.log.dropped(reason),
      onBackedUp: (isBackedUp) => this.#holdBack(isBackedUp),
      onExit: (exit) => {
        this.#listening?.end();
        options.onExit(exit, this.isOpen);
      },
    });
  }

  get pid(): number | undefined {
    return this.#link.child.pid;
  }

  get isRunning(): boolean {
    return this.#link.child.isRunning;
  }

  /** Nobody waits for anything of it and nobody listens. */
  get isIdle(): boolean {
    return this.isOpen && this.#link.waiting === 0 && this.#listening === undefined;
  }

  open(posted: PostedRequest, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const onAnswer = (said: ResultAnswer | ErrorAnswer, bytes: Buffer): AnswerEdit | undefined => {
      const revision = said.kind === "error" ? undefined : readAnswerMember(said, bytes, "protocolVersion");
      // An error, or a revision that nobody here knows, opens nothing.
      if (typeof revision !== "string" || !isLegacyRevision(revision)) return undefined;
      this.isOpen = true;
      this.#options.onOpen();
      return { headers: { "mcp-session-id": this.id } };
    };
    const asked = this.#link.ask(posted, request, sink, { onAnswer, timeoutMs: this.#options.openMs });
    return asked instanceof StdioCall ? asked : refuse(sink, asked);
  }

  post(posted: Posted, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    this.usedMs = this.#options.now();
    if (posted.kind === "request") {
      const asked = this.#link.ask(posted, request, sink);
      return asked instanceof StdioCall ? asked : refuse(sink, asked);
    }
    if (posted.kind === "notification" && posted.message.method === "notifications/cancelled") {
      const { params } = posted.message;
      const id = readId(params && readMember(params, "requestId"), "");
      if (id) this.#link.findCall(id, undefined)?.withdraw(params && readMember(params, "reason"));
      return answer(sink, 202);
    }
    if (this.#link.tell(posted.body)) return answer(sink, 202);
    return refuse(sink, { reason: "busy", sent: "not_sent", detail: "the process does not take messages" });
  }

  listen(request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    this.usedMs = this.#options.now();
    this.#listening?.end();
    const listening: Listening = new Listening(request, sink, {
      onOpen: () => {
        for (const message of this.#kept.splice(0)) listening.push(message);
      },
      onEnd: () => {
        this.usedMs = this.#options.now();
        if (this.#listening === listening) this.#listening = undefined;
      },
      onDropped: (reason) => this.#options.log.dropped(reason),
      onBackedUp: (isBackedUp) => this.#holdBack(isBackedUp),
    });
    this.#listening = listening;
    return listening;
  }

  /** Ends the session and its process; settles when nothing of it is left. */
  async end(): Promise<void> {
    this.#listening?.end();
    for (const call of [...this.#link.calls()]) call.cancel();
    await this.#link.close();
  }

  #takeMessage(bytes: Buffer, kind: "request" | "notification", call: StdioCall | undefined): void {
    if (call) return call.push(bytes);
    const said = skimAnswer(bytes);
    const isWide = said.kind === "notification" && SESSION_WIDE.test(said.method);
    const calls = isWide ? [] : [...this.#link.calls()];
    const [only] = calls;
    if (only && calls.length === 1) return only.push(bytes);
    if (this.#listening) return this.#listening.push(bytes);
    // A question that nobody hears would hold up the call that it was asked for.
    const latest = kind === "request" ? calls.at(-1) : undefined;
    if (latest) return latest.push(bytes);
    this.#kept.push(bytes);
    if (this.#kept.length <= MAX_KEPT_MESSAGES) return;
    this.#kept.shift();
    this.#options.log.dropped("its client does not listen");
  }

  /** The process is its client's alone: where the client is slow, so is the process. */
  #holdBack(isBackedUp: boolean): void {
    this.#backedUp += isBackedUp ? 1 : -1;
    if (this.#backedUp > 0) this.#link.child.pause();
    else this.#link.child.resume();
  }
}
