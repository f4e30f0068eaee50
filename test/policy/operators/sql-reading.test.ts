/** SQL before it is parsed: which texts every database reads alike, and which can't be judged. */

import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { loadOperators } from "../../../src/policy/operators/registry.ts";
import { hasOneSqlReading } from "../../../src/policy/operators/sql-reading.ts";
import { compileOperator, judge, nameRows } from "./judge.ts";

beforeAll(loadOperators);

describe("texts of one reading", () => {
  test.each(
    nameRows([
      "select '; drop table x'",
      'select \'it\'\'s\' as "a ""b"""',
      "select '\\d+' from t where a ~ '^\\w\\.\\w$'",
      "select 'C:\\temp\\\\' from t",
      "select e'a\\nb'",
      "select 1 -- a comment",
      "select 1 -- it's\nfrom t",
      "select 1 --\r\nfrom t",
      "select 1 --",
      "--\tx\nselect 1",
      "select /* it's */ 1",
      "/* a; drop table x */ select 1",
      "select /* * / ** */ 1",
      "select $1, $2 from t",
      "select a$b from c$",
      "select a->'b', a->>'b', a #> '{b}', a #>> '{b}', a #- '{b}' from t",
      "select a <#> b from t",
      "select a[1], b[1:2], array[1, 2], (array['a', 'b'])[1] from t",
      "select @@version",
      "select array[[1, 2], [3, 4]], '{}'::int[]",
      "select a @> b, a && b, a ?| b from t",
      "select\n\t1\r\nfrom t",
      "select 'ü', ü from \"Größe\"",
      `select ${Array.from({ length: 5000 }, (_, index) => index).join(", ")}`,
      `select 1 where a = 1${" or a = 1".repeat(2000)}`,
      `select 1 where a in (${"'x', ".repeat(5000)}'x')`,
      `insert into t values ${"(1, 'a', now()), ".repeat(2000)}(1, 'a', now())`,
      `select case ${"when a = 1 then b ".repeat(1000)}end`,
      `select ${"f(".repeat(100)}1${")".repeat(100)}`,
      `select 1 ${"union all select 1 ".repeat(100)}`,
      `select 1${"; select 1".repeat(2000)}`,
    ]),
  )("%s", (_, sql) => {
    expect(judge("sql_verbs_in", ["select", "insert"], sql)).toMatch(/^y+$/);
  });
});

describe("texts that can't be judged", () => {
  test.each(
    nameRows([
      "",
      " ",
      ";",
      ";;",
      "-- nothing",
      "/* nothing */",
      "drop everything, please",
      "select 'a",
      "select 1 /*",
      "select 1 */",
      "select (1",
      "selec 1",
      "select 1; garbage",
      "select 1\u0000; drop table x",
      "select 1 \u0001",
      "select\u000b1",
      "select\f1",
      "select 1\u007f",
      "select 1 \u0085",
      "select '\ud800'; drop table x --'",
      "select 1 /*! ; drop table x */",
      "select 1 /*!50000 ; drop table x */",
      "/*M! drop table x */ select 1",
      "/*M!100100 drop table x */ select 1",
      "select '/*!'",
      "select 'a\\'; drop table x; --'",
      'select "a\\"; drop table x; --"',
      "select 'a\\\\\\'; drop table x; --'",
      "select e'\\''",
      "select 1 --1; drop table x",
      "select 1 --x",
      "--x\nselect 1",
      "select 1 ---- x",
      "select 1 --\rfrom t",
      "select 1 -- a\rb",
      "select 1 -- /*\r; drop table x -- */",
      "select 1 # it",
      "select 1 # '\n; drop table x; -- '",
      "#x\nselect 1",
      "select a #> '\n; drop table x; -- ' from t",
      "select a #> /*\n; drop table x -- */ b",
      "select $$a$$",
      "select $a$; drop table x; $a$",
      "do $$ begin end $$",
      "select 1 $x",
      "select `a`",
      "select 1 ` /* ` ; drop table x -- */ 2",
      "select /* /* a */ */ 1",
      "select /* /* */ ; drop table x",
      "select 1 /*/ , 2 */",
      "select a['x]; drop table y; --'] from t",
      "select a[/* ] ; drop table y; -- */ 1]",
      "select a[b[1]], ' ] ; drop table x; -- '",
      "select q'[a]'",
      "select nq'[a]'",
      "select 1 delete from t",
      "select a from b shutdown",
      "select a insert, b from c",
      "pragma x",
      "select top 1 * from t",
      "select * from t limit 1, 2",
      "use d",
      "exec p",
      "show tables from x",
      "select ?",
      "select :a",
      "\\! ls",
      "\\copy t to x",
      "copy t from stdin;\n1\n\\.",
      "delimiter //",
      "replace into t values (1)",
      "select * from [a]",
      `select ${"(".repeat(2000)}1${")".repeat(2000)}`,
      `select ${"1+".repeat(4000)}1`,
      `select ${"not ".repeat(4000)}true`,
      `select ${"case when ".repeat(1500)}1${" then 1 end".repeat(1500)}`,
      `select ${"case when a and ".repeat(1500)}1${" then 1 end".repeat(1500)}`,
      `select 1, 1${" union select 1, 1".repeat(1500)}`,
      `select 1 from a${" join b on c and d".repeat(1500)}`,
      `select 1${"::a".repeat(3000)}`,
      `select ${"case when a.end then ".repeat(1500)}1${" end".repeat(1500)}`,
      `select 1${" + a.and".repeat(1500)}`,
      `select 1${" + a . /* x */ or".repeat(1500)}`,
      `select ${"a.case + ".repeat(1500)}1`,
      `select ${'(a."f"(1) + '.repeat(1500)}1${")".repeat(1500)}`,
      `select '${"a".repeat(70_000)}'`,
      `select '${"ü".repeat(40_000)}'`,
    ]),
  )("%s", (_, sql) => {
    expect(judge("sql_verbs_in", ["select"], sql)).toBe("?");
  });
});

const fragment = fc.constantFrom(
  "select",
  "1",
  "'",
  "''",
  '"',
  "--",
  "-- ",
  "\n",
  "\r",
  "/*",
  "*/",
  "!",
  "#",
  "#>",
  "$$",
  "$1",
  "`",
  "[",
  "]",
  "\\",
  ";",
  "drop table x",
  "a",
  "(",
  ")",
  ",",
  " ",
  "e'",
  "q'",
  "+",
  "and",
  "case",
  "end",
  "union",
);
const anySql = fc.array(fragment, { maxLength: 16 }).map((fragments) => fragments.join(""));

test("a text of one reading is cut by MySQL, SQLite and SQL Server as by PostgreSQL", () => {
  fc.assert(
    fc.property(anySql, (sql) => {
      if (!hasOneSqlReading(sql)) return;
      const statements = cut(sql, { escapes: false, names: "", hash: false, tightDashes: true, doubled: false });
      // Others may see less of the code (a name, a comment), never a statement that begins where PostgreSQL saw none.
      for (const dialect of [
        { escapes: true, names: "`", hash: true, tightDashes: false, doubled: false },
        { escapes: false, names: "`[", hash: false, tightDashes: true, doubled: false },
        { escapes: false, names: "[", hash: false, tightDashes: true, doubled: true },
      ]) {
        for (const at of cut(sql, dialect)) expect(statements).toContain(at);
      }
    }),
    { numRuns: 20_000 },
  );
});

test("whatever the text is, it is judged or not, and never throws", () => {
  const operator = compileOperator("sql_verbs_in", ["select"]);
  fc.assert(
    fc.property(
      fc.oneof(
        anySql.map((sql) => `select ${sql}`),
        fc.string({ unit: "binary", maxLength: 30 }),
      ),
      (sql) => {
        expect(operator.judge(sql)).not.toEqual([]);
      },
    ),
    { numRuns: 2000 },
  );
});

interface Dialect {
  readonly escapes: boolean;
  readonly names: string;
  readonly hash: boolean;
  readonly tightDashes: boolean;
  /** A bracket inside a bracketed name is written twice. */
  readonly doubled: boolean;
}

/** Where the semicolons stand that a database of that dialect takes for code: written anew, as the referee. */
function cut(sql: string, { escapes, names, hash, tightDashes, doubled }: Dialect): number[] {
  const found: number[] = [];
  for (let at = 0; at < sql.length; at++) {
    const rest = sql.slice(at);
    const sign = sql[at] as string;
    const skip = (pattern: RegExp): void => {
      at += (pattern.exec(rest)?.[0].length ?? rest.length) - 1;
    };
    if (sign === "'") skip(escapes ? /^'(?:[^'\\]|\\[^]|'')*'/ : /^'(?:[^']|'')*'/);
    else if (sign === '"') skip(escapes ? /^"(?:[^"\\]|\\[^]|"")*"/ : /^"(?:[^"]|"")*"/);
    else if (names.includes(sign)) skip(sign === "`" ? /^`[^`]*`/ : doubled ? /^\[(?:[^\]]|\]\])*\]/ : /^\[[^\]]*\]/);
    else if (rest.startsWith("/*")) skip(/^\/\*[^]*?\*\//);
    else if ((hash && sign === "#") || (tightDashes ? /^--/ : /^--(?:[\s]|$)/).test(rest)) skip(/^[^\n]*/);
    else if (sign === ";") found.push(at);
  }
  return found;
}
