/** One request of a client to several servers: who asks, how it came, and the ways to one of the servers. */
import { writeInternalError, writeRefusal } from "../../mcp/answers.ts";
import type { Request } from "../../mcp/message.ts";
import { isRefusal, type Refusal } from "../../mcp/refusal.ts";
import { keyOfId } from "../../mcp/request-id.ts";
import type { Channel } from "../channel.ts";
import type { Desk, Endpoint } from "../desk.ts";
import type { Identified } from "../identify.ts";
import { recordRefusal } from "../one-way.ts";
import { openExchange, prepare, renew, underWay } from "../open-exchange.ts";
import { pass } from "../pipeline.ts";
import type { Routed } from "../route.ts";
import { wordsOf } from "../spend.ts";
import { type Collected, CollectingChannel } from "./collecting-channel.ts";
import type { Part } from "./parts.ts";

export interface Everybody extends Pick<Identified, "grant" | "bearer" | "look"> {
  /** The grant's servers that are served, in the order of their names. */
  readonly endpoints: readonly Endpoint[];
}

export interface Asking {
  readonly desk: Desk;
  readonly who: Everybody;
  /** Its session is the client's own, the one with all servers. */
  readonly routed: Routed;
  readonly request: Request;
  readonly rawHeaders: readonly string[];
  readonly startedAt: number;
  /** The client has gone, or has cancelled. */
  readonly signal: AbortSignal;
}

/**
 * The journey of one request to one server, as on that server's own endpoint. `request` speaks in the server's own names,
 * `shown` is what the client said.
 */
export async function passTo(asking: Asking, part: Part, request: Request, channel: Channel, shown?: string): Promise<void> {
  const { desk, rawHeaders, startedAt, routed } = asking;
  const { grant, bearer, look } = asking.who;
  const who = { grant, bearer, look, endpoint: part.endpoint };
  const refuseIt = async (refusal: Refusal): Promise<void> => {
    await recordRefusal(desk, who, refusal);
    channel.answer(refusal.status, writeRefusal(refusal));
  };
  const exchange = openExchange(desk, who, { ...routed, session: part.session }, request, rawHeaders, startedAt, shown);
  if (isRefusal(exchange)) return await refuseIt(exchange);
  await prepare(desk, exchange);
  await underWay(desk, exchange, async () => await pass(desk, exchange, channel, (stale) => renew(desk, stale)), refuseIt);
}

/** Asks one server and reads its answer; undefined where it is late or the client is gone. Never rejects. */
export async function askPart(asking: Asking, part: Part, request: Request, timeoutMs: number): Promise<Collected | undefined> {
  const { desk, signal } = asking;
  const channel = new CollectingChannel();
  passTo(asking, part, request, channel).catch((error: unknown) => {
    desk.say(`A request to ${part.endpoint.name} ended by a fault: ${wordsOf(error)}`);
    channel.answer(200, writeInternalError(request.id));
  });
  return await within(channel.answered, timeoutMs, signal, () => {
    channel.leave();
    // Hanging up is no cancel in the legacy era; here nobody waits for what comes.
    part.session?.inFlight.get(keyOfId(request.id))?.cancel();
  });
}

/** What settles in time; else undefined, and `leave` is called. */
export async function within<T>(settling: Promise<T>, timeoutMs: number, signal: AbortSignal, leave: () => void): Promise<T | undefined> {
  const given = Promise.withResolvers<undefined>();
  const giveUp = (): void => given.resolve(undefined);
  const timer = setTimeout(giveUp, Math.max(0, timeoutMs));
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  const settled = await Promise.race([settling, given.promise]);
  clearTimeout(timer);
  signal.removeEventListener("abort", giveUp);
  if (settled === undefined) leave();
  return settled;
}
