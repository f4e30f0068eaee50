/**
 * Steps *settle*, *record outcome* and *reply*, in that order and once for each exchange that was forwarded. The outcome
 * is handed to the log's next group before the client has its answer; nobody waits for the disk a second time.
 */
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
  const droppedAs = await findDrop(desk, exchange);
  settle(desk, exchange, inspected, droppedAs);
  meter.outcomes.at(inspected.outcome).add(droppedAs ?? inspected.code ?? "");
  desk.meter.conclude.add(performance.now() - arrivedAt);
  const message = droppedAs === undefined ? inspected.message : writeDropped(exchange, droppedAs);
  if (stream) {
    stream.push(message);
    stream.end();
  } else if (droppedAs === undefined) channel.answer(inspected.status, message, inspected.headers);
  else channel.answer(droppedAs === "grant_revoked" ? 401 : 200, message);
}

type Drop = "grant_revoked" | "grant_unconfirmed";

/** A grant that was revoked, or lost its server, while its call was under way does not see the answer; nor does one of which nobody knows. */
async function findDrop(desk: Desk, exchange: Exchange): Promise<Drop | undefined> {
  try {
    const { grant, look, bearer, endpoint } = exchange;
    return (await desk.access.isCurrent(grant, look, bearer, endpoint.name)) ? undefined : "grant_revoked";
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
  const { reservation } = exchange;
  const terms = termsOfSettling(desk, reservation);
  const isSettled = reservation !== undefined && inspected.goesOn !== true;
  desk.store
    .write(async (batch) => {
      if (isSettled) await desk.limits.settle(batch, reservation, inspected.outcome);
      appendOutcome(desk, batch, exchange, facts);
    }, terms)
    .catch((error: unknown) => {
      desk.recording.doubt();
      desk.say(`An outcome could not be put on record yet: ${wordsOf(error)}`);
      const settle = isSettled ? { reservation, outcome: inspected.outcome } : undefined;
      desk.late.add({ exchange: exchange.id, entry: describeOutcome(exchange, facts), terms, settle, isDoubtful: false });
    });
}
