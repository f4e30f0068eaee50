/**
 * What a write of the data path asks of others that share the database: that nobody else appends to the same log or touches
 * the same counts while it does. Everything else that goes on in the store goes on beside it, but for changes that
 * administrators make. Where nobody shares the database there is nothing to ask.
 */
import type { Reservation } from "../limit/limits.ts";
import type { Permission } from "../policy/decision.ts";
import type { WriteTerms } from "../store/store.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import { partiesOf } from "./parties.ts";

/** Every entry is chained to the one before, whoever wrote it. */
const RECORD_LOCKS: readonly string[] = ["audit"];
const RECORD: WriteTerms = { shared: true, locks: RECORD_LOCKS };

/** For what is put on record and nothing else. */
export function termsOfRecord(): WriteTerms {
  return RECORD;
}

export function termsOfSpending(desk: Desk, exchange: Exchange, permission: Permission): WriteTerms {
  if (desk.store.isShared !== true || permission.charges.length === 0) return RECORD;
  return { shared: true, locks: [...RECORD_LOCKS, ...desk.limits.nameTaken(permission.charges, partiesOf(desk, exchange))] };
}

export function termsOfSettling(desk: Desk, reservation: Reservation | undefined): WriteTerms {
  if (desk.store.isShared !== true || reservation === undefined) return RECORD;
  return { shared: true, locks: [...RECORD_LOCKS, ...desk.limits.nameSettled(reservation)] };
}
