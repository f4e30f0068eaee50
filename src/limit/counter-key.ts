/**
 * Names of counts. Each part is written with its length, so that no two lists of parts have the same text, whatever
 * stands in them. Every name begins with the organisation.
 */
import { assertNever } from "../kernel/assert.ts";
import type { LimitSpec } from "../policy/decision.ts";
import type { Parties } from "./limits.ts";

function part(text: string): string {
  return `${text.length}:${text}`;
}

function scopeParts(limit: LimitSpec, parties: Parties): string {
  switch (limit.scope) {
    case "grant":
      return part(parties.grant);
    case "session":
      return parties.session === undefined ? part(parties.grant) : part(parties.grant) + part(parties.session);
    case "identity":
      return parties.identity === undefined ? `grant${part(parties.grant)}` : part(parties.identity);
    case "server":
      return part(parties.server);
    case "organisation":
      return "";
    default:
      return assertNever(limit.scope, "scope");
  }
}

/** The count of a limit without its `per`: also the name of the set of its live values. */
export function nameCount(limit: LimitSpec, parties: Parties): string {
  const domain = limit.domain === "policy" ? part(parties.policy) : "shared";
  return `${part(parties.organisation)}${domain}/${limit.scope}/${scopeParts(limit, parties)}/${part(limit.key)}`;
}

/** The part of that count that belongs to one value of `per`. */
export function nameValue(count: string, per: string): string {
  return `${count}/${part(per)}`;
}

/** The set of a grant's sessions that hold a count. */
export function nameSessions(parties: Parties): string {
  return `${part(parties.organisation)}sessions/${part(parties.grant)}`;
}
