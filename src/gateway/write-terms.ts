/**
 * What a write of the data path asks of others that share the database: that nobody else touches the
 * same counts while it does. Each process writes a chain of the log of its own, so that entries need no lock. Everything else that goes on in the store goes on beside it, but for changes that
 * administrators make. Where nobody shares the database there is nothing to ask.
 */
import type { Reservation } from "../limit/limits.ts";
import type { Permission } from "../policy/decision.ts";
import type { WriteTerms } from "../store/store.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import { partiesOf } from "./parties.ts";

const RECORD: WriteTerms = { shared: true, locks: [] };

/** For what is put on record and nothing else. */
export function termsOfRecord(): WriteTerms {
  return RECORD;
}

export function termsOfSpending(desk: Desk, exchange: Exchange, permission: Permission): WriteTerms {
  if (desk.store.isShared !== true || permission.charges.length === 0) return RECORD;
  return { shared: true, locks: desk.limits.nameTaken(permission.charges, partiesOf(desk, exchange)) };
}

export function termsOfSettling(desk: Desk, reservation: Reservation | undefined): WriteTerms {
  if (desk.store.isShared !== true || reservation === undefined) return RECORD;
  return { shared: true, locks: desk.limits.nameSettled(reservation) };
}
