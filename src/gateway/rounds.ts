/**
 * Calls of several rounds: the gateway's own `requestState` stands for the server's, is good for one use by the same
 * grant for the same request, and expires. A round takes no limit again; the chain is settled when it ends.
 */
import { createHash, randomBytes } from "node:crypto";
import { BoundedMap } from "../kernel/bounded-map.ts";
import { printCanonicalJson } from "../kernel/canonical-json.ts";
import { createJsonObject, isJsonObject, type Json, type JsonObject, printJson, readMember } from "../kernel/json.ts";
import type { ResultAnswer } from "../mcp/answer.ts";
import type { Request } from "../mcp/message.ts";
import { ROUND_METHODS } from "../mcp/methods.ts";
import { asData } from "../mcp/refusal.ts";
import { readAnswerMember, writeEditedResult } from "../mcp/relay.ts";
import type { Round } from "../mcp/subject.ts";
import { ASK_WORDS, type AskFault, type AskKind, findAskKind, judgeAsk, MAX_OPEN_ASKS } from "./asks.ts";
import type { Desk } from "./desk.ts";
import { planModernEdits } from "./edit-modern.ts";
import type { Exchange, OpenRounds } from "./exchange.ts";
import { type Inspected, inspectFault, writeUnavailable } from "./inspect.ts";
import { countAsk, digestAsk } from "./record-ask.ts";

export const MAX_OPEN_ROUNDS = 20_000;
export const ROUND_LIFE_MS: number = 15 * 60 * 1000;
const STATE_BYTES = 32;
const STATE_MARK = "r1.";
const SUM_CHARACTERS = 8;

interface WaitingRound extends OpenRounds {
  readonly bond: string;
  readonly expiresMs: number;
  /** Nobody waits for its return any more. */
  readonly release: () => void;
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
  readonly #waiting = new BoundedMap<string, WaitingRound>(MAX_OPEN_ROUNDS, (_state, { release }) => release());

  /** What the client is to bring back. */
  open(bond: string, rounds: OpenRounds, nowMs: number, release: () => void = () => undefined): string {
    const state = writeState(randomBytes(STATE_BYTES).toString("base64url"));
    this.#waiting.set(state, { ...rounds, bond, expiresMs: nowMs + ROUND_LIFE_MS, release });
    return state;
  }

  /** The rounds that a request continues; used up by asking. Undefined: it opens a new call. */
  take(round: Round, bond: string, nowMs: number): OpenRounds | "damaged" | undefined {
    if (round.requestState === undefined) return undefined;
    const waiting = this.#waiting.get(round.requestState);
    if (!waiting || waiting.bond !== bond || nowMs >= waiting.expiresMs) return isDamaged(round.requestState) ? "damaged" : undefined;
    this.#waiting.delete(round.requestState);
    waiting.release();
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
  const asked = judgeRound(exchange, readAnswerMember(answer, bytes, "inputRequests"));
  if ("fault" in asked) {
    countAsk(desk, endpoint, asked.kind, asked.fault);
    return { ...refuseRound(exchange, asked.fault), detail: describeRound(desk, asked.methods, asked.all) };
  }
  for (const kind of asked.kinds) countAsk(desk, endpoint, kind, "passed");
  const rounds = {
    upstreamState: state,
    reservation: exchange.reservation,
    firstExchange: exchange.rounds?.firstExchange ?? exchange.id,
  };
  const nowMs = desk.clock.now();
  const own = desk.rounds.open(bondOf(grant.id, endpoint.id, request), rounds, nowMs, holdRound(desk, exchange, nowMs));
  const edits = planModernEdits(desk, exchange, answer, bytes);
  const message = writeEditedResult(request.id, answer, bytes, {
    ...edits,
    set: { ...edits?.set, ...asked.set, requestState: JSON.stringify(own) },
  });
  const detail = asked.methods.length === 0 ? undefined : describeRound(desk, asked.methods, asked.all);
  return { outcome: "ok", status: 200, code: "input_required", goesOn: true, message, detail };
}

/** What waits at the server for the client's return ends with the grant. */
function holdRound(desk: Desk, { bearer, grant, endpoint }: Exchange, nowMs: number): () => void {
  return desk.holds.add({
    bearer,
    grantId: grant.id,
    server: endpoint.name,
    lasting: { label: grant.label, untilMs: nowMs + ROUND_LIFE_MS },
    close: () => endpoint.upstream.endOwner?.(grant.id),
  });
}

interface RoundAsks {
  readonly methods: readonly string[];
  readonly all: Json;
}

type JudgedRound =
  | (RoundAsks & { readonly kinds: readonly AskKind[]; readonly set: Readonly<Record<string, string>> })
  | (RoundAsks & { readonly kind: AskKind | "other"; readonly fault: AskFault });

/** Every question of a round has to be one that the server may ask. */
function judgeRound(exchange: Exchange, asked: Json | undefined): JudgedRound {
  const all = asked ?? createJsonObject();
  if (asked === undefined) return { methods: [], all, kinds: [], set: {} };
  if (!isJsonObject(asked)) return { methods: [], all, kind: "other", fault: "ask_unreadable" };
  const labelled = createJsonObject();
  const methods: string[] = [];
  const kinds: AskKind[] = [];
  for (const key of Object.keys(asked)) {
    const one = asked[key];
    const method = isJsonObject(one) ? readMember(one, "method") : undefined;
    const kind = typeof method === "string" ? findAskKind(method) : undefined;
    if (!isJsonObject(one) || typeof method !== "string" || kind === undefined)
      return { methods, all, kind: "other", fault: "ask_unreadable" };
    methods.push(method);
    if (methods.length > MAX_OPEN_ASKS) return { methods, all, kind, fault: "ask_too_many" };
    const params = readMember(one, "params");
    if (params !== undefined && !isJsonObject(params)) return { methods, all, kind, fault: "ask_unreadable" };
    const judged = judgeAsk(exchange.endpoint.asks, kind, params);
    if ("fault" in judged) return { methods, all, kind, fault: judged.fault };
    kinds.push(kind);
    labelled[key] = asData({ ...one, params: judged.params });
  }
  const isLabelled = exchange.endpoint.asks.label !== undefined;
  return { methods, all, kinds, set: isLabelled ? { inputRequests: printJson(labelled) } : {} };
}

/** The call ends here: nobody will answer, and what the server did so far is not known. */
function refuseRound(exchange: Exchange, fault: AskFault): Inspected {
  const words = `The server asked the client for something in the midst of the call, and the call ended there. ${ASK_WORDS[fault]}`;
  return { outcome: "unknown", status: 200, code: fault, message: writeUnavailable(exchange, words) };
}

function describeRound(desk: Desk, methods: readonly string[], all: Json): JsonObject {
  return asData({ asks: methods.map((method) => method.slice(0, 64)), askDigest: digestAsk(desk, all) });
}
