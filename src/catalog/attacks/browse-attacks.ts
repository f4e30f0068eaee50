/** Attacks by kind, severity, entry of a public list, class of tool, signal and claim; the most severe first. Pure. */
import type { ToolClass } from "../../policy/decision.ts";
import type { SignalName } from "../signals.ts";
import type { Attack, AttackKind, AttackSeverity, OwaspEntry, Stop, ToolReach } from "./attack.ts";
import { rankSeverity } from "./link-attacks.ts";

export interface AttackFilter {
  readonly kind?: AttackKind | undefined;
  readonly severity?: AttackSeverity | undefined;
  readonly owasp?: OwaspEntry | undefined;
  readonly class?: ToolClass | undefined;
  readonly signal?: SignalName | undefined;
  readonly stopped?: Stop | undefined;
}

export function browseAttacks(attacks: readonly Attack[], filter: AttackFilter = {}): readonly Attack[] {
  const { kind, severity, owasp, class: toolClass, signal, stopped } = filter;
  const found = attacks.filter(
    (attack) =>
      (kind === undefined || attack.kind === kind) &&
      (severity === undefined || attack.severity === severity) &&
      (owasp === undefined || attack.owasp.includes(owasp)) &&
      (toolClass === undefined || listReaches(attack).some(({ classes }) => classes?.includes(toolClass) ?? true)) &&
      (signal === undefined || listReaches(attack).some(({ signals }) => signals?.includes(signal) ?? false)) &&
      (stopped === undefined || attack.stopped === stopped),
  );
  return found.toSorted((a, b) => rankSeverity(b) - rankSeverity(a) || (a.id < b.id ? -1 : 1));
}

/** Each of them asks for some tool; an attack that comes by no tool's power has none, and is no class's. */
function listReaches({ touches }: Attack): readonly ToolReach[] {
  const { signals, legs = [] } = touches;
  return signals ? [touches, ...legs] : legs;
}
