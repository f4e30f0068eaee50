/**
 * Steps *settle*, *record outcome* and *reply*, in that order and once for each exchange that was forwarded. The outcome
 * is handed to the log's next group before the client has its answer; nobody waits for the disk a second time.
 */
import type { Reservation } from "../limit/limits.ts";
import type { Batch } from "../store/store.ts";
import type { Arrival } from "./answer-relay.ts";
import type { Channel } from "./channel.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import { type Inspected, inspect, inspectFault } from "./inspect.ts";
import { appendOutcome, type OutcomeFacts } from "./record.ts";
import { writeGone } from "./reply.ts";
import { wordsOf } from "./spend.ts";
import type { AnswerStream } from "./stream.ts";
import { termsOfSettling } from "./write-terms.ts";

/** At once where nothing has to be waited for, as for nearly every call. */
export function conclude(
  desk: Desk,
  exchange: Exchange,
  arrival: Arrival,
  channel: Channel,
  stream: AnswerStream | undefined,
): void | Promise<void> {
  const arrivedAt = performance.now();
  // A listen lasts as long as its client wants: its time says nothing of the server.
  if (exchange.sentAt !== undefined && exchange.subject.kind !== "listen") {
    desk.meter.server(exchange.endpoint.name).upstream.add(arrivedAt - exchange.sentAt);
    desk.meter.admit.add(exchange.sentAt - exchange.startedAt);
  }
  const inspected = inspectClosed(desk, exchange, arrival);
  if (inspected instanceof Promise) return concludeSlowly(desk, exchange, inspected, channel, stream, arrivedAt);
  const current = isCurrent(desk, exchange);
  if (current instanceof Promise) return concludeSlowly(desk, exchange, inspected, channel, stream, arrivedAt);
  finish(desk, exchange, inspected, current, channel, stream, arrivedAt);
}

async function concludeSlowly(
  desk: Desk,
  exchange: Exchange,
  inspecting: Inspected | Promise<Inspected>,
  channel: Channel,
  stream: AnswerStream | undefined,
  arrivedAt: number,
): Promise<void> {
  let inspected: Inspected;
  try {
    inspected = await inspecting;
  } catch (error) {
    inspected = dropAnswer(desk, exchange, error);
  }
  let current = false;
  try {
    current = await isCurrent(desk, exchange);
  } catch {
    // Nobody can say that it holds.
  }
  finish(desk, exchange, inspected, current, channel, stream, arrivedAt);
}

function finish(
  desk: Desk,
  exchange: Exchange,
  inspected: Inspected,
  current: boolean,
  channel: Channel,
  stream: AnswerStream | undefined,
  arrivedAt: number,
): void {
  settle(desk, exchange, inspected, current ? undefined : "grant_revoked");
  const { outcomes } = desk.meter.server(exchange.endpoint.name);
  outcomes.at(inspected.outcome).add((current ? inspected.code : "grant_revoked") ?? "");
  desk.meter.conclude.add(performance.now() - arrivedAt);
  const message = current ? inspected.message : writeGone(exchange);
  if (stream) {
    stream.push(message);
    stream.end();
  } else if (current) channel.answer(inspected.status, message, inspected.headers);
  else channel.answer(401, message);
}

function inspectClosed(desk: Desk, exchange: Exchange, arrival: Arrival): Inspected | Promise<Inspected> {
  try {
    return inspect(desk, exchange, arrival);
  } catch (error) {
    return dropAnswer(desk, exchange, error);
  }
}

function dropAnswer(desk: Desk, exchange: Exchange, error: unknown): Inspected {
  desk.say(`An answer could not be inspected and was dropped: ${wordsOf(error)}`);
  return inspectFault(exchange, "invalid_answer", "unknown");
}

/** A grant that was revoked, or lost its server, while its call was under way does not see the answer. */
function isCurrent(desk: Desk, exchange: Exchange): boolean | Promise<boolean> {
  try {
    return desk.access.isCurrent(exchange.grant, exchange.look, exchange.bearer, exchange.endpoint.name);
  } catch {
    return false;
  }
}

function settle(desk: Desk, exchange: Exchange, inspected: Inspected, droppedAs: string | undefined): void {
  const facts: OutcomeFacts = { outcome: inspected.outcome, code: droppedAs ?? inspected.code, detail: inspected.detail };
  // What ends a round and not the call settles nothing yet.
  const reservation = inspected.goesOn === true ? undefined : exchange.reservation;
  const job = (batch: Batch): void | Promise<void> => {
    if (reservation && desk.limits.settleNow?.(batch, reservation, facts.outcome) === undefined) {
      return settleSlowly(desk, batch, exchange, reservation, facts);
    }
    appendOutcome(desk, batch, exchange, facts);
  };
  desk.store
    .write(job, termsOfSettling(desk, exchange.reservation))
    .catch((error: unknown) => desk.say(`An outcome could not be put on record: ${wordsOf(error)}`));
}

async function settleSlowly(desk: Desk, batch: Batch, exchange: Exchange, reservation: Reservation, facts: OutcomeFacts): Promise<void> {
  await desk.limits.settle(batch, reservation, facts.outcome);
  appendOutcome(desk, batch, exchange, facts);
}
