/**
 * Which servers can be reached, as far as anybody noticed: lists that failed, connections that could not be made, looks
 * that found them again. It keeps nobody from asking; it says how long to wait, and when clients have to hear of it.
 */
import { BoundedMap } from "../kernel/bounded-map.ts";
import type { Endpoint } from "./desk.ts";

export const MAX_DOWN_SERVERS = 10_000;

export class Health {
  readonly #down = new BoundedMap<string, true>(MAX_DOWN_SERVERS);
  readonly #suspected = new Set<string>();
  readonly #say: (words: string) => void;

  #changes = 0;

  constructor(say: (words: string) => void) {
    this.#say = say;
  }

  /** Rises with every death and every return. */
  get changes(): number {
    return this.#changes;
  }

  isDown({ id }: Endpoint): boolean {
    return this.#down.get(id) === true;
  }

  note(endpoint: Endpoint, isUp: boolean): void {
    if (isUp) this.#suspected.delete(endpoint.id);
    if (isUp === !this.isDown(endpoint)) return;
    this.#changes++;
    if (isUp) this.#down.delete(endpoint.id);
    else {
      this.#down.set(endpoint.id, true);
      this.suspect(endpoint);
    }
    this.#say(isUp ? `The server ${endpoint.name} is back.` : `The server ${endpoint.name} does not answer; it is left out of lists.`);
  }

  /** Something points to its end: whoever watches looks at once. */
  suspect({ id }: Endpoint): void {
    if (this.#suspected.size < MAX_DOWN_SERVERS) this.#suspected.add(id);
  }

  /** Whether it was suspected since this was last asked. */
  takeSuspicion({ id }: Endpoint): boolean {
    return this.#suspected.delete(id);
  }
}
