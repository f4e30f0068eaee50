/**
 * Where the schemas of one document are: every subschema by its JSON Pointer, the resources that `$id` opens, the
 * anchors in them, and what a reference means. Looks only into the document; nothing is ever fetched.
 */
import { printCanonicalJson } from "../../kernel/canonical-json.ts";
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../../kernel/json.ts";
import { escapePointer } from "../../kernel/strict-json.ts";
import { ANNOTATIONS, type Dialect, findDialect } from "./dialect.ts";
import { quote } from "./quote.ts";

/** Nesting of JSON values in a schema, and how many it may hold in all. */
export const MAX_SCHEMA_DEPTH = 128;
export const MAX_SCHEMA_VALUES = 50_000;
/** The base of a document that gives itself no absolute one. */
const NO_BASE = "schema:///";

export interface Resource {
  readonly uri: string;
  readonly pointer: string;
  readonly value: Json;
  readonly dialect: Dialect;
  /** Name → JSON Pointer from the document's top. */
  readonly anchors: Map<string, string>;
  readonly dynamicAnchors: Map<string, string>;
}

export interface Place {
  readonly pointer: string;
  readonly value: Json;
  readonly resource: Resource;
}

export type Report = (pointer: string, message: string) => void;

/** The reason why a schema is too large to be taken on; undefined where it is not. */
export function measureSchema(schema: Json): string | undefined {
  let left = MAX_SCHEMA_VALUES;
  const walk = (value: Json, depth: number): boolean => {
    if (--left < 0 || depth > MAX_SCHEMA_DEPTH) return false;
    if (isJsonList(value)) return value.every((member) => walk(member, depth + 1));
    if (!isJsonObject(value)) return true;
    return Object.keys(value).every((key) => walk(value[key] as Json, depth + 1));
  };
  if (walk(schema, 0)) return undefined;
  return left < 0 ? `the schema holds more than ${MAX_SCHEMA_VALUES} values` : `the schema nests deeper than ${MAX_SCHEMA_DEPTH}`;
}

/** The subschemas that stand directly in a schema, with their place below it. */
export function listSubschemas(schema: JsonObject, dialect: Dialect, strict: boolean): [below: string, value: Json][] {
  const found: [string, Json][] = [];
  for (const keyword of Object.keys(schema)) {
    const value = schema[keyword] as Json;
    const below = `/${escapePointer(keyword)}`;
    const shape = dialect.keywords.get(keyword) ?? (strict ? ANNOTATIONS.get(keyword) : undefined);
    switch (shape) {
      case "schema":
      case "schemas":
      case "schemaOrSchemas":
        if (isJsonList(value) && shape !== "schema") value.forEach((member, index) => void found.push([`${below}/${index}`, member]));
        else if (shape !== "schemas" && (isJsonObject(value) || typeof value === "boolean")) found.push([below, value]);
        break;
      case "schemaMap":
      case "patternMap":
      case "dependencies":
        if (!isJsonObject(value)) break;
        for (const key of Object.keys(value)) {
          const member = value[key] as Json;
          if (keyword !== "dependencies" || !isJsonList(member)) found.push([`${below}/${escapePointer(key)}`, member]);
        }
        break;
      default:
    }
  }
  return found;
}

/** Splits a reference at its `#`; the fragment is undefined where there is none, or where it can't be decoded. */
function splitReference(reference: string): { address: string; fragment: string | undefined } {
  const hash = reference.indexOf("#");
  if (hash === -1) return { address: reference, fragment: "" };
  try {
    return { address: reference.slice(0, hash), fragment: decodeURIComponent(reference.slice(hash + 1)) };
  } catch {
    return { address: reference.slice(0, hash), fragment: undefined };
  }
}

function resolveAddress(address: string, base: string): string | undefined {
  return address === "" ? base : (URL.parse(address, base)?.href ?? undefined);
}

export class Atlas {
  readonly places: Map<string, Place> = new Map();
  readonly #resources = new Map<string, Resource>();
  /** Canonical texts of resources whose identifier stood twice, so that each is printed once. */
  readonly #texts = new Map<Resource, string>();
  readonly #strict: boolean;
  readonly #report: Report;

  constructor(document: Json, dialect: Dialect, strict: boolean, report: Report) {
    this.#strict = strict;
    this.#report = report;
    const root: Resource = { uri: NO_BASE, pointer: "", value: document, dialect, anchors: new Map(), dynamicAnchors: new Map() };
    this.#resources.set(NO_BASE, root);
    this.#survey(document, "", root, true);
  }

  get resources(): Iterable<Resource> {
    return new Set(this.#resources.values());
  }

  /** The schema that a reference in a resource names, or why it names none. */
  resolve(reference: string, from: Resource): { place: Place; resource: Resource; anchor: string } | { problem: string } {
    const { address, fragment } = splitReference(reference);
    const uri = resolveAddress(address, from.uri);
    const resource = address === "" ? from : uri === undefined ? undefined : this.#resources.get(uri);
    if (!resource) return { problem: `${quote(reference)} is not in this document, and nothing is fetched` };
    if (fragment === undefined) return { problem: `${quote(reference)} has a malformed fragment` };
    if (fragment === "" || fragment.startsWith("/")) {
      const place = this.#findPlace(resource, fragment);
      return place ? { place, resource, anchor: "" } : { problem: `${quote(reference)} names nothing in this document` };
    }
    const pointer = resource.anchors.get(fragment);
    const place = pointer === undefined ? undefined : this.places.get(pointer);
    return place ? { place, resource, anchor: fragment } : { problem: `${quote(reference)} names no anchor of this document` };
  }

  #findPlace(resource: Resource, below: string): Place | undefined {
    let { value, pointer } = resource;
    let within = resource;
    for (const part of below.split("/").slice(1)) {
      const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
      let next: Json | undefined;
      if (isJsonList(value)) next = /^(0|[1-9]\d{0,8})$/.test(key) ? value[Number(key)] : undefined;
      else if (isJsonObject(value)) next = readMember(value, key);
      if (next === undefined) return undefined;
      value = next;
      pointer += `/${escapePointer(key)}`;
      within = this.places.get(pointer)?.resource ?? within;
    }
    const known = this.places.get(pointer);
    if (known) return known;
    // A place that no keyword makes a schema: it becomes one by being named, but its identifiers are none.
    this.#survey(value, pointer, within, false);
    return this.places.get(pointer);
  }

  #survey(value: Json, pointer: string, parent: Resource, registers: boolean): void {
    let resource = parent;
    if (isJsonObject(value) && registers) {
      resource = this.#openResource(value, pointer, parent);
      this.#keepAnchors(value, pointer, resource);
    }
    this.places.set(pointer, { pointer, value, resource });
    if (!isJsonObject(value)) return;
    for (const [below, member] of listSubschemas(value, resource.dialect, this.#strict)) {
      if (!this.places.has(pointer + below)) this.#survey(member, pointer + below, resource, registers);
    }
  }

  #openResource(schema: JsonObject, pointer: string, parent: Resource): Resource {
    const dialect = this.#findOwnDialect(schema, pointer, parent);
    const id = readMember(schema, dialect.idKeyword);
    if (typeof id !== "string" || (dialect.refAlone && readMember(schema, "$ref") !== undefined)) return parent;
    const { address, fragment } = splitReference(id);
    const at = `${pointer}/${dialect.idKeyword}`;
    if (fragment !== "" && !dialect.idAnchors) this.#report(at, `\`${dialect.idKeyword}\` can't have a fragment`);
    if (address === "") return parent;
    const uri = resolveAddress(address, parent.uri);
    if (uri === undefined) {
      this.#report(at, `${quote(id)} can't be resolved to an address`);
      return parent;
    }
    // The same schema written out twice, identifier and all, is no contradiction.
    const known = this.#resources.get(uri);
    if (known && this.#printOnce(known) !== printCanonicalJson(schema)) {
      this.#report(at, `${quote(id)} names two different schemas`);
      return parent;
    }
    const resource: Resource = { uri, pointer, value: schema, dialect, anchors: new Map(), dynamicAnchors: new Map() };
    if (!known) this.#resources.set(uri, resource);
    return resource;
  }

  #printOnce(resource: Resource): string {
    const text = this.#texts.get(resource) ?? printCanonicalJson(resource.value);
    this.#texts.set(resource, text);
    return text;
  }

  #findOwnDialect(schema: JsonObject, pointer: string, parent: Resource): Dialect {
    const named = readMember(schema, "$schema");
    const embedded = pointer !== "" && !this.#strict && (readMember(schema, "$id") !== undefined || readMember(schema, "id") !== undefined);
    if (!embedded || typeof named !== "string") return parent.dialect;
    const dialect = findDialect(named);
    if (dialect) return dialect;
    this.#report(`${pointer}/$schema`, `${quote(named)} is no draft of JSON Schema that is known here`);
    return parent.dialect;
  }

  #keepAnchors(schema: JsonObject, pointer: string, resource: Resource): void {
    const { dialect } = resource;
    const keep = (name: Json | undefined, keyword: string, dynamic: boolean): void => {
      if (typeof name !== "string") return;
      const known = resource.anchors.get(name);
      if (known !== undefined && known !== pointer) {
        this.#report(`${pointer}/${keyword}`, `the anchor ${quote(name)} stands twice in one schema`);
        return;
      }
      resource.anchors.set(name, pointer);
      if (dynamic) resource.dynamicAnchors.set(name, pointer);
    };
    for (const keyword of ["$anchor", "$dynamicAnchor"]) {
      if (dialect.keywords.has(keyword)) keep(readMember(schema, keyword), keyword, keyword === "$dynamicAnchor");
    }
    // The one dynamic anchor of 2019-09 has no name and belongs to a whole resource.
    if (dialect.keywords.has("$recursiveAnchor") && pointer === resource.pointer && readMember(schema, "$recursiveAnchor") === true) {
      resource.dynamicAnchors.set("", pointer);
    }
    const id = readMember(schema, dialect.idKeyword);
    if (!dialect.idAnchors || typeof id !== "string" || (dialect.refAlone && readMember(schema, "$ref") !== undefined)) return;
    const { fragment } = splitReference(id);
    if (fragment !== undefined && fragment !== "" && !fragment.startsWith("/")) keep(fragment, dialect.idKeyword, false);
  }
}
