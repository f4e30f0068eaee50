/**
 * Which attacks a tool or a server makes possible, and the other way round. A link goes by signals: a class alone makes none,
 * for then every tool that writes would show every attack on writing, but for what removes, which is all that its class
 * says. Pure.
 */
import type { Signal, SignalName } from "../signals.ts";
import type { Verdict } from "../verdict.ts";
import { ATTACK_SEVERITIES, type Attack, MAX_LEGS, type ToolReach } from "./attack.ts";

export type LinkedVerdict = Pick<Verdict, "class" | "signals">;

export interface LinkedTool {
  readonly name: string;
  readonly verdict: LinkedVerdict;
}

export interface AttackLink {
  readonly attack: Attack;
  /** The tool's signals that the attack comes by, with the arguments that fired them; none where it is that it removes. */
  readonly by: readonly Signal[];
}

export interface ServerLink {
  readonly attack: Attack;
  /** Of each leg the tools that meet it; of an attack that single tools make possible, one list of those. */
  readonly tools: readonly (readonly string[])[];
}

/** The attacks of one tool: the most shared signals first, then the most severe. */
export function linkTool(verdict: LinkedVerdict, attacks: readonly Attack[]): readonly AttackLink[] {
  const links = attacks.flatMap((attack): AttackLink[] => {
    const by = attack.touches.signals ? listShared(attack.touches, verdict) : [];
    return isTouched(attack, verdict) ? [{ attack, by }] : [];
  });
  return links.toSorted(
    (a, b) => b.by.length - a.by.length || rankSeverity(b.attack) - rankSeverity(a.attack) || compareIds(a.attack, b.attack),
  );
}

/** The tools that show an attack by themselves, in their order. */
export function listTouchedTools<T extends LinkedTool>(attack: Attack, tools: readonly T[]): readonly T[] {
  return tools.filter(({ verdict }) => isTouched(attack, verdict));
}

function isTouched({ touches }: Attack, verdict: LinkedVerdict): boolean {
  if (touches.removes && verdict.class === "destructive") return true;
  return touches.signals !== undefined && listShared(touches, verdict).length > 0;
}

/** What the tools of one server, or of all servers of one grant, make possible alone or together. */
export function linkTools(tools: readonly LinkedTool[], attacks: readonly Attack[]): readonly ServerLink[] {
  const links = attacks.flatMap((attack): ServerLink[] => {
    const together = attack.touches.legs?.map((leg) => tools.filter(({ verdict }) => meets(leg, verdict)).map(({ name }) => name));
    if (together && canBeDifferent(together)) return [{ attack, tools: together }];
    const alone = listTouchedTools(attack, tools).map(({ name }) => name);
    return alone.length > 0 ? [{ attack, tools: [alone] }] : [];
  });
  return links.toSorted((a, b) => rankSeverity(b.attack) - rankSeverity(a.attack) || compareIds(a.attack, b.attack));
}

/**
 * Whether each leg can have a tool of its own. Of many candidates as many as there are legs are enough: a leg that has those
 * finds one whatever the others took.
 */
function canBeDifferent(legs: readonly (readonly string[])[], taken: readonly string[] = []): boolean {
  const [first, ...rest] = legs;
  if (first === undefined) return true;
  const enough = first.slice(0, MAX_LEGS);
  return enough.some((name) => !taken.includes(name) && canBeDifferent(rest, [...taken, name]));
}

function meets(reach: ToolReach, verdict: LinkedVerdict): boolean {
  if (reach.classes && !reach.classes.includes(verdict.class)) return false;
  return reach.signals === undefined || listShared(reach, verdict).length > 0;
}

function listShared({ classes, signals }: ToolReach, verdict: LinkedVerdict): readonly Signal[] {
  if (classes && !classes.includes(verdict.class)) return [];
  const wanted: readonly SignalName[] = signals ?? [];
  return verdict.signals.filter(({ name }) => wanted.includes(name));
}

export function rankSeverity({ severity }: Attack): number {
  return ATTACK_SEVERITIES.indexOf(severity);
}

const compareIds = (a: Attack, b: Attack): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
