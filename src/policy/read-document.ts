/**
 * Text of a policy, a configuration or a test file → one JSON value that knows where each part of it stands. Reads
 * strict JSON or safe YAML, keeps the spelling of numbers, and tells every fault with line, column and pointer.
 */
import type { Failure, Place, Result } from "../kernel/failure.ts";
import { fail, succeed } from "../kernel/failure.ts";
import type { Json } from "../kernel/json.ts";
import { isJsonFault, type JsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import { readYaml } from "./read-yaml.ts";

export type DocumentFormat = "json" | "yaml";

/** UTF-16 units of a document's text; YAML takes far longer to read. */
export const MAX_JSON_CHARACTERS: number = 4 * 1024 * 1024;
export const MAX_YAML_CHARACTERS: number = 2 * 1024 * 1024;
/** Nesting of a document. */
export const MAX_DOCUMENT_DEPTH = 64;

export interface DocumentOptions {
  /** Named in every failure; its ending tells the format. */
  readonly file?: string | undefined;
  readonly format?: DocumentFormat | undefined;
  /** Numbers beyond a double's range are read too, as exactly as all others. */
  readonly anyMagnitude?: boolean | undefined;
}

export type PlaceInDocument = (pointer: string, which?: "key" | "value") => Place;

export interface ReadDocument {
  readonly value: Json;
  /** Where the value (or its key) at a pointer stands; of one that is not there, where its parent does. */
  readonly place: PlaceInDocument;
}

/** What there is to see of a document with faults: `value` is undefined where there is nothing left to look at. */
export interface ScannedDocument {
  readonly value: Json | undefined;
  readonly place: PlaceInDocument;
  readonly failures: readonly Failure[];
}

/** Reads a document; any fault, a doubled key among them, is a failure. */
export function readDocument(text: string, options: DocumentOptions = {}): Result<ReadDocument> {
  const { value, place, failures } = scanDocument(text, options);
  if (value === undefined || failures.length > 0) return fail(...failures);
  return succeed({ value, place });
}

/**
 * Reads as much of a document as can be read, for whoever tells all its errors at once. A caller uses the value only
 * where `failures` is empty.
 */
export function scanDocument(text: string, options: DocumentOptions = {}): ScannedDocument {
  const { file, anyMagnitude = false } = options;
  const body = text.startsWith("\ufeff") ? text.slice(1) : text;
  const lines = new LineTable(body);
  const format = options.format ?? formatOf(file, body);
  const at = (offset: number, pointer?: string): Place => ({
    ...(file === undefined ? {} : { file }),
    ...lines.locate(offset),
    ...(pointer === undefined ? {} : { pointer }),
  });
  const code = format === "json" ? "invalid_json" : "invalid_yaml";
  if (body.length > (format === "json" ? MAX_JSON_CHARACTERS : MAX_YAML_CHARACTERS)) {
    const failure: Failure = { code, message: "The document is too long to be read.", at: at(0, "") };
    return { value: undefined, place: (pointer) => at(0, pointer), failures: [failure] };
  }
  if (format === "json") {
    const duplicates: JsonFault[] = [];
    const parsed = parseStrictJson(body, { maxDepth: MAX_DOCUMENT_DEPTH, spanDepth: Number.POSITIVE_INFINITY, duplicates, anyMagnitude });
    const failures = duplicates.map((fault) => tellFault("invalid_document", fault, at));
    if (isJsonFault(parsed)) {
      const failure = tellFault(code, { ...parsed, pointer: undefined }, at);
      return { value: undefined, place: (pointer) => at(0, pointer), failures: [failure, ...failures] };
    }
    const place: PlaceInDocument = (pointer, which = "value") => {
      let path = pointer;
      let span = parsed.spans.get(path);
      while (span === undefined && path !== "") {
        path = path.slice(0, path.lastIndexOf("/"));
        span = parsed.spans.get(path);
      }
      return at(span === undefined ? 0 : which === "key" ? span.key : span.start, pointer);
    };
    return { value: parsed.value, place, failures };
  }
  const read = readYaml(body, MAX_DOCUMENT_DEPTH, anyMagnitude);
  const failures = read.faults.map((fault) => tellFault(fault.pointer === undefined ? code : "invalid_document", fault, at));
  return { value: read.value, place: (pointer, which = "value") => at(read.findOffset(pointer, which), pointer), failures };
}

function formatOf(file: string | undefined, text: string): DocumentFormat {
  const ending = /\.([a-z]+)$/i.exec(file ?? "")?.[1]?.toLowerCase();
  if (ending === "json") return "json";
  if (ending === "yaml" || ending === "yml") return "yaml";
  return text.trimStart().startsWith("{") ? "json" : "yaml";
}

function tellFault(
  code: Failure["code"],
  fault: { readonly message: string; readonly offset: number; readonly pointer: string | undefined },
  at: (offset: number, pointer?: string) => Place,
): Failure {
  const message = `${fault.message.charAt(0).toUpperCase()}${fault.message.slice(1)}.`;
  return { code, message: message.replace(/\.\.$/, "."), at: at(fault.offset, fault.pointer) };
}

/** Line starts of a text, for many questions about one text. */
class LineTable {
  readonly #text: string;
  #starts: number[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  locate(offset: number): { line: number; column: number } {
    const starts = (this.#starts ??= findLineStarts(this.#text));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] as number) + 1 };
  }
}

function findLineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}
