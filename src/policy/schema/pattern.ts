/**
 * Patterns of schemas, for RE2's linear engine alone. What they may cost to make is bounded for each schema; what they
 * may cost to try is the run's to bound, from the number of their instructions.
 */
import { RE2JS, RE2JSException } from "re2js";
import { quote, trim } from "./quote.ts";
import type { Run } from "./run.ts";

/** Characters and compiled instructions of all patterns of one schema together. */
const MAX_PATTERN_CHARACTERS = 20_000;
const MAX_PATTERN_INSTRUCTIONS = 10_000;

export interface Pattern {
  readonly engine: RE2JS;
  readonly instructions: number;
}

/** Escapes of ECMAScript that RE2 spells in another way, and every other escape, so that it is stepped over. */
const ESCAPE = /\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|[^])/g;

function respellEscapes(pattern: string): string {
  return pattern.replace(ESCAPE, (whole: string, high?: string, low?: string, unit?: string, point?: string) => {
    if (high !== undefined && low !== undefined) {
      const code = String.fromCharCode(Number.parseInt(high, 16), Number.parseInt(low, 16)).codePointAt(0) as number;
      return `\\x{${code.toString(16)}}`;
    }
    const plain = unit ?? point;
    // Half a character stands in no text that is judged, so that its pattern would silently match nothing.
    return plain === undefined || /^d[89a-f]..$/i.test(plain) ? whole : `\\x{${plain}}`;
  });
}

/** Makes the patterns of one schema and keeps count of them. */
export class PatternPress {
  #characters = MAX_PATTERN_CHARACTERS;
  #instructions = MAX_PATTERN_INSTRUCTIONS;
  /** Whether ECMAScript's `\uXXXX` is read, as a server's schema may spell it. A policy writes RE2. */
  readonly #readsEscapes: boolean;
  /** Set once the patterns were too many; no further one is made. */
  exhausted = false;

  constructor(readsEscapes: boolean) {
    this.#readsEscapes = readsEscapes;
  }

  press(pattern: string): Pattern | { readonly problem: string } {
    this.#characters -= pattern.length;
    if (this.#characters < 0) this.exhausted = true;
    if (this.exhausted) return { problem: "the patterns of this schema are too large together" };
    try {
      const engine = RE2JS.compile(this.#readsEscapes ? respellEscapes(pattern) : pattern);
      const instructions = engine.programSize();
      this.#instructions -= instructions;
      if (this.#instructions < 0) this.exhausted = true;
      return this.exhausted ? { problem: "the patterns of this schema are too large together" } : { engine, instructions };
    } catch (error) {
      if (!(error instanceof RE2JSException)) throw error;
      return { problem: `RE2 can't take the pattern ${quote(pattern)}: ${trim(error.message.replace(/^error parsing regexp: /, ""))}` };
    }
  }
}

export function isFound(pattern: Pattern, text: string, run: Run): boolean {
  run.spendOnPattern(pattern.instructions, text);
  return pattern.engine.test(text);
}
