/**
 * Steps *hold*, *spend* and *record intent*, which the store makes one: a call takes all of its limits or none, and its
 * intent is on record, in one transaction that is durable before anything is forwarded. In that transaction nobody else
 * can change a grant or a policy, so what was decided under an older epoch is decided again.
 */

import { FailureError } from "../kernel/failure.ts";
import type { Hold } from "../limit/limits.ts";
import type { Denial, Permission } from "../policy/decision.ts";
import { denyApproval, denyByLimit, denyUnavailable } from "../policy/refusal.ts";
import type { Batch } from "../store/store.ts";
import type { Desk } from "./desk.ts";
import { type Exchange, type Stopped, stop } from "./exchange.ts";
import { partiesOf } from "./parties.ts";
import { appendDenial, appendIntent, describeOutcome } from "./record.ts";
import { termsOfRecord, termsOfSpending } from "./write-terms.ts";

/** What the transaction found: go on, stop, or ask again because something was changed meanwhile. */
export type Spent = "passed" | "stale" | Stopped;

export async function spend(desk: Desk, exchange: Exchange, permission: Permission): Promise<Spent> {
  exchange.permission = permission;
  let hold: Hold | undefined;
  try {
    if (desk.limits.reserve) hold = await reserve(desk, exchange, permission);
  } catch (error) {
    // What keeps counters from being asked is told once, by whoever watches them.
    if (!(error instanceof FailureError)) desk.say(`A call was refused because its limits could not be asked: ${wordsOf(error)}`);
    return stop(await recordDenial(desk, exchange, denyUnavailable("(limits unavailable)")), true);
  }
  let isIntended = false;
  try {
    const terms = termsOfSpending(desk, exchange, permission);
    const note = (found: Spent): Spent => {
      isIntended = found === "passed";
      return found;
    };
    const spent = await desk.store.write((batch) => {
      const found = spendIn(desk, batch, exchange, permission, hold);
      return found instanceof Promise ? found.then(note) : note(found);
    }, terms);
    if (spent !== "passed") hold?.release();
    return spent;
  } catch (error) {
    hold?.release();
    desk.recording.doubt();
    desk.say(`A call was refused because it could not be put on record: ${wordsOf(error)}`);
    if (isIntended) noteDoubt(desk, exchange);
    return stop(denyUnavailable("(audit unavailable)"), true);
  }
}

/**
 * The commit may have happened though nobody heard so: then the log says that the call was about to leave, and has to hear
 * that it did not. What it took stays taken: part of it may have been given back by the hold.
 */
function noteDoubt(desk: Desk, exchange: Exchange): void {
  const entry = describeOutcome(exchange, { outcome: "not_sent", code: "unconfirmed" });
  desk.late.add({ exchange: exchange.id, entry, terms: termsOfRecord(), isDoubtful: true });
}

/** Counters outside of the store are asked before the group: within it nothing else is waited for. */
async function reserve(desk: Desk, exchange: Exchange, { charges, approval }: Permission): Promise<Hold | undefined> {
  if (!desk.limits.reserve || charges.length === 0 || exchange.rounds !== undefined) return undefined;
  return await desk.limits.reserve(charges, partiesOf(desk, exchange), approval ? "peek" : "take");
}

/** Without a pause where nothing has to be looked up, as for nearly every call. */
function spendIn(desk: Desk, batch: Batch, exchange: Exchange, permission: Permission, hold: Hold | undefined): Spent | Promise<Spent> {
  const { charges, approval } = permission;
  if (hold || approval || exchange.rounds || !desk.limits.takeNow) return spendSlowly(desk, batch, exchange, permission, hold);
  const changed = desk.access.hasChanged(batch, exchange.look);
  if (changed === true) return "stale";
  if (changed !== false) return spendSlowly(desk, batch, exchange, permission, hold, changed);
  if (charges.length > 0) {
    const taken = desk.limits.takeNow(batch, charges, partiesOf(desk, exchange), batch.nowMs);
    if (taken === undefined) return spendSlowly(desk, batch, exchange, permission, hold);
    if (!taken.ok) return stopIn(desk, batch, exchange, denyByLimit(taken.charge, taken.retryAfterMs));
    exchange.reservation = taken.reservation;
  }
  appendIntent(desk, batch, exchange);
  return "passed";
}

/** `changing`: what has been asked already. */
async function spendSlowly(
  desk: Desk,
  batch: Batch,
  exchange: Exchange,
  permission: Permission,
  hold: Hold | undefined,
  changing: boolean | Promise<boolean> = desk.access.hasChanged(batch, exchange.look),
): Promise<Spent> {
  if (await changing) return "stale";
  // A round that somebody has gone on with is over: what comes with it again is a new call, and judged as one.
  if (exchange.rounds && !(await desk.rounds.claim(batch, exchange.rounds, desk.clock.now()))) {
    exchange.rounds = undefined;
    return "stale";
  }
  if (hold && !(await hold.holds(batch))) return "stale";
  const { charges, approval } = permission;
  const counted = charges.length > 0 && exchange.rounds === undefined;
  if (counted || approval) {
    const parties = partiesOf(desk, exchange);
    const { nowMs } = batch;
    if (approval) {
      // A person is asked only of a call that its limits could take; nothing is taken for asking.
      const room = counted ? await desk.limits.peek(batch, charges, parties, nowMs, hold) : { ok: true as const };
      const denial = room.ok ? denyApproval(approval) : denyByLimit(room.charge, room.retryAfterMs);
      return stopIn(desk, batch, exchange, denial);
    }
    const taken = await desk.limits.take(batch, charges, parties, nowMs, hold);
    if (!taken.ok) return stopIn(desk, batch, exchange, denyByLimit(taken.charge, taken.retryAfterMs));
    exchange.reservation = taken.reservation;
  } else if (exchange.rounds) {
    exchange.reservation = exchange.rounds.reservation;
  }
  appendIntent(desk, batch, exchange);
  return "passed";
}

function stopIn(desk: Desk, batch: Batch, exchange: Exchange, denial: Denial): Stopped {
  appendDenial(desk, batch, exchange, denial);
  return stop(denial, true);
}

/** Puts a denial on record; what can't be put on record is answered as unavailable. */
export async function recordDenial(desk: Desk, exchange: Exchange, denial: Denial): Promise<Denial> {
  try {
    await desk.store.write(async (batch) => appendDenial(desk, batch, exchange, denial), termsOfRecord());
    return denial;
  } catch (error) {
    desk.recording.doubt();
    desk.say(`A denial could not be put on record: ${wordsOf(error)}`);
    return denyUnavailable("(audit unavailable)");
  }
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : "an unknown fault";
}
