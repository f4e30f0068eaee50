/**
 * From the SQL that the rooms share to PostgreSQL's: `?` becomes `$1`, a schema's whole numbers have 64 bits and its texts
 * are compared byte by byte. Texts that occur again get a name, so that they are planned once for each connection; the
 * number of names is bounded. A zero character, which PostgreSQL can't hold, is written as two others and read back.
 */
/** Named statements of one connection. */
export const MAX_NAMED_STATEMENTS = 256;

export interface Statement {
  readonly text: string;
  readonly name: string | undefined;
}

const IN_QUOTES_OR_MARK = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\?/g;
const SCHEMA_CHANGE = /^\s*(?:create\s+table|alter\s+table)\b/i;
const WITHOUT_NAME = /^\s*(?:create|alter|drop)\b/i;
const SCHEMA_WORD = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\b(?:integer|blob|text)\b/gi;
const SCHEMA_TYPES: Readonly<Record<string, string>> = { integer: "bigint", blob: "bytea", text: 'text COLLATE "C"' };

function numberMarks(sql: string): string {
  let count = 0;
  return sql.replace(IN_QUOTES_OR_MARK, (found) => (found === "?" ? `$${++count}` : found));
}

function translateSchema(sql: string): string {
  return sql.replace(SCHEMA_WORD, (found) => SCHEMA_TYPES[found.toLowerCase()] ?? found);
}

export class Translator {
  /** A name stands for its text on every connection, so none is given twice. */
  readonly #named = new Map<string, Statement>();

  /** `recurs`: the same text is likely to come again. */
  translate(sql: string, recurs: boolean): Statement {
    const known = this.#named.get(sql);
    if (known) return known;
    const text = numberMarks(SCHEMA_CHANGE.test(sql) ? translateSchema(sql) : sql);
    if (!recurs || this.#named.size >= MAX_NAMED_STATEMENTS || WITHOUT_NAME.test(sql)) return { text, name: undefined };
    const statement = { text, name: `s${this.#named.size + 1}` };
    this.#named.set(sql, statement);
    return statement;
  }
}

const ESCAPED = /[\0\u0001]/;
const ESCAPES = /[\0\u0001]/g;

/** Reversible, and equal texts stay equal. */
export function encodeText(text: string): string {
  return ESCAPED.test(text) ? text.replace(ESCAPES, (found) => (found === "\0" ? "\u0001z" : "\u0001\u0001")) : text;
}

export function decodeText(text: string): string {
  if (!text.includes("\u0001")) return text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the one it is about.
  return text.replace(/\u0001([z\u0001])/g, (_, rest: string) => (rest === "z" ? "\0" : "\u0001"));
}
