/**
 * From a schema as a document to nodes that check: every subschema is judged by its draft's table, filled once, and
 * references are joined. Gives everything that is wrong at once. Runs no code that a document brings and asks no network.
 */
import { assert } from "../../kernel/assert.ts";
import { isJsonObject, type Json, type JsonObject, readMember } from "../../kernel/json.ts";
import { escapePointer } from "../../kernel/strict-json.ts";
import { buildBranchChecks, buildReference, buildUnevaluatedChecks } from "./branch-checks.ts";
import { ANNOTATIONS, type Dialect, SUCCESSORS } from "./dialect.ts";
import { FORMATS } from "./format.ts";
import { buildListChecks } from "./list-checks.ts";
import { SchemaNode, type Site } from "./node.ts";
import { buildNumberChecks } from "./number-checks.ts";
import { buildObjectChecks } from "./object-checks.ts";
import { PatternPress } from "./pattern.ts";
import { Atlas, measureSchema, type Place } from "./place.ts";
import { quote } from "./quote.ts";
import { type Check, checkValue } from "./run.ts";
import { listShapeFaults } from "./shape.ts";
import { buildTextChecks } from "./text-checks.ts";
import { buildValueChecks } from "./value-checks.ts";

export interface SchemaFault {
  readonly pointer: string;
  readonly message: string;
}

export interface CompileOptions {
  readonly dialect: Dialect;
  /** A policy's own schema: unknown keywords, annotations of a wrong shape and unusable patterns are faults, formats are asserted. */
  readonly strict: boolean;
}

export interface CompiledSchema {
  /** Undefined where the value fits, else one sentence. */
  readonly check: (value: Json) => string | undefined;
  /** The names in the top-level `properties`. */
  readonly properties: ReadonlySet<string>;
  /** With any of these the schema must not be used. */
  readonly faults: readonly SchemaFault[];
  /** Patterns that were left out; none where patterns are faults. */
  readonly leftOut: readonly SchemaFault[];
}

class Compiler {
  readonly #options: CompileOptions;
  readonly #atlas: Atlas;
  readonly #nodes = new Map<string, SchemaNode>();
  readonly #press: PatternPress;
  readonly faults: SchemaFault[] = [];
  readonly leftOut: SchemaFault[] = [];
  keepsScopes = false;

  constructor(document: Json, options: CompileOptions) {
    this.#options = options;
    this.#press = new PatternPress(!options.strict);
    this.#atlas = new Atlas(document, options.dialect, options.strict, (pointer, message) => void this.faults.push({ pointer, message }));
  }

  compile(): SchemaNode {
    // Following a reference may add places; the loop comes to them too.
    for (const place of this.#atlas.places.values()) this.#fill(this.#nodeAt(place), place);
    this.#refuseRings();
    return this.#nodes.get("") as SchemaNode;
  }

  #nodeAt(place: Place): SchemaNode {
    let node = this.#nodes.get(place.pointer);
    if (!node) {
      node = new SchemaNode(place.pointer, place.resource);
      this.#nodes.set(place.pointer, node);
    }
    return node;
  }

  #fill(node: SchemaNode, place: Place): void {
    const { value, pointer } = place;
    if (typeof value === "boolean") node.verdict = value;
    else if (!isJsonObject(value)) this.faults.push({ pointer, message: "a schema has to be an object, `true` or `false`" });
    else {
      const checks: Check[] = [];
      const site = this.#openSite(node, place, value);
      if (place.resource.dialect.refAlone && site.read("$ref") !== undefined) buildReference(site, checks);
      else {
        buildValueChecks(site, checks);
        buildNumberChecks(site, checks);
        buildTextChecks(site, checks);
        buildObjectChecks(site, checks);
        buildListChecks(site, checks);
        buildBranchChecks(site, checks);
        node.tracks = buildUnevaluatedChecks(site, checks);
      }
      node.checks = checks;
    }
  }

  /** The keywords of one schema whose values are sound; tells of the others. */
  #readKeywords(schema: JsonObject, place: Place): Map<string, Json> {
    const { strict } = this.#options;
    const { dialect } = place.resource;
    const sound = new Map<string, Json>();
    const alone = dialect.refAlone && readMember(schema, "$ref") !== undefined;
    for (const keyword of alone ? ["$ref"] : Object.keys(schema)) {
      const value = schema[keyword] as Json;
      const pointer = `${place.pointer}/${escapePointer(keyword)}`;
      const shape = dialect.keywords.get(keyword) ?? (strict ? ANNOTATIONS.get(keyword) : undefined);
      if (shape === undefined) {
        if (strict) this.faults.push({ pointer, message: describeUnknown(keyword) });
        continue;
      }
      const faults = listShapeFaults(shape, value, strict);
      for (const { below, message } of faults) {
        this.faults.push({
          pointer: pointer + below,
          message: below === "" ? `${quote(keyword)} ${message}` : `this entry of ${quote(keyword)} ${message}`,
        });
      }
      if (faults.length > 0) continue;
      sound.set(keyword, value);
      if (!strict) continue;
      if (keyword === "$schema" && place.pointer !== "") this.faults.push({ pointer, message: "`$schema` is allowed at the top alone" });
      if (shape === "format" && !FORMATS.has(value as string)) {
        this.faults.push({
          pointer,
          message: `the format ${quote(value as string)} is not known; known are ${[...FORMATS.keys()].join(", ")}`,
        });
      }
    }
    return sound;
  }

  #openSite(node: SchemaNode, place: Place, schema: JsonObject): Site {
    const { resource } = place;
    const sound = this.#readKeywords(schema, place);
    const below = (...path: readonly (string | number)[]): SchemaNode => {
      const found = this.#atlas.places.get(place.pointer + printPath(path));
      assert(found, "a subschema was not surveyed");
      return this.#nodeAt(found);
    };
    const followDynamic = (keyword: string): ReadonlyMap<Place["resource"], SchemaNode> | undefined => {
      const target = this.#atlas.resolve(sound.get(keyword) as string, resource);
      if ("problem" in target || keyword === "$ref") return undefined;
      if (!target.resource.dynamicAnchors.has(target.anchor)) return undefined;
      this.keepsScopes = true;
      const nodes = new Map<Place["resource"], SchemaNode>();
      for (const candidate of this.#atlas.resources) {
        const found = this.#atlas.places.get(candidate.dynamicAnchors.get(target.anchor) ?? "-");
        if (found) nodes.set(candidate, this.#nodeAt(found));
      }
      return nodes;
    };
    return {
      dialect: resource.dialect,
      strict: this.#options.strict,
      read: (keyword) => sound.get(keyword),
      below,
      beside: (...path) => {
        const found = below(...path);
        node.inPlace.push({ node: found, pointer: place.pointer + printPath(path) });
        return found;
      },
      follow: (keyword) => {
        const target = this.#atlas.resolve(sound.get(keyword) as string, resource);
        const pointer = `${place.pointer}/${keyword}`;
        if ("problem" in target) {
          this.faults.push({ pointer, message: `${quote(keyword)} leads nowhere: ${target.problem}` });
          return undefined;
        }
        const found = this.#nodeAt(target.place);
        // Where a dynamic reference leads is only known while checking; the run's depth bounds it.
        if (!followDynamic(keyword)) node.inPlace.push({ node: found, pointer });
        return found;
      },
      followDynamic,
      press: (text, ...path) => {
        const pressed = this.#press.press(text);
        if (!("problem" in pressed)) return pressed;
        const fault = { pointer: place.pointer + printPath(path), message: pressed.problem };
        if (this.#options.strict || this.#press.exhausted) this.faults.push(fault);
        else this.leftOut.push(fault);
        return undefined;
      },
    };
  }

  /** A schema that is applied to the same value by itself would be applied for ever. */
  #refuseRings(): void {
    const done = new Set<SchemaNode>();
    const open = new Set<SchemaNode>();
    for (const start of this.#nodes.values()) {
      if (done.has(start)) continue;
      const trail: { node: SchemaNode; next: number }[] = [{ node: start, next: 0 }];
      open.add(start);
      for (let step = trail.at(-1); step; step = trail.at(-1)) {
        const edge = step.node.inPlace[step.next++];
        if (!edge) {
          open.delete(step.node);
          done.add(step.node);
          trail.pop();
        } else if (open.has(edge.node)) {
          this.faults.push({ pointer: edge.pointer, message: "this leads back to the schema that it stands in, without end" });
        } else if (!done.has(edge.node)) {
          open.add(edge.node);
          trail.push({ node: edge.node, next: 0 });
        }
      }
    }
  }
}

function printPath(path: readonly (string | number)[]): string {
  return path.map((part) => `/${typeof part === "number" ? part : escapePointer(part)}`).join("");
}

function describeUnknown(keyword: string): string {
  const successor = SUCCESSORS.get(keyword);
  const known = `${quote(keyword)} is not a keyword of JSON Schema 2020-12`;
  return successor === undefined ? known : `${known}; it has \`${successor}\``;
}

/** Compiles a whole document. A schema with faults still comes back, to be told about and not to be used. */
export function compileSchema(document: Json, options: CompileOptions): CompiledSchema {
  const size = measureSchema(document);
  const refuse = (message: string): CompiledSchema => ({
    check: () => "The schema of these arguments can't be used.",
    properties: new Set(),
    faults: [{ pointer: "", message }],
    leftOut: [],
  });
  if (size !== undefined) return refuse(size);
  const compiler = new Compiler(document, options);
  const root = compiler.compile();
  const { faults, leftOut, keepsScopes } = compiler;
  const named = isJsonObject(document) ? readMember(document, "properties") : undefined;
  return {
    check: (value) => checkValue(root, value, keepsScopes),
    properties: new Set(isJsonObject(named) ? Object.keys(named) : []),
    faults,
    leftOut,
  };
}
