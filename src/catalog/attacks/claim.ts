/**
 * What a run of an attack's policy test shows, and the claim that follows from it. The names of the cases say what each is:
 * a call of the attack, an ordinary one that has to pass, or one that is known to get by. Pure: whoever runs the tests hands
 * the results over.
 */
import type { Attack, Stop } from "./attack.ts";

export const CASE_ROLES = { attack: "attack: ", normal: "normal: ", open: "not stopped: " } as const;
export type CaseRole = keyof typeof CASE_ROLES;

export interface RanCase {
  readonly name: string;
  readonly ok: boolean;
  /** What came of it: an object with its `decision`. */
  readonly actual: unknown;
}

export interface ClaimFigures {
  /** Calls of the attack that were denied, or held for a person. */
  readonly denied: number;
  readonly held: number;
  /** Calls that get by, as the attack says of itself. */
  readonly open: number;
  /** Ordinary calls that pass. */
  readonly normal: number;
  /** Cases that did not come out as they are told; a claim with one of them holds for nothing. */
  readonly wrong: readonly string[];
}

export function readRole(name: string): CaseRole | undefined {
  return (Object.keys(CASE_ROLES) as CaseRole[]).find((role) => name.startsWith(CASE_ROLES[role]));
}

export function weighCases(cases: readonly RanCase[]): ClaimFigures {
  const figures = { denied: 0, held: 0, open: 0, normal: 0 };
  const wrong: string[] = [];
  for (const { name, ok, actual } of cases) {
    const decision = (actual as { readonly decision?: unknown } | undefined)?.decision;
    const role = readRole(name);
    if (ok && role === "attack" && decision === "deny") figures.denied++;
    else if (ok && role === "attack" && decision === "approve") figures.held++;
    else if (ok && role === "open" && decision === "allow") figures.open++;
    else if (ok && role === "normal" && decision === "allow") figures.normal++;
    else wrong.push(name);
  }
  return { ...figures, wrong };
}

/**
 * The claim that the proofs bear: `undefined` where a policy's test does not hold, stops nothing or lets nothing ordinary
 * pass. `cases` are those of the attack's policy test, if it has one; its other proofs are tests that have their own runner.
 */
export function deriveClaim(attack: Pick<Attack, "proofs" | "not_stopped">, cases: readonly RanCase[] | undefined): Stop | undefined {
  const { proofs, not_stopped } = attack;
  const hasPolicy = proofs.some(({ by }) => by === "policy");
  if (hasPolicy !== (cases !== undefined)) return undefined;
  if (proofs.length === 0) return "no";
  const isOpen = not_stopped.length > 0;
  if (cases) {
    const { denied, held, open, normal, wrong } = weighCases(cases);
    if (wrong.length > 0 || denied + held === 0 || normal === 0) return undefined;
    if (open > 0 && !isOpen) return undefined;
  }
  return isOpen ? "partly" : "yes";
}
