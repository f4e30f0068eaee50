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
import { type Inspected, inspect, inspectFault, writeUnavailable } from "./inspect.ts";
import { appendOutcome, describeOutcome, type OutcomeFacts } from "./record.ts";
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
  const drop = findDrop(desk, exchange);
  if (drop instanceof Promise) return concludeSlowly(desk, exchange, inspected, channel, stream, arrivedAt);
  finish(desk, exchange, inspected, drop, channel, stream, arrivedAt);
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
  finish(desk, exchange, inspected, await findDrop(desk, exchange), channel, stream, arrivedAt);
}

function finish(
  desk: Desk,
  exchange: Exchange,
  inspected: Inspected,
  drop: Drop | undefined,
  channel: Channel,
  stream: AnswerStream | undefined,
  arrivedAt: number,
): void {
  settle(desk, exchange, inspected, drop);
  const { outcomes } = desk.meter.server(exchange.endpoint.name);
  outcomes.at(inspected.outcome).add(drop ?? inspected.code ?? "");
  desk.meter.conclude.add(performance.now() - arrivedAt);
  const message = drop === undefined ? inspected.message : writeDropped(exchange, drop);
  if (stream) {
    stream.push(message);
    stream.end();
  } else if (drop === undefined) channel.answer(inspected.status, message, inspected.headers);
  else channel.answer(drop === "grant_revoked" ? 401 : 200, message);
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

type Drop = "grant_revoked" | "grant_unconfirmed";

/**
 * A grant that was revoked, or lost its server, while its call was under way does not see the answer; nor does one of which
 * nobody knows.
 */
function findDrop(desk: Desk, exchange: Exchange): Drop | undefined | Promise<Drop | undefined> {
  const tell = (isCurrent: boolean): Drop | undefined => (isCurrent ? undefined : "grant_revoked");
  try {
    const { grant, look, bearer, endpoint } = exchange;
    const current = desk.access.isCurrent(grant, look, bearer, endpoint.name);
    return current instanceof Promise ? current.then(tell, () => "grant_unconfirmed" as const) : tell(current);
  } catch {
    return "grant_unconfirmed";
  }
}

/** A client that is told that its grant is gone throws it away: it is told so only where that is known. */
function writeDropped(exchange: Exchange, drop: Drop): Buffer {
  return drop === "grant_revoked" ? writeGone(exchange) : writeUnavailable(exchange, UNCONFIRMED_WORDS);
}

const UNCONFIRMED_WORDS = "The call was sent, and its answer can't be handed on: the gateway can't reach its database now.";

function settle(desk: Desk, exchange: Exchange, inspected: Inspected, droppedAs: string | undefined): void {
  const facts: OutcomeFacts = { outcome: inspected.outcome, code: droppedAs ?? inspected.code, detail: inspected.detail };
  // What ends a round and not the call settles nothing yet.
  const reservation = inspected.goesOn === true ? undefined : exchange.reservation;
  const terms = termsOfSettling(desk, exchange.reservation);
  const job = (batch: Batch): void | Promise<void> => {
    if (reservation && desk.limits.settleNow?.(batch, reservation, facts.outcome) === undefined) {
      return settleSlowly(desk, batch, exchange, reservation, facts);
    }
    appendOutcome(desk, batch, exchange, facts);
  };
  desk.store.write(job, terms).catch((error: unknown) => {
    desk.recording.doubt();
    desk.say(`An outcome could not be put on record yet: ${wordsOf(error)}`);
    const settled = reservation && { reservation, outcome: facts.outcome };
    desk.late.add({ exchange: exchange.id, entry: describeOutcome(exchange, facts), terms, settle: settled, isDoubtful: false });
  });
}

async function settleSlowly(desk: Desk, batch: Batch, exchange: Exchange, reservation: Reservation, facts: OutcomeFacts): Promise<void> {
  await desk.limits.settle(batch, reservation, facts.outcome);
  appendOutcome(desk, batch, exchange, facts);
}
