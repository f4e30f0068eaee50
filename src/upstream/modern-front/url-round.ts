/**
 * A call that a legacy server did not run because a person is to visit an address first (`-32042`): a modern client is
 * asked to open it, and its return sends the call that was not run. The server's word that the address was visited is
 * waited for, for a while; the client never hears of it.
 */
import { isJsonObject, type JsonObject } from "../../kernel/json.ts";
import type { ErrorAnswer } from "../../mcp/answer.ts";
import { writeError } from "../../mcp/answers.ts";
import { ROUND_METHODS } from "../../mcp/methods.ts";
import { asData, ERROR_CODES, statusOfError } from "../../mcp/refusal.ts";
import { readAnswerMember } from "../../mcp/relay.ts";
import { hasUrlMode, type InputResponse, readUrlElicitations, writeInputRequired } from "./asks.ts";
import type { Leg, LegacyCall } from "./call.ts";
import type { Outlet } from "./outlet.ts";
import type { Parkable, ParkedCalls } from "./parked.ts";
import type { LegacySession } from "./session.ts";
import { writeBroken } from "./write-modern.ts";

const REQUIRED: JsonObject = asData({ requiredCapabilities: asData({ elicitation: asData({ url: asData({}) }) }) });

export class UrlRound implements Parkable {
  readonly owner: string;
  readonly method: string;
  readonly #session: LegacySession;
  readonly #visits: ReadonlySet<string>;

  constructor(call: LegacyCall, visits: ReadonlySet<string>) {
    this.owner = call.owner;
    this.method = call.method;
    this.#session = call.session;
    this.#visits = visits;
  }

  /** Nothing waits at the server. */
  expire(): void {}

  /** Settles when every address was visited, when it was waited for long enough, or when the client leaves. */
  visited(outlet: Outlet, waitMs: number): Promise<void> {
    const session = this.#session;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        session.visitWaits.delete(look);
        outlet.onCancel = undefined;
        resolve();
      };
      const look = (): void => {
        if ([...this.#visits].every((id) => session.visits.get(id) === true)) done();
      };
      const timer = setTimeout(done, session.stream.isOpen && this.#visits.size > 0 ? waitMs : 0);
      session.visitWaits.add(look);
      outlet.onCancel = done;
      look();
    });
  }
}

/** Answers a request that the server did not run: what is to be opened, or that the client can't. */
export function openUrlRound(call: LegacyCall, leg: Leg, answer: ErrorAnswer, bytes: Buffer, parked: ParkedCalls<Parkable>): void {
  const { serverInfo } = call.session.facts;
  const asked = ROUND_METHODS.has(call.method) ? readUrlElicitations(readAnswerMember(answer, bytes, "data")) : undefined;
  if (!asked) {
    const { status, message } = writeBroken(
      leg.id,
      call.method,
      "The server wants an address to be opened first, which can't be asked for here.",
      serverInfo,
    );
    return leg.outlet.answer(status, message);
  }
  if (!hasUrlMode(leg.capabilities)) {
    const code = ERROR_CODES.missingCapability;
    const words = "The server wants an address to be opened, and the client does not declare that it can";
    return leg.outlet.answer(statusOfError(code, "modern"), writeError(leg.id, code, words, REQUIRED));
  }
  const visits = new Set(asked.map(({ elicitationId }) => elicitationId).filter((id) => id !== undefined));
  const handle = parked.park(new UrlRound(call, visits));
  if (handle === undefined) {
    const { status, message } = writeBroken(leg.id, call.method, "Too many calls wait for their clients.", serverInfo);
    return leg.outlet.answer(status, message);
  }
  const requests = asked.map(({ text }, index) => ({ name: `url-${index + 1}`, text }));
  leg.outlet.answer(200, writeInputRequired(leg.id, requests, handle, serverInfo));
}

/** Whether a person agreed to open every address; what is left out is no agreement. */
export function isAgreed(responses: ReadonlyMap<string, InputResponse>): boolean {
  return responses.size > 0 && [...responses.values()].every(({ value }) => isJsonObject(value) && value["action"] === "accept");
}
