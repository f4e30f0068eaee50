/**
 * One request of a legacy client on its way through a modern server, in as many rounds as the server asks for: every
 * round's questions go to the client as requests, on the stream of this request, and their answers go back with the same
 * request under a new id. It is sent again for a round and for nothing else, and has exactly one end.
 */
import { createJsonObject, type Json } from "../../kernel/json.ts";
import type { ResultAnswer } from "../../mcp/answer.ts";
import type { Request, Response } from "../../mcp/message.ts";
import { ROUND_METHODS } from "../../mcp/methods.ts";
import type { ParamDeclaration } from "../../mcp/param-headers.ts";
import { asData } from "../../mcp/refusal.ts";
import { planEdits, writeAnswer, writeEditedResult } from "../../mcp/relay.ts";
import { writeNotification } from "../../mcp/rewrite.ts";
import type { FaultReason, HttpUpstream, OpenExchange, UpstreamFault } from "../http-upstream.ts";
import type { LegacyFrontBounds } from "./bounds.ts";
import type { FrontReply } from "./front-reply.ts";
import type { FrontSession } from "./front-session.ts";
import { findMissing, type InputRound, readInputRound, writeQuestion } from "./input-round.ts";
import { type ModernRequest, type RoundMembers, writeModernRequest } from "./modern-request.ts";
import { relayOnRequest } from "./relay-notification.ts";
import { askModernServer, type ServerAnswer } from "./server-answer.ts";
import { writeEnd, writeToldError } from "./told-error.ts";

const MAX_TOLD_CHARACTERS = 200;

export interface PassageOptions {
  readonly upstream: HttpUpstream;
  readonly session: FrontSession;
  readonly request: Request;
  readonly reply: FrontReply;
  readonly declarations: readonly ParamDeclaration[];
  readonly bounds: LegacyFrontBounds;
  readonly createElicitationId: () => string;
  readonly onDropped: (reason: string) => void;
}

export class Passage implements OpenExchange {
  readonly #options: PassageOptions;
  #sendings = 0;
  #open: OpenExchange | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Our id of a question → the server's key for its answer. */
  readonly #unanswered = new Map<string, string>();
  #answers: Record<string, Json> = createJsonObject();
  #state: string | undefined;

  constructor(options: PassageOptions) {
    this.#options = options;
  }

  start(): void {
    this.#send({});
  }

  resume(): void {
    this.#open?.resume();
  }

  /** Ends it; the server sees its stream closed. */
  cancel(): void {
    this.#stop("cancelled", "cancelled");
  }

  /** The client took its request back: what it was asked is taken back too. */
  withdraw(): void {
    this.#withdrawQuestions();
    this.cancel();
  }

  #stop(reason: FaultReason, detail: string): void {
    clearTimeout(this.#timer);
    this.#forgetQuestions();
    const open = this.#open;
    this.#open = undefined;
    if (open) open.cancel();
    // Between two sendings nothing is open, and the server has seen at least one.
    this.#fault({ reason, sent: this.#sendings === 0 ? "not_sent" : "unknown", detail });
  }

  #send(round: RoundMembers): void {
    const { session, request, declarations, upstream, reply } = this.#options;
    if (reply.isEnded) return;
    this.#sendings++;
    const written: ModernRequest = writeModernRequest(request, session.speaker, declarations, round);
    let answered = false;
    const open = askModernServer(
      upstream,
      { method: "POST", body: written.body, headers: written.headers, owner: session.owner },
      {
        id: written.id,
        onEvents: () => reply.openEvents(),
        onNotification: (bytes, method) => relayOnRequest(bytes, method, this.#options),
        onAnswer: (answer) => {
          answered = true;
          this.#open = undefined;
          this.#take(answer);
        },
        onDropped: this.#options.onDropped,
      },
    );
    if (!answered) this.#open = open;
  }

  #take(answer: ServerAnswer): void {
    const { reply, request } = this.#options;
    if (reply.isEnded) return;
    switch (answer.kind) {
      case "result":
        return this.#takeResult(answer.bytes, answer.answer);
      case "error":
        return reply.finish(writeToldError(request, answer.answer, answer.bytes));
      case "invalid":
        return this.#invalid();
      case "cut":
        return reply.cut();
      case "status":
        // A status says nothing of the client's session here, and 404 would.
        if (reply.isStreaming) return reply.cut();
        return reply.bare(answer.status === 404 ? 502 : answer.status);
      case "fault":
        return this.#fault(answer.fault);
    }
  }

  #takeResult(bytes: Buffer, answer: ResultAnswer): void {
    const { request, reply } = this.#options;
    if (answer.resultType === "input_required") return this.#takeRound(bytes, answer);
    if (answer.resultType !== undefined && answer.resultType !== "complete") return this.#invalid();
    const edits = planEdits(answer, bytes, { from: "modern", to: "legacy" });
    reply.finish(edits ? writeEditedResult(request.id, answer, bytes, edits) : writeAnswer(request.id, answer, bytes));
  }

  #takeRound(bytes: Buffer, answer: ResultAnswer): void {
    const { request, session, bounds } = this.#options;
    const round = ROUND_METHODS.has(request.method) ? readInputRound(answer, bytes, bounds) : undefined;
    if (!round) return this.#invalid();
    if (this.#sendings >= bounds.rounds) return this.#end("The server asked for input more often than is passed on.");
    for (const question of round.questions) {
      const missing = findMissing(question, session.speaker.capabilities);
      if (missing !== undefined) return this.#end(`The server asked for what this client did not offer: ${missing}.`);
    }
    if (session.asks.size + round.questions.length > bounds.asksPerSession) return this.#end("Too many questions wait for this client.");
    this.#state = round.state;
    this.#answers = createJsonObject();
    if (round.questions.length > 0) return this.#askClient(round);
    this.#wait(bounds.emptyRoundWaitMs, () => this.#send({ requestState: round.state }));
  }

  #askClient(round: InputRound): void {
    const { session, reply, bounds, createElicitationId } = this.#options;
    this.#wait(bounds.answerWaitMs, () => this.#end("The client did not answer the server's question in time."));
    for (const question of round.questions) {
      const id = `ask-${session.nextAsk++}`;
      this.#unanswered.set(id, question.key);
      session.asks.set(id, (response) => this.#takeAnswer(id, response));
      reply.push(writeQuestion(question, id, session.revision, createElicitationId));
      if (reply.isEnded) return;
    }
  }

  #takeAnswer(id: string, response: Response): void {
    const { session } = this.#options;
    const key = this.#unanswered.get(id);
    this.#unanswered.delete(id);
    session.asks.delete(id);
    if (key === undefined) return;
    if (response.result === undefined) {
      const told = response.error?.["message"];
      const words = typeof told === "string" ? told.slice(0, MAX_TOLD_CHARACTERS) : "";
      return this.#end(`The client could not answer the server's question: ${words}`);
    }
    this.#answers[key] = response.result;
    if (this.#unanswered.size > 0) return;
    clearTimeout(this.#timer);
    this.#send({ inputResponses: this.#answers, requestState: this.#state });
  }

  #wait(ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, ms);
    this.#timer.unref();
  }

  /** An end in words; the server, which keeps nothing between rounds, need not hear of it. */
  #end(words: string): void {
    clearTimeout(this.#timer);
    this.#withdrawQuestions();
    this.#options.reply.finish(writeEnd(this.#options.request, words));
  }

  #invalid(): void {
    this.#fault({ reason: "invalid_answer", sent: "unknown", detail: "the answer is none that the revision knows" });
  }

  #fault(fault: UpstreamFault): void {
    const sent = this.#sendings > 1 ? "unknown" : fault.sent;
    this.#options.reply.fault({ ...fault, sent });
  }

  #withdrawQuestions(): void {
    const { reply } = this.#options;
    for (const id of this.#unanswered.keys()) reply.push(writeNotification("notifications/cancelled", asData({ requestId: id })));
    this.#forgetQuestions();
  }

  #forgetQuestions(): void {
    for (const id of this.#unanswered.keys()) this.#options.session.asks.delete(id);
    this.#unanswered.clear();
  }
}
