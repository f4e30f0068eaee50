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

const NO_MEMBERS: ReadonlyMap<string, ByteSpan> = new Map();
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

  /** The next byte that is not white space; -1 at the end. */
  next(): number {
    const { bytes, end } = this;
    let at = this.at;
    while (at < end) {
      const byte = bytes[at] as number;
      if (byte > 32 || (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9)) {
        this.at = at;
        return byte;
      }
      at++;
    }
    this.at = at;
    return -1;
  }

  skipValue(depth: number): void {
    const byte = this.next();
    if (byte === 34) this.skipText();
    else if (byte === 123) this.skipObject(depth);
    else if (byte === 91) this.skipList(depth);
    else if (byte === 45 || (byte >= 48 && byte <= 57)) this.skipNumber(byte);
    else if (byte === 116) this.skipWord("true");
    else if (byte === 102) this.skipWord("false");
    else if (byte === 110) this.skipWord("null");
    else throw new Fault("a value is expected");
  }

  skipWord(word: string): void {
    for (let index = 0; index < word.length; index++) {
      if (this.bytes[this.at + index] !== word.charCodeAt(index)) throw new Fault("a value is expected");
    }
    this.at += word.length;
  }

  /** From the opening quote to behind the closing one; true where the text has escapes. */
  skipText(): boolean {
    const { bytes, end } = this;
    let at = this.at + 1;
    let escaped = false;
    for (;;) {
      while (at < end && PLAIN[bytes[at] as number] === 1) at++;
      if (at >= end) throw new Fault("a text is not closed");
      const byte = bytes[at] as number;
      if (byte === 34) {
        this.at = at + 1;
        return escaped;
      }
      if (byte !== 92) throw new Fault("a control character stands in a text");
      escaped = true;
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
    const { bytes, end } = this;
    let at = from;
    while (at < end && (bytes[at] as number) >= 48 && (bytes[at] as number) <= 57) at++;
    if (at === from) throw new Fault("a digit is expected");
    return at;
  }

  skipNumber(first: number): void {
    const { bytes } = this;
    let at = first === 45 ? this.at + 1 : this.at;
    const leading = at;
    at = this.skipDigits(at);
    if (bytes[leading] === 48 && at - leading > 1) throw new Fault("a number has a leading zero");
    if (bytes[at] === 46) at = this.skipDigits(at + 1);
    if (bytes[at] === 101 || bytes[at] === 69) {
      at++;
      if (bytes[at] === 43 || bytes[at] === 45) at++;
      at = this.skipDigits(at);
    }
    this.at = at;
  }

  skipList(depth: number): void {
    if (depth >= this.maxDepth) throw new Fault("the nesting is too deep");
    this.at++;
    if (this.next() === 93) {
      this.at++;
      return;
    }
    for (;;) {
      this.skipValue(depth + 1);
      const byte = this.next();
      this.at++;
      if (byte === 93) return;
      if (byte !== 44) throw new Fault("a comma or a closing bracket is expected");
    }
  }

  skipObject(depth: number): void {
    if (depth >= this.maxDepth) throw new Fault("the nesting is too deep");
    this.at++;
    if (this.next() === 125) {
      this.at++;
      return;
    }
    for (;;) {
      if (this.next() !== 34) throw new Fault("a key is expected");
      this.skipText();
      if (this.next() !== 58) throw new Fault("a colon is expected");
      this.at++;
      this.skipValue(depth + 1);
      const byte = this.next();
      this.at++;
      if (byte === 125) return;
      if (byte !== 44) throw new Fault("a comma or a closing brace is expected");
    }
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

  readText(): string {
    const start = this.at;
    const escaped = this.skipText();
    if (!escaped) return this.bytes.utf8Slice(start + 1, this.at - 1);
    const parsed = parseStrictJson(this.bytes.utf8Slice(start, this.at));
    if (isJsonFault(parsed)) throw new Fault(parsed.message);
    return parsed.value as string;
  }

  readAnswerId(span: ByteSpan): void {
    // A number at the very end may have been cut off; a whole message goes on behind it.
    if (span.end >= this.end) throw new Fault("the message ends before its value does");
    const raw = this.bytes.utf8Slice(span.start, span.end);
    if (raw === "null") return;
    if (SMALL_INTEGER.test(raw)) {
      this.id = { raw, value: Number(raw) + 0 };
      return;
    }
    const parsed = parseStrictJson(raw);
    this.id = isJsonFault(parsed) ? undefined : readId(parsed.value, raw);
    if (!this.id) throw new Fault("the id is neither a text nor an integer");
  }

  isText(span: ByteSpan, word: string): boolean {
    return span.end - span.start === word.length && this.bytes.latin1Slice(span.start, span.end) === word;
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
    if (this.next() !== -1) throw new Fault("something follows the message");
    const version = top.get("jsonrpc");
    if (!version || this.textOf(version) !== "2.0") throw new Fault("`jsonrpc` is not 2.0");
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
    const isError = flag !== undefined && this.isText(flag, "true");
    if (flag && !isError && !this.isText(flag, "false") && !this.isText(flag, "null")) throw new Fault("`isError` is not a boolean");
    return { kind: "result", id: this.id, result, members, isError, resultType: this.textOf(members.get("resultType")) };
  }

  finishError(error: ByteSpan, members: ReadonlyMap<string, ByteSpan>): ErrorAnswer {
    const code = members.get("code");
    const message = members.get("message");
    const spelled = code ? this.bytes.latin1Slice(code.start, code.end) : "";
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
    return new Skimmer(bytes, limits.maxDepth ?? MAX_JSON_DEPTH).readAnswer();
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
