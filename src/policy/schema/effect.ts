/**
 * What a change of a schema, or of a whole definition, does to what is accepted. Pure words and their order: where several
 * changes meet, the worst wins.
 */
import type { Json } from "../../kernel/json.ts";

/**
 * From harmless to worst. `rewords`: texts alone, the same values fit. `narrows`: whatever fits now fitted before.
 * `widens`: more fits, or more may happen. `breaks`: some that fitted does not any more, and some that did not does.
 * `unclear`: it can't be said.
 */
export const EFFECTS = ["rewords", "narrows", "widens", "breaks", "unclear"] as const;
export type Effect = (typeof EFFECTS)[number];

export interface Change {
  /** JSON Pointer of what changed. */
  readonly pointer: string;
  /** Undefined: it was not there. */
  readonly before: Json | undefined;
  /** Undefined: it is gone. */
  readonly after: Json | undefined;
  readonly effect: Effect;
  /** Why, where it is not plain to see. */
  readonly note?: string | undefined;
}

export function worseOf(left: Effect, right: Effect): Effect {
  return EFFECTS.indexOf(left) >= EFFECTS.indexOf(right) ? left : right;
}

/** Of no change at all: undefined. */
export function worstOf(changes: readonly Pick<Change, "effect">[]): Effect | undefined {
  return changes.reduce<Effect | undefined>((worst, { effect }) => (worst === undefined ? effect : worseOf(worst, effect)), undefined);
}

/** How what is said of an inner schema is said of the whole: as it is, turned round (below `not`), or not at all. */
export type Turn = "same" | "flipped" | "lost";

export function turnEffect(effect: Effect, turn: Turn): Effect {
  if (turn === "same" || effect === "rewords") return effect;
  if (turn === "lost") return "unclear";
  return effect === "narrows" ? "widens" : effect === "widens" ? "narrows" : effect;
}
