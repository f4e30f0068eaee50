/**
 * Names of counts. Each part is written with its length, so that no two lists of parts have the same text, whatever
 * stands in them. Every name begins with the organisation.
 */
import { assertNever } from "../kernel/assert.ts";
import { BoundedMap } from "../kernel/bounded-map.ts";
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

function spellCount(limit: LimitSpec, parties: Parties): string {
  const domain = limit.domain === "policy" ? part(parties.policy) : "shared";
  return `${part(parties.organisation)}${domain}/${limit.scope}/${scopeParts(limit, parties)}/${part(limit.key)}`;
}

interface Memo extends Parties {
  readonly name: string;
}

const MAX_MEMOS = 256;

/**
 * Spells the names of counts, and remembers the latest of each limit by grant: a name that is the same text object again
 * is found without reading it.
 */
export class CountNames {
  readonly #memos = new WeakMap<LimitSpec, BoundedMap<string, Memo>>();

  /** The count of a limit without its `per`: also the name of the set of its live values. */
  nameCount(limit: LimitSpec, parties: Parties): string {
    let memos = this.#memos.get(limit);
    if (!memos) {
      memos = new BoundedMap(MAX_MEMOS);
      this.#memos.set(limit, memos);
    }
    const memo = memos.get(parties.grant);
    if (memo && isSame(memo, parties)) return memo.name;
    const name = spellCount(limit, parties);
    memos.set(parties.grant, { ...parties, name });
    return name;
  }
}

function isSame(left: Parties, right: Parties): boolean {
  return (
    left.session === right.session &&
    left.policy === right.policy &&
    left.server === right.server &&
    left.identity === right.identity &&
    left.organisation === right.organisation
  );
}

/** The part of that count that belongs to one value of `per`. */
export function nameValue(count: string, per: string): string {
  return `${count}/${part(per)}`;
}

/** The set of a grant's sessions that hold a count. */
export function nameSessions(parties: Parties): string {
  return `${part(parties.organisation)}sessions/${part(parties.grant)}`;
}
