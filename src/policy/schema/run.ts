/**
 * One check of one value: what it may still spend, where it is in the value, and what was found wrong last. When a
 * bound is reached the run stops by throwing `Stopped`, so that no `not` or `anyOf` can turn it into a yes.
 */
import { isJsonList, isJsonObject, type Json } from "../../kernel/json.ts";
import { escapePointer } from "../../kernel/strict-json.ts";
import type { SchemaNode } from "./node.ts";
import type { Resource } from "./place.ts";
import { quote } from "./quote.ts";

/** One step is about one keyword, one member or 64 characters looked at. */
const MAX_CHECK_STEPS = 250_000;
/** Schemas that are being applied within one another, by nesting of the value and by references. */
const MAX_CHECK_DEPTH = 800;
/** Characters times instructions of the pattern; a linear engine's worst case. */
const MAX_PATTERN_WORK = 10_000_000;
const CHARACTERS_PER_STEP = 64;
const STEPS_PER_COMPOSITE = 4;

/** A bound was reached; the message is the end of a sentence about the arguments. */
class Stopped extends Error {
  override readonly name = "Stopped";
}

export interface Fault {
  readonly path: readonly (string | number)[];
  /** The rest of the sentence that begins with the place. */
  readonly wanted: string;
  /** The types that would have been right, where the type was wrong. */
  readonly types: readonly string[] | undefined;
}

export class Run {
  #steps = MAX_CHECK_STEPS;
  #patternWork = MAX_PATTERN_WORK;
  #at = 0;
  readonly #path: (string | number)[] = [];
  depth = 0;
  /** Above zero while failures are nobody's business (`not`, `if`, `contains`). */
  quiet = 0;
  fault: Fault | undefined = undefined;
  /** The resources entered, outermost first; only kept for schemas with dynamic references. */
  readonly scopes: Resource[] | undefined;

  constructor(keepsScopes: boolean) {
    this.scopes = keepsScopes ? [] : undefined;
  }

  get at(): number {
    return this.#at;
  }

  spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) throw new Stopped("take more work to check than is allowed");
  }

  spendOnText(text: string): void {
    this.spend(1 + Math.floor(text.length / CHARACTERS_PER_STEP));
  }

  /** Spends what it takes to bring a whole value into its canonical text. */
  spendOnWhole(value: Json): void {
    if (typeof value === "string") this.spendOnText(value);
    else if (isJsonList(value)) {
      this.spend(STEPS_PER_COMPOSITE);
      for (const member of value) this.spendOnWhole(member);
    } else if (isJsonObject(value)) {
      this.spend(STEPS_PER_COMPOSITE);
      for (const key of Object.keys(value)) {
        this.spendOnText(key);
        this.spendOnWhole(value[key] as Json);
      }
    } else this.spend(1);
  }

  spendOnPattern(instructions: number, text: string): void {
    this.spend(1);
    this.#patternWork -= instructions * text.length;
    if (this.#patternWork < 0) throw new Stopped("hold more text than their patterns may be tried on");
  }

  enter(key: string | number): void {
    this.#path[this.#at++] = key;
  }

  leave(): void {
    this.#at--;
  }

  fail(wanted: string, types?: readonly string[]): false {
    if (this.quiet === 0) this.fault = { path: this.#path.slice(0, this.#at), wanted, types };
    return false;
  }

  failAt(key: string | number, wanted: string): false {
    this.enter(key);
    this.fail(wanted);
    this.leave();
    return false;
  }
}

/** A check of one aspect of a value. `seen` collects what was evaluated, where an `unevaluated…` keyword asks. */
export type Check = (value: Json, run: Run, seen: Seen | undefined) => boolean;

/** The members of one object, or items of one list, that some keyword has looked at. */
export class Seen {
  allKeys = false;
  allItems = false;
  /** Items before this index. */
  items = 0;
  #keys: Set<string> | undefined = undefined;
  #indexes: Set<number> | undefined = undefined;

  hasKey(key: string): boolean {
    return this.allKeys || this.#keys?.has(key) === true;
  }

  hasItem(index: number): boolean {
    return this.allItems || index < this.items || this.#indexes?.has(index) === true;
  }

  addKey(key: string): void {
    this.#keys ??= new Set();
    this.#keys.add(key);
  }

  addItem(index: number): void {
    this.#indexes ??= new Set();
    this.#indexes.add(index);
  }

  /** Adds what another has seen of the same value. */
  join(other: Seen, run: Run): void {
    run.spend(STEPS_PER_COMPOSITE + (other.#keys?.size ?? 0) + (other.#indexes?.size ?? 0));
    this.allKeys ||= other.allKeys;
    this.allItems ||= other.allItems;
    this.items = Math.max(this.items, other.items);
    for (const key of other.#keys ?? []) this.addKey(key);
    for (const index of other.#indexes ?? []) this.addItem(index);
  }
}

/** Whether a value fits a schema: the one way from schema to schema. */
export function fits(node: SchemaNode, value: Json, run: Run, seen: Seen | undefined): boolean {
  run.spend(1);
  if (node.verdict !== undefined) return node.verdict || run.fail("is not allowed");
  if (++run.depth > MAX_CHECK_DEPTH) throw new Stopped("take too many references or levels to check");
  const { scopes } = run;
  const enters = scopes !== undefined && scopes.at(-1) !== node.resource;
  if (enters) scopes.push(node.resource);
  // What cousins have evaluated is not to be seen from here, so an `unevaluated…` keyword begins with nothing.
  const own = node.tracks ? new Seen() : seen;
  const { checks } = node;
  let good = true;
  for (let index = 0; good && index < checks.length; index++) good = (checks[index] as Check)(value, run, own);
  if (enters) scopes.pop();
  run.depth--;
  if (good && own && seen && own !== seen) seen.join(own, run);
  return good;
}

/** As `fits`, for a member or item. */
export function fitsBelow(node: SchemaNode, key: string | number, value: Json, run: Run): boolean {
  run.enter(key);
  const good = fits(node, value, run, undefined);
  run.leave();
  return good;
}

function printPlace(path: readonly (string | number)[]): string {
  if (path.length === 0) return "The value of `arguments`";
  return quote(path.map((key) => `/${escapePointer(String(key))}`).join(""));
}

/** Undefined where the value fits; else one sentence, which names a place and never a value. */
export function checkValue(root: SchemaNode, value: Json, keepsScopes: boolean): string | undefined {
  const run = new Run(keepsScopes);
  try {
    if (fits(root, value, run, undefined)) return undefined;
  } catch (error) {
    if (error instanceof Stopped) return `The arguments ${error.message}.`;
    throw error;
  }
  const fault = run.fault;
  return fault ? `${printPlace(fault.path)} ${fault.wanted}.` : "The arguments do not fit their schema.";
}
