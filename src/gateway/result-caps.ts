/**
 * What one server's results may be: how large, how deep, how late, of which types of content. Nothing is cut to fit: what is
 * beyond a cap is withheld whole and the agent is told so. Where nothing is configured nothing is looked at.
 */
import { isJsonList, isJsonObject, type Json, readMember } from "../kernel/json.ts";
import { MAX_JSON_DEPTH } from "../kernel/strict-json.ts";
import { DEFAULT_ANSWER_LIMIT_BYTES, type ResultAnswer } from "../mcp/answer.ts";
import { readAnswerMember } from "../mcp/relay.ts";
import type { Exchange } from "./exchange.ts";

/** With progress a call may last so many times its timeout, and never longer. */
export const MAX_TIMEOUT_STRETCH = 10;
export const MAX_CALL_TIMEOUT_S = 3_600;
export const MAX_RESULT_BYTES: number = DEFAULT_ANSWER_LIMIT_BYTES;
export const MAX_RESULT_DEPTH: number = MAX_JSON_DEPTH;

export interface ResultCaps {
  readonly maxBytes: number;
  readonly maxDepth: number;
  /** Undefined: as long as the connection lets it. */
  readonly timeoutMs: number | undefined;
  /** Undefined: all of them, those not thought of yet too. */
  readonly types: ReadonlySet<string> | undefined;
}

export const NO_CAPS: ResultCaps = { maxBytes: MAX_RESULT_BYTES, maxDepth: MAX_RESULT_DEPTH, timeoutMs: undefined, types: undefined };

export function createCaps(said: {
  readonly maxBytes: number | undefined;
  readonly maxDepth: number | undefined;
  readonly timeoutSeconds: number | undefined;
  readonly types: readonly string[] | undefined;
}): ResultCaps {
  return {
    maxBytes: Math.min(said.maxBytes ?? MAX_RESULT_BYTES, MAX_RESULT_BYTES),
    maxDepth: Math.min(said.maxDepth ?? MAX_RESULT_DEPTH, MAX_RESULT_DEPTH),
    timeoutMs: said.timeoutSeconds === undefined ? undefined : said.timeoutSeconds * 1000,
    types: said.types && new Set(said.types),
  };
}

/** What answers a call, a prompt or a resource is capped; lists and openings have bounds of their own. */
export function capsOf({ endpoint, subject }: Exchange): ResultCaps {
  const { kind } = subject;
  return kind === "tool_call" || kind === "prompt_get" || kind === "resource_read" || kind === "completion" ? endpoint.results : NO_CAPS;
}

/** Whether a result holds content that its server's entry does not list. Read, never rewritten. */
export function holdsOtherTypes(exchange: Exchange, answer: ResultAnswer, bytes: Buffer): boolean {
  const { types } = exchange.endpoint.results;
  if (types === undefined) return false;
  switch (exchange.subject.kind) {
    case "tool_call": {
      const content = readAnswerMember(answer, bytes, "content");
      // What can't be read strictly may be read as anything.
      if (content === undefined && answer.members.has("content")) return true;
      return holdsOther(content, types) || (answer.members.has("structuredContent") && !types.has("text"));
    }
    case "prompt_get": {
      const messages = readAnswerMember(answer, bytes, "messages");
      if (messages === undefined) return answer.members.has("messages");
      return (
        isJsonList(messages) &&
        messages.some((message) => holdsOther(isJsonObject(message) ? readMember(message, "content") : message, types))
      );
    }
    case "resource_read":
      return !types.has("resource");
    default:
      return false;
  }
}

/** A block without a type that can be read is of no type that is listed. */
function holdsOther(content: Json | undefined, types: ReadonlySet<string>): boolean {
  if (content === undefined) return false;
  const blocks = isJsonList(content) ? content : [content];
  return blocks.some((block) => {
    const type = isJsonObject(block) ? readMember(block, "type") : undefined;
    return typeof type !== "string" || !types.has(type);
  });
}

export interface CallClock {
  /** The call has made progress: it may go on for another span. */
  extend(): void;
  stop(): void;
}

/** Ends a call that is late; progress puts the end off, up to a bound. */
export function startCallClock(timeoutMs: number, onLate: () => void): CallClock {
  const latest = performance.now() + Math.min(timeoutMs * MAX_TIMEOUT_STRETCH, MAX_CALL_TIMEOUT_S * 1000);
  let timer = setTimeout(onLate, timeoutMs);
  timer.unref();
  return {
    extend() {
      clearTimeout(timer);
      timer = setTimeout(onLate, Math.max(0, Math.min(timeoutMs, latest - performance.now())));
      timer.unref();
    },
    stop: () => clearTimeout(timer),
  };
}
