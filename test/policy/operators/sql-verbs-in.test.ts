/** `sql_verbs_in`: of which kinds the statements of a text are. */

import { beforeAll, describe, expect, test, vi } from "vitest";
import { loadOperators } from "../../../src/policy/operators/registry.ts";
import { SQL_VERBS } from "../../../src/policy/operators/sql-statements.ts";
import { compileOperator, judge, listFaults } from "./judge.ts";

beforeAll(loadOperators);

/** The kinds of a text: each verb that is listed alone and found, as often as there are such parts. */
function listKinds(sql: string): string {
  const all = compileOperator("sql_verbs_in", [...SQL_VERBS]).judge(sql);
  if (all === undefined) return "?";
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
