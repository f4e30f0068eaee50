/**
 * Calls that wait for their client to come back, by a random handle that is good for one return of the same grant for
 * the same method. Bounded for each grant and in all; what is not fetched in time is given up.
 */
import { randomBytes } from "node:crypto";
import type { FrontBounds } from "./bounds.ts";

const HANDLE_BYTES = 32;

export interface Parkable {
  readonly owner: string;
  readonly method: string;
  /** It was waited for long enough. */
  expire(): void;
}

interface Place<P> {
  readonly parked: P;
  readonly timer: NodeJS.Timeout;
}

export class ParkedCalls<P extends Parkable> {
  readonly #bounds: FrontBounds;
  readonly #places = new Map<string, Place<P>>();
  readonly #byOwner = new Map<string, number>();

  constructor(bounds: FrontBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#places.size;
  }

  /** The handle to come back with; undefined: there is no room. */
  park(parked: P): string | undefined {
    const own = this.#byOwner.get(parked.owner) ?? 0;
    if (own >= this.#bounds.parkedCallsPerOwner || this.#places.size >= this.#bounds.parkedCalls) return undefined;
    const handle = randomBytes(HANDLE_BYTES).toString("base64url");
    const timer = setTimeout(() => {
      this.#forget(handle, parked);
      parked.expire();
    }, this.#bounds.parkLifeMs);
    timer.unref();
    this.#places.set(handle, { parked, timer });
    this.#byOwner.set(parked.owner, own + 1);
    return handle;
  }

  /** What the handle stands for; used up by asking. */
  take(handle: string, owner: string, method: string): P | undefined {
    const place = this.#places.get(handle);
    if (!place || place.parked.owner !== owner || place.parked.method !== method) return undefined;
    clearTimeout(place.timer);
    this.#forget(handle, place.parked);
    return place.parked;
  }

  #forget(handle: string, parked: P): void {
    this.#places.delete(handle);
    const own = this.#byOwner.get(parked.owner) ?? 0;
    if (own > 1) this.#byOwner.set(parked.owner, own - 1);
    else this.#byOwner.delete(parked.owner);
  }

  /** Gives up what waits for one grant, or for any. */
  end(owner?: string): void {
    for (const [handle, { parked, timer }] of [...this.#places]) {
      if (owner !== undefined && parked.owner !== owner) continue;
      clearTimeout(timer);
      this.#forget(handle, parked);
      parked.expire();
    }
  }
}
