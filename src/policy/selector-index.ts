/**
 * Finds the best of many selectors for a name without asking each one. Exact names are a map; a glob is filed under the
 * rarest of its literal pieces, so that a name meets only the globs one of whose pieces it holds. What was found for a
 * name is kept, in a bounded map. Answers as asking every selector in order would.
 */
import { BoundedMap } from "../kernel/bounded-map.ts";
import type { ToolClass } from "./decision.ts";
import { matchGlob, rankSelector, type Selector } from "./selector.ts";

/** Names whose glob is remembered, and how long they may be. */
export const MAX_REMEMBERED_NAMES = 2048;
const MAX_REMEMBERED_CHARACTERS = 256;

interface Filed<T> {
  readonly pieces: readonly string[];
  readonly order: number;
  readonly value: T;
}

type Ranked<T> = { readonly order: number; readonly value: T };

export interface SelectorIndex<T> {
  /** The value of the first selector, in the order given at creation, that matches. */
  find(name: string, toolClass?: ToolClass): T | undefined;
}

/** `entries` in the order of preference: of several selectors that match, the first one is found. */
export function createSelectorIndex<T>(entries: readonly { readonly selector: Selector; readonly value: T }[]): SelectorIndex<T> {
  const exact = new Map<string, Ranked<T>>();
  const classes = new Map<ToolClass, Ranked<T>>();
  const globs: Filed<T>[] = [];
  let bare: Ranked<T> | undefined;
  entries.forEach(({ selector, value }, order) => {
    if (selector.kind === "exact") {
      if (!exact.has(selector.name)) exact.set(selector.name, { order, value });
    } else if (selector.kind === "class") {
      if (!classes.has(selector.class)) classes.set(selector.class, { order, value });
    } else if (rankSelector(selector) === 3) bare ??= { order, value };
    else globs.push({ pieces: selector.pieces, order, value });
  });
  const findGlob = globs.length === 0 ? undefined : createGlobFinder(globs);
  return {
    find(name, toolClass) {
      let best = exact.get(name);
      const glob = findGlob?.(name);
      if (glob && (!best || glob.order < best.order)) best = glob;
      const ofClass = toolClass === undefined ? undefined : classes.get(toolClass);
      if (ofClass && (!best || ofClass.order < best.order)) best = ofClass;
      if (bare && (!best || bare.order < best.order)) best = bare;
      return best?.value;
    },
  };
}

function createGlobFinder<T>(globs: readonly Filed<T>[]): (name: string) => Filed<T> | undefined {
  const file = new GlobFile<T>(globs);
  const remembered = new BoundedMap<string, Filed<T> | null>(MAX_REMEMBERED_NAMES);
  return (name) => {
    if (name.length > MAX_REMEMBERED_CHARACTERS) return file.find(name);
    let found = remembered.get(name);
    if (found === undefined) {
      found = file.find(name) ?? null;
      remembered.set(name, found);
    }
    return found ?? undefined;
  };
}

/** Globs by a literal that every name they fit has: at its start, at its end, or anywhere. */
class GlobFile<T> {
  readonly #starts = new PieceTable<T>();
  readonly #ends = new PieceTable<T>();
  readonly #inner = new PieceTable<T>();

  constructor(globs: readonly Filed<T>[]) {
    const uses = new Map<string, number>();
    const keysOf = (glob: Filed<T>): readonly string[] =>
      glob.pieces.map((piece, index) => `${index === 0 ? "<" : index === glob.pieces.length - 1 ? ">" : "="}${piece}`);
    for (const glob of globs) for (const key of keysOf(glob)) if (key.length > 1) uses.set(key, (uses.get(key) ?? 0) + 1);
    for (const glob of globs) {
      let best = "";
      for (const key of keysOf(glob)) {
        if (key.length === 1) continue;
        const fewer = best === "" || (uses.get(key) as number) < (uses.get(best) as number);
        // Of equally rare ones the ends are cheaper to look up than the inside.
        if (fewer || (uses.get(key) === uses.get(best) && best.startsWith("=") && !key.startsWith("="))) best = key;
      }
      const table = best.startsWith("<") ? this.#starts : best.startsWith(">") ? this.#ends : this.#inner;
      table.add(best.slice(1), glob);
    }
  }

  find(name: string): Filed<T> | undefined {
    let best: Filed<T> | undefined;
    const consider = (filed: readonly Filed<T>[]): void => {
      for (const glob of filed) {
        if (best && glob.order > best.order) return;
        if (matchGlob(glob.pieces, name)) best = glob;
      }
    };
    for (const length of this.#starts.lengths) {
      if (length <= name.length) consider(this.#starts.read(name.slice(0, length)));
    }
    for (const length of this.#ends.lengths) {
      if (length <= name.length) consider(this.#ends.read(name.slice(name.length - length)));
    }
    const inner = this.#inner;
    if (inner.size <= inner.lengths.size * name.length) {
      for (const [piece, filed] of inner.entries()) if (name.includes(piece)) consider(filed);
    } else {
      for (const length of inner.lengths) {
        for (let at = 0; at + length <= name.length; at++) consider(inner.read(name.slice(at, at + length)));
      }
    }
    return best;
  }
}

const NONE: readonly never[] = [];

/** Literal → the globs filed under it, in their order. */
class PieceTable<T> {
  readonly lengths = new Set<number>();
  readonly #globs = new Map<string, Filed<T>[]>();

  get size(): number {
    return this.#globs.size;
  }

  add(piece: string, glob: Filed<T>): void {
    this.lengths.add(piece.length);
    const filed = this.#globs.get(piece);
    if (filed) filed.push(glob);
    else this.#globs.set(piece, [glob]);
  }

  read(piece: string): readonly Filed<T>[] {
    return this.#globs.get(piece) ?? NONE;
  }

  entries(): Iterable<[string, readonly Filed<T>[]]> {
    return this.#globs;
  }
}
