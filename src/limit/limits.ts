/**
 * The limits as the rest of the house asks them. A call takes all its limits or none; what was taken is a reservation,
 * which is settled once, by the call's outcome, into the very window it was taken from.
 */
import type { Charge, LimitSpec } from "../policy/decision.ts";
import type { Readable } from "../store/read-rows.ts";
import type { Batch } from "../store/store.ts";

/** Live values of `per` for one limit and one scope. */
export const MAX_LIVE_VALUES = 10_000;
/** Sessions of one grant that hold a count at the same time. */
export const MAX_LIVE_SESSIONS = 10_000;

/** Whom a call counts for, by id. */
export interface Parties {
  readonly organisation: string;
  readonly server: string;
  readonly policy: string;
  readonly grant: string;
  /** Of the protocol; undefined: the grant is the session. */
  readonly session: string | undefined;
  /** Undefined: the grant stands for itself. */
  readonly identity: string | undefined;
}

export type Outcome = "ok" | "tool_error" | "rpc_error" | "not_sent" | "unknown";

/** What one call holds of one count. */
export interface ReservedPart {
  readonly limit: LimitSpec;
  readonly key: string;
  /** The set of live values that it belongs to. */
  readonly family: string | undefined;
  /** The bucket it was taken from. */
  readonly index: number;
  readonly amount: bigint;
}

export interface Reservation {
  readonly id: string;
  readonly parts: readonly ReservedPart[];
}

export interface LimitRefusal {
  readonly ok: false;
  /** The first of the call's charges that does not fit. */
  readonly charge: Charge;
  /** The longest wait of all that do not fit; undefined where waiting does not help. */
  readonly retryAfterMs: number | undefined;
}

export type TakeAnswer = { readonly ok: true; readonly reservation: Reservation | undefined } | LimitRefusal;
export type PeekAnswer = { readonly ok: true } | LimitRefusal;

/** What counters outside of the store have said to one call, before its group. */
export interface Hold {
  /** Whether what was taken still counts, for the whole of that group; false: ask anew. */
  holds(batch: Batch): Promise<boolean>;
  /** The call does not go out: gives back what was taken, as well as it can be done, and waits for nothing. */
  release(): void;
}

export interface Limits {
  /**
   * Asks the counters that live outside of the store; absent where none do. What comes back is handed to `take` or `peek`
   * of the same call, or released; undefined: none of these charges is counted there. Rejects with a `FailureError` of code
   * `limits_unavailable`.
   */
  reserve?(charges: readonly Charge[], parties: Parties, act: "take" | "peek"): Promise<Hold | undefined>;
  /** Why calls with limits can't be counted now; absent where the store alone counts. */
  findObstacle?(): string | undefined;
  /** Takes all or none. `reservation` is undefined where nothing was to be taken. */
  take(batch: Batch, charges: readonly Charge[], parties: Parties, nowMs: number, hold?: Hold): Promise<TakeAnswer>;
  /** As `take`, without waiting; undefined: something has to be looked up first, and nothing was taken. */
  takeNow?(batch: Batch, charges: readonly Charge[], parties: Parties, nowMs: number): TakeAnswer | undefined;
  /** Answers as `take` would, and takes nothing. Outside of a group it reads what is committed. */
  peek(source: Readable, charges: readonly Charge[], parties: Parties, nowMs: number, hold?: Hold): Promise<PeekAnswer>;
  /** Gives back what the outcome says, once; true where something was given back. */
  settle(batch: Batch, reservation: Reservation, outcome: Outcome): Promise<boolean>;
  /** As `settle`, without waiting; undefined: something has to be looked up first, and nothing was settled. */
  settleNow?(batch: Batch, reservation: Reservation, outcome: Outcome): boolean | undefined;
  /** The locks that a shared group needs to `take` or `peek`; none where the counts are not the store's. */
  nameTaken(charges: readonly Charge[], parties: Parties): readonly string[];
  /** The locks that a shared group needs to `settle`. */
  nameSettled(reservation: Reservation): readonly string[];
}

/** Limits that live in memory alone, for policy test files. */
export interface MemoryLimits {
  take(charges: readonly Charge[], parties: Parties, nowMs: number): Promise<TakeAnswer>;
  peek(charges: readonly Charge[], parties: Parties, nowMs: number): Promise<PeekAnswer>;
  settle(reservation: Reservation, outcome: Outcome): Promise<boolean>;
}
