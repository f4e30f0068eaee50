/**
 * The one algorithm of all limits, over whatever keeps the counts: find the counts of a call, see whether every one of
 * them takes it, and then take all at once. Everything between the seeing and the taking runs without a pause, so two
 * calls never see the same free place.
 */
import type { Clock } from "../kernel/clock.ts";
import { createId } from "../kernel/id.ts";
import type { Charge, LimitSpec } from "../policy/decision.ts";
import type { Calendars } from "./calendar.ts";
import { Counter } from "./counter.ts";
import { CountNames, nameSessions, nameValue } from "./counter-key.ts";
import {
  type LimitRefusal,
  MAX_LIVE_SESSIONS,
  MAX_LIVE_VALUES,
  type Outcome,
  type Parties,
  type PeekAnswer,
  type Reservation,
  type ReservedPart,
  type TakeAnswer,
} from "./limits.ts";
import { createWindow, SlidingWindow, type Window } from "./window.ts";

/**
 * How many members a family has at most, and when the first of them goes. Members that count no more may be among them:
 * whoever finds the family full counts anew.
 */
export interface Family {
  count: number;
  firstExpiryMs: number;
}

/** Where the counts are kept. */
export interface Shelf {
  /** Fills a counter that is not in memory; false where nothing is kept of it. */
  load(counter: Counter): Promise<boolean>;
  countFamily(family: string): Promise<Family>;
  /** Lets go of the members that count no more, and counts the rest. */
  pruneFamily(family: string, nowMs: number): Promise<Family>;
  /** Marks a reservation as given back; false where it is already. */
  markRefund(reservation: string, expiresMs: number): Promise<boolean>;
}

/** A count that a call is charged to. */
interface Ask {
  readonly charge: Charge;
  counter: Counter;
  /** The session that the count belongs to, where their number is bounded. */
  session: Counter | undefined;
}

/** One that was taken here knows by itself whether it was settled: a set of them all would cost more than the settling. */
class OwnReservation implements Reservation {
  readonly id: string;
  readonly parts: readonly ReservedPart[];
  #isSettled = false;

  constructor(id: string, parts: readonly ReservedPart[]) {
    this.id = id;
    this.parts = parts;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  set isSettled(is: boolean) {
    this.#isSettled = is;
  }
}

/** Presences have no buckets; their window is never asked. */
const NO_WINDOW: Window = new SlidingWindow(1);

export class Ledger {
  readonly counters: Map<string, Counter> = new Map();
  readonly families: Map<string, Family> = new Map();
  /** Changed since they were stored. */
  readonly dirty: Set<Counter> = new Set();
  readonly #clock: Clock | undefined;
  readonly #calendars: Calendars;
  readonly #names = new CountNames();
  readonly #windows = new WeakMap<LimitSpec, Window>();
  /** Of those that came back from elsewhere. */
  readonly #settled = new WeakSet<Reservation>();

  constructor(clock: Clock | undefined, calendars: Calendars) {
    this.#clock = clock;
    this.#calendars = calendars;
  }

  /** Forgets what is kept elsewhere. */
  forget(): void {
    this.counters.clear();
    this.families.clear();
    this.dirty.clear();
  }

  /** Forgets the counts that count nothing any more, of one family or of all; gives the number of those left in it. */
  forgetExpired(nowMs: number, family: string | undefined): Family {
    const left: Family = { count: 0, firstExpiryMs: Number.MAX_SAFE_INTEGER };
    for (const [key, counter] of this.counters) {
      if (family !== undefined && counter.family !== family) continue;
      if (counter.expiresMs <= nowMs && !this.dirty.has(counter)) {
        counter.kept = false;
        this.counters.delete(key);
        continue;
      }
      left.count++;
      left.firstExpiryMs = Math.min(left.firstExpiryMs, counter.expiresMs);
    }
    return left;
  }

  async peek(shelf: Shelf, charges: readonly Charge[], parties: Parties, nowMs: number): Promise<PeekAnswer> {
    const asks = this.#refresh(await this.#gather(shelf, charges, parties, nowMs));
    return this.#judge(charges, asks, nowMs) ?? { ok: true };
  }

  async take(shelf: Shelf, charges: readonly Charge[], parties: Parties, nowMs: number): Promise<TakeAnswer> {
    return this.#takeAll(charges, this.#refresh(await this.#gather(shelf, charges, parties, nowMs)), nowMs);
  }

  /** As `take`, where every count is in memory; undefined: one is not, and nothing was taken. */
  takeNow(charges: readonly Charge[], parties: Parties, nowMs: number): TakeAnswer | undefined {
    const asks = this.#gatherKept(charges, parties);
    return asks && this.#takeAll(charges, asks, nowMs);
  }

  #takeAll(charges: readonly Charge[], asks: readonly Ask[], nowMs: number): TakeAnswer {
    const refusal = this.#judge(charges, asks, nowMs);
    if (refusal) return refusal;
    const parts: ReservedPart[] = [];
    for (const { counter, charge, session } of asks) {
      // Under two limits with one count a call is charged once.
      if (holdsCount(parts, counter.key)) continue;
      const { amount, limit } = charge;
      const { expiresMs } = counter;
      const index = counter.charge(counter.seenMs, amount);
      this.#keep(counter, expiresMs);
      if (session && session.expiresMs < counter.expiresMs) {
        const before = session.expiresMs;
        session.expiresMs = counter.expiresMs;
        this.#keep(session, before);
      }
      parts.push({ limit, key: counter.key, family: counter.family, index, amount });
    }
    return { ok: true, reservation: parts.length === 0 ? undefined : new OwnReservation(createId(nowMs), parts) };
  }

  async settle(shelf: Shelf, reservation: Reservation, outcome: Outcome, onUndo: (undo: () => void) => void): Promise<boolean> {
    if (this.#isSettled(reservation)) return false;
    this.#markSettled(reservation, onUndo);
    const parts = reservation.parts.filter((part) => isRefunded(part.limit.counts, outcome));
    if (parts.length === 0) return false;
    const owed: { counter: Counter; part: ReservedPart }[] = [];
    for (const part of parts) {
      const counter = await this.#find(shelf, part.key, part.limit, part.family);
      if (counter.kept) owed.push({ counter, part });
    }
    const expiresMs = owed.reduce((latest, { counter }) => Math.max(latest, counter.expiresMs), 0);
    if (expiresMs === 0 || !(await shelf.markRefund(reservation.id, expiresMs))) return false;
    let refunded = false;
    for (const { counter, part } of owed) {
      const before = counter.expiresMs;
      if (!counter.refund(part.index, part.amount)) continue;
      this.#keep(counter, before);
      refunded = true;
    }
    return refunded;
  }

  /** As `settle`, where nothing is to be given back; undefined: something is, and nothing was settled. */
  settleNow(reservation: Reservation, outcome: Outcome, onUndo: (undo: () => void) => void): boolean | undefined {
    if (this.#isSettled(reservation)) return false;
    for (const part of reservation.parts) if (isRefunded(part.limit.counts, outcome)) return undefined;
    this.#markSettled(reservation, onUndo);
    return false;
  }

  #isSettled(reservation: Reservation): boolean {
    return reservation instanceof OwnReservation ? reservation.isSettled : this.#settled.has(reservation);
  }

  #markSettled(reservation: Reservation, onUndo: (undo: () => void) => void): void {
    if (reservation instanceof OwnReservation) {
      reservation.isSettled = true;
      onUndo(() => {
        reservation.isSettled = false;
      });
      return;
    }
    this.#settled.add(reservation);
    onUndo(() => this.#settled.delete(reservation));
  }

  /** Names of all that `take` of these charges may read or change: the counts, and the sets that bound their number. */
  nameTaken(charges: readonly Charge[], parties: Parties): string[] {
    const names: string[] = [];
    for (const charge of charges) {
      const { limit, amount, per } = charge;
      if (isImpossible(charge) || amount === 0n) continue;
      const count = this.#names.nameCount(limit, parties);
      names.push(count);
      if (per !== undefined) names.push(nameValue(count, per));
      if (limit.scope !== "session" || parties.session === undefined) continue;
      const family = nameSessions(parties);
      names.push(family, nameValue(family, parties.session));
    }
    return names;
  }

  /** Everything that a judgement needs, in memory. */
  async #gather(shelf: Shelf, charges: readonly Charge[], parties: Parties, nowMs: number): Promise<Ask[]> {
    const asks: Ask[] = [];
    for (const charge of charges) {
      const { limit, amount } = charge;
      if (isImpossible(charge) || amount === 0n) continue;
      const count = this.#names.nameCount(limit, parties);
      const key = charge.per === undefined ? count : nameValue(count, charge.per);
      const earlier = asks.find((ask) => ask.counter.key === key)?.counter;
      const counter =
        earlier ?? this.counters.get(key) ?? (await this.#find(shelf, key, limit, charge.per === undefined ? undefined : count));
      if (!counter.kept) await this.#countFamily(shelf, counter, nowMs);
      let session: Counter | undefined;
      if (limit.scope === "session" && parties.session !== undefined) {
        const family = nameSessions(parties);
        const name = nameValue(family, parties.session);
        session =
          asks.find((ask) => ask.session)?.session ??
          this.counters.get(name) ??
          (await this.#load(shelf, new Counter(name, NO_WINDOW, family, MAX_LIVE_SESSIONS)));
        if (!session.kept) await this.#countFamily(shelf, session, nowMs);
      }
      asks.push({ charge, counter, session });
    }
    return asks;
  }

  /** The same without looking anything up; undefined where a count is not in memory. */
  #gatherKept(charges: readonly Charge[], parties: Parties): Ask[] | undefined {
    const asks: Ask[] = [];
    for (const charge of charges) {
      const { limit, amount, per } = charge;
      if (isImpossible(charge) || amount === 0n) continue;
      const count = this.#names.nameCount(limit, parties);
      const counter = this.counters.get(per === undefined ? count : nameValue(count, per));
      if (!counter?.kept) return undefined;
      let session: Counter | undefined;
      if (limit.scope === "session" && parties.session !== undefined) {
        session = this.counters.get(nameValue(nameSessions(parties), parties.session));
        if (!session?.kept) return undefined;
      }
      asks.push({ charge, counter, session });
    }
    return asks;
  }

  /** Another call may have brought a count into memory while this one was still looking. */
  #refresh(asks: Ask[]): readonly Ask[] {
    for (const ask of asks) {
      ask.counter = this.counters.get(ask.counter.key) ?? ask.counter;
      if (ask.session) ask.session = this.counters.get(ask.session.key) ?? ask.session;
    }
    return asks;
  }

  async #find(shelf: Shelf, key: string, limit: LimitSpec, family: string | undefined): Promise<Counter> {
    const known = this.counters.get(key);
    if (known) return known;
    let window = this.#windows.get(limit);
    if (!window) {
      window = createWindow(limit, this.#calendars);
      this.#windows.set(limit, window);
    }
    return this.#load(shelf, new Counter(key, window, family, MAX_LIVE_VALUES));
  }

  async #load(shelf: Shelf, counter: Counter): Promise<Counter> {
    const found = await shelf.load(counter);
    const meanwhile = this.counters.get(counter.key);
    if (meanwhile) return meanwhile;
    if (found) {
      counter.kept = true;
      this.counters.set(counter.key, counter);
      this.#clock?.raise(counter.seenMs);
    }
    return counter;
  }

  async #countFamily(shelf: Shelf, counter: Counter, nowMs: number): Promise<void> {
    const name = counter.family;
    if (name === undefined) return;
    let family = this.families.get(name);
    if (!family) {
      family = await shelf.countFamily(name);
      if (!this.families.has(name)) this.families.set(name, family);
    }
    if (family.count < counter.bound || family.firstExpiryMs > nowMs) return;
    this.families.set(name, await shelf.pruneFamily(name, nowMs));
  }

  /** The refusal of a call, if one of its limits has no place for it. */
  #judge(charges: readonly Charge[], asks: readonly Ask[], nowMs: number): LimitRefusal | undefined {
    let first: Charge | undefined;
    let longest: number | undefined = 0;
    const seeFull = (charge: Charge, waitMs: number | undefined) => {
      first ??= charge;
      longest = waitMs === undefined || longest === undefined ? undefined : Math.max(longest, waitMs);
    };
    let next = 0;
    for (const charge of charges) {
      if (isImpossible(charge)) {
        seeFull(charge, undefined);
        continue;
      }
      const ask = asks[next];
      if (ask?.charge !== charge) continue;
      next++;
      const { counter, session } = ask;
      const { amount } = charge;
      const atMs = counter.advance(nowMs);
      const { max } = charge.limit;
      if (counter.total + amount > max) seeFull(charge, counter.fitTime(amount, max) - atMs);
      if (this.#isFamilyFull(counter)) seeFull(charge, this.#waitForFamily(counter, atMs));
      if (session && this.#isFamilyFull(session)) seeFull(charge, this.#waitForFamily(session, atMs));
    }
    return first && { ok: false, charge: first, retryAfterMs: longest };
  }

  /** Whether a new member finds no place among those that are bounded with it. */
  #isFamilyFull(member: Counter): boolean {
    if (member.kept || member.family === undefined) return false;
    const family = this.families.get(member.family);
    return family !== undefined && family.count >= member.bound;
  }

  #waitForFamily(member: Counter, atMs: number): number {
    const family = member.family === undefined ? undefined : this.families.get(member.family);
    return Math.max(1, (family?.firstExpiryMs ?? 0) - atMs);
  }

  /** Remembers a change; `beforeMs` is when the count would have expired without it. */
  #keep(counter: Counter, beforeMs: number): void {
    this.dirty.add(counter);
    const family = counter.family === undefined ? undefined : this.families.get(counter.family);
    if (!counter.kept) {
      counter.kept = true;
      this.counters.set(counter.key, counter);
      if (!family) return;
      family.count++;
      family.firstExpiryMs = Math.min(family.firstExpiryMs, counter.expiresMs);
    } else if (family && counter.expiresMs !== beforeMs && beforeMs <= family.firstExpiryMs) {
      // Whoever was the first to go may not be so any more: the next one who needs to know counts anew.
      family.firstExpiryMs = 0;
    }
  }
}

/** Names of all that `settle` of a reservation may read or change. */
export function nameSettled({ parts }: Reservation): string[] {
  return parts.flatMap(({ key, family }) => (family === undefined ? [key] : [key, family]));
}

function holdsCount(parts: readonly ReservedPart[], key: string): boolean {
  for (const part of parts) if (part.key === key) return true;
  return false;
}

/** Whether no amount of waiting admits this charge. */
export function isImpossible(charge: Charge): boolean {
  return charge.refused !== undefined || charge.amount < 0n || charge.amount > charge.limit.max;
}

export function isRefunded(counts: LimitSpec["counts"], outcome: Outcome): boolean {
  switch (outcome) {
    case "not_sent":
      return true;
    case "tool_error":
    case "rpc_error":
      return counts === "successes";
    default:
      return false;
  }
}
