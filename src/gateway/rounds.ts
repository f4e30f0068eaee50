/**
 * Calls of several rounds: the gateway's own `requestState` stands for the server's, is good for one use by the same
 * grant for the same request, and expires. A round takes no limit again; the chain is settled when it ends.
 */
import { createHash } from "node:crypto";
import { BoundedMap } from "../kernel/bounded-map.ts";
import { printCanonicalJson } from "../kernel/canonical-json.ts";
import { createJsonObject, isJsonObject, type Json, type JsonObject, printJson, readMember } from "../kernel/json.ts";
import type { ResultAnswer } from "../mcp/answer.ts";
import type { Request } from "../mcp/message.ts";
import { ROUND_METHODS } from "../mcp/methods.ts";
import { asData } from "../mcp/refusal.ts";
import { readAnswerMember, writeEditedResult } from "../mcp/relay.ts";
import type { Round } from "../mcp/subject.ts";
import { useOnce } from "../store/once.ts";
import type { Batch } from "../store/store.ts";
import type { Sealer } from "../vault/seal.ts";
import { ASK_WORDS, type AskFault, type AskKind, findAskKind, judgeAsk, MAX_OPEN_ASKS } from "./asks.ts";
import type { Desk } from "./desk.ts";
import { planModernEdits } from "./edit-modern.ts";
import type { Exchange, OpenRounds } from "./exchange.ts";
import { type Inspected, inspectFault, writeUnavailable } from "./inspect.ts";
import { countAsk, digestAsk } from "./record-ask.ts";

/** Rounds of this process whose grants are watched. */
export const MAX_OPEN_ROUNDS = 20_000;
export const ROUND_LIFE_MS: number = 15 * 60 * 1000;
/** What a server may keep in its state for the call to be continued. */
export const MAX_STATE_CHARACTERS: number = 256 * 1024;
const STATE_BYTES = 18;
const NAME_CHARACTERS = 24;
const STATE_MARK = "r1.";

/** What the state holds, sealed. */
interface SealedRound extends OpenRounds {
  readonly bond: string;
  readonly expiresMs: number;
}

/** The client carries the round, so that any replica can go on with it; that it is used once, the store sees to. */
export interface RoundSeal {
  /** What the client is to bring back; `release` is called when somebody goes on with it here. */
  open(bond: string, rounds: Omit<OpenRounds, "name">, nowMs: number, release?: () => void): string;
  /** The rounds that a request continues. Undefined: it opens a new call. */
  read(round: Round, bond: string, nowMs: number): OpenRounds | "damaged" | undefined;
  /** In the transaction that lets it go on: false where it was gone on with before, here or elsewhere. */
  claim(batch: Batch, rounds: OpenRounds, nowMs: number): Promise<boolean>;
}

const digestBond = (bond: string): string => createHash("sha256").update(bond).digest("base64url");

/** Amounts are whole numbers of any size, which JSON has no form for. */
const printSealed = (value: SealedRound): string =>
  JSON.stringify(value, (_key, member: unknown) => (typeof member === "bigint" ? { $big: String(member) } : member));

const readSealed = (text: string): SealedRound =>
  JSON.parse(text, (_key, member: unknown) => {
    const isBig = typeof member === "object" && member !== null && "$big" in member;
    return isBig ? BigInt((member as { $big: string }).$big) : member;
  }) as SealedRound;

export function createRoundSeal(sealer: Sealer, randomBytes: (size: number) => Uint8Array): RoundSeal {
  const placeOf = (name: string) => ({ table: "round", column: "state", row: name });
  const waiting = new BoundedMap<string, () => void>(MAX_OPEN_ROUNDS, (_name, release) => release());
  return {
    open(bond, rounds, nowMs, release) {
      const name = Buffer.from(randomBytes(STATE_BYTES)).toString("base64url");
      const sealed = { ...rounds, name, bond: digestBond(bond), expiresMs: nowMs + ROUND_LIFE_MS };
      if (release) waiting.set(name, release);
      return `${STATE_MARK}${name}.${sealer.seal(printSealed(sealed), placeOf(name))}`;
    },
    read({ requestState }, bond, nowMs) {
      if (requestState === undefined || !requestState.startsWith(STATE_MARK)) return undefined;
      const name = requestState.slice(STATE_MARK.length, STATE_MARK.length + NAME_CHARACTERS);
      const opened = sealer.open(requestState.slice(STATE_MARK.length + NAME_CHARACTERS + 1), placeOf(name));
      if (!opened.ok) return "damaged";
      const round = readSealed(opened.value);
      return round.bond === digestBond(bond) && nowMs < round.expiresMs ? round : undefined;
    },
    async claim(batch, rounds, nowMs) {
      const { name } = rounds;
      const release = waiting.get(name);
      waiting.delete(name);
      release?.();
      return await useOnce(batch, nameClaim(rounds), nowMs + ROUND_LIFE_MS);
    },
  };
}

/** What a claim writes: whoever does so beside others has to lock it first. */
export function nameClaim({ name }: Pick<OpenRounds, "name">): string {
  return `round/${name}`;
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
  if (state !== undefined && state.length > MAX_STATE_CHARACTERS) return inspectFault(exchange, "too_large", "unknown");
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
