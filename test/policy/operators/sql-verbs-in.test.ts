/** `sql_verbs_in`: which texts have one reading, and of which kinds their statements are. */

import * as fc from "fast-check";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { loadOperators } from "../../../src/policy/operators/registry.ts";
import { hasOneSqlReading } from "../../../src/policy/operators/sql-reading.ts";
import { SQL_VERBS } from "../../../src/policy/operators/sql-statements.ts";
import { compileOperator, judge, listFaults, nameRows } from "./judge.ts";

beforeAll(loadOperators);

/** The kinds of a text: each verb that is listed alone and found, as often as there are such parts. */
function listKinds(sql: string): string {
  const all = compileOperator("sql_verbs_in", [...SQL_VERBS]).judge(sql);
  if (all === undefined) return "?";
  expect(all).not.toContain(false);
  const kinds = [...SQL_VERBS].flatMap((verb) =>
    (compileOperator("sql_verbs_in", [verb]).judge(sql) ?? []).filter((part) => part).map(() => verb),
  );
  expect(kinds).toHaveLength(all.length);
  return kinds.sort().join(" ");
}

describe("kinds", () => {
  test.each([
    ["select 1", "select"],
    ["SELECT 1;", "select"],
    [";;select 1;;", "select"],
    ["values (1)", "select"],
    ["table t", "select"],
    ["select 1; drop table x", "drop select"],
    ["select 1 union select 2", "select"],
    ["select (select 1)", "select select"],
    ["select * from (select 1) a where exists (select 1)", "select select select"],
    ["select * from t for update", "select"],
    ["select 1 into t", "create"],
    ["select * into temp t from x", "create"],
    ["select 1 into t union select 2", "create"],
    ["select (select 1) into t", "create select"],
    ["create table t as select 1", "create select"],
    ["create table t as execute p", "create execute"],
    ["create materialized view v as select 1", "create select"],
    ["create view v as select 1", "create select"],
    ["create table t (a int references u on delete cascade)", "create"],
    ["create index on t (a)", "create"],
    ["create unique index concurrently i on t (a)", "create"],
    ["create type t as enum ('a')", "create"],
    ["create type t as (a int)", "create"],
    ["create aggregate a (int) (sfunc = f, stype = int)", "create"],
    ["create function f() returns int language sql as 'delete from t'", "create"],
    ["create function f() returns int begin atomic select 1; delete from t; end", "create delete select"],
    ["create function f() returns int return 1", "create select"],
    ["create schema s create table t (a int) create view v as select 1", "create create create select"],
    ["create rule r as on insert to t do instead delete from u", "create delete"],
    ["create trigger g after insert or update on t execute function f()", "create"],
    ["create role r", "create"],
    ["create user u password 'x'", "create"],
    ["create database d", "create"],
    ["create extension e", "create"],
    ["create policy p on t", "create"],
    ["insert into t values (1)", "insert"],
    ["insert into t values (1), ((select 2))", "insert select"],
    ["insert into t default values", "insert"],
    ["insert into t select 1", "insert select"],
    ["insert into t table u", "insert select"],
    ["insert into t values (1) on conflict (a) do update set a = 2 returning a", "insert"],
    ["insert into t with x as (delete from y returning a) values (1)", "delete insert"],
    ["update t set a = 1", "update"],
    ["update t set a = v.a from (values (1)) v(a)", "select update"],
    ["delete from t where a in (select a from u)", "delete select"],
    ["with x as (delete from t returning *) select * from x", "delete select"],
    ["with x as (insert into t values (1) returning *), y as (update t set a = 1 returning *) select 1", "insert select update"],
    ["with recursive x as (select 1 union all select 2) select * from x", "select select"],
    ["merge into t using u on t.a = u.a when matched then delete when not matched then insert values (1)", "merge"],
    ["truncate t", "truncate"],
    ["drop table if exists t cascade", "drop"],
    ["drop database d", "drop"],
    ["drop role r", "drop"],
    ["drop owned by r", "drop"],
    ["drop function f()", "drop"],
    ["alter table t add column a int", "alter"],
    ["alter table t rename to u", "alter"],
    ["alter table t owner to u", "alter"],
    ["alter table t enable row level security", "alter"],
    ["alter role r superuser", "alter"],
    ["alter system set a = 1", "alter"],
    ["alter type e add value 'x'", "alter"],
    ["alter default privileges grant select on tables to r", "alter grant"],
    ["alter default privileges revoke select on tables from r", "alter revoke"],
    ["grant select on t to r", "grant"],
    ["grant a to b", "grant"],
    ["revoke select on t from r", "revoke"],
    ["revoke a from b", "revoke"],
    ["copy t from '/etc/passwd'", "copy"],
    ["copy t to program 'sh'", "copy"],
    ["copy (delete from t returning *) to stdout", "copy delete"],
    ["call p(1)", "call"],
    ["do 'begin delete from t; end'", "do"],
    ["set a = 1", "set"],
    ["set role r", "set"],
    ["set local a to b", "set"],
    ["set session authorization r", "set"],
    ["set transaction read only", "set"],
    ["set constraints all deferred", "set"],
    ["reset a", "reset"],
    ["reset all", "reset"],
    ["show a", "show"],
    ["discard all", "discard"],
    ["begin", "begin"],
    ["begin; commit", "begin commit"],
    ["start transaction", "start"],
    ["end", "commit"],
    ["abort", "rollback"],
    ["rollback", "rollback"],
    ["savepoint s", "savepoint"],
    ["release savepoint s", "release"],
    ["rollback to s", "rollback"],
    ["prepare transaction 'x'", "prepare"],
    ["commit prepared 'x'", "commit"],
    ["rollback prepared 'x'", "rollback"],
    ["explain select 1", "explain select"],
    ["explain analyze delete from t", "delete explain"],
    ["explain (analyze) create table t as select 1", "create explain select"],
    ["prepare p as delete from t", "delete prepare"],
    ["execute p", "execute"],
    ["deallocate p", "deallocate"],
    ["declare c cursor for select 1", "declare select"],
    ["fetch next from c", "fetch"],
    ["move next from c", "move"],
    ["close c", "close"],
    ["listen a", "listen"],
    ["unlisten a", "unlisten"],
    ["notify a, 'b'", "notify"],
    ["lock table t", "lock"],
    ["vacuum", "vacuum"],
    ["vacuum (analyze) t", "vacuum"],
    ["analyze t", "analyze"],
    ["reindex table t", "reindex"],
    ["cluster t", "cluster"],
    ["checkpoint", "checkpoint"],
    ["load 'x'", "load"],
    ["refresh materialized view v", "refresh"],
    ["reassign owned by a to b", "reassign"],
    ["comment on table t is 'x'", "comment"],
    ["security label on table t is 'x'", "security"],
    ["import foreign schema a from server b into c", "import"],
    ["select pg_terminate_backend(1)", "select"],
  ])("%s: %s", (sql, kinds) => {
    expect(listKinds(sql)).toBe(kinds);
  });
});

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
    expect(listKinds(sql)).toBe("?");
  });
});

test("the examples of the language", () => {
  expect(judge("sql_verbs_in", ["drop"], "select 1; drop table x")).toBe("ny");
  expect(judge("sql_verbs_in", ["select"], "SELECT '; DROP TABLE users' AS joke")).toBe("y");
  expect(judge("sql_verbs_in", ["select"], "select 1 into t")).toBe("n");
  expect(judge("sql_verbs_in", [], "select 1")).toBe("n");
});

test("entries are kinds, in lower case", () => {
  expect(listFaults("sql_verbs_in", ["select", "SELECT", "slect", "", "create table", " select", "values", "with", "table"])).toEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((index) => `/value/${index}`),
  );
  for (const verb of [
    "insert",
    "update",
    "delete",
    "merge",
    "create",
    "alter",
    "drop",
    "truncate",
    "copy",
    "grant",
    "call",
    "set",
    "do",
    "begin",
    "revoke",
  ]) {
    expect(listFaults("sql_verbs_in", [verb])).toEqual([]);
  }
});

test("judging before the parser is loaded is a bug", async () => {
  vi.resetModules();
  const fresh = await import("../../../src/policy/operators/sql-verbs-in.ts");
  const compiled = fresh.compileSqlVerbsIn(["select"]);
  expect(() => ("operator" in compiled ? compiled.operator.judge("select 1") : undefined)).toThrow(/before its parser is loaded/);
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
