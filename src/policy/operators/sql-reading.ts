/**
 * Asked before SQL is parsed: would another database read the same text? A text is readable when strings, quoted
 * names and comments begin and end at the same places for PostgreSQL, MySQL, MariaDB, SQLite, SQL Server and Oracle,
 * so that nothing is a comment or a string to the parser and a statement to the server. Also bounds how deeply
 * expressions nest, because the parser's stack is not ours to overflow.
 */

/** What nests, counted along one path: brackets, operators, words. Far below what the parser can take. */
const MAX_NESTING = 1000;

/** True: one reading, by every lexer known here. */
export function hasOneSqlReading(text: string): boolean {
  // To MySQL and MariaDB the inside of these comments is code.
  if (/\/\*M?!/i.test(text)) return false;
  const nesting = createNesting();
  const foreign = createForeignReadings(text);
  let at = 0;
  while (at < text.length) {
    const start = at;
    const sign = text[at] as string;
    const next = text[at + 1];
    if (sign === "'" || sign === '"') at = endOfQuoted(text, at);
    else if (sign === "-" && next === "-") at = endOfLineComment(text, at);
    else if (sign === "/" && next === "*") at = endOfBlockComment(text, at);
    else {
      const length = WORD.test(sign) ? wordLength(text, at) : 1;
      at += length;
      if (!nesting.count(text.slice(start, at)) || !foreign.mayRead(sign, start, at)) return false;
      continue;
    }
    if (at === NO_END || foreign.isCutBy(start, at)) return false;
    if ((sign === "'" || sign === '"') && !nesting.count(sign)) return false;
  }
  return true;
}

const WORD = /[A-Za-z_\u0080-\uffff]/;
const NO_END = -1;

function wordLength(text: string, from: number): number {
  const word = /[\w$\u0080-\uffff]+/y;
  word.lastIndex = from;
  return (word.exec(text) as RegExpExecArray)[0].length;
}

/** A backslash that would keep the quote from closing, in MySQL or an `E''` string, leaves two readings. */
function endOfQuoted(text: string, from: number): number {
  const quote = text[from];
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") {
      if (text[at + 1] === quote) return NO_END;
      at++;
    } else if (text[at] === quote) {
      if (text[at + 1] !== quote) return at + 1;
      at++;
    }
  }
  return NO_END;
}

/** MySQL wants a blank after `--`; a lone carriage return ends the comment for some and not for others. */
function endOfLineComment(text: string, from: number): number {
  const after = text[from + 2];
  if (after !== undefined && !/[ \t\r\n]/.test(after)) return NO_END;
  const end = lineEnd(text, from);
  const comment = text.slice(from, end);
  const carriageReturn = comment.indexOf("\r");
  return carriageReturn !== -1 && (carriageReturn !== comment.length - 1 || end === text.length) ? NO_END : end;
}

/** PostgreSQL and SQL Server nest comments, the others don't. */
function endOfBlockComment(text: string, from: number): number {
  if (text[from + 2] === "/") return NO_END;
  const end = text.indexOf("*/", from + 2);
  if (end === -1) return NO_END;
  const inner = text.indexOf("/*", from + 2);
  return inner !== -1 && inner < end ? NO_END : end + 2;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}

/**
 * What is code to PostgreSQL and hidden from another: `#>` begins a comment in MySQL, `[` a name in SQLite and SQL
 * Server. Both may hide code, never begin or end inside a string or comment of PostgreSQL's.
 */
function createForeignReadings(text: string): {
  mayRead(sign: string, start: number, end: number): boolean;
  isCutBy(start: number, end: number): boolean;
} {
  let mysqlResumes = 0;
  let sqliteResumes = 0;
  let sqlServerResumes = 0;
  return {
    mayRead(sign, start, end) {
      switch (sign) {
        case "`":
          return false;
        case "$":
          // A parameter; anything else begins a dollar quote.
          return /[0-9]/.test(text[end] ?? "");
        case "#":
          // The operators on JSON are ordinary PostgreSQL; any other `#` is more likely a comment.
          if (start >= mysqlResumes) mysqlResumes = lineEnd(text, start);
          return text[end] === ">" || text[end] === "-";
        case "[":
          if (start >= sqliteResumes) sqliteResumes = endOrNever(text.indexOf("]", end));
          if (start >= sqlServerResumes) sqlServerResumes = endOrNever(endOfBracketName(text, end));
          return true;
        case "q":
        case "Q":
        case "n":
        case "N":
          // Oracle's own quoting, `q'[…]'`.
          return text[end] !== "'" || !/^n?q$/i.test(text.slice(start, end));
        default:
          return true;
      }
    },
    isCutBy(start, end) {
      return [mysqlResumes, sqliteResumes, sqlServerResumes].some((resumes) => start < resumes && resumes < end);
    },
  };
}

/** SQL Server writes `]` inside such a name twice. */
function endOfBracketName(text: string, from: number): number {
  let at = text.indexOf("]", from);
  while (at !== -1 && text[at + 1] === "]") at = text.indexOf("]", at + 2);
  return at;
}

function endOrNever(found: number): number {
  return found === -1 ? Number.POSITIVE_INFINITY : found;
}

/** What stands between things of one depth: elements, operands of AND and OR, the branches of a case. */
const BESIDE: ReadonlySet<string> = new Set([",", "and", "or", "when", "then", "else"]);
/** What nests to the left, whatever stands between. */
const CHAINS: ReadonlySet<string> = new Set(["join", "union", "intersect", "except"]);

/**
 * Counts what can nest. Things beside each other do not, so the count begins anew between them; a join and a set
 * operation stay counted until their bracket closes.
 */
function createNesting(): { count(token: string): boolean } {
  const outer: { base: number; path: number; isCase: boolean }[] = [];
  let base = 0;
  let path = 0;
  let isAfterDot = false;
  const open = (isCase: boolean): void => {
    path++;
    outer.push({ base, path, isCase });
    base = path;
  };
  const close = (isCase: boolean): void => {
    if (outer.at(-1)?.isCase === isCase) ({ base, path } = outer.pop() as { base: number; path: number });
  };
  return {
    count(token) {
      if (/^\s$/.test(token)) return true;
      // After a dot every word is a name (`a.end`).
      const word = isAfterDot && WORD.test(token) ? "" : token.toLowerCase();
      isAfterDot = token === ".";
      if (word === "(" || word === "[") open(false);
      else if (word === ")" || word === "]") close(false);
      else if (word === "case") open(true);
      else if (word === "end") close(true);
      else if (BESIDE.has(word)) path = base;
      else if (word === ";") {
        if (outer.length === 0) base = 0;
        path = base;
      } else if (CHAINS.has(word)) path = ++base;
      else if (!/^[\d.]$/.test(word)) path++;
      return path <= MAX_NESTING;
    },
  };
}
