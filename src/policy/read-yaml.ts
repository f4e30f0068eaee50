/**
 * YAML as it is read here: one document of maps, lists and plain scalars, by YAML 1.2's core schema with numbers in
 * JSON's grammar. Tags, merge keys, keys that are no text, other numbers and aliases that unfold too far are faults;
 * nothing is ever constructed, and no digit of a number is lost.
 */
import { isAlias, isMap, isScalar, isSeq, type Node, type ParsedNode, parseDocument } from "yaml";
import { createJsonObject, type Json } from "../kernel/json.ts";
import { escapePointer, isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";

/** Values that a document may unfold to, each use of an alias counted anew. */
export const MAX_YAML_VALUES = 1_000_000;
/** What aliases alone may add to a document, in values and in the characters of their texts. */
export const MAX_YAML_ALIASED_VALUES = 50_000;
export const MAX_YAML_ALIASED_CHARACTERS = 1_000_000;
const MAX_YAML_FAULTS = 100;

export interface YamlFault {
  readonly message: string;
  /** UTF-16, into the text. */
  readonly offset: number;
  /** Undefined where the text could not be read at all. */
  readonly pointer: string | undefined;
}

export interface ReadYaml {
  /** Undefined where a fault left nothing to look at. */
  readonly value: Json | undefined;
  readonly faults: readonly YamlFault[];
  /** Offset of the value or key at that pointer, or of the nearest place above it. */
  findOffset(pointer: string, which: "key" | "value"): number;
}

const NULL = /^(?:~|null|Null|NULL)?$/;
const BOOLEAN = /^(?:true|True|TRUE|false|False|FALSE)$/;
const JSON_NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/;
/** What the core schema takes for a number and JSON does not. */
const OTHER_NUMBER =
  /^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

class YamlReader {
  readonly faults: YamlFault[] = [];
  readonly maxDepth: number;
  readonly #anyMagnitude: boolean;
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  #values = 0;
  #aliased = 0;
  #aliasedCharacters = 0;
  #insideAlias = 0;
  #stopped = false;

  constructor(maxDepth: number, anyMagnitude: boolean) {
    this.maxDepth = maxDepth;
    this.#anyMagnitude = anyMagnitude;
  }

  fault(message: string, offset: number, pointer: string | undefined): null {
    if (this.faults.length < MAX_YAML_FAULTS) this.faults.push({ message, offset, pointer });
    return null;
  }

  /** As `fault`, and nothing more is looked at: going on could cost more than the text is worth. */
  stop(message: string, offset: number, pointer: string): null {
    if (!this.#stopped) this.fault(message, offset, pointer);
    this.#stopped = true;
    return null;
  }

  readNode(node: Node | null | undefined, depth: number, pointer: string): Json {
    if (this.#stopped || !node) return null;
    const offset = startOf(node);
    if (++this.#values > MAX_YAML_VALUES) return this.stop("the document holds too many values", offset, pointer);
    if (this.#insideAlias > 0 && !this.#countAliased(node)) {
      return this.stop("the aliases of the document unfold to too much", offset, pointer);
    }
    if (isAlias(node)) return this.#readAlias(node.source, offset, depth, pointer);
    const { tag, anchor } = node as { tag?: string; anchor?: string };
    if (tag !== undefined) return this.fault("tags (`!…`) are not read here", offset, pointer);
    if (anchor !== undefined && this.#insideAlias === 0) this.#anchors.set(anchor, node);
    if (isScalar(node)) return this.#readScalar(node.source ?? "", node.type === "PLAIN", offset, pointer);
    if (depth >= this.maxDepth) return this.fault("the nesting is too deep", offset, pointer);
    if (isSeq(node)) {
      this.#open.add(node);
      const list = node.items.map((item, index) => this.readNode(item as Node, depth + 1, `${pointer}/${index}`));
      this.#open.delete(node);
      return list;
    }
    if (isMap(node)) return this.#readMap(node.items, node, depth, pointer);
    return this.fault("this kind of YAML is not read here", offset, pointer);
  }

  /** Whether what aliases repeat is still within bounds. */
  #countAliased(node: Node): boolean {
    this.#aliased++;
    if (isScalar(node)) this.#aliasedCharacters += node.source?.length ?? 0;
    if (isMap(node)) for (const { key } of node.items) if (isScalar(key)) this.#aliasedCharacters += key.source?.length ?? 0;
    return this.#aliased <= MAX_YAML_ALIASED_VALUES && this.#aliasedCharacters <= MAX_YAML_ALIASED_CHARACTERS;
  }

  #readMap(pairs: readonly { key: unknown; value: unknown }[], node: Node, depth: number, pointer: string): Json {
    const object = createJsonObject();
    this.#open.add(node);
    for (const pair of pairs) {
      const offset = startOf(pair.key as Node | null) || startOf(node);
      const key = this.#readKey(pair.key, offset, pointer);
      if (key === undefined) continue;
      const path = `${pointer}/${escapePointer(key)}`;
      if (key in object) {
        this.fault(`the key \`${key}\` stands twice`, offset, path);
        continue;
      }
      object[key] = this.readNode(pair.value as Node | null, depth + 1, path);
    }
    this.#open.delete(node);
    return object;
  }

  /** The text of a key; undefined, with a fault, where it can be none. */
  #readKey(key: unknown, offset: number, pointer: string): string | undefined {
    const fault = findKeyFault(key);
    if (fault === undefined) return (key as { source: string }).source;
    this.fault(fault, offset, pointer);
    return undefined;
  }

  #readAlias(name: string, offset: number, depth: number, pointer: string): Json {
    const target = this.#anchors.get(name);
    if (!target) return this.fault(`the alias \`*${name}\` names no anchor that stands before it`, offset, pointer);
    if (this.#open.has(target)) return this.fault(`the alias \`*${name}\` stands inside of what it names`, offset, pointer);
    this.#insideAlias++;
    const value = this.readNode(target, depth, pointer);
    this.#insideAlias--;
    return value;
  }

  #readScalar(source: string, plain: boolean, offset: number, pointer: string): Json {
    if (!plain) {
      return source.isWellFormed() ? source : this.fault("a text holds half a character (a lone surrogate)", offset, pointer);
    }
    if (NULL.test(source)) return null;
    if (BOOLEAN.test(source)) return source.charAt(0).toLowerCase() === "t";
    if (JSON_NUMBER.test(source)) {
      const parsed = parseStrictJson(source, { anyMagnitude: this.#anyMagnitude });
      return isJsonFault(parsed) ? this.fault(parsed.message, offset, pointer) : parsed.value;
    }
    if (OTHER_NUMBER.test(source)) {
      return this.fault(`\`${source}\` is no number as JSON writes them; put quotes around it if it is text`, offset, pointer);
    }
    return source;
  }
}

function findKeyFault(key: unknown): string | undefined {
  if (!isScalar(key)) return "a key has to be plain text";
  const { source = "", type, tag } = key as { source?: string; type?: string; tag?: string };
  if (tag !== undefined) return "tags (`!…`) are not read here";
  if (type === "PLAIN" && source === "<<") return "merge keys (`<<`) are not read here";
  if (type === "PLAIN" && source === "") return "a key is empty";
  return source.isWellFormed() ? undefined : "a text holds half a character (a lone surrogate)";
}

function startOf(node: Node | null | undefined): number {
  return node?.range?.[0] ?? 0;
}

/** Reads one YAML document. */
export function readYaml(text: string, maxDepth: number, anyMagnitude = false): ReadYaml {
  let top: ParsedNode | null = null;
  const faults: YamlFault[] = [];
  try {
    const parsed = parseDocument(text, {
      schema: "failsafe",
      version: "1.2",
      merge: false,
      uniqueKeys: false,
      resolveKnownTags: false,
      prettyErrors: false,
      logLevel: "error",
    });
    for (const error of parsed.errors.slice(0, MAX_YAML_FAULTS)) {
      faults.push({ message: describeSyntax(error.code, error.message), offset: error.pos[0], pointer: undefined });
    }
    const yaml = parsed.directives?.yaml;
    if (yaml?.explicit && yaml.version !== "1.2") faults.push({ message: "only YAML 1.2 is read here", offset: 0, pointer: "" });
    top = parsed.contents;
  } catch (error) {
    // The parser recurses: only nesting beyond all bounds, or a fault of its own, ends here.
    const message = error instanceof RangeError ? "the nesting is too deep" : "the text can't be read as YAML";
    return { value: undefined, faults: [{ message, offset: 0, pointer: undefined }], findOffset: () => 0 };
  }
  const findOffset = (pointer: string, which: "key" | "value"): number => findNodeOffset(top, pointer, which);
  if (faults.length > 0) return { value: undefined, faults, findOffset };
  const reader = new YamlReader(maxDepth, anyMagnitude);
  const value = reader.readNode(top, 0, "");
  return { value, faults: reader.faults, findOffset };
}

function describeSyntax(code: string, message: string): string {
  if (code === "MULTIPLE_DOCS") return "the text holds more than one document";
  if (code === "RESOURCE_EXHAUSTION") return "the nesting is too deep";
  const [line = ""] = message.split("\n");
  return line === "" ? "the text can't be read as YAML" : `not YAML: ${line}`;
}

function findNodeOffset(top: Node | null, pointer: string, which: "key" | "value"): number {
  const anchors = new Map<string, Node>();
  let node = resolveAlias(top, top, anchors);
  let offset = startOf(node);
  if (pointer === "") return offset;
  for (const part of pointer.slice(1).split("/")) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    let next: Node | null | undefined;
    let keyOffset: number | undefined;
    if (isMap(node)) {
      // The last of doubled keys is the one that is told of.
      for (const pair of node.items) {
        if (!isScalar(pair.key) || (pair.key as { source?: string }).source !== key) continue;
        keyOffset = startOf(pair.key);
        next = pair.value as Node | null;
      }
      if (keyOffset === undefined) return offset;
    } else if (isSeq(node)) next = node.items[Number(key)] as Node | undefined;
    if (next === undefined && keyOffset === undefined) return offset;
    offset = which === "key" && keyOffset !== undefined ? keyOffset : startOf(next) || keyOffset || offset;
    node = resolveAlias(next, top, anchors);
  }
  return offset;
}

/** What an alias stands for; anchors are collected at the first need. */
function resolveAlias(node: Node | null | undefined, top: Node | null, anchors: Map<string, Node>): Node | null | undefined {
  if (!isAlias(node)) return node;
  if (anchors.size === 0) collectAnchors(top, anchors);
  return anchors.get(node.source);
}

function collectAnchors(node: unknown, anchors: Map<string, Node>): void {
  const anchor = (node as { anchor?: string } | null)?.anchor;
  if (anchor !== undefined) anchors.set(anchor, node as Node);
  if (isSeq(node)) for (const item of node.items) collectAnchors(item, anchors);
  if (isMap(node)) for (const pair of node.items) collectAnchors(pair.value, anchors);
}
