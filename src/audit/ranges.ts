/**
 * Which entries a filtered export holds, in short: `1-5,9,12-20`. It lets `verify` name the one that is missing or too
 * many. Bounded: beyond so many ranges there is none, and only that something is wrong can be told.
 */

const MAX_RANGES = 50_000;

class RangeList {
  #done: string[] = [];
  #first = 0;
  #last = 0;
  #tooMany = false;

  /** Takes the next entry, in rising order. */
  add(seq: number): void {
    if (this.#last !== 0 && seq === this.#last + 1) {
      this.#last = seq;
      return;
    }
    this.#close();
    this.#first = seq;
    this.#last = seq;
  }

  #close(): void {
    if (this.#last === 0 || this.#tooMany) return;
    this.#done.push(printRange(this.#first, this.#last));
    if (this.#done.length > MAX_RANGES) {
      this.#tooMany = true;
      this.#done = [];
    }
  }

  /** The text; undefined where there are too many. */
  print(): string | undefined {
    const open = this.#last === 0 ? [] : [printRange(this.#first, this.#last)];
    if (this.#tooMany || this.#done.length + open.length > MAX_RANGES) return undefined;
    return [...this.#done, ...open].join(",");
  }
}

function printRange(first: number, last: number): string {
  return first === last ? String(first) : `${first}-${last}`;
}

/**
 * Ranges of several chains in one text: those of the first chain as they are, each other chain's behind its number, as in
 * `1-5,9 2:7-8`.
 */
export class PlaceRanges {
  readonly #chains = new Map<number, RangeList>();

  /** Takes the next entry, in rising order within its chain. */
  add(chain: number, seq: number): void {
    let list = this.#chains.get(chain);
    if (!list) this.#chains.set(chain, (list = new RangeList()));
    list.add(seq);
  }

  /** The text; undefined where there are too many. */
  print(): string | undefined {
    const parts: string[] = [];
    for (const [chain, list] of [...this.#chains].sort(([left], [right]) => left - right)) {
      const ranges = list.print();
      if (ranges === undefined) return undefined;
      parts.push(chain === 0 ? ranges : `${chain}:${ranges}`);
    }
    return parts.join(" ");
  }
}

/** The ranges of each chain; undefined where the text is none. */
export function parsePlaceRanges(text: string): Map<number, [number, number][]> | undefined {
  const chains = new Map<number, [number, number][]>();
  if (text === "") return chains;
  for (const part of text.split(" ")) {
    const [, chain, list] = /^(?:([1-9]\d{0,2}):)?([\d,-]+)$/.exec(part) ?? [];
    const ranges = list === undefined ? undefined : parseRanges(list);
    if (!ranges || chains.has(Number(chain ?? 0))) return undefined;
    chains.set(Number(chain ?? 0), ranges);
  }
  return chains;
}

/** The first place that one has and the other has not; undefined where there is none. */
export function findMissingPlace(
  has: ReadonlyMap<number, [number, number][]>,
  hasNot: ReadonlyMap<number, [number, number][]>,
): { readonly chain: number; readonly seq: number } | undefined {
  for (const [chain, ranges] of has) {
    const seq = findMissing(ranges, hasNot.get(chain) ?? []);
    if (seq !== undefined) return { chain, seq };
  }
  return undefined;
}

/** First and last of each range; undefined where the text is none. */
function parseRanges(text: string): [number, number][] | undefined {
  if (text === "") return [];
  const ranges: [number, number][] = [];
  for (const part of text.split(",")) {
    const match = /^(\d{1,16})(?:-(\d{1,16}))?$/.exec(part);
    if (!match) return undefined;
    ranges.push([Number(match[1]), Number(match[2] ?? match[1])]);
  }
  return ranges;
}

/** The first number that one list has and the other has not; undefined where there is none. */
function findMissing(has: readonly [number, number][], hasNot: readonly [number, number][]): number | undefined {
  let index = 0;
  for (const [first, last] of has) {
    let at = first;
    while (at <= last) {
      while (index < hasNot.length && (hasNot[index] as [number, number])[1] < at) index++;
      const other = hasNot[index];
      if (!other || other[0] > at) return at;
      at = other[1] + 1;
    }
  }
  return undefined;
}
