/** Figures of many samples as one: medians, spreads, and ratios taken pair by pair so that drift of the machine cancels. */

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear between neighbours; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  if (sorted.length === 0) return Number.NaN;
  const at = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(at)] as number, sorted[Math.ceil(at)] as number];
  return low + (high - low) * (at - Math.floor(at));
}

/** A figure with half the distance between its quartiles. */
export interface Spread {
  readonly value: number;
  readonly half: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return { value: median(values), half: (quantile(values, 0.75) - quantile(values, 0.25)) / 2 };
}

/** `combine` of the two systems' figures round by round. */
export function pairUp(left: readonly number[], right: readonly number[], combine: (left: number, right: number) => number): Spread {
  const rounds = Math.min(left.length, right.length);
  return spreadOf(Array.from({ length: rounds }, (_, round) => combine(left[round] as number, right[round] as number)));
}

export const divide = (left: number, right: number): number => left / right;
export const subtract = (left: number, right: number): number => left - right;

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

export function printSpread({ value, half }: Spread, digits: number): string {
  if (!Number.isFinite(value)) return "–";
  return `${value.toFixed(digits)} ±${half.toFixed(digits)}`;
}
