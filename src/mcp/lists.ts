/**
 * Pages of `tools/list`, `prompts/list`, `resources/list` and `resources/templates/list`: read whole and strictly,
 * because what can't be read can't be filtered; written back by leaving items out of the text, so that what is shown
 * keeps every field as the server wrote it.
 */
import { hash } from "node:crypto";
import { printCanonicalJson } from "../kernel/canonical-json.ts";
import { isJsonList, isJsonObject, type Json, type JsonObject, printJson } from "../kernel/json.ts";
import type { JsonSpan, SpanNode } from "../kernel/json-spans.ts";
import { escapePointer, isJsonFault, type JsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import type { ResultAnswer } from "./answer.ts";
import { createKeyTable, isVariant, RESULT_KEYS } from "./fold.ts";
import { flagName, type NameFlag } from "./names.ts";
import type { MessageId } from "./request-id.ts";

export const MAX_LIST_ITEMS = 20_000;

export type ListKind = "tools" | "prompts" | "resources" | "resourceTemplates";

/** The member by which an item is known. */
const IDENTIFIERS: Readonly<Record<ListKind, string>> = {
  tools: "name",
  prompts: "name",
  resources: "uri",
  resourceTemplates: "uriTemplate",
};

const ITEM_KEYS = createKeyTable("name", "uri", "uriTemplate", "inputSchema", "outputSchema", "annotations");

/** SHA-256 (hex) over the canonical text of a whole definition: every field counts, spelling and order do not. */
export function hashDefinition(definition: Json): string {
  return hash("sha256", printCanonicalJson(definition), "hex");
}

export class ListItem {
  readonly index: number;
  /** Name, URI or template, by the list's kind; empty where the item has none. */
  readonly key: string;
  readonly value: Json;
  readonly raw: string;
  /** Why the item may not be shown, whatever a policy says; undefined for a sound one. */
  readonly fault: string | undefined;
  /** Whether another item of the page has the same key. */
  readonly isRepeated: boolean;
  /** Of tools and prompts. */
  readonly flags: readonly NameFlag[];
  #hash: string | undefined;

  constructor(item: Pick<ListItem, "index" | "key" | "value" | "raw" | "fault" | "isRepeated" | "flags">) {
    this.index = item.index;
    this.key = item.key;
    this.value = item.value;
    this.raw = item.raw;
    this.fault = item.fault;
    this.isRepeated = item.isRepeated;
    this.flags = item.flags;
  }

  get hash(): string {
    return (this.#hash ??= hashDefinition(this.value));
  }
}

export interface ListPage {
  readonly kind: ListKind;
  readonly items: readonly ListItem[];
  readonly nextCursor: string | undefined;
  /** The result object, its text and the spans of its members, items and their members. */
  readonly result: JsonObject;
  readonly text: string;
  readonly spans: SpanNode;
}

export interface InvalidPage {
  readonly kind: "invalid";
  readonly reason: string;
}

function invalid(reason: string): InvalidPage {
  return { kind: "invalid", reason };
}

/** Reads the page that a server's answer holds. A page that is not strict is invalid as a whole. */
export function readListPage(answer: ResultAnswer, bytes: Uint8Array, kind: ListKind): ListPage | InvalidPage {
  const { start, end } = answer.result;
  return parseListPage(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8"), kind);
}

/** Parses a page from the text of its result. */
export function parseListPage(text: string, kind: ListKind): ListPage | InvalidPage {
  const duplicates: JsonFault[] = [];
  const parsed = parseStrictJson(text, { spanDepth: 3, duplicates });
  if (isJsonFault(parsed)) return invalid(parsed.message);
  const result = parsed.value;
  if (!isJsonObject(result)) return invalid("the result is not an object");
  for (const key of Object.keys(result)) if (isVariant(RESULT_KEYS, key)) return invalid("a key is not spelled as the protocol spells it");
  const list = result[kind];
  if (!isJsonList(list)) return invalid(`\`${kind}\` is not a list`);
  if (list.length > MAX_LIST_ITEMS) return invalid("the list is too long");
  const cursor = result["nextCursor"] ?? undefined;
  if (cursor !== undefined && typeof cursor !== "string") return invalid("`nextCursor` is not a text");
  const broken = findBroken(duplicates, kind, list.length, parsed.spans);
  if (!broken) return invalid("a key stands twice");
  const items = readItems(list, kind, text, parsed.spans, broken);
  return { kind, items, nextCursor: cursor, result, text, spans: parsed.spans };
}

/** Places of the items that hold a duplicate key; undefined where one stands outside of every item. */
function findBroken(duplicates: readonly JsonFault[], kind: ListKind, count: number, spans: SpanNode): ReadonlySet<number> | undefined {
  const broken = new Set<number>();
  for (const { offset } of duplicates) {
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((spans.get(`/${kind}/${middle}`) as JsonSpan).end <= offset) low = middle + 1;
      else high = middle;
    }
    const span = spans.get(`/${kind}/${low}`);
    if (!span || offset < span.start) return undefined;
    broken.add(low);
  }
  return broken;
}

function readItems(list: readonly Json[], kind: ListKind, text: string, spans: SpanNode, broken: ReadonlySet<number>): ListItem[] {
  const identifier = IDENTIFIERS[kind];
  const keys = list.map((value) => {
    const key = isJsonObject(value) ? value[identifier] : undefined;
    return typeof key === "string" ? key : "";
  });
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  const named = kind === "tools" || kind === "prompts";
  return list.map((value, index) => {
    const span = spans.get(`/${kind}/${index}`) as JsonSpan;
    const key = keys[index] as string;
    return new ListItem({
      index,
      key,
      value,
      raw: text.slice(span.start, span.end),
      fault: broken.has(index) ? "a key stands twice" : findFault(value, key, identifier),
      isRepeated: (counts.get(key) ?? 0) > 1,
      flags: named ? flagName(key) : [],
    });
  });
}

function findFault(value: Json, key: string, identifier: string): string | undefined {
  if (!isJsonObject(value)) return "the item is not an object";
  if (key === "") return `the item has no \`${identifier}\``;
  for (const member of Object.keys(value)) if (isVariant(ITEM_KEYS, member)) return "a key is not spelled as the protocol spells it";
  return undefined;
}

export interface PageEdits {
  /** null: none is told; left out: the server's own. */
  readonly nextCursor?: string | null | undefined;
  /** The key to show an item under; undefined: its own. */
  readonly rename?: ((item: ListItem) => string | undefined) | undefined;
  /** Members of an item to leave out. */
  readonly omit?: ((item: ListItem) => readonly string[]) | undefined;
  /** Further members of the result to put in or in place. */
  readonly set?: Readonly<Record<string, Json>> | undefined;
  readonly remove?: readonly string[] | undefined;
}

/** One item's text, under another key where `shown` is given. */
export function printItem(page: ListPage, item: ListItem, shown?: string): string {
  const span = page.spans.get(`/${page.kind}/${item.index}`);
  const name = page.spans.get(`/${page.kind}/${item.index}/${IDENTIFIERS[page.kind]}`);
  if (shown === undefined || shown === item.key || !span || !name) return item.raw;
  return page.text.slice(span.start, name.start) + JSON.stringify(shown) + page.text.slice(name.end, span.end);
}

/** One item's text without some of its members, under another key where `shown` is given; what stays is slices of the page. */
function printWithout(page: ListPage, item: ListItem, omitted: readonly string[], shown?: string): string {
  if (!isJsonObject(item.value)) return item.raw;
  const kept: string[] = [];
  for (const name of Object.keys(item.value)) {
    const span = page.spans.get(`/${page.kind}/${item.index}/${escapePointer(name)}`) as JsonSpan;
    if (omitted.includes(name)) continue;
    const isKey = shown !== undefined && name === IDENTIFIERS[page.kind];
    kept.push(isKey ? `${JSON.stringify(name)}:${JSON.stringify(shown)}` : page.text.slice(span.key, span.end));
  }
  return `{${kept.join(",")}}`;
}

/** The page's result as text, with the items that `keep` does not want, and every item with a fault, left out. */
export function printListPage(page: ListPage, keep: (item: ListItem) => boolean, edits: PageEdits = {}): string {
  const { set = {}, remove = [], nextCursor, rename, omit } = edits;
  const kept = page.items.filter((item) => item.fault === undefined && keep(item));
  const replaced: Record<string, string> = Object.create(null) as Record<string, string>;
  if (kept.length < page.items.length || rename || (omit && kept.some((item) => omit(item).length > 0))) {
    const print = (item: ListItem): string => {
      const omitted = omit?.(item);
      const shown = rename?.(item);
      return omitted && omitted.length > 0 ? printWithout(page, item, omitted, shown) : printItem(page, item, shown);
    };
    replaced[page.kind] = `[${kept.map(print).join(",")}]`;
  }
  for (const [name, value] of Object.entries(set)) replaced[name] = printJson(value);
  if (typeof nextCursor === "string") replaced["nextCursor"] = JSON.stringify(nextCursor);
  const removed = new Set(nextCursor === null ? [...remove, "nextCursor"] : remove);
  if (Object.keys(replaced).length === 0 && removed.size === 0) return page.text;
  const members: string[] = [];
  for (const name of Object.keys(page.result)) {
    const span = page.spans.get(`/${escapePointer(name)}`) as JsonSpan;
    if (removed.has(name)) continue;
    members.push(name in replaced ? `${JSON.stringify(name)}:${replaced[name] as string}` : page.text.slice(span.key, span.end));
  }
  for (const name of Object.keys(replaced)) {
    if (!(name in page.result)) members.push(`${JSON.stringify(name)}:${replaced[name] as string}`);
  }
  return `{${members.join(",")}}`;
}

/** A list put together from items of several pages, as the text of a result. */
export function printList(kind: ListKind, items: readonly string[], members: Readonly<Record<string, Json>> = {}): string {
  const others = Object.entries(members).map(([name, value]) => `,${JSON.stringify(name)}:${printJson(value)}`);
  return `{"${kind}":[${items.join(",")}]${others.join("")}}`;
}

/** A result given as text, under the client's id. */
export function writeResultText(id: MessageId, result: string): Buffer {
  return Buffer.from(`{"jsonrpc":"2.0","id":${id.raw},"result":${result}}`, "utf8");
}
