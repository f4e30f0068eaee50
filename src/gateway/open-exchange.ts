/**
 * A routed request becomes an exchange, with what its decision needs: the active policy and the server's accepted tools.
 * Where something changed meanwhile, the same exchange is brought up to date and judged again.
 */
import type { Request } from "../mcp/message.ts";
import type { Refusal } from "../mcp/refusal.ts";
import { readRound, readSubject } from "../mcp/subject.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import type { Identified } from "./identify.ts";
import { createExchangeId } from "./reply.ts";
import { bondOf } from "./rounds.ts";
import type { Routed } from "./route.ts";

export function openExchange(
  desk: Desk,
  who: Pick<Identified, "grant" | "bearer" | "endpoint" | "epoch">,
  routed: Routed,
  request: Request,
  rawHeaders: readonly string[],
  startedAt: number,
): Exchange | Refusal {
  const { claim, revision, session, method, headers } = routed;
  if (method.judgement === "refused") throw new Error("a refused method is not routed");
  const subject = readSubject(request, method.judgement);
  if ("code" in subject) return subject;
  const round = claim.era === "modern" ? readRound(request) : undefined;
  if (round && "code" in round) return round;
  const bond = round && bondOf(who.grant.id, who.endpoint.id, request);
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
    session,
    headers,
    rawHeaders,
    epoch: who.epoch,
    policy: undefined,
    tool: undefined,
    rounds: round && bond !== undefined ? desk.rounds.take(round, bond, desk.clock.now()) : undefined,
    permission: undefined,
    reservation: undefined,
    argumentDigest: undefined,
    sentAt: undefined,
    upstreamStatus: undefined,
  };
}

/** What the decision needs of the store: the active policy, and the server's accepted tools. */
export async function prepare(desk: Desk, exchange: Exchange): Promise<void> {
  const { endpoint, grant } = exchange;
  const name = grant.servers.get(endpoint.name);
  if (name !== undefined) {
    const asked = desk.access.findPolicy(name);
    exchange.policy = asked instanceof Promise ? await asked : asked;
  }
  const wantsTools = exchange.subject.kind === "tool_call" || exchange.subject.kind === "tool_list";
  if (wantsTools && endpoint.tools.current()?.hasAcceptedList !== true) await endpoint.tools.refresh();
}

/** After a change: the grant again, its policy, the tools. False: the grant no longer holds here. */
export async function renew(desk: Desk, exchange: Exchange): Promise<boolean> {
  exchange.epoch = await desk.access.look();
  const found = await desk.access.findGrant(exchange.bearer, desk.clock.now());
  if (found.grant?.id !== exchange.grant.id || !found.grant.servers.has(exchange.endpoint.name)) return false;
  await exchange.endpoint.tools.sync(desk.access.version);
  exchange.policy = undefined;
  const name = found.grant.servers.get(exchange.endpoint.name);
  if (name !== undefined) exchange.policy = await desk.access.findPolicy(name);
  return true;
}
