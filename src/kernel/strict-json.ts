/**
 * The one JSON parser for text that comes from outside. RFC 8259 and no more: one value, no byte order mark, no
 * duplicate key at any level, no lone surrogate, no number that a double would read as infinite or wrongly as zero.
 * What it accepts, every conforming parser reads alike; what it can't be sure of, it refuses.
 */
import { createJsonObject, type Json, JsonNumber } from "./json.ts";
import { NO_SPANS, SpanNode } from "./json-spans.ts";

export const MAX_JSON_DEPTH = 128;
export const MAX_JSON_NUMBER_CHARACTERS = 1024;

export interface JsonFault {
  readonly message: string;
  readonly offset: number;
  readonly pointer: string;
}

export interface StrictJsonOptions {
  /** Nesting that is accepted; a scalar has depth 0. */
  readonly maxDepth?: number;
  /** Record the spans of values down to this depth (1: the members of the top value). 0, the default: none. */
  readonly spanDepth?: number;
  /** Collect duplicate keys here and go on, instead of stopping at the first. The first of them is kept. */
  readonly duplicates?: JsonFault[];
  /** Take numbers beyond a double's range too: only for texts that nobody reads but by exact decimals. */
  readonly anyMagnitude?: boolean;
}

export interface ParsedJson {
  readonly value: Json;
  /** As deep as `spanDepth` asked. */
  readonly spans: SpanNode;
}

class Fault extends Error {
  readonly offset: number;
  pointer = "";
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

export function escapePointer(key: string): string {
  return key.includes("~") || key.includes("/") ? key.replaceAll("~", "~0").replaceAll("/", "~1") : key;
}

class Reader {
  readonly text: string;
  at = 0;
  readonly maxDepth: number;
  readonly spanDepth: number;
  readonly duplicates: JsonFault[] | undefined;
  readonly anyMagnitude: boolean;

  constructor(text: string, options: StrictJsonOptions) {
    this.text = text;
    this.maxDepth = options.maxDepth ?? MAX_JSON_DEPTH;
    this.spanDepth = options.spanDepth ?? 0;
    this.duplicates = options.duplicates;
    this.anyMagnitude = options.anyMagnitude ?? false;
  }

  skipSpace(): void {
    const { text } = this;
    for (;;) {
      const code = text.charCodeAt(this.at);
      if (code === 32 || code === 10 || code === 13 || code === 9) this.at++;
      else return;
    }
  }

  /** `pointer` is spelled only where duplicates are collected, `node` is there only where members are to be noted. */
  readValue(depth: number, pointer: string, node: SpanNode | undefined): Json {
    const code = this.text.charCodeAt(this.at);
    if (code === 34) return this.readText();
    if (code === 123) return this.readObject(depth, pointer, node);
    if (code === 91) return this.readList(depth, pointer, node);
    if (code === 116) return this.readWord("true", true);
    if (code === 102) return this.readWord("false", false);
    if (code === 110) return this.readWord("null", null);
    if (code === 45 || (code >= 48 && code <= 57)) return this.readNumber();
    throw new Fault(Number.isNaN(code) ? "the text ends before its value does" : "a value is expected here", this.at);
  }

  readWord<T extends Json>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw new Fault("a value is expected here", this.at);
    this.at += word.length;
    return value;
  }

  readNumber(): number | JsonNumber {
    const { text } = this;
    const start = this.at;
    let at = start;
    let simple = true;
    if (text.charCodeAt(at) === 45) at++;
    const first = text.charCodeAt(at);
    if (!(first >= 48 && first <= 57)) throw new Fault("a digit is expected here", at);
    at++;
    if (first === 48) {
      const next = text.charCodeAt(at);
      if (next >= 48 && next <= 57) throw new Fault("a number has a leading zero", at);
    } else {
      for (let code = text.charCodeAt(at); code >= 48 && code <= 57; code = text.charCodeAt(at)) at++;
    }
    if (text.charCodeAt(at) === 46) {
      simple = false;
      at = this.readDigits(at + 1);
    }
    const exponent = text.charCodeAt(at);
    if (exponent === 101 || exponent === 69) {
      simple = false;
      at++;
      const sign = text.charCodeAt(at);
      if (sign === 43 || sign === 45) at++;
      at = this.readDigits(at);
    }
    this.at = at;
    if (at - start > MAX_JSON_NUMBER_CHARACTERS) throw new Fault("a number has too many digits", start);
    const spelling = text.slice(start, at);
    const value = Number(spelling);
    if (simple && at - start <= 15) return Object.is(value, -0) ? new JsonNumber(spelling) : value;
    if (this.anyMagnitude) return String(value) === spelling ? value : new JsonNumber(spelling);
    if (!Number.isFinite(value)) throw new Fault("a number is too large", start);
    if (value === 0 && /[1-9]/.test(spelling.split(/e/i)[0] as string)) throw new Fault("a number is too small", start);
    return String(value) === spelling ? value : new JsonNumber(spelling);
  }

  readDigits(from: number): number {
    const { text } = this;
    let at = from;
    for (let code = text.charCodeAt(at); code >= 48 && code <= 57; code = text.charCodeAt(at)) at++;
    if (at === from) throw new Fault("a digit is expected here", at);
    return at;
  }

  readText(): string {
    const { text } = this;
    const start = this.at + 1;
    let at = start;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === 34) {
        this.at = at + 1;
        return text.slice(start, at);
      }
      if (code === 92) return this.readEscapedText(start, at);
      if (code < 32 || Number.isNaN(code)) {
        throw new Fault(Number.isNaN(code) ? "a text is not closed" : "a control character stands in a text", at);
      }
      at++;
    }
  }

  readEscapedText(start: number, from: number): string {
    const { text } = this;
    let at = from;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === 34) break;
      if (Number.isNaN(code)) throw new Fault("a text is not closed", at);
      if (code < 32) throw new Fault("a control character stands in a text", at);
      if (code === 92) {
        const kind = text.charAt(at + 1);
        if (kind === "u") {
          if (!/^[0-9a-fA-F]{4}$/.test(text.slice(at + 2, at + 6))) throw new Fault("an escape in a text is not one of JSON's", at);
          at += 6;
        } else if (kind !== "" && '"\\/bfnrt'.includes(kind)) {
          at += 2;
        } else throw new Fault("an escape in a text is not one of JSON's", at);
      } else at++;
    }
    // The span is valid by the check above, so that the built-in parser only unescapes.
    const value = JSON.parse(text.slice(start - 1, at + 1)) as string;
    if (LONE_SURROGATE.test(value)) throw new Fault("a text holds half a character (a lone surrogate)", start);
    this.at = at + 1;
    return value;
  }

  readList(depth: number, pointer: string, node: SpanNode | undefined): Json[] {
    if (depth >= this.maxDepth) throw new Fault("the nesting is too deep", this.at);
    if (node) node.isList = true;
    const isDeeper = depth + 1 < this.spanDepth;
    this.at++;
    this.skipSpace();
    const list: Json[] = [];
    if (this.text.charCodeAt(this.at) === 93) {
      this.at++;
      return list;
    }
    for (;;) {
      const path = this.duplicates ? `${pointer}/${list.length}` : "";
      const child = node && new SpanNode("", this.at, this.at);
      list.push(this.readValue(depth + 1, path, isDeeper ? child : undefined));
      if (child) {
        child.end = this.at;
        node.add(child);
      }
      this.skipSpace();
      const code = this.text.charCodeAt(this.at);
      this.at++;
      if (code === 93) return list;
      if (code !== 44) throw new Fault("a comma or a closing bracket is expected here", this.at - 1);
      this.skipSpace();
    }
  }

  /**
   * Members are taken as they come and counted: where one name stood twice, fewer are left than came, and the object is read
   * again to say where. To ask for every single name would cost a third of the reading.
   */
  readObject(depth: number, pointer: string, node: SpanNode | undefined, isWatched = this.duplicates !== undefined): Json {
    if (depth >= this.maxDepth) throw new Fault("the nesting is too deep", this.at);
    const isDeeper = depth + 1 < this.spanDepth;
    const start = this.at;
    this.at++;
    this.skipSpace();
    const object = createJsonObject();
    if (this.text.charCodeAt(this.at) === 125) {
      this.at++;
      return object;
    }
    for (let members = 1; ; members++) {
      if (this.text.charCodeAt(this.at) !== 34) throw new Fault("a key in quotes is expected here", this.at);
      const keyStart = this.at;
      const key = this.readText();
      const path = this.duplicates ? `${pointer}/${escapePointer(key)}` : "";
      const twice = isWatched && key in object;
      if (twice) this.tellTwice(key, keyStart, path);
      this.skipSpace();
      if (this.text.charCodeAt(this.at) !== 58) throw new Fault("a colon is expected here", this.at);
      this.at++;
      this.skipSpace();
      const child = node && new SpanNode(key, keyStart, this.at);
      const value = this.readValue(depth + 1, path, isDeeper ? child : undefined);
      if (!twice) {
        object[key] = value;
        if (child) {
          child.end = this.at;
          node.add(child);
        }
      }
      this.skipSpace();
      const code = this.text.charCodeAt(this.at);
      this.at++;
      if (code === 125) {
        if (isWatched || Object.keys(object).length === members) return object;
        this.at = start;
        return this.readObject(depth, pointer, undefined, true);
      }
      if (code !== 44) throw new Fault("a comma or a closing brace is expected here", this.at - 1);
      this.skipSpace();
    }
  }

  tellTwice(key: string, offset: number, pointer: string): void {
    if (!this.duplicates) throw new Fault("a key stands twice in one object", offset);
    this.duplicates.push({ message: `the key \`${key}\` stands twice`, offset, pointer });
  }
}

/**
 * Parses one strict JSON value. A fault comes back as a value, with its offset (UTF-16) in the text. Text that was
 * decoded from bytes must have been valid UTF-8; a lone surrogate written as itself is the decoder's to refuse.
 */
export function parseStrictJson(text: string, options: StrictJsonOptions = {}): ParsedJson | JsonFault {
  const reader = new Reader(text, options);
  try {
    reader.skipSpace();
    const root = reader.spanDepth > 0 ? new SpanNode("", reader.at, reader.at) : undefined;
    const value = reader.readValue(0, "", root);
    if (root) root.end = reader.at;
    reader.skipSpace();
    if (reader.at < text.length) throw new Fault("something follows the value", reader.at);
    return { value, spans: root ?? NO_SPANS };
  } catch (error) {
    if (error instanceof Fault) return { message: error.message, offset: error.offset, pointer: error.pointer };
    throw error;
  }
}

export function isJsonFault(parsed: ParsedJson | JsonFault): parsed is JsonFault {
  return "offset" in parsed;
}

/** Line and column, both from 1, of an offset (UTF-16) in a text. */
export function locateOffset(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return { line, column: offset - lineStart + 1 };
}
