/**
 * Selectors: exact names, globs (`*` is any run of characters), classes (`@read`). Parses one text into one selector,
 * says whether a name fits and which of two is the more specific. Compares code point by code point, never folds case.
 */
import { compareCodePoints } from "../kernel/canonical-json.ts";
import { TOOL_CLASSES, type ToolClass } from "./decision.ts";

export const MAX_SELECTOR_CHARACTERS = 1024;

export type Selector = ExactSelector | GlobSelector | ClassSelector;

export interface ExactSelector {
  readonly kind: "exact";
  readonly text: string;
  readonly name: string;
}

export interface GlobSelector {
  readonly kind: "glob";
  readonly text: string;
  /** The literal pieces between the stars, two at least; the first and the last are bound to the ends. */
  readonly pieces: readonly string[];
  /** Literal characters, in code points; 0: the bare `*`. */
  readonly literals: number;
}

export interface ClassSelector {
  readonly kind: "class";
  readonly text: string;
  readonly class: ToolClass;
}

/** Parses a selector; a text comes back in words where it is none. */
export function parseSelector(text: string): Selector | { readonly fault: string } {
  if (text === "") return { fault: "A selector can't be empty." };
  if (text.length > MAX_SELECTOR_CHARACTERS) return { fault: `A selector has at most ${MAX_SELECTOR_CHARACTERS} characters.` };
  if (text.startsWith("@")) {
    const name = text.slice(1) as ToolClass;
    if (TOOL_CLASSES.includes(name)) return { kind: "class", text, class: name };
    return { fault: `\`${text}\` is no class: they are ${TOOL_CLASSES.map((known) => `@${known}`).join(", ")}.` };
  }
  const pieces = [""];
  for (let at = 0; at < text.length; at++) {
    let char = text.charAt(at);
    if (char === "*") {
      pieces.push("");
      continue;
    }
    if (char === "\\") {
      char = text.charAt(++at);
      if (char !== "*" && char !== "@" && char !== "\\") {
        return { fault: "A backslash in a selector stands before `*`, `@` or another backslash only." };
      }
    }
    pieces[pieces.length - 1] += char;
  }
  if (pieces.length === 1) return { kind: "exact", text, name: pieces[0] as string };
  const first = pieces[0] as string;
  const last = pieces.at(-1) as string;
  // Stars in a row are one star.
  const middle = pieces.slice(1, -1).filter((piece) => piece !== "");
  const literals = pieces.reduce((sum, piece) => sum + Array.from(piece).length, 0);
  return { kind: "glob", text, pieces: [first, ...middle, last], literals };
}

export function isSelector(parsed: Selector | { readonly fault: string }): parsed is Selector {
  return "kind" in parsed;
}

/** Whether a name fits a glob's pieces. Linear in the name for each piece. */
export function matchGlob(pieces: readonly string[], name: string): boolean {
  const first = pieces[0] as string;
  const last = pieces[pieces.length - 1] as string;
  const end = name.length - last.length;
  if (first.length > end || !name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (let index = 1; index < pieces.length - 1; index++) {
    const piece = pieces[index] as string;
    const found = name.indexOf(piece, at);
    if (found === -1 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

/** Whether the selector picks a tool of that name and class. */
export function matchSelector(selector: Selector, name: string, toolClass: ToolClass | undefined): boolean {
  if (selector.kind === "exact") return selector.name === name;
  return selector.kind === "glob" ? matchGlob(selector.pieces, name) : selector.class === toolClass;
}

/** 0 exact name, 1 glob, 2 class, 3 the bare star: of several that match, the lower decides. */
export function rankSelector(selector: Selector): 0 | 1 | 2 | 3 {
  if (selector.kind === "exact") return 0;
  if (selector.kind === "class") return 2;
  return selector.literals === 0 ? 3 : 1;
}

/** Order by which of two selectors that both match decides: the first does. */
export function compareSelectors(left: Selector, right: Selector): number {
  const rank = rankSelector(left) - rankSelector(right);
  if (rank !== 0) return rank;
  if (left.kind === "glob" && right.kind === "glob" && left.literals !== right.literals) return right.literals - left.literals;
  return compareCodePoints(left.text, right.text);
}
