/**
 * Which entries a filtered export holds, in short: `1-5,9,12-20`. It lets `verify` name the one that is missing or too
 * many. Bounded: beyond so many ranges there is none, and only that something is wrong can be told.
 */

export const MAX_RANGES = 50_000;

export class RangeList {
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

/** First and last of each range; undefined where the text is none. */
export function parseRanges(text: string): [number, number][] | undefined {
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
export function findMissing(has: readonly [number, number][], hasNot: readonly [number, number][]): number | undefined {
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
