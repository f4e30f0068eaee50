/**
 * Changes that wait for a client which does not listen now: the last one of each kind and resource, in the order in which
 * they came. Beyond its bounds the oldest are forgotten.
 */
import { MAX_KEPT_BYTES, MAX_KEPT_CHANGES } from "./bounds.ts";
import type { Change } from "./listen.ts";

export class KeptChanges {
  readonly #changes = new Map<string, Buffer>();
  #bytes = 0;

  add({ key, bytes }: Change): void {
    this.#forget(key);
    this.#changes.set(key, bytes);
    this.#bytes += bytes.length;
    for (const [oldest] of this.#changes) {
      if (this.#changes.size <= MAX_KEPT_CHANGES && this.#bytes <= MAX_KEPT_BYTES) return;
      this.#forget(oldest);
    }
  }

  take(): readonly Buffer[] {
    const taken = [...this.#changes.values()];
    this.#changes.clear();
    this.#bytes = 0;
    return taken;
  }

  #forget(key: string): void {
    this.#bytes -= this.#changes.get(key)?.length ?? 0;
    this.#changes.delete(key);
  }
}
