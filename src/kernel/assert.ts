/**
 * Assertions for bugs. A failed assertion means the program is wrong, never that its input is: whoever catches a
 * `Bug` ends that one exchange, closed, and says nothing of it to the other side.
 */

export class Bug extends Error {
  override readonly name = "Bug";
}

/** Throws a `Bug` unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Bug(message);
}

/** For the default branch of a switch over a closed union. */
export function assertNever(value: never, what: string): never {
  throw new Bug(`unexpected ${what}: ${String(value)}`);
}
