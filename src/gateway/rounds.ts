/**
 * Calls of several rounds: the gateway's own `requestState` stands for the server's, is good for one use by the same
 * grant for the same request, and expires. A round takes no limit again; the chain is settled when it ends.
 */
import { createHash, randomBytes } from "node:crypto";
import { BoundedMap } from "../kernel/bounded-map.ts";
import { printCanonicalJson } from "../kernel/canonical-json.ts";
import { createJsonObject, type Json } from "../kernel/json.ts";
import type { ResultAnswer } from "../mcp/answer.ts";
import type { Request } from "../mcp/message.ts";
import { ROUND_METHODS } from "../mcp/methods.ts";
import { readAnswerMember, writeEditedResult } from "../mcp/relay.ts";
import type { Round } from "../mcp/subject.ts";
import type { Desk } from "./desk.ts";
import { planModernEdits } from "./edit-modern.ts";
import type { Exchange, OpenRounds } from "./exchange.ts";
import { type Inspected, inspectFault } from "./inspect.ts";

export const MAX_OPEN_ROUNDS = 20_000;
export const ROUND_LIFE_MS: number = 15 * 60 * 1000;
const STATE_BYTES = 32;
const STATE_MARK = "r1.";
const SUM_CHARACTERS = 8;

interface WaitingRound extends OpenRounds {
  readonly bond: string;
  readonly expiresMs: number;
}

/** The sum tells a state that was changed on its way from one whose time is over. That it is good, the table says alone. */
function writeState(secret: string): string {
  const sum = createHash("sha256").update(secret).digest("base64url").slice(0, SUM_CHARACTERS);
  return `${STATE_MARK}${secret}.${sum}`;
}

function isDamaged(state: string): boolean {
  return state.startsWith(STATE_MARK) && state !== writeState(state.slice(STATE_MARK.length, -SUM_CHARACTERS - 1));
}

export class RoundTable {
  readonly #waiting = new BoundedMap<string, WaitingRound>(MAX_OPEN_ROUNDS);

  /** What the client is to bring back. */
  open(bond: string, rounds: OpenRounds, nowMs: number): string {
    const state = writeState(randomBytes(STATE_BYTES).toString("base64url"));
    this.#waiting.set(state, { ...rounds, bond, expiresMs: nowMs + ROUND_LIFE_MS });
    return state;
  }

  /** The rounds that a request continues; used up by asking. Undefined: it opens a new call. */
  take(round: Round, bond: string, nowMs: number): OpenRounds | "damaged" | undefined {
    if (round.requestState === undefined) return undefined;
    const waiting = this.#waiting.get(round.requestState);
    if (!waiting || waiting.bond !== bond || nowMs >= waiting.expiresMs) return isDamaged(round.requestState) ? "damaged" : undefined;
    this.#waiting.delete(round.requestState);
    return waiting;
  }
}

/** Binds a round to its grant, server, method and everything it asks for. */
export function bondOf(grantId: string, serverId: string, request: Request): string {
  const rest = createJsonObject();
  for (const [key, value] of Object.entries(request.params ?? {})) {
    if (key !== "_meta" && key !== "requestState" && key !== "inputResponses") rest[key] = value as Json;
  }
  return JSON.stringify([grantId, serverId, request.method, printCanonicalJson(rest)]);
}

/** The server asks for input: its state stays here, ours goes out. */
export async function sealRound(desk: Desk, exchange: Exchange, bytes: Buffer, answer: ResultAnswer): Promise<Inspected> {
  const { request, claim, grant, endpoint } = exchange;
  const state = readAnswerMember(answer, bytes, "requestState");
  if (claim.era !== "modern" || !ROUND_METHODS.has(request.method) || (state !== undefined && typeof state !== "string")) {
    return inspectFault(exchange, "invalid_answer", "unknown");
  }
  const rounds = {
    upstreamState: state,
    reservation: exchange.reservation,
    firstExchange: exchange.rounds?.firstExchange ?? exchange.id,
  };
  const own = desk.rounds.open(bondOf(grant.id, endpoint.id, request), rounds, desk.clock.now());
  const edits = planModernEdits(desk, exchange, answer, bytes);
  const message = writeEditedResult(request.id, answer, bytes, { ...edits, set: { ...edits?.set, requestState: JSON.stringify(own) } });
  return { outcome: "ok", status: 200, code: "input_required", goesOn: true, message };
}
