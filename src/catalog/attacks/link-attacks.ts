/**
 * Which attacks a tool or a server makes possible, and the other way round. A link goes by signals: a class alone never
 * makes one, for then every tool that writes would show every attack on writing. Pure.
 */
import type { Signal, SignalName } from "../signals.ts";
import type { Verdict } from "../verdict.ts";
import { ATTACK_SEVERITIES, type Attack, type ToolReach } from "./attack.ts";

export type LinkedVerdict = Pick<Verdict, "class" | "signals">;

export interface LinkedTool {
  readonly name: string;
  readonly verdict: LinkedVerdict;
}

export interface AttackLink {
  readonly attack: Attack;
  /** The tool's signals that the attack comes by, with the arguments that fired them. */
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
    return by.length > 0 ? [{ attack, by }] : [];
  });
  return links.toSorted(
    (a, b) => b.by.length - a.by.length || rankSeverity(b.attack) - rankSeverity(a.attack) || compareIds(a.attack, b.attack),
  );
}

/** The tools that show an attack by themselves, in their order. */
export function listTouchedTools<T extends LinkedTool>(attack: Attack, tools: readonly T[]): readonly T[] {
  return attack.touches.signals ? tools.filter(({ verdict }) => listShared(attack.touches, verdict).length > 0) : [];
}

/** What the tools of one server, or of all servers of one grant, make possible alone or together. */
export function linkTools(tools: readonly LinkedTool[], attacks: readonly Attack[]): readonly ServerLink[] {
  const links = attacks.flatMap((attack): ServerLink[] => {
    const together = attack.touches.legs?.map((leg) => tools.filter(({ verdict }) => meets(leg, verdict)).map(({ name }) => name));
    if (together?.every((names) => names.length > 0)) return [{ attack, tools: together }];
    const alone = listTouchedTools(attack, tools).map(({ name }) => name);
    return alone.length > 0 ? [{ attack, tools: [alone] }] : [];
  });
  return links.toSorted((a, b) => rankSeverity(b.attack) - rankSeverity(a.attack) || compareIds(a.attack, b.attack));
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
