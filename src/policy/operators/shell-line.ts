/**
 * Reads one line of POSIX shell into its simple commands, or not at all. It takes what `sh`, `dash` and `bash` read
 * alike: words, quotes and backslashes, `;`, `&&`, `||` and `|`, comments, and what the caller opens. Whatever else
 * might make a shell run something (expansion, background, compound commands, functions) ends the reading.
 */

export interface ShellOpenings {
  readonly substitution: boolean;
  readonly redirection: boolean;
  readonly assignment: boolean;
}

/** The words of a command with quotes taken off; undefined for a word that is only known when it runs. */
export type SimpleCommand = readonly (string | undefined)[];

const MAX_SUBSTITUTION_DEPTH = 8;
/** Words that begin or end a compound command where a command is expected, in POSIX or in bash. */
const RESERVED: ReadonlySet<string> = new Set(
  "! { } case coproc do done elif else esac fi for function if in select then until while [[ ]]".split(" "),
);
const NON_ASCII_BLANK = /[\p{Z}\u180e\u200b\ufeff]/u;
const ASSIGNMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Every simple command of the line, those of substitutions included; undefined where it has no certain reading. */
export function parseShellLine(text: string, openings: ShellOpenings): SimpleCommand[] | undefined {
  const commands: SimpleCommand[] = [];
  return readList({ text, at: 0, depth: 0, openings, commands }, undefined) ? commands : undefined;
}

interface Cursor {
  readonly text: string;
  at: number;
  readonly depth: number;
  readonly openings: ShellOpenings;
  readonly commands: SimpleCommand[];
}

interface Word {
  text: string;
  /** Holds a glob, brace, tilde or substitution. */
  dynamic: boolean;
  /** Any of it was quoted or escaped, so that it is no reserved word and no number of a file. */
  quoted: boolean;
  /** What stands unquoted before the first unquoted `=`. */
  assigns: string | undefined;
  /** Holds an unquoted sign that makes a command's name doubtful. */
  doubtful: boolean;
}

/** Simple commands and what joins them, up to `close` or the end of the text. */
function readList(cursor: Cursor, close: ")" | undefined): boolean {
  for (;;) {
    if (!readCommand(cursor)) return false;
    const sign = skipBlanks(cursor);
    if (sign === close) return true;
    if (sign === undefined || sign === ")") return false;
    const double = cursor.text[cursor.at + 1] === sign;
    if (sign === "&" && !double) return false;
    cursor.at += double && sign !== ";" ? 2 : 1;
    if (sign === ";" && skipBlanks(cursor) === close) return true;
  }
}

/** The next sign that is neither blank nor comment; undefined at the end. */
function skipBlanks(cursor: Cursor): string | undefined {
  while (cursor.text[cursor.at] === " " || cursor.text[cursor.at] === "\t") cursor.at++;
  if (cursor.text[cursor.at] === "#") cursor.at = cursor.text.length;
  return cursor.text[cursor.at];
}

function readCommand(cursor: Cursor): boolean {
  const words: (string | undefined)[] = [];
  for (;;) {
    const sign = skipBlanks(cursor);
    if (sign === undefined || ";&|)".includes(sign)) break;
    if (sign === "<" || sign === ">") {
      if (!readRedirection(cursor)) return false;
      continue;
    }
    const word = readWord(cursor);
    if (word === undefined) return false;
    const after = cursor.text[cursor.at];
    if ((after === "<" || after === ">") && !word.quoted && /^[0-9]+$/.test(word.text)) {
      // Some shells take several digits for a file's number and some for a word.
      if (word.text.length > 1 || !readRedirection(cursor)) return false;
      continue;
    }
    if (words.length === 0 && word.assigns !== undefined) {
      if (!cursor.openings.assignment || !ASSIGNMENT_NAME.test(word.assigns)) return false;
      continue;
    }
    if (words.length === 0 && (word.doubtful || word.dynamic || (!word.quoted && RESERVED.has(word.text)))) return false;
    words.push(word.dynamic ? undefined : word.text);
  }
  cursor.commands.push(words);
  return words.length > 0;
}

function readRedirection(cursor: Cursor): boolean {
  if (!cursor.openings.redirection) return false;
  const operator = (/[<>][<>&|]?/y.exec(cursor.text.slice(cursor.at, cursor.at + 2)) as RegExpExecArray)[0];
  if (operator === "<<" || operator === "<|") return false;
  cursor.at += operator.length;
  const target = skipBlanks(cursor) === undefined ? undefined : readWord(cursor);
  if (target === undefined) return false;
  return !operator.endsWith("&") || (!target.quoted && /^(?:[0-9]|-)$/.test(target.text));
}

/** A word of at least one sign, quotes counted. */
function readWord(cursor: Cursor): Word | undefined {
  const word: Word = { text: "", dynamic: false, quoted: false, assigns: undefined, doubtful: false };
  const start = cursor.at;
  for (;;) {
    const sign = cursor.text[cursor.at];
    if (sign === undefined || " \t;&|<>()".includes(sign)) return cursor.at > start ? word : undefined;
    switch (sign) {
      case "\\":
      case "'":
      case '"':
        if (!readQuoted(cursor, word, sign)) return undefined;
        continue;
      case "$":
      case "`":
        if (!readSubstitution(cursor, word, false)) return undefined;
        continue;
      case "*":
      case "?":
      case "[":
      case "{":
      case "}":
      case "~":
        word.dynamic = true;
        break;
      case "!":
        word.doubtful = true;
        break;
      case "=":
        word.assigns ??= word.quoted ? "" : word.text;
        break;
      default:
        if (sign > "\u007f" && NON_ASCII_BLANK.test(sign)) return undefined;
    }
    word.text += sign;
    cursor.at++;
  }
}

function readQuoted(cursor: Cursor, word: Word, quote: string): boolean {
  word.quoted = true;
  const next = cursor.at + 1;
  if (quote === '"') return readDoubleQuoted(cursor, word);
  if (quote === "'") {
    const end = cursor.text.indexOf("'", next);
    if (end === -1) return false;
    word.text += cursor.text.slice(next, end);
    cursor.at = end + 1;
    return true;
  }
  const escaped = cursor.text[next];
  if (escaped === undefined || NON_ASCII_BLANK.test(escaped)) return false;
  word.text += escaped;
  cursor.at = next + 1;
  return true;
}

function readDoubleQuoted(cursor: Cursor, word: Word): boolean {
  cursor.at++;
  for (;;) {
    const sign = cursor.text[cursor.at];
    switch (sign) {
      case undefined:
        return false;
      case '"':
        cursor.at++;
        return true;
      case "$":
      case "`":
        if (!readSubstitution(cursor, word, true)) return false;
        continue;
      case "\\":
        // Before any other sign the backslash stays.
        if (/[$`"\\]/.test(cursor.text[cursor.at + 1] ?? "")) cursor.at++;
        break;
      default:
    }
    word.text += cursor.text[cursor.at];
    cursor.at++;
  }
}

/** `$(…)` or backticks; every other `$` has a value that nobody can know. */
function readSubstitution(cursor: Cursor, word: Word, isQuoted: boolean): boolean {
  if (!cursor.openings.substitution || cursor.depth === MAX_SUBSTITUTION_DEPTH) return false;
  word.dynamic = true;
  const inner = cursor.text[cursor.at] === "`" ? readBackticks(cursor, isQuoted) : readParentheses(cursor);
  if (inner === undefined) return false;
  cursor.at = inner;
  return true;
}

/** Where the text goes on after the closing parenthesis. */
function readParentheses(cursor: Cursor): number | undefined {
  // Two of them begin arithmetic.
  if (cursor.text[cursor.at + 1] !== "(" || cursor.text[cursor.at + 2] === "(") return undefined;
  const inner: Cursor = { ...cursor, at: cursor.at + 2, depth: cursor.depth + 1 };
  return readList(inner, ")") ? inner.at + 1 : undefined;
}

/** Backslashes, and double quotes inside double quotes, mean different things to different shells between backticks. */
function readBackticks(cursor: Cursor, isQuoted: boolean): number | undefined {
  const end = cursor.text.indexOf("`", cursor.at + 1);
  if (end === -1) return undefined;
  const text = cursor.text.slice(cursor.at + 1, end);
  if (text.includes("\\") || (isQuoted && text.includes('"'))) return undefined;
  return readList({ ...cursor, text, at: 0, depth: cursor.depth + 1 }, undefined) ? end + 1 : undefined;
}
