/**
 * What a server asks in one call: taken within bounds and as far as the client declared it, told to the client round by
 * round, forgotten when it is answered or taken back. What was heard once is not asked again.
 */
import type { JsonObject } from "../../kernel/json.ts";
import type { Request } from "../../mcp/message.ts";
import { ERROR_CODES } from "../../mcp/refusal.ts";
import { keyOfId } from "../../mcp/request-id.ts";
import { type Ask, createAsk, type InputResponse, isDeclared } from "./asks.ts";
import { MAX_ASKS_PER_CALL, MAX_OPEN_ASK_BYTES, MAX_OPEN_ASKS } from "./bounds.ts";

/** An error for the server. */
export interface AskRefusal {
  readonly code: number;
  readonly message: string;
}

export const TOO_MUCH: AskRefusal = { code: ERROR_CODES.internal, message: "Too much is asked" };
export const CALL_IS_OVER: AskRefusal = { code: ERROR_CODES.internal, message: "The call is over" };
const UNDECLARED: AskRefusal = { code: ERROR_CODES.methodNotFound, message: "The client did not declare this" };

export class OpenAsks {
  /** By the server's own id. */
  readonly #asks = new Map<string, Ask>();
  readonly #seen = new Set<string>();
  #bytes = 0;

  get size(): number {
    return this.#asks.size;
  }

  /** Whether the server has asked at all. */
  get isUsed(): boolean {
    return this.#seen.size > 0;
  }

  /** Whether it was heard before: a stream that is read on may say it again. */
  knows(message: Request): boolean {
    return this.#seen.has(keyOfId(message.id));
  }

  /** Undefined: it is to be asked. */
  add(message: Request, capabilities: JsonObject): AskRefusal | undefined {
    if (!isDeclared(capabilities, message)) return UNDECLARED;
    if (this.#asks.size >= MAX_OPEN_ASKS || this.#seen.size >= MAX_ASKS_PER_CALL) return TOO_MUCH;
    const ask = createAsk(`ask-${this.#seen.size + 1}`, message);
    if (this.#bytes + ask.text.length > MAX_OPEN_ASK_BYTES) return TOO_MUCH;
    const key = keyOfId(message.id);
    this.#seen.add(key);
    this.#asks.set(key, ask);
    this.#bytes += ask.text.length;
    return undefined;
  }

  /** All that is open, as the client is told it now. */
  tell(): readonly Ask[] {
    const told = [...this.#asks.values()];
    for (const ask of told) ask.isTold = true;
    return told;
  }

  /** What the client answered, forgotten here; the rest stays open. */
  takeAnswered(responses: ReadonlyMap<string, InputResponse>): readonly { readonly ask: Ask; readonly response: InputResponse }[] {
    const answered: { ask: Ask; response: InputResponse }[] = [];
    for (const [key, ask] of this.#asks) {
      const response = ask.isTold ? responses.get(ask.name) : undefined;
      if (!response) continue;
      this.forget(key);
      answered.push({ ask, response });
    }
    return answered;
  }

  takeAll(): readonly Ask[] {
    const all = [...this.#asks.values()];
    this.#asks.clear();
    this.#bytes = 0;
    return all;
  }

  forget(key: string): void {
    const ask = this.#asks.get(key);
    if (!ask) return;
    this.#asks.delete(key);
    this.#bytes -= ask.text.length;
  }
}
