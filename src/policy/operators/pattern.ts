/**
 * RE2 patterns: found in linear time whatever the text is. Lookaround and backreferences are no part of RE2 and are
 * faults, told in words; so are patterns whose program would be large.
 */

import { RE2JS, RE2JSException } from "re2js";

export interface Pattern {
  /** Whether the pattern is found anywhere in the text. */
  find(text: string): boolean;
}

const MAX_PATTERN_LENGTH = 8192;
const MAX_PROGRAM_SIZE = 20_000;
const MAX_TOLD_LENGTH = 120;

export function compilePattern(pattern: string): Pattern | { fault: string } {
  if (pattern.length > MAX_PATTERN_LENGTH) return { fault: `The pattern is longer than ${MAX_PATTERN_LENGTH} characters.` };
  if (!pattern.isWellFormed()) return { fault: "The pattern holds half a character." };
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    if (error instanceof RE2JSException) return { fault: describe(pattern, error.message) };
    // Nesting that overflows the compiler's stack: a pattern too deep, not a broken program.
    if (error instanceof RangeError) return { fault: "The pattern is nested too deeply." };
    throw error;
  }
  if (compiled.programSize() > MAX_PROGRAM_SIZE) return { fault: "The pattern grows too large: lower its repeat counts." };
  return { find: (text) => compiled.test(text) };
}

function describe(pattern: string, message: string): string {
  const hint = /\(\?(?:[=!]|<[=!])/.test(pattern) || /\\[1-9]/.test(pattern) ? " RE2 has no lookaround and no backreferences." : "";
  const reason = message.replace(/^error parsing regexp: /, "");
  return `\`${clip(pattern)}\` is not an RE2 pattern: ${clip(reason)}.${hint}`;
}

function clip(text: string): string {
  return text.length > MAX_TOLD_LENGTH ? `${text.slice(0, MAX_TOLD_LENGTH)}…` : text;
}
