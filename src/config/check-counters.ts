/**
 * Policies that share counters have to count alike. A counter of scope `server` is shared by the policies of that server,
 * one of scope `identity` or `organisation` by all of them. Says of a later policy where it disagrees with earlier ones.
 */
import { checkCounterAgreement } from "../policy/agreement.ts";
import type { LimitSpec } from "../policy/decision.ts";

/** A policy's limits whose counters reach beyond it. */
export interface SharedCounters {
  readonly policy: string;
  readonly server: string;
  readonly limits: readonly LimitSpec[];
}

export interface CounterFault {
  /** Into the later policy's document: the counter's name, or the key that differs. */
  readonly pointer: string;
  readonly message: string;
}

export function listSharedCounters(policy: string, server: string, limits: readonly LimitSpec[]): SharedCounters {
  return { policy, server, limits: limits.filter((limit) => limit.domain === "shared") };
}

export function findCounterFaults(earlier: readonly SharedCounters[], later: SharedCounters): CounterFault[] {
  if (later.limits.length === 0) return [];
  return earlier.flatMap((other) => {
    const reach = (limit: LimitSpec): boolean => limit.scope !== "server" || other.server === later.server;
    return checkCounterAgreement(other.limits.filter(reach), later.limits.filter(reach)).flatMap(({ counter, firstRule, rule, keys }) => [
      { pointer: `${rule}/counter`, message: `The policy \`${other.policy}\` counts \`${counter}\` in another way, at ${firstRule}.` },
      ...keys.map((key) => ({
        pointer: `${rule}/${key}`,
        message: `\`${key}\` differs from ${firstRule} of the policy \`${other.policy}\`, which shares the counter \`${counter}\`.`,
      })),
    ]);
  });
}
