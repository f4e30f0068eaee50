/**
 * Kleene's values for conditions: true, false, and the two kinds of *can't be judged*. OR takes the greatest of
 * false < missing < wrong type < true; AND the least of false < wrong type < missing < true.
 */

export const FALSE = 0;
export const MISSING = 1;
export const WRONG = 2;
export const TRUE = 3;
export type Truth = typeof FALSE | typeof MISSING | typeof WRONG | typeof TRUE;

export function joinAny(left: Truth, right: Truth): Truth {
  return left > right ? left : right;
}

export function joinEvery(left: Truth, right: Truth): Truth {
  if (left === FALSE || right === FALSE) return FALSE;
  if (left === WRONG || right === WRONG) return WRONG;
  return left === MISSING || right === MISSING ? MISSING : TRUE;
}

/** Turns true and false; what can't be judged stays so. */
export function turn(truth: Truth): Truth {
  return truth === TRUE ? FALSE : truth === FALSE ? TRUE : truth;
}

export function truthOf(holds: boolean): Truth {
  return holds ? TRUE : FALSE;
}

/** What the log says of a truth that could not be judged. */
export function causeOf(truth: Truth): "missing" | "wrong_type" | undefined {
  return truth === MISSING ? "missing" : truth === WRONG ? "wrong_type" : undefined;
}

export function describeTruth(truth: Truth): "true" | "false" | "missing" | "wrong_type" {
  return causeOf(truth) ?? (truth === TRUE ? "true" : "false");
}
