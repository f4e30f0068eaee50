/**
 * `sql_verbs_in`: the kinds of the statements of an SQL text, nested ones too, one part for each. The parser is
 * PostgreSQL's own; it is asked only for texts that every database would cut into the same strings and comments.
 * Functions with effects are not seen: a list of `select` alone is not *read only*.
 */

import { assert } from "../../kernel/assert.ts";
import { hasOneSqlReading } from "./sql-reading.ts";
import { listSqlVerbs, SQL_VERBS } from "./sql-statements.ts";
import { isPlainText, type TextOperator } from "./text-operator.ts";

const MAX_SQL_BYTES = 65_536;

interface SqlParser {
  /** The statements of the text; undefined where it is not SQL. */
  parse(text: string): unknown[] | undefined;
}

let parser: SqlParser | undefined;

/** Loads PostgreSQL's parser, once; later calls return at once. */
export async function loadSqlParser(): Promise<void> {
  if (parser !== undefined) return;
  const { loadModule, parseSync, SqlError } = await import("libpg-query");
  await loadModule();
  let isSound = true;
  parser ??= {
    parse(text) {
      if (!isSound) return undefined;
      try {
        return parseSync(text).stmts ?? [];
      } catch (error) {
        // Anything but a mistake in the text, a full stack above all, leaves the parser's memory in doubt: not asked again.
        if (!(error instanceof SqlError || error instanceof SyntaxError)) isSound = false;
        return undefined;
      }
    },
  };
}

export function compileSqlVerbsIn(entries: readonly string[]): { operator: TextOperator } | { wrong: Map<number, string> } {
  const wrong = new Map<number, string>();
  for (const [index, entry] of entries.entries()) {
    if (!SQL_VERBS.has(entry))
      wrong.set(index, `\`${entry}\` is not a kind of statement: one lower-case word, such as \`select\` or \`create\`.`);
  }
  if (wrong.size > 0) return { wrong };
  const listed: ReadonlySet<string> = new Set(entries);
  return {
    operator: {
      judge(text) {
        const verbs = readSqlVerbs(text);
        return verbs?.map((verb) => listed.has(verb));
      },
    },
  };
}

function readSqlVerbs(text: string): string[] | undefined {
  assert(parser !== undefined, "SQL is judged before its parser is loaded");
  if (!isPlainText(text, MAX_SQL_BYTES, "tabs and breaks") || !hasOneSqlReading(text)) return undefined;
  const statements = parser.parse(text);
  const verbs = statements === undefined ? undefined : listSqlVerbs(statements);
  return verbs === undefined || verbs.length === 0 ? undefined : verbs;
}
