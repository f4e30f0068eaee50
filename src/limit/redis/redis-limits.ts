/**
 * Limits that are counted in Redis or Valkey, exact over any number of processes: one round trip before a call's group,
 * the journal in it. What is `durable` is counted in the store. A call goes out only when what it took is on record under
 * the origin that counts; what it took and does not use is given back, and where that can't be done it stays charged.
 */
import { assert } from "../../kernel/assert.ts";
import type { Clock } from "../../kernel/clock.ts";
import { FailureError } from "../../kernel/failure.ts";
import { createId } from "../../kernel/id.ts";
import type { Charge, LimitSpec } from "../../policy/decision.ts";
import type { Readable } from "../../store/read-rows.ts";
import type { Batch, Store } from "../../store/store.ts";
import { Calendars } from "../calendar.ts";
import { CountNames } from "../counter-key.ts";
import { isImpossible, isRefunded } from "../ledger.ts";
import type { Hold, LimitRefusal, Limits, Outcome, Parties, PeekAnswer, Reservation, TakeAnswer } from "../limits.ts";
import { JOURNAL_PRUNE_INTERVAL_MS, Journal, type JournalRow } from "./journal.ts";
import { type Link, LinkError, openLink } from "./link.ts";
import { type Origin, OriginWatch } from "./origin.ts";
import { planRefund, planTake, readTaken, type TakePlan, writeTake } from "./plan-take.ts";
import { ABANDON, ANSWER, RECORD_MS, REFUND, TAKE } from "./scripts.ts";

/** How often a call is asked again because its calendar's window had moved. */
const MAX_ASKS = 8;
/** Calls whose fate is not known, to be given back with the next connection; beyond that they stay charged. */
const MAX_ABANDONED = 2_000;
/** How long an opening waits for the first look. */
const OPEN_WAIT_MS = 5_000;
const OPEN_LOOK_MS = 10;

export interface RedisLimitsOptions {
  readonly url: string;
  readonly store: Store;
  readonly clock: Clock;
  /** Names the store, so that several share one Redis without meeting. */
  readonly home: string;
  /** Counts what is durable. */
  readonly stored: Limits;
  readonly say: (level: "info" | "warn", words: string) => void;
  /** A time in place of the server's, for tests. */
  readonly readTime?: (() => number | undefined) | undefined;
  readonly commandTimeoutMs?: number | undefined;
}

export interface OpenedLimits extends Limits {
  readonly reserve: NonNullable<Limits["reserve"]>;
  prune(): Promise<void>;
  close(): Promise<void>;
}

/** A reservation of which a part is held in Redis; plain data, as what is settled may have been carried elsewhere and back. */
interface SplitReservation extends Reservation {
  readonly stored: Reservation | undefined;
  readonly origin: Origin;
  readonly rows: readonly { readonly row: JournalRow; readonly counts: LimitSpec["counts"] }[];
}

class RedisHold implements Hold {
  readonly plan: TakePlan;
  readonly rows: readonly JournalRow[];
  /** The first charge that had no room, and the longest wait. */
  readonly full: { readonly charge: Charge; readonly waitMs: number } | undefined;
  readonly #isCurrent: (batch: Batch, plan: TakePlan) => Promise<boolean>;
  #abandon: ((plan: TakePlan) => void) | undefined;

  constructor(
    found: Pick<RedisHold, "plan" | "rows" | "full">,
    isCurrent: (batch: Batch, plan: TakePlan) => Promise<boolean>,
    abandon: (plan: TakePlan) => void,
  ) {
    this.plan = found.plan;
    this.rows = found.rows;
    this.full = found.full;
    this.#isCurrent = isCurrent;
    this.#abandon = abandon;
  }

  holds(batch: Batch): Promise<boolean> {
    return this.rows.length === 0 ? Promise.resolve(true) : this.#isCurrent(batch, this.plan);
  }

  release(): void {
    if (this.rows.length > 0) this.#abandon?.(this.plan);
    this.#abandon = undefined;
  }
}

class RedisLimits implements OpenedLimits {
  readonly #options: RedisLimitsOptions;
  readonly #journal: Journal;
  readonly #names = new CountNames();
  readonly #calendars = new Calendars();
  readonly #settled = new WeakSet<Reservation>();
  readonly #abandoned: TakePlan[] = [];
  readonly #readTime: () => number | undefined;
  #link!: Link;
  #watch!: OriginWatch;
  /** How far the server's clock is ahead of ours, as last seen. */
  #aheadMs = 0;
  /** Refunds under way; bounded as the connection's commands are. */
  readonly #givingBack = new Set<Promise<unknown>>();
  #pruner: NodeJS.Timeout | undefined;
  #pruning: Promise<void> | undefined;

  constructor(options: RedisLimitsOptions) {
    this.#options = options;
    this.#journal = new Journal(options.home);
    this.#readTime = options.readTime ?? (() => undefined);
  }

  /** Settles with the first verdict on Redis, whichever it is. */
  async open(): Promise<void> {
    const first = { isLost: false };
    const { url, store, home, say, commandTimeoutMs } = this.#options;
    const link = await openLink({
      url,
      scripts: [TAKE, ABANDON, REFUND],
      commandTimeoutMs,
      onReady: () => {
        this.#watch.look();
        for (const plan of this.#abandoned.splice(0)) this.#abandon(plan);
      },
      onLost: (words) => {
        first.isLost = true;
        this.#watch.lose(words.replace(/\.$/, ""));
      },
    });
    this.#link = link;
    const watch = { link, store, journal: this.#journal, home, readTime: this.#readTime, say };
    this.#watch = new OriginWatch(watch);
    this.#pruner = setInterval(() => {
      this.#pruning ??= this.prune().finally(() => {
        this.#pruning = undefined;
      });
    }, JOURNAL_PRUNE_INTERVAL_MS);
    this.#pruner.unref();
    for (let waitedMs = 0; waitedMs < OPEN_WAIT_MS && !first.isLost && !this.#watch.current; waitedMs += OPEN_LOOK_MS) {
      await new Promise((resolve) => setTimeout(resolve, OPEN_LOOK_MS));
    }
  }

  findObstacle(): string | undefined {
    return this.#watch.obstacle;
  }

  async reserve(charges: readonly Charge[], parties: Parties, act: "take" | "peek"): Promise<Hold | undefined> {
    const remote = charges.filter(isRemote);
    if (remote.length === 0) return undefined;
    const { home, clock } = this.#options;
    const origin = this.#watch.current;
    if (!origin) throw unavailable(this.#watch.obstacle);
    const counted = remote.filter((charge) => !isImpossible(charge) && charge.amount !== 0n);
    const plan = planTake(this.#names, counted, parties, { home, origin, id: createId(clock.now()) });
    // What can't be admitted anyway takes nothing, and is still told what else is full.
    const found =
      counted.length === 0 ? NOTHING : await this.#ask(plan, counted.length < remote.length && remote.some(isImpossible) ? "peek" : act);
    return new RedisHold(
      { plan, ...found },
      (batch) => this.#isCurrent(batch, plan),
      () => this.#abandon(plan),
    );
  }

  async take(batch: Batch, charges: readonly Charge[], parties: Parties, nowMs: number, hold?: Hold): Promise<TakeAnswer> {
    const { stored } = this.#options;
    const own = charges.filter((charge) => !isRemote(charge));
    if (!(hold instanceof RedisHold)) {
      assert(own.length === charges.length, "counters in Redis were not asked");
      return await stored.take(batch, own, parties, nowMs);
    }
    const refusal = await this.#judge(batch, charges, parties, nowMs, hold);
    if (refusal) return refusal;
    const taken = await stored.take(batch, own, parties, nowMs);
    if (!taken.ok || hold.rows.length === 0) return taken;
    this.#journal.add(batch, hold.rows);
    const countsOf = new Map(hold.plan.asked.map((one) => [one.counter, one.charge.limit.counts] as const).reverse());
    const reservation: SplitReservation = {
      id: hold.plan.id,
      parts: taken.reservation?.parts ?? [],
      stored: taken.reservation,
      origin: hold.plan.origin,
      rows: hold.rows.map((row) => ({ row, counts: countsOf.get(row.counter) ?? "attempts" })),
    };
    return { ok: true, reservation };
  }

  async peek(source: Readable, charges: readonly Charge[], parties: Parties, nowMs: number, hold?: Hold): Promise<PeekAnswer> {
    const own = charges.filter((charge) => !isRemote(charge));
    if (!(hold instanceof RedisHold)) {
      assert(own.length === charges.length, "counters in Redis were not asked");
      return await this.#options.stored.peek(source, own, parties, nowMs);
    }
    return (await this.#judge(source, charges, parties, nowMs, hold)) ?? (await this.#options.stored.peek(source, own, parties, nowMs));
  }

  async settle(batch: Batch, reservation: Reservation, outcome: Outcome): Promise<boolean> {
    const { stored } = this.#options;
    if (!isSplit(reservation)) return await stored.settle(batch, reservation, outcome);
    let refunded = reservation.stored ? await stored.settle(batch, reservation.stored, outcome) : false;
    if (this.#settled.has(reservation)) return refunded;
    this.#settled.add(reservation);
    batch.afterRollback(() => this.#settled.delete(reservation));
    const owed: JournalRow[] = [];
    for (const { row, counts } of reservation.rows) {
      if (isRefunded(counts, outcome) && (await this.#journal.remove(batch, row.reservation, row.counter))) owed.push(row);
    }
    if (owed.length > 0) {
      refunded = true;
      batch.afterCommit(() => this.#giveBack(reservation, owed));
    }
    return refunded;
  }

  /** Lets go of what counts no more, by the earlier of both clocks. Never rejects: it is tried again. */
  async prune(): Promise<void> {
    try {
      while (await this.#options.store.write((batch) => this.#journal.prune(batch, batch.nowMs + Math.min(0, this.#aheadMs))));
    } catch {
      // The store says what is wrong to those who need it now.
    }
  }

  nameTaken(charges: readonly Charge[], parties: Parties): readonly string[] {
    return this.#options.stored.nameTaken(
      charges.filter((charge) => !isRemote(charge)),
      parties,
    );
  }

  nameSettled(reservation: Reservation): readonly string[] {
    const { stored } = this.#options;
    if (!isSplit(reservation)) return stored.nameSettled(reservation);
    return reservation.stored ? stored.nameSettled(reservation.stored) : [];
  }

  async close(): Promise<void> {
    clearInterval(this.#pruner);
    await this.#pruning;
    await Promise.all(this.#givingBack);
    await this.#watch.stop();
    this.#link.close();
  }

  /** The refusal of a call that Redis, or the charge itself, does not admit; what the store says of the rest is heard too. */
  async #judge(
    source: Readable,
    charges: readonly Charge[],
    parties: Parties,
    nowMs: number,
    hold: RedisHold,
  ): Promise<LimitRefusal | undefined> {
    const impossible = charges.find((charge) => isRemote(charge) && isImpossible(charge));
    if (!hold.full && !impossible) return undefined;
    const own = charges.filter((charge) => !isRemote(charge));
    const room = await this.#options.stored.peek(source, own, parties, nowMs);
    const waits = [hold.full?.waitMs ?? 0, ...(room.ok ? [] : [room.retryAfterMs]), ...(impossible ? [undefined] : [])];
    const full = new Set([hold.full?.charge, impossible, room.ok ? undefined : room.charge]);
    const charge = charges.find((one) => full.has(one)) as Charge;
    return { ok: false, charge, retryAfterMs: waits.includes(undefined) ? undefined : Math.max(...(waits as number[])) };
  }

  async #ask(plan: TakePlan, act: "take" | "peek"): Promise<Pick<RedisHold, "rows" | "full">> {
    const { clock } = this.#options;
    const givenMs = this.#readTime();
    let guessMs = givenMs ?? clock.now() + this.#aheadMs;
    const moved = new Map<number, number>();
    for (let asks = 0; asks < MAX_ASKS; asks++) {
      // The connection may be another one by now, to a server that nobody has looked at.
      if (this.#watch.current !== plan.origin) throw unavailable(this.#watch.obstacle);
      const args = writeTake(plan, act, this.#calendars, givenMs, (place) => moved.get(place) ?? guessMs);
      const answer = await this.#run(plan, args, act);
      switch (answer[0]) {
        case ANSWER.done:
          this.#seeTime(answer[1]);
          return { rows: act === "take" ? readTaken(plan, answer) : [], full: undefined };
        case ANSWER.full: {
          this.#seeTime(answer[1]);
          const { charge } = plan.asked[Number(answer[2])] as TakePlan["asked"][number];
          return { rows: [], full: { charge, waitMs: Number(answer[3]) } };
        }
        case ANSWER.moved:
          guessMs = Number(answer[2]);
          moved.set(Number(answer[1]), guessMs);
          break;
        case ANSWER.strange:
          this.#doubt(plan, "the counters in Redis are not the ones that count");
          throw unavailable(this.#watch.obstacle);
        default:
          throw unavailable("the call was given up before it was counted");
      }
    }
    throw unavailable("the calendar moves on too fast");
  }

  async #run(plan: TakePlan, args: readonly string[], act: "take" | "peek"): Promise<readonly unknown[]> {
    try {
      return (await this.#link.run(TAKE, plan.keys, args)) as readonly unknown[];
    } catch (error) {
      // Whether it was taken is not known, or a script ended half way: what is on its record is given back.
      if (act === "take" && !(error instanceof LinkError && error.fault === "unsent")) this.#abandon(plan);
      if (error instanceof LinkError && error.fault === "refused") this.#doubt(plan, error.message.replace(/\.$/, ""));
      throw unavailable(error instanceof LinkError ? error.message : undefined);
    }
  }

  #seeTime(serverMs: unknown): void {
    this.#aheadMs = Number(serverMs) - this.#options.clock.now();
  }

  async #isCurrent(batch: Batch, plan: TakePlan): Promise<boolean> {
    if ((await this.#journal.readOrigin(batch)) === plan.origin.id) return true;
    this.#doubt(plan, "the counters in Redis were made anew by another process");
    return false;
  }

  /** Nobody counts there until somebody has looked; where others have looked since, what they saw holds. */
  #doubt(plan: TakePlan, words: string): void {
    if (this.#watch.current === plan.origin) this.#watch.lose(words);
    this.#watch.look();
  }

  #abandon(plan: TakePlan): void {
    this.#link.run(ABANDON, plan.keys, [plan.origin.sentinel, String(RECORD_MS)]).catch(() => {
      if (this.#abandoned.length < MAX_ABANDONED) this.#abandoned.push(plan);
    });
  }

  /** Best effort: on record it is given back already, and a rebuilding sees it so. */
  #giveBack({ id, origin }: SplitReservation, rows: readonly JournalRow[]): void {
    const { keys, args } = planRefund(this.#options.home, origin, id, rows);
    const done = this.#link
      .run(REFUND, keys, args)
      .catch(() => undefined)
      .finally(() => this.#givingBack.delete(done));
    this.#givingBack.add(done);
  }
}

const NOTHING = { rows: [], full: undefined } as const;

function isRemote(charge: Charge): boolean {
  return charge.limit.durable !== true;
}

function isSplit(reservation: Reservation): reservation is SplitReservation {
  return "origin" in reservation;
}

function unavailable(words = "the counters of limits can't be asked"): FailureError {
  return new FailureError({ code: "limits_unavailable", message: `Limits can't be counted now: ${words.replace(/\.$/, "")}.` });
}

/** Opens the counters; where Redis can't be had now, they come when it can. */
export async function openRedisLimits(options: RedisLimitsOptions): Promise<OpenedLimits> {
  const limits = new RedisLimits(options);
  await limits.open();
  return limits;
}
