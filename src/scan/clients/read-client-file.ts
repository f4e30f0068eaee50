/**
 * The text of a client's configuration → the servers that it names, each with its place. JSON with comments, TOML and
 * YAML; the file is read, nothing in it is started or asked. Pure.
 */
import { type Node as JsonNode, type ParseError, parseTree } from "jsonc-parser";
import { parse as parseToml } from "smol-toml";
import { isNode, LineCounter, parseDocument } from "yaml";
import { type Failure, fail, type Result, succeed } from "../../kernel/failure.ts";
import { type Json, toJson } from "../../kernel/json.ts";
import type { FileFormat } from "./client.ts";
import { readEntry, type ServerEntry } from "./read-entry.ts";

export const MAX_CLIENT_FILE_BYTES: number = 16 * 1024 * 1024;
/** Servers of one file that are read; more are no configuration. */
export const MAX_SERVERS_OF_FILE = 500;
/** Projects within one file. */
const MAX_PROJECTS = 1_000;

export interface ConfiguredServer {
  readonly name: string;
  readonly entry: ServerEntry;
  readonly isDisabled: boolean;
  /** Keys and places that lead to the entry. */
  readonly path: readonly (string | number)[];
  /** From 1; undefined where the format tells none. */
  readonly line: number | undefined;
  /** The project that it is for, in files that hold those of several. */
  readonly project: string | undefined;
}

export interface ClientText {
  readonly text: string;
  /** As it is shown. */
  readonly file: string;
  readonly format: FileFormat;
  readonly keys: readonly (readonly string[])[];
}

export function formatOfFile(file: string): FileFormat {
  if (/\.toml$/i.test(file)) return "toml";
  return /\.ya?ml$/i.test(file) ? "yaml" : "json";
}

/** An empty list where the file has none of the keys: `hasKey` tells it from a list that is empty. */
export function readClientFile(source: ClientText): Result<{ readonly servers: readonly ConfiguredServer[]; readonly hasKey: boolean }> {
  const opened = openText(source);
  if (!opened.ok) return opened;
  const { value, lineOf } = opened.value;
  const servers: ConfiguredServer[] = [];
  let hasKey = false;
  let hasPlain = false;
  const take = (at: unknown, path: readonly (string | number)[], project: string | undefined): void => {
    const listed = listEntries(at);
    if (listed === undefined) return;
    hasKey = true;
    for (const { name, key, entry } of listed) {
      if (servers.length >= MAX_SERVERS_OF_FILE) return;
      const place = [...path, key];
      servers.push({ name, ...readOne(entry), path: place, line: lineOf(place), project });
    }
  };
  for (const key of source.keys) {
    const star = key.indexOf("*");
    if (star < 0) {
      // Of several places where a client's servers may be, the first that is there counts.
      if (!hasPlain) take(walk(value, key), key, undefined);
      hasPlain = hasKey;
      continue;
    }
    const [head, tail] = [key.slice(0, star), key.slice(star + 1)];
    const folder = walk(value, head);
    if (!isPlainObject(folder)) continue;
    for (const name of Object.keys(folder).slice(0, MAX_PROJECTS)) take(walk(folder, [name, ...tail]), [...head, name, ...tail], name);
  }
  return succeed({ servers, hasKey });
}

function readOne(entry: unknown): { readonly entry: ServerEntry; readonly isDisabled: boolean } {
  try {
    return readEntry(toJson(entry));
  } catch {
    return { entry: { kind: "unreadable", reason: "it holds values that are no JSON" }, isDisabled: false };
  }
}

interface ListedEntry {
  readonly name: string;
  readonly key: string | number;
  readonly entry: unknown;
}

/** A map by name, or a list whose members have one. */
function listEntries(value: unknown): ListedEntry[] | undefined {
  if (Array.isArray(value)) {
    return value.map((entry: unknown, index) => {
      const name = isPlainObject(entry) ? entry["name"] : undefined;
      return { name: typeof name === "string" && name !== "" ? name : `server ${index + 1}`, key: index, entry };
    });
  }
  return isPlainObject(value) ? Object.keys(value).map((name) => ({ name, key: name, entry: value[name] })) : undefined;
}

function walk(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const key of path) {
    if (!isPlainObject(at) || !Object.hasOwn(at, key)) return undefined;
    at = at[key];
  }
  return at;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface OpenedText {
  readonly value: unknown;
  lineOf(path: readonly (string | number)[]): number | undefined;
}

function openText(source: ClientText): Result<OpenedText> {
  try {
    if (source.format === "toml") return openToml(source);
    return source.format === "yaml" ? openYaml(source) : openJson(source);
  } catch {
    // Parsers of others throw what they like; their words may repeat the text.
    return fail(unread(source));
  }
}

function unread({ file, format }: ClientText, line?: number): Failure {
  const name = { json: "JSON", toml: "TOML", yaml: "YAML" }[format];
  const at = line === undefined ? { file } : { file, line };
  return { code: format === "yaml" ? "invalid_yaml" : "invalid_json", message: `The file can't be read as ${name}.`, at };
}

function openJson(source: ClientText): Result<OpenedText> {
  const text = source.text.startsWith("\ufeff") ? ` ${source.text.slice(1)}` : source.text;
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true, disallowComments: false, allowEmptyContent: true });
  const first = errors[0];
  if (first !== undefined) return fail(unread(source, countLines(text, first.offset)));
  return succeed({
    value: tree && readNode(tree),
    lineOf(path) {
      const node = tree && findNode(tree, path);
      return node && countLines(text, node.offset);
    },
  });
}

/** As a parser of JSON reads it, the last of equal keys, into objects that inherit nothing. */
function readNode(node: JsonNode): Json {
  if (node.type === "array") return (node.children ?? []).map(readNode);
  if (node.type !== "object") return toJson(node.value);
  const object = Object.create(null) as Record<string, Json>;
  for (const { children } of node.children ?? []) {
    const [key, value] = children ?? [];
    if (key && value) object[key.value as string] = readNode(value);
  }
  return object;
}

function findNode(tree: JsonNode, path: readonly (string | number)[]): JsonNode | undefined {
  let at: JsonNode | undefined = tree;
  let shown: JsonNode | undefined;
  for (const step of path) {
    if (typeof step === "number") shown = at = at?.children?.[step];
    else {
      const property = at?.children?.findLast(({ children }) => children?.[0]?.value === step);
      shown = property?.children?.[0];
      at = property?.children?.[1];
    }
  }
  return shown;
}

function openToml(source: ClientText): Result<OpenedText> {
  const value: unknown = parseToml(source.text, { integersAsBigInt: "asNeeded" });
  const lines = source.text.split("\n");
  return succeed({
    value,
    lineOf(path) {
      const found = lines.findIndex((line) => readTableHeader(line)?.join("\0") === path.join("\0"));
      return found < 0 ? undefined : found + 1;
    },
  });
}

/** `[mcp_servers."a b"]` → its keys; undefined for any other line. */
export function readTableHeader(line: string): string[] | undefined {
  const header = /^\s*\[(?!\[)(.+)\]\s*(?:#.*)?$/.exec(line)?.[1];
  if (header === undefined) return undefined;
  const keys: string[] = [];
  let rest = header.trim();
  while (rest !== "") {
    const key = /^(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*(?:\.\s*|$)/.exec(rest);
    if (key === null) return undefined;
    keys.push(key[1] === undefined ? (key[2] ?? key[3] ?? "") : unquote(key[1]));
    rest = rest.slice(key[0].length);
  }
  return keys;
}

function unquote(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}

function openYaml(source: ClientText): Result<OpenedText> {
  const counter = new LineCounter();
  const document = parseDocument(source.text, { lineCounter: counter, strict: true, uniqueKeys: true, schema: "core" });
  const error = document.errors[0];
  if (error !== undefined) return fail(unread(source, error.linePos?.[0].line));
  return succeed({
    value: document.toJS({ maxAliasCount: 100 }) as unknown,
    lineOf(path) {
      const node = document.getIn(path, true);
      return isNode(node) && node.range ? counter.linePos(node.range[0]).line : undefined;
    },
  });
}

function countLines(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}
