/** What may be a parameter of a statement. Drivers would bind an object, a boolean or NaN as something else without a word. */
import { assert } from "../kernel/assert.ts";
import type { SqlValue } from "./store.ts";

export function assertBindable(values: readonly unknown[]): asserts values is readonly SqlValue[] {
  for (const value of values) {
    switch (typeof value) {
      case "string":
        assert(value.isWellFormed(), "a text with half a character is no parameter");
        break;
      case "number":
        assert(Number.isFinite(value), "a number that is not finite is no parameter");
        break;
      case "bigint":
        break;
      default:
        assert(value === null || value instanceof Uint8Array, "a parameter is null, a number, a text or bytes");
    }
  }
}
