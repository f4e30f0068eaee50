/**
 * Two schemas of one thing, compared place by place: what was added, removed or changed, and whether fewer or more values
 * fit for it. Promises that where nothing worse than `narrows` is said, no value fits the second that did not fit the
 * first, and where nothing worse than `rewords` is, the two agree. What it can't follow it calls unclear. Checks no value.
 */
import { printCanonicalJson } from "../../kernel/canonical-json.ts";
import { createJsonObject, isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../../kernel/json.ts";
import { escapePointer } from "../../kernel/strict-json.ts";
import { compareNames, PLAIN_KEYWORDS, SERVERS_OWN, WORDS } from "./compare-keywords.ts";
import { type Change, type Effect, type Turn, turnEffect, worstOf } from "./effect.ts";

/** Keywords whose one schema may only get tighter with what stands in it; left out, all fits. */
const ONE: ReadonlySet<string> = new Set(["additionalItems", "propertyNames", "then", "else"]);
/** Maps of schemas in which one more asks for more. */
const MORE_ASKED: ReadonlySet<string> = new Set(["dependentSchemas", "dependencies", "dependentRequired"]);
const SHELVES: ReadonlySet<string> = new Set(["$defs", "definitions"]);
/** Judged together, for each says what the others leave over. */
const MEMBERS: ReadonlySet<string> = new Set(["properties", "patternProperties", "additionalProperties"]);

/** References that lead to places which are compared as schemas. */
const PLAIN_REFERENCE = /^#(?:\/(?:\$defs|definitions|properties)\/[^/]+|\/items|\/additionalProperties)*$/;
/** Keywords under which more of the inside can mean less of the whole. */
const TURNING: ReadonlySet<string> = new Set(["not", "if", "oneOf", "maxContains"]);
const UNFOLLOWED: ReadonlySet<string> = new Set(["unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"]);
const IDENTIFIERS: ReadonlySet<string> = new Set(["$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"]);

export function compareSchemas(before: Json | undefined, after: Json | undefined, pointer = ""): Change[] {
  const turn: Turn = canFollow([before ?? true, after ?? true]) ? "same" : "lost";
  const comparison = new Comparison();
  comparison.compareOptional(before, after, pointer, turn);
  return comparison.changes;
}

/** Whether what is said of a part holds of the whole. */
function canFollow(schemas: readonly Json[]): boolean {
  let refers = false;
  let turns = false;
  const walk = (value: Json): boolean => {
    if (isJsonList(value)) return value.every(walk);
    if (!isJsonObject(value)) return true;
    return Object.keys(value).every((key) => {
      const member = value[key] as Json;
      if (UNFOLLOWED.has(key)) return false;
      turns ||= TURNING.has(key);
      refers ||= key === "$ref";
      return (key !== "$ref" || typeof member !== "string" || PLAIN_REFERENCE.test(member)) && walk(member);
    });
  };
  // A place that is referred to may stand inside of a `not` without being written there.
  return schemas.every(walk) && !(refers && turns);
}

function isSame(left: Json | undefined, right: Json | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return printCanonicalJson(left) === printCanonicalJson(right);
}

const EMPTY = createJsonObject();

function openSchema(schema: Json): JsonObject | undefined {
  return schema === true ? EMPTY : isJsonObject(schema) ? schema : undefined;
}

function takesAll(schema: Json): boolean {
  const open = openSchema(schema);
  return open !== undefined && Object.keys(open).every((key) => WORDS.has(key));
}

function mapOf(schema: JsonObject, keyword: string): JsonObject {
  const value = readMember(schema, keyword);
  return isJsonObject(value) ? value : EMPTY;
}

function unionOfKeys(left: JsonObject, right: JsonObject): ReadonlySet<string> {
  return new Set([...Object.keys(left), ...Object.keys(right)]);
}

function holdsIdentifier(value: Json): boolean {
  if (isJsonList(value)) return value.some(holdsIdentifier);
  return isJsonObject(value) && Object.keys(value).some((key) => IDENTIFIERS.has(key) || holdsIdentifier(value[key] as Json));
}

class Comparison {
  readonly changes: Change[] = [];

  #add(pointer: string, before: Json | undefined, after: Json | undefined, effect: Effect, turn: Turn, note?: string): void {
    this.changes.push({ pointer, before, after, effect: turnEffect(effect, turn), note });
  }

  /** A schema that may be left out, which is one that all fits. */
  compareOptional(before: Json | undefined, after: Json | undefined, pointer: string, turn: Turn): void {
    if (isSame(before, after)) return;
    if (before !== undefined && after !== undefined) return this.#compare(before, after, pointer, turn);
    this.#add(pointer, before, after, this.#weigh(before ?? true, after ?? true, turn), "same");
  }

  /** What the changes between two schemas come to for the whole, told as one. */
  #weigh(before: Json, after: Json, turn: Turn): Effect {
    const inner = new Comparison();
    inner.#compare(before, after, "", turn);
    return worstOf(inner.changes) ?? "rewords";
  }

  #compare(before: Json, after: Json, pointer: string, turn: Turn): void {
    if (isSame(before, after)) return;
    const [left, right] = [openSchema(before), openSchema(after)];
    if (left === undefined || right === undefined) {
      const effect = before === false ? "widens" : after === false ? "narrows" : "unclear";
      return this.#add(pointer, before, after, effect, turn);
    }
    if (before === true || after === true) {
      return this.#add(pointer, before, after, this.#weigh(left, right, turn), "same");
    }
    this.#compareMembers(left, right, pointer, turn);
    for (const keyword of unionOfKeys(left, right)) {
      if (MEMBERS.has(keyword)) continue;
      const [was, is] = [readMember(left, keyword), readMember(right, keyword)];
      if (!isSame(was, is)) this.#compareKeyword(keyword, was, is, [left, right], `${pointer}/${escapePointer(keyword)}`, turn);
    }
  }

  #compareKeyword(
    keyword: string,
    was: Json | undefined,
    is: Json | undefined,
    around: readonly [JsonObject, JsonObject],
    pointer: string,
    turn: Turn,
  ): void {
    if (WORDS.has(keyword)) return this.#add(pointer, was, is, "rewords", turn);
    const plain = PLAIN_KEYWORDS.get(keyword);
    if (plain) return this.#add(pointer, was, is, plain(was, is), turn);
    if (ONE.has(keyword)) return this.compareOptional(was, is, pointer, turn);
    if (MORE_ASKED.has(keyword)) return this.#compareAsked(was, is, pointer, turn);
    if (SHELVES.has(keyword)) return this.#compareShelf(was, is, pointer, turn);
    switch (keyword) {
      case "not":
        if (was !== undefined && is !== undefined)
          return this.#compare(was, is, pointer, turn === "same" ? "flipped" : turn === "flipped" ? "same" : "lost");
        return this.#add(pointer, was, is, was === undefined ? "narrows" : "widens", turn);
      case "if":
        if (was !== undefined && is !== undefined) return this.#compare(was, is, pointer, "lost");
        break;
      case "contains":
        if (was !== undefined && is !== undefined) {
          return this.#compare(was, is, pointer, around.some((schema) => Object.hasOwn(schema, "maxContains")) ? "lost" : turn);
        }
        return this.#add(pointer, was, is, was === undefined ? "narrows" : "widens", turn);
      case "items":
        if (!isJsonList(was) && !isJsonList(is)) return this.compareOptional(was, is, pointer, turn);
        return this.#compareList(was, is, undefined, pointer, turn);
      case "prefixItems":
      case "oneOf":
        return this.#compareList(was, is, undefined, pointer, keyword === "oneOf" ? "lost" : turn);
      case "allOf":
        return this.#compareList(was, is, "narrows", pointer, turn);
      case "anyOf":
        return this.#compareList(was, is, "widens", pointer, turn);
      default:
    }
    this.#add(pointer, was, is, "unclear", turn, SERVERS_OWN.get(keyword));
  }

  /** Arguments, in effect: named ones, those that a pattern names, and what is said of all others. */
  #compareMembers(before: JsonObject, after: JsonObject, pointer: string, turn: Turn): void {
    const [named, namedNow] = [mapOf(before, "properties"), mapOf(after, "properties")];
    const [patterns, patternsNow] = [mapOf(before, "patternProperties"), mapOf(after, "patternProperties")];
    const [others, othersNow] = [readMember(before, "additionalProperties"), readMember(after, "additionalProperties")];
    const required = readMember(after, "required");
    for (const key of unionOfKeys(named, namedNow)) {
      const [was, is] = [readMember(named, key), readMember(namedNow, key)];
      const at = `${pointer}/properties/${escapePointer(key)}`;
      if (was !== undefined && is !== undefined) this.#compare(was, is, at, turn);
      else if (is !== undefined) {
        const needed = isJsonList(required) && required.includes(key);
        const effect = turn === "same" ? (needed ? "breaks" : "widens") : "unclear";
        this.#add(at, was, is, effect, turn, needed ? "a new argument that is required" : "a new argument");
      } else if (was !== undefined) {
        const rest = othersNow ?? true;
        const left = Object.keys(patternsNow).length > 0 ? "unclear" : this.#weigh(was, rest, turn);
        this.#add(
          at,
          was,
          is,
          left === "rewords" ? "narrows" : left,
          "same",
          left === "widens" && takesAll(rest) ? "its values are no longer checked" : undefined,
        );
      }
    }
    const open = takesAll(others ?? true) && takesAll(othersNow ?? true);
    for (const key of unionOfKeys(patterns, patternsNow)) {
      const [was, is] = [readMember(patterns, key), readMember(patternsNow, key)];
      const at = `${pointer}/patternProperties/${escapePointer(key)}`;
      if (was !== undefined && is !== undefined) this.#compare(was, is, at, turn);
      else this.#add(at, was, is, !open ? "unclear" : was === undefined ? "narrows" : "widens", turn);
    }
    this.compareOptional(others, othersNow, `${pointer}/additionalProperties`, turn);
  }

  /** `grown`: what one more of them does; undefined: nobody can say. */
  #compareList(was: Json | undefined, is: Json | undefined, grown: "narrows" | "widens" | undefined, pointer: string, turn: Turn): void {
    const [left, right] = [was ?? [], is ?? []];
    if (!isJsonList(left) || !isJsonList(right)) return this.#add(pointer, was, is, "unclear", turn);
    if (left.length === right.length) {
      for (const [index, one] of left.entries()) this.#compare(one, right[index] as Json, `${pointer}/${index}`, turn);
      return;
    }
    if (grown === undefined) return this.#add(pointer, was, is, "unclear", turn);
    // A list that was not there asks for nothing; an empty choice would take nothing.
    if (was === undefined || is === undefined) return this.#add(pointer, was, is, was === undefined ? "narrows" : "widens", turn);
    const [shorter, longer] = left.length < right.length ? [left, right] : [right, left];
    const known = new Set(longer.map(printCanonicalJson));
    const holdsAll = shorter.every((schema) => known.has(printCanonicalJson(schema)));
    const shrunk = grown === "narrows" ? "widens" : "narrows";
    this.#add(pointer, was, is, !holdsAll ? "unclear" : longer === right ? grown : shrunk, turn);
  }

  #compareAsked(was: Json | undefined, is: Json | undefined, pointer: string, turn: Turn): void {
    const [left, right] = [was ?? EMPTY, is ?? EMPTY];
    if (!isJsonObject(left) || !isJsonObject(right)) return this.#add(pointer, was, is, "unclear", turn);
    for (const key of unionOfKeys(left, right)) {
      const [before, after] = [readMember(left, key), readMember(right, key)];
      const at = `${pointer}/${escapePointer(key)}`;
      if (isSame(before, after)) continue;
      if (before === undefined || after === undefined) this.#add(at, before, after, before === undefined ? "narrows" : "widens", turn);
      else if (isJsonList(before) && isJsonList(after)) this.#add(at, before, after, compareNames(before, after), turn);
      else if (isJsonList(before) || isJsonList(after)) this.#add(at, before, after, "unclear", turn);
      else this.#compare(before, after, at, turn);
    }
  }

  /** Schemas that hold where they are referred to: one alone changes nothing by being there. */
  #compareShelf(was: Json | undefined, is: Json | undefined, pointer: string, turn: Turn): void {
    const [left, right] = [was ?? EMPTY, is ?? EMPTY];
    if (!isJsonObject(left) || !isJsonObject(right)) return this.#add(pointer, was, is, "unclear", turn);
    for (const key of unionOfKeys(left, right)) {
      const [before, after] = [readMember(left, key), readMember(right, key)];
      const at = `${pointer}/${escapePointer(key)}`;
      if (before !== undefined && after !== undefined) this.#compare(before, after, at, turn);
      else this.#add(at, before, after, holdsIdentifier(before ?? after ?? null) ? "unclear" : "rewords", turn);
    }
  }
}
