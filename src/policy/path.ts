/**
 * Paths of conditions and limits: `args.items[*].price`, `grant.tags.team`, `time.hour`. Parses one and says what it
 * may name; reading a value along its steps tells apart what is missing from what is of the wrong type.
 */
import { isJsonList, isJsonObject, type Json, readMember } from "../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";

export const MAX_PATH_CHARACTERS = 1024;
export const MAX_PATH_STEPS = 64;
const MAX_INDEX_DIGITS = 9;

/** A key, an index, or every element of a list. */
export type Step = string | number | typeof EVERY;
export const EVERY: unique symbol = Symbol("every");

export const PATH_ROOTS = [
  "args",
  "grant.label",
  "grant.identity",
  "grant.tags",
  "session.id",
  "client.name",
  "client.version",
  "tool.name",
  "tool.class",
  "tool.risk",
  "tool.annotations",
  "server.name",
  "time.hour",
  "time.weekday",
  "time.date",
] as const;
export type PathRoot = (typeof PATH_ROOTS)[number];

export interface Path {
  readonly root: PathRoot;
  /** Below the root; `grant.tags` and `tool.annotations` have exactly one key here, the others but `args` none. */
  readonly steps: readonly Step[];
}

/** What stands at a path; `undefined`: nothing (a key, parent or index is absent, or a parent is null). */
export type Found = Json | undefined | typeof WRONG_TYPE;
export const WRONG_TYPE: unique symbol = Symbol("wrong type");

const KEY = /[^.[\]"*\\\s\p{Cc}]+/uy;
const INDEX = new RegExp(`\\[(\\*|0|[1-9][0-9]{0,${MAX_INDEX_DIGITS - 1}})\\]`, "y");
const QUOTED = /\[("(?:[^"\\]|\\.)*")\]/y;

/** Parses a path; a text comes back in words where it is none. */
export function parsePath(text: string): Path | { readonly fault: string } {
  if (text.length > MAX_PATH_CHARACTERS) return { fault: `A path has at most ${MAX_PATH_CHARACTERS} characters.` };
  const steps = parseSteps(text);
  if (!steps || steps.length > MAX_PATH_STEPS) return { fault: `\`${text}\` is no path.` };
  const [first, second, ...rest] = steps;
  if (first === "args") return { root: "args", steps: steps.slice(1) };
  const root = `${String(first)}.${String(second)}` as PathRoot;
  if (typeof second !== "string" || !PATH_ROOTS.includes(root)) {
    return {
      fault: `\`${text}\` starts nowhere: a path is \`args\`, or begins with \`args.\` or one of ${PATH_ROOTS.slice(1).join(", ")}.`,
    };
  }
  if (root === "grant.tags" || root === "tool.annotations") {
    if (rest.length === 1 && typeof rest[0] === "string") return { root, steps: rest };
    return { fault: `\`${root}\` is followed by exactly one name.` };
  }
  return rest.length === 0 ? { root, steps: [] } : { fault: `Nothing stands below \`${root}\`.` };
}

export function isPath(parsed: Path | { readonly fault: string }): parsed is Path {
  return "root" in parsed;
}

function parseSteps(text: string): Step[] | undefined {
  const steps: Step[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) return undefined;
    at = pattern.lastIndex;
    return match[1] ?? match[0];
  };
  const root = take(KEY);
  if (root === undefined) return undefined;
  steps.push(root);
  while (at < text.length) {
    if (text.charAt(at) === ".") {
      at++;
      const key = take(KEY);
      if (key === undefined) return undefined;
      steps.push(key);
      continue;
    }
    const index = take(INDEX);
    if (index !== undefined) {
      steps.push(index === "*" ? EVERY : Number(index));
      continue;
    }
    const quoted = take(QUOTED);
    const parsed = quoted === undefined ? undefined : parseStrictJson(quoted);
    if (!parsed || isJsonFault(parsed)) return undefined;
    steps.push(parsed.value as string);
  }
  return steps;
}

/** One spelling for each path, for equality of counters. */
export function printPath(path: Path): string {
  const steps = path.steps.map((step) => (typeof step === "string" ? `[${JSON.stringify(step)}]` : `[${step === EVERY ? "*" : step}]`));
  return path.root + steps.join("");
}

export function hasEvery(path: Path): boolean {
  return path.steps.includes(EVERY);
}

/** Goes down one step. */
function readStep(value: Json, step: string | number): Found {
  if (value === null) return undefined;
  if (typeof step === "number") return isJsonList(value) ? value[step] : WRONG_TYPE;
  return isJsonObject(value) ? readMember(value, step) : WRONG_TYPE;
}

/** Reads along steps that hold no `[*]`. */
export function readSteps(value: Json, steps: readonly Step[]): Found {
  let found: Found = value;
  for (const step of steps) {
    found = readStep(found, step as string | number);
    if (found === undefined || found === WRONG_TYPE) return found;
  }
  return found;
}

/** Hands everything that stands at the steps to `visit`, one for each element of `[*]`; over an empty list, nothing. */
export function visitSteps(value: Json, steps: readonly Step[], visit: (found: Found) => void, from = 0): void {
  let found: Json = value;
  for (let index = from; index < steps.length; index++) {
    const step = steps[index] as Step;
    if (step === EVERY) {
      if (isJsonList(found)) for (const element of found) visitSteps(element, steps, visit, index + 1);
      else visit(found === null ? undefined : WRONG_TYPE);
      return;
    }
    const next = readStep(found, step);
    if (next === undefined || next === WRONG_TYPE) {
      visit(next);
      return;
    }
    found = next;
  }
  visit(found);
}
