/**
 * What the path of a call counts: plain numbers in maps, added to without a wait and read when somebody asks. Every word
 * that counts are kept under comes from a fixed list or from the configuration (names of servers): never a grant, a person,
 * a tool, an address or anything that a client wrote.
 */

/** Upper edges of durations, in seconds; what is longer is counted beyond the last. */
export const DURATION_EDGES: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Different words that one count tells apart; later ones are counted as `other`. Far beyond any fixed list. */
export const MAX_WORDS = 1_000;
const OTHER = "other";

/** Counts under one word, or under several in order. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(word: string, by = 1): void {
    const known = this.#counts.get(word);
    if (known !== undefined) this.#counts.set(word, known + by);
    else if (this.#counts.size < MAX_WORDS) this.#counts.set(word, by);
    else this.#counts.set(OTHER, (this.#counts.get(OTHER) ?? 0) + by);
  }

  [Symbol.iterator](): IterableIterator<[string, number]> {
    return this.#counts.entries();
  }
}

/** Tallies under a first word. */
export class Tallies {
  readonly #tallies = new Map<string, Tally>();

  at(word: string): Tally {
    let tally = this.#tallies.get(word);
    if (!tally) {
      const name = this.#tallies.size < MAX_WORDS ? word : OTHER;
      tally = this.#tallies.get(name) ?? new Tally();
      this.#tallies.set(name, tally);
    }
    return tally;
  }

  [Symbol.iterator](): IterableIterator<[string, Tally]> {
    return this.#tallies.entries();
  }
}

export class Durations {
  readonly counts: number[] = Array.from({ length: DURATION_EDGES.length + 1 }, () => 0);
  sum = 0;
  count = 0;

  add(milliseconds: number): void {
    const seconds = milliseconds / 1000;
    let index = 0;
    while (index < DURATION_EDGES.length && seconds > (DURATION_EDGES[index] as number)) index++;
    this.counts[index] = (this.counts[index] as number) + 1;
    this.sum += seconds;
    this.count++;
  }
}

export class ServerMeter {
  /** Kind of request → `decision code`. */
  readonly decisions: Tallies = new Tallies();
  /** Outcome → code. */
  readonly outcomes: Tallies = new Tallies();
  /** Refused before they were judged, by the reason's word. */
  readonly refused: Tally = new Tally();
  /** What the server asked of clients → what became of it. */
  readonly asked: Tallies = new Tallies();
  readonly upstream: Durations = new Durations();
}

export class Meter {
  readonly #servers = new Map<string, ServerMeter>();
  /** Requests turned away before a grant was known, by reason. */
  readonly turnedAway: Tally = new Tally();
  /** From the arrival of a request until it left for its server, and from the server's answer until ours was handed on. */
  readonly admit: Durations = new Durations();
  readonly conclude: Durations = new Durations();

  server(name: string): ServerMeter {
    let meter = this.#servers.get(name);
    if (!meter) {
      meter = new ServerMeter();
      this.#servers.set(name, meter);
    }
    return meter;
  }

  get servers(): Iterable<[string, ServerMeter]> {
    return this.#servers.entries();
  }
}
