/**
 * The journey of a request, as the product describes itself:
 *
 *   identify → receive → route → decide → hold → spend → record intent → forward → inspect → settle → record outcome → reply
 *
 * The first three stand in the face that the client uses; here a request is known, and everything else happens in order.
 * A stop goes straight to the record and the reply. Whatever throws ends the exchange, closed.
 */
import { writeRefusal } from "../mcp/answers.ts";
import { checkParamHeaders } from "../mcp/param-headers.ts";
import type { Refusal } from "../mcp/refusal.ts";
import type { Denial } from "../policy/decision.ts";
import { denyUnavailable } from "../policy/refusal.ts";
import type { Channel } from "./channel.ts";
import { decide } from "./decide.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import { forward } from "./forward.ts";
import { recordRefusal } from "./one-way.ts";
import { writeDenial } from "./reply.ts";
import { recordDenial, spend, wordsOf } from "./spend.ts";

/** How often a call is judged again because something was changed between its judgement and its record. */
export const MAX_JUDGEMENTS = 8;

/** Brings what the exchange knows up to date; false: its grant is gone. */
export type Renew = (exchange: Exchange) => Promise<boolean>;

export async function pass(desk: Desk, exchange: Exchange, channel: Channel, renew: Renew): Promise<void> {
  const stopped = await judge(desk, exchange, renew);
  if (stopped === undefined) {
    count(desk, exchange, "allow ");
    return await forward(desk, exchange, channel);
  }
  if ("decision" in stopped) {
    count(desk, exchange, `${stopped.code === "approval_required" ? "approve" : "deny"} ${stopped.code}`);
    return channel.answer(200, writeDenial(exchange, stopped));
  }
  await recordRefusal(desk, exchange, stopped);
  channel.answer(stopped.status, writeRefusal(stopped));
}

function count(desk: Desk, exchange: Exchange, word: string): void {
  desk.meter.server(exchange.endpoint.name).decisions.at(exchange.subject.kind).add(word);
}

/** A tool's own headers are asked for last, so that they tell nothing of a tool that the grant may not call. */
function findHeaderMismatch(exchange: Exchange): Refusal | undefined {
  const { subject, tool, headers, request } = exchange;
  if (exchange.claim.era !== "modern" || subject.kind !== "tool_call" || !tool || !headers) return undefined;
  return checkParamHeaders(tool.paramHeaders, subject.args, headers, request.id);
}

/** `undefined`: counted, on record, free to go. */
async function judge(desk: Desk, exchange: Exchange, renew: Renew): Promise<Denial | Refusal | undefined> {
  for (let count = 0; count < MAX_JUDGEMENTS; count++) {
    const decision = decideClosed(desk, exchange);
    if (decision.decision === "deny") return await recordDenial(desk, exchange, decision);
    const mismatch = findHeaderMismatch(exchange);
    if (mismatch) return mismatch;
    const spent = await spend(desk, exchange, decision);
    if (spent === "passed") return undefined;
    if (spent !== "stale") return spent.denial;
    if (!(await renew(exchange))) return await recordDenial(desk, exchange, denyUnavailable("(grant changed)"));
  }
  return await recordDenial(desk, exchange, denyUnavailable("(changing)"));
}

function decideClosed(desk: Desk, exchange: Exchange): ReturnType<typeof decide> {
  try {
    return decide(desk, exchange);
  } catch (error) {
    desk.say(`A call was refused because of a fault in its judgement: ${wordsOf(error)}`);
    return denyUnavailable("(error)", error);
  }
}
