/**
 * A routed request becomes an exchange, with what its decision needs: the active policy and the server's accepted tools.
 * Where something changed meanwhile, the same exchange is brought up to date and judged again.
 */
import type { Request } from "../mcp/message.ts";
import { ERROR_CODES, type Refusal, refuse, refuseParams } from "../mcp/refusal.ts";
import { keyOfId } from "../mcp/request-id.ts";
import { readRound, readSubject } from "../mcp/subject.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import type { Identified } from "./identify.ts";
import { createExchangeId } from "./reply.ts";
import { bondOf } from "./rounds.ts";
import type { Routed } from "./route.ts";
import { Admitted, MAX_REQUESTS_IN_FLIGHT_PER_SESSION } from "./session.ts";

export function openExchange(
  desk: Desk,
  who: Pick<Identified, "grant" | "bearer" | "endpoint" | "look">,
  routed: Routed,
  request: Request,
  rawHeaders: readonly string[],
  startedAt: number,
  shown?: string,
): Exchange | Refusal {
  const { claim, revision, session, method, headers } = routed;
  if (method.judgement === "refused") throw new Error("a refused method is not routed");
  const subject = readSubject(request, method.judgement);
  if ("code" in subject) return subject;
  const round = claim.era === "modern" ? readRound(request) : undefined;
  if (round && "code" in round) return round;
  const bond = round && bondOf(who.grant.id, who.endpoint.id, request);
  const rounds = round && bond !== undefined ? desk.rounds.read(round, bond, desk.clock.now()) : undefined;
  if (rounds === "damaged") return refuseParams(request.id, "Invalid params: `requestState` is not as it was given", "round_state");
  return {
    id: createExchangeId(desk),
    startedAt,
    grant: who.grant,
    bearer: who.bearer,
    endpoint: who.endpoint,
    request,
    method,
    claim,
    revision,
    subject,
    shown,
    session,
    headers,
    rawHeaders,
    look: who.look,
    policy: undefined,
    tool: undefined,
    rounds,
    permission: undefined,
    reservation: undefined,
    argumentDigest: undefined,
    sentAt: undefined,
    upstreamStatus: undefined,
    upstreamVersion: undefined,
  };
}

/** What the decision needs of the store: the active policy, and the server's accepted tools. */
export function prepare(desk: Desk, exchange: Exchange): void | Promise<void> {
  const { endpoint, grant } = exchange;
  const name = grant.servers.get(endpoint.name);
  const asked = name === undefined ? undefined : desk.access.findPolicy(name);
  if (asked instanceof Promise) {
    return asked.then((policy) => {
      exchange.policy = policy;
      return prepareTools(exchange);
    });
  }
  exchange.policy = asked;
  return prepareTools(exchange);
}

function prepareTools({ endpoint, subject }: Exchange): void | Promise<void> {
  const wantsTools = subject.kind === "tool_call" || subject.kind === "tool_list";
  if (wantsTools && endpoint.tools.current()?.hasAcceptedList !== true) return endpoint.tools.refresh();
}

/** After a change: the grant again, its policy, the tools. False: the grant no longer holds here. */
export async function renew(desk: Desk, exchange: Exchange): Promise<boolean> {
  exchange.look = await desk.access.look();
  const found = await desk.access.findGrant(exchange.bearer, desk.clock.now());
  if (found.grant?.id !== exchange.grant.id || !found.grant.servers.has(exchange.endpoint.name)) return false;
  await exchange.endpoint.tools.sync(desk.access.version);
  exchange.policy = undefined;
  const name = found.grant.servers.get(exchange.endpoint.name);
  if (name !== undefined) exchange.policy = await desk.access.findPolicy(name);
  return true;
}

/**
 * Counts an exchange as under way while it passes. An id that is in flight in this session already, and one exchange too
 * many of a session or a grant, are refused: an answer must be one request's alone, and what is open is bounded.
 */
export async function underWay(
  desk: Desk,
  exchange: Exchange,
  passOn: () => Promise<void>,
  refuseIt: (refusal: Refusal) => Promise<void>,
): Promise<void> {
  const { session, request, grant, subject } = exchange;
  const key = keyOfId(request.id);
  if (session?.inFlight.has(key)) {
    return await refuseIt(refuse(ERROR_CODES.invalidRequest, 400, "Invalid Request: the id is in use", "id_in_use", request.id));
  }
  if (session && session.inFlight.size >= MAX_REQUESTS_IN_FLIGHT_PER_SESSION) return await refuseIt(refuseBusy(request));
  // A listen lasts as long as its client wants: a stop does not wait for it.
  const isCounted = subject.kind !== "listen";
  if (isCounted && !desk.active.begin(grant.id)) return await refuseIt(refuseBusy(request));
  // Taken before anything is awaited: whoever comes next with the same id finds it in use.
  const admitted = new Admitted(request.method);
  session?.inFlight.set(key, admitted);
  try {
    await passOn();
  } finally {
    // Once sent it is the passage's to leave, and the id may be another request's by now.
    if (session?.inFlight.get(key) === admitted) session.inFlight.delete(key);
    if (isCounted) desk.active.end(grant.id);
  }
}

function refuseBusy(request: Request): Refusal {
  return refuse(ERROR_CODES.internal, 503, "Too many requests are under way", "too_many", request.id);
}
