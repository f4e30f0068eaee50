/**
 * Steps *settle*, *record outcome* and *reply*, in that order and once for each exchange that was forwarded. The outcome
 * is handed to the log's next group before the client has its answer; nobody waits for the disk a second time.
 */
import type { Arrival } from "./answer-relay.ts";
import type { Channel } from "./channel.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import { type Inspected, inspect, inspectFault } from "./inspect.ts";
import { appendOutcome, describeOutcome, type OutcomeFacts } from "./record.ts";
import { writeGone } from "./reply.ts";
import { wordsOf } from "./spend.ts";
import type { AnswerStream } from "./stream.ts";
import { termsOfSettling } from "./write-terms.ts";

export async function conclude(
  desk: Desk,
  exchange: Exchange,
  arrival: Arrival,
  channel: Channel,
  stream: AnswerStream | undefined,
): Promise<void> {
  const arrivedAt = performance.now();
  const meter = desk.meter.server(exchange.endpoint.name);
  // A listen lasts as long as its client wants: its time says nothing of the server.
  if (exchange.sentAt !== undefined && exchange.subject.kind !== "listen") {
    meter.upstream.add(arrivedAt - exchange.sentAt);
    desk.meter.admit.add(exchange.sentAt - exchange.startedAt);
  }
  let inspected: Inspected;
  try {
    inspected = await inspect(desk, exchange, arrival);
  } catch (error) {
    desk.say(`An answer could not be inspected and was dropped: ${wordsOf(error)}`);
    inspected = inspectFault(exchange, "invalid_answer", "unknown");
  }
  const current = await isCurrent(desk, exchange);
  settle(desk, exchange, inspected, current ? undefined : "grant_revoked");
  meter.outcomes.at(inspected.outcome).add((current ? inspected.code : "grant_revoked") ?? "");
  desk.meter.conclude.add(performance.now() - arrivedAt);
  const message = current ? inspected.message : writeGone(exchange);
  if (stream) {
    stream.push(message);
    stream.end();
  } else if (current) channel.answer(inspected.status, message, inspected.headers);
  else channel.answer(401, message);
}

/** A grant that was revoked, or lost its server, while its call was under way does not see the answer. */
async function isCurrent(desk: Desk, exchange: Exchange): Promise<boolean> {
  try {
    return await desk.access.isCurrent(exchange.grant, exchange.look, exchange.bearer, exchange.endpoint.name);
  } catch {
    return false;
  }
}

function settle(desk: Desk, exchange: Exchange, inspected: Inspected, droppedAs: string | undefined): void {
  const facts: OutcomeFacts = { outcome: inspected.outcome, code: droppedAs ?? inspected.code, detail: inspected.detail };
  const { reservation } = exchange;
  const terms = termsOfSettling(desk, reservation);
  const isSettled = reservation !== undefined && inspected.goesOn !== true;
  desk.store
    .write(
      async (batch) => {
        if (isSettled) await desk.limits.settle(batch, reservation, inspected.outcome);
        appendOutcome(desk, batch, exchange, facts);
      },
      terms,
    )
    .catch((error: unknown) => {
      desk.recording.doubt();
      desk.say(`An outcome could not be put on record yet: ${wordsOf(error)}`);
      const settle = isSettled ? { reservation, outcome: inspected.outcome } : undefined;
      desk.late.add({ exchange: exchange.id, entry: describeOutcome(exchange, facts), terms, settle, isDoubtful: false });
    });
}
