/** What a run through the gateway has to be held against: the same scenarios without it, and what is known not to pass. */
import type { Check, ScenarioResult } from "./suite.ts";

export interface Standing {
  readonly scenario: string;
  readonly passed: number;
  readonly failed: number;
  readonly warned: number;
  /** At least one check was made, and none failed. */
  readonly isGood: boolean;
}

export function rate({ scenario, checks }: ScenarioResult): Standing {
  const count = (status: Check["status"]): number => checks.filter((check) => check.status === status).length;
  const [passed, failed, warned] = [count("SUCCESS"), count("FAILURE"), count("WARNING")];
  return { scenario, passed, failed, warned, isGood: passed > 0 && failed === 0 };
}

/** Checks that went well without the gateway and not through it, each as `scenario:check-id`. */
export function findLosses(without: readonly ScenarioResult[], through: readonly ScenarioResult[]): string[] {
  const seen = new Map(through.map((result) => [result.scenario, result.checks]));
  return without.flatMap(({ scenario, checks }) => {
    const others = seen.get(scenario) ?? [];
    const ids = [...new Set(checks.map(({ id }) => id))];
    const isWell = (among: readonly Check[], id: string): boolean => {
      const same = among.filter((check) => check.id === id);
      return same.some(({ status }) => status === "SUCCESS") && same.every(({ status }) => status !== "FAILURE" && status !== "WARNING");
    };
    return ids.filter((id) => isWell(checks, id) && !isWell(others, id)).map((id) => `${scenario}:${id}`);
  });
}

/** Why a check is not what it was, in the suite's words. */
export function explainLoss(loss: string, through: readonly ScenarioResult[]): string {
  const at = loss.indexOf(":");
  const checks = through.find(({ scenario }) => scenario === loss.slice(0, at))?.checks ?? [];
  const bad = checks.find(({ id, status }) => id === loss.slice(at + 1) && (status === "FAILURE" || status === "WARNING"));
  const first = bad ?? checks.find(({ status }) => status === "FAILURE");
  return `${loss}: ${first ? `${first.status}: ${first.errorMessage ?? first.name}` : "was not made"}`;
}
