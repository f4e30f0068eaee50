/**
 * Reads the header fields (or trailers) of an HTTP/1.1 message off its bytes, by the grammar of RFC 9110 and 9112 alone:
 * no folded lines, no bare CR or LF, no control octets, no blank before the colon, bounded in bytes and in number. Keeps
 * places instead of texts: nothing is made of a field before somebody asks for it. One reader serves message after
 * message.
 */
import { COLON, CR, HTAB, LF, LOWER_OCTETS, SP, TOKEN_OCTETS, VALUE_OCTETS } from "./octets.ts";

export interface FieldBounds {
  /** Bytes of the section, its empty last line included. */
  readonly maxBytes: number;
  readonly maxFields: number;
}

export type FieldFault = "invalid_name" | "invalid_value" | "invalid_line_end" | "too_long" | "too_many";

const LINE_START = 0;
const NAME = 1;
const BEFORE_VALUE = 2;
const VALUE = 3;
const LINE_CR = 4;
const LAST_CR = 5;
const DONE = 6;

/** Texts that are remembered, for the same ones come again and again; of at most so many octets. */
const REMEMBERED = 64;
const MAX_REMEMBERED_OCTETS = 40;

/** Of each field: where its name begins and ends, where its value begins and ends. */
const PLACES = 4;

export class FieldReader {
  readonly #bounds: FieldBounds;
  readonly #places: Int32Array;
  #state = LINE_START;
  #count = 0;
  /** How far the section was read, from its first byte; so are all places. */
  #at = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #base = 0;
  readonly #names: (string | undefined)[] = Array.from({ length: REMEMBERED });
  readonly #values: (string | undefined)[] = Array.from({ length: REMEMBERED });

  constructor(bounds: FieldBounds) {
    this.#bounds = bounds;
    this.#places = new Int32Array(bounds.maxFields * PLACES);
  }

  /** Fields that were read whole. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the section, known when it is `done`. */
  get length(): number {
    return this.#at;
  }

  reset(): void {
    this.#state = LINE_START;
    this.#count = 0;
    this.#at = 0;
  }

  /**
   * Goes on with the section that begins at `start`, of which there is as much as stands before `end`. After `more` the
   * same bytes and further ones are given again, at this place or another. The bytes must stand as long as texts are
   * asked for.
   */
  read(bytes: Buffer, start: number, end: number): "more" | "done" | FieldFault {
    this.#bytes = bytes;
    this.#base = start;
    const limit = Math.min(end, start + this.#bounds.maxBytes);
    const places = this.#places;
    let place = this.#count * PLACES;
    let at = start + this.#at;
    let state = this.#state;
    while (at < limit) {
      let octet = bytes[at] as number;
      switch (state) {
        case LINE_START:
          if (octet === CR) {
            state = LAST_CR;
            break;
          }
          if (TOKEN_OCTETS[octet] === 0) return octet === LF ? "invalid_line_end" : "invalid_name";
          if (this.#count === this.#bounds.maxFields) return "too_many";
          places[place] = at - start;
          state = NAME;
          break;
        case NAME:
          while (TOKEN_OCTETS[octet] === 1 && ++at < limit) octet = bytes[at] as number;
          if (at === limit) continue;
          if (octet !== COLON) return "invalid_name";
          places[place + 1] = at - start;
          state = BEFORE_VALUE;
          break;
        case BEFORE_VALUE:
          if (octet === SP || octet === HTAB) break;
          places[place + 2] = at - start;
          state = VALUE;
          continue;
        case VALUE:
          while (VALUE_OCTETS[octet] === 1 && ++at < limit) octet = bytes[at] as number;
          if (at === limit) continue;
          if (octet !== CR) return octet === LF ? "invalid_line_end" : "invalid_value";
          places[place + 3] = at - start;
          state = LINE_CR;
          break;
        case LINE_CR:
          if (octet !== LF) return "invalid_line_end";
          this.#trimEnd(bytes, start, place);
          place += PLACES;
          this.#count++;
          state = LINE_START;
          break;
        case LAST_CR:
          if (octet !== LF) return "invalid_line_end";
          this.#state = DONE;
          this.#at = at + 1 - start;
          return "done";
        default:
          return "done";
      }
      at++;
    }
    this.#state = state;
    this.#at = at - start;
    if (state === DONE) return "done";
    return this.#at >= this.#bounds.maxBytes ? "too_long" : "more";
  }

  /** In lower case. */
  nameAt(index: number): string {
    const slot = this.#slotOf(index * PLACES);
    const known = this.#names[slot];
    if (known !== undefined && this.#isNamed(index, known)) return known;
    const name = this.#text(index * PLACES).toLowerCase();
    if (name.length <= MAX_REMEMBERED_OCTETS) this.#names[slot] = name;
    return name;
  }

  /** One character an octet, without the blanks around it. */
  valueAt(index: number): string {
    const slot = this.#slotOf(index * PLACES + 2);
    const known = this.#values[slot];
    if (known !== undefined && this.#isValued(index, known)) return known;
    const value = this.#text(index * PLACES + 2);
    if (value.length <= MAX_REMEMBERED_OCTETS) this.#values[slot] = value;
    return value;
  }

  /** The first field of that name, from `from` on; -1 where there is none. The name is given in lower case. */
  find(name: string, from = 0): number {
    for (let index = from; index < this.#count; index++) if (this.#isNamed(index, name)) return index;
    return -1;
  }

  /** How many fields have that name. */
  countOf(name: string): number {
    let count = 0;
    for (let index = this.find(name); index >= 0; index = this.find(name, index + 1)) count++;
    return count;
  }

  /** The value of the first field of that name. */
  value(name: string): string | undefined {
    const index = this.find(name);
    return index < 0 ? undefined : this.valueAt(index);
  }

  /** Names as they were spelt and values, in turn. */
  rawPairs(): string[] {
    const pairs: string[] = [];
    // Cut from one text: made of the bytes one by one they would cost several times as much.
    const section = this.#bytes.toString("latin1", this.#base, this.#base + this.#at);
    const places = this.#places;
    for (let place = 0; place < this.#count * PLACES; place += PLACES) {
      pairs.push(section.slice(places[place], places[place + 1]), section.slice(places[place + 2], places[place + 3]));
    }
    return pairs;
  }

  #isNamed(index: number, name: string): boolean {
    const begin = this.#places[index * PLACES] as number;
    if ((this.#places[index * PLACES + 1] as number) - begin !== name.length) return false;
    const bytes = this.#bytes;
    const first = this.#base + begin;
    for (let at = 0; at < name.length; at++) {
      if (LOWER_OCTETS[bytes[first + at] as number] !== name.charCodeAt(at)) return false;
    }
    return true;
  }

  #isValued(index: number, value: string): boolean {
    const begin = this.#places[index * PLACES + 2] as number;
    if ((this.#places[index * PLACES + 3] as number) - begin !== value.length) return false;
    const bytes = this.#bytes;
    const first = this.#base + begin;
    for (let at = 0; at < value.length; at++) if (bytes[first + at] !== value.charCodeAt(at)) return false;
    return true;
  }

  /** Where a text would be remembered, by its length, its first octet and its last. */
  #slotOf(place: number): number {
    const begin = this.#places[place] as number;
    const end = this.#places[place + 1] as number;
    if (begin === end) return 0;
    const first = (this.#bytes[this.#base + begin] as number) & 0x1f;
    const last = (this.#bytes[this.#base + end - 1] as number) & 0x1f;
    return ((end - begin) * 7 + first * 3 + last) % REMEMBERED;
  }

  #text(place: number): string {
    const begin = this.#places[place] as number;
    const end = this.#places[place + 1] as number;
    return this.#bytes.toString("latin1", this.#base + begin, this.#base + end);
  }

  #trimEnd(bytes: Buffer, start: number, place: number): void {
    const first = this.#places[place + 2] as number;
    let end = this.#places[place + 3] as number;
    while (end > first && (bytes[start + end - 1] === SP || bytes[start + end - 1] === HTAB)) end--;
    this.#places[place + 3] = end;
  }
}
