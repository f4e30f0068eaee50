/**
 * Looks over what a server sends without building its values: checks the whole grammar, finds out what the message is,
 * and notes where the members of the envelope and of the result stand. A result is then relayed as the bytes it came
 * in. What is not strict is `invalid`; the inside of a result is otherwise the server's own business.
 */
import { isUtf8 } from "node:buffer";
import { isJsonFault, MAX_JSON_DEPTH, parseStrictJson } from "../kernel/strict-json.ts";
import { ENVELOPE_KEYS, isVariant, type KeyTable, RESULT_KEYS } from "./fold.ts";
import { type MessageId, readId } from "./request-id.ts";

export const DEFAULT_ANSWER_LIMIT_BYTES: number = 32 * 1024 * 1024;
export const MAX_RESULT_MEMBERS = 1024;

/** Byte offsets of one member's value; `key` is where its name begins. */
export interface ByteSpan {
  readonly start: number;
  readonly end: number;
  readonly key: number;
}

export interface ResultAnswer {
  readonly kind: "result";
  readonly id: MessageId;
  readonly result: ByteSpan;
  readonly members: ReadonlyMap<string, ByteSpan>;
  readonly isError: boolean;
  readonly resultType: string | undefined;
}

export interface ErrorAnswer {
  readonly kind: "error";
  /** Undefined where the server could not read the id of what it answers. */
  readonly id: MessageId | undefined;
  readonly error: ByteSpan;
  readonly members: ReadonlyMap<string, ByteSpan>;
  readonly code: number;
}

/** A request or notification of the server's: `readMessage` reads it whole. */
export interface ServerMessage {
  readonly kind: "request" | "notification";
  readonly method: string;
}

export interface InvalidAnswer {
  readonly kind: "invalid";
  /** A fixed phrase, for the log. */
  readonly reason: string;
}

export type Answer = ResultAnswer | ErrorAnswer | ServerMessage | InvalidAnswer;

export interface AnswerLimits {
  readonly limitBytes?: number;
  readonly maxDepth?: number;
}

class Fault extends Error {}

/** 1 for bytes that stand in a text as themselves. */
const PLAIN = new Uint8Array(256).fill(1, 32);
PLAIN[34] = 0;
PLAIN[92] = 0;

const TRUE: Uint8Array = Buffer.from("true");
const FALSE: Uint8Array = Buffer.from("false");
const NULL: Uint8Array = Buffer.from("null");
const VERSION: Uint8Array = Buffer.from('"2.0"');

/** The closing marks of what is open; one answer is looked over at a time, from beginning to end. */
const nesting = new Uint8Array(MAX_JSON_DEPTH + 1);

const NO_MEMBERS: ReadonlyMap<string, ByteSpan> = new Map();

/** The keys of nearly every answer, by length: found by their bytes, without making a text of each. */
interface UsualKey {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const USUAL_KEYS: readonly (readonly UsualKey[] | undefined)[] = groupByLength([
  "jsonrpc",
  "id",
  "result",
  "error",
  "method",
  "params",
  "content",
  "structuredContent",
  "isError",
  "resultType",
  "_meta",
  "code",
  "message",
  "data",
]);

function groupByLength(names: readonly string[]): UsualKey[][] {
  const groups: UsualKey[][] = [];
  for (const name of names) (groups[name.length] ??= []).push({ name, bytes: Buffer.from(name) });
  return groups;
}
const SMALL_INTEGER = /^-?(?:0|[1-9]\d{0,14})$/;

class Skimmer {
  readonly bytes: Buffer;
  readonly end: number;
  readonly maxDepth: number;
  at = 0;
  id: MessageId | undefined;

  constructor(bytes: Uint8Array, maxDepth: number) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.length;
    this.maxDepth = maxDepth;
  }

  /** Where the next byte stands that is not white space. */
  skipBlanks(from: number): number {
    const { bytes } = this;
    let at = from;
    for (let byte = bytes[at]; byte === 32 || byte === 10 || byte === 13 || byte === 9; byte = bytes[at]) at++;
    return at;
  }

  /** The next byte that is not white space; undefined at the end. */
  next(): number | undefined {
    this.at = this.skipBlanks(this.at);
    return this.bytes[this.at];
  }

  /** One value with all that is in it, in one loop: results are large and only their grammar counts. */
  skipValue(base: number): void {
    const { bytes, maxDepth } = this;
    let depth = base;
    let at = this.at;
    for (;;) {
      at = this.skipBlanks(at);
      const byte = bytes[at];
      if (byte === 34) at = this.skipText(at);
      else if (byte === 123 || byte === 91) {
        if (depth >= maxDepth) throw new Fault("the nesting is too deep");
        nesting[depth++] = byte + 2;
        at = this.skipBlanks(at + 1);
        if (bytes[at] !== byte + 2) {
          if (byte === 123) at = this.skipKey(at);
          continue;
        }
        depth--;
        at++;
      } else at = this.skipScalar(at);
      for (;;) {
        if (depth === base) {
          this.at = at;
          return;
        }
        at = this.skipBlanks(at);
        const close = nesting[depth - 1];
        const mark = bytes[at++];
        if (mark === close) depth--;
        else if (mark === 44) {
          if (close === 125) at = this.skipKey(at);
          break;
        } else throw new Fault("a comma or a closing mark is expected");
      }
    }
  }

  /** A member's name and the colon behind it. */
  skipKey(from: number): number {
    let at = this.skipBlanks(from);
    if (this.bytes[at] !== 34) throw new Fault("a key is expected");
    at = this.skipBlanks(this.skipText(at));
    if (this.bytes[at] !== 58) throw new Fault("a colon is expected");
    return at + 1;
  }

  skipScalar(at: number): number {
    const byte = this.bytes[at];
    if (byte === 45 || (byte !== undefined && byte >= 48 && byte <= 57)) return this.skipNumber(at);
    const word = byte === 116 ? TRUE : byte === 102 ? FALSE : NULL;
    if (!this.holds(word, at)) throw new Fault("a value is expected");
    return at + word.length;
  }

  /** From the opening quote to behind the closing one. */
  skipText(from: number): number {
    const { bytes } = this;
    let at = from + 1;
    for (;;) {
      // Beyond the end the byte is undefined, and so is what the table says of it.
      while (PLAIN[bytes[at] as number] === 1) at++;
      const byte = bytes[at];
      if (byte === 34) return at + 1;
      if (byte === undefined) throw new Fault("a text is not closed");
      if (byte !== 92) throw new Fault("a control character stands in a text");
      at = this.skipEscape(at + 1);
    }
  }

  skipEscape(at: number): number {
    const kind = this.bytes[at];
    if (kind === 117) {
      for (let index = 1; index <= 4; index++) {
        const digit = this.bytes[at + index] ?? 0;
        const isHex = (digit >= 48 && digit <= 57) || (digit >= 65 && digit <= 70) || (digit >= 97 && digit <= 102);
        if (!isHex) throw new Fault("an escape is not one of JSON's");
      }
      return at + 5;
    }
    // " / \ b f n r t
    if (kind === 34 || kind === 47 || kind === 92 || kind === 98 || kind === 102 || kind === 110 || kind === 114 || kind === 116)
      return at + 1;
    throw new Fault("an escape is not one of JSON's");
  }

  skipDigits(from: number): number {
    const { bytes } = this;
    let at = from;
    for (let byte = bytes[at]; byte !== undefined && byte >= 48 && byte <= 57; byte = bytes[at]) at++;
    if (at === from) throw new Fault("a digit is expected");
    return at;
  }

  skipNumber(from: number): number {
    const { bytes } = this;
    const leading = bytes[from] === 45 ? from + 1 : from;
    let at = this.skipDigits(leading);
    if (bytes[leading] === 48 && at - leading > 1) throw new Fault("a number has a leading zero");
    if (bytes[at] === 46) at = this.skipDigits(at + 1);
    if (bytes[at] === 101 || bytes[at] === 69) {
      at++;
      if (bytes[at] === 43 || bytes[at] === 45) at++;
      at = this.skipDigits(at);
    }
    return at;
  }

  /** Reads an object's members by name; none may stand twice or look like one of the table's. */
  readMembers(depth: number, table: KeyTable | undefined, visit?: (name: string) => void): Map<string, ByteSpan> {
    const members = new Map<string, ByteSpan>();
    this.at++;
    if (this.next() === 125) {
      this.at++;
      return members;
    }
    for (;;) {
      if (this.next() !== 34) throw new Fault("a key is expected");
      const key = this.at;
      const name = this.readText();
      if (members.has(name)) throw new Fault("a key stands twice");
      if (table && isVariant(table, name)) throw new Fault("a key is not spelled as the protocol spells it");
      if (this.next() !== 58) throw new Fault("a colon is expected");
      this.at++;
      this.next();
      const start = this.at;
      if (visit && this.bytes[start] === 123) visit(name);
      if (this.at === start) this.skipValue(depth + 1);
      const span = { start, end: this.at, key };
      members.set(name, span);
      if (members.size > MAX_RESULT_MEMBERS) throw new Fault("an object has too many members");
      if (name === "id" && depth === 0) this.readAnswerId(span);
      const byte = this.next();
      this.at++;
      if (byte === 125) return members;
      if (byte !== 44) throw new Fault("a comma or a closing brace is expected");
    }
  }

  holds(word: Uint8Array, at: number): boolean {
    for (let index = 0; index < word.length; index++) if (this.bytes[at + index] !== word[index]) return false;
    return true;
  }

  /** The text that begins here; a usual key is found without making a new one. */
  readText(): string {
    const start = this.at;
    const end = this.skipText(start);
    this.at = end;
    const usual = USUAL_KEYS[end - start - 2];
    if (usual !== undefined) {
      for (let index = 0; index < usual.length; index++) {
        const { name, bytes } = usual[index] as UsualKey;
        if (this.holds(bytes, start + 1)) return name;
      }
    }
    const raw = this.bytes.toString("utf8", start, end);
    if (!raw.includes("\\")) return raw.slice(1, -1);
    const parsed = parseStrictJson(raw);
    if (isJsonFault(parsed)) throw new Fault(parsed.message);
    return parsed.value as string;
  }

  readAnswerId(span: ByteSpan): void {
    // A number at the very end may have been cut off; a whole message goes on behind it.
    if (span.end >= this.end) throw new Fault("the message ends before its value does");
    const small = this.readSmallInteger(span);
    if (small !== undefined) {
      this.id = { raw: String(small), value: small };
      return;
    }
    const raw = this.bytes.toString("utf8", span.start, span.end);
    if (raw === "null") return;
    const parsed = parseStrictJson(raw);
    this.id = isJsonFault(parsed) ? undefined : readId(parsed.value, raw);
    if (!this.id) throw new Fault("the id is neither a text nor an integer");
  }

  /** A whole number of up to nine digits without a sign: nearly every id. */
  readSmallInteger(span: ByteSpan): number | undefined {
    const { bytes } = this;
    const digits = span.end - span.start;
    if (digits > 9 || (digits > 1 && bytes[span.start] === 48)) return undefined;
    let value = 0;
    for (let at = span.start; at < span.end; at++) {
      const digit = (bytes[at] as number) - 48;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
    }
    return value;
  }

  isWord(span: ByteSpan, word: Uint8Array): boolean {
    return span.end - span.start === word.length && this.holds(word, span.start);
  }

  /** The text of a member; undefined where it is absent. */
  textOf(span: ByteSpan | undefined): string | undefined {
    if (!span) return undefined;
    if (this.bytes[span.start] !== 34) throw new Fault("a text is expected");
    this.at = span.start;
    const text = this.readText();
    this.at = span.end;
    return text;
  }

  readAnswer(): Answer {
    if (this.next() !== 123) throw new Fault(this.bytes[this.at] === 91 ? "a batch" : "not an object");
    let inner: ReadonlyMap<string, ByteSpan> = NO_MEMBERS;
    const top = this.readMembers(0, ENVELOPE_KEYS, (name) => {
      if (name === "result") inner = this.readMembers(1, RESULT_KEYS);
      else if (name === "error") inner = this.readMembers(1, undefined);
    });
    if (this.next() !== undefined) throw new Fault("something follows the message");
    const version = top.get("jsonrpc");
    if (!version || !(this.isWord(version, VERSION) || this.textOf(version) === "2.0")) throw new Fault("`jsonrpc` is not 2.0");
    const method = this.textOf(top.get("method"));
    const result = top.get("result");
    const error = top.get("error");
    if (method !== undefined) {
      if (result || error) throw new Fault("a request holds a result");
      if (top.has("id") && !this.id) throw new Fault("the id is neither a text nor an integer");
      return { kind: this.id ? "request" : "notification", method };
    }
    if (result && !error) return this.finishResult(result, inner);
    if (error && !result) return this.finishError(error, inner);
    throw new Fault("neither a request nor one answer");
  }

  finishResult(result: ByteSpan, members: ReadonlyMap<string, ByteSpan>): ResultAnswer {
    if (!this.id) throw new Fault("an answer has no id");
    if (this.bytes[result.start] !== 123) throw new Fault("the result is not an object");
    const flag = members.get("isError");
    const isError = flag !== undefined && this.isWord(flag, TRUE);
    if (flag && !isError && !this.isWord(flag, FALSE) && !this.isWord(flag, NULL)) throw new Fault("`isError` is not a boolean");
    return { kind: "result", id: this.id, result, members, isError, resultType: this.textOf(members.get("resultType")) };
  }

  finishError(error: ByteSpan, members: ReadonlyMap<string, ByteSpan>): ErrorAnswer {
    const code = members.get("code");
    const message = members.get("message");
    const spelled = code ? this.bytes.toString("latin1", code.start, code.end) : "";
    if (!SMALL_INTEGER.test(spelled)) throw new Fault("the error has no integer code");
    if (!message || this.bytes[message.start] !== 34) throw new Fault("the error has no message");
    return { kind: "error", id: this.id, error, members, code: Number(spelled) };
  }
}

/** Looks over one message of a server's. */
export function skimAnswer(bytes: Uint8Array, limits: AnswerLimits = {}): Answer {
  if (bytes.length > (limits.limitBytes ?? DEFAULT_ANSWER_LIMIT_BYTES)) return { kind: "invalid", reason: "too large" };
  if (!isUtf8(bytes)) return { kind: "invalid", reason: "not UTF-8" };
  try {
    return new Skimmer(bytes, Math.min(limits.maxDepth ?? MAX_JSON_DEPTH, MAX_JSON_DEPTH)).readAnswer();
  } catch (error) {
    if (error instanceof Fault) return { kind: "invalid", reason: error.message };
    throw error;
  }
}

/** The id of an answer of which only the beginning is at hand; undefined where it does not stand there. */
export function peekAnswerId(head: Uint8Array): MessageId | undefined {
  const skimmer = new Skimmer(head, MAX_JSON_DEPTH);
  try {
    skimmer.readAnswer();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  return skimmer.id;
}
