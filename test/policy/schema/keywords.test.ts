/** The keywords that all drafts share, each read in each draft and as a policy's schema. */
import { describe, expect, test } from "vitest";
import { CONDITION_ROWS, KEYWORD_ROWS } from "./keyword-rows.ts";
import {
  declare,
  judgeByInput,
  judgeByPolicy,
  listSurprises,
  type Row,
  readJson,
  URI_04,
  URI_06,
  URI_07,
  URI_2019,
  URI_2020,
} from "./read.ts";

/** Rows that use what draft-04 does not have. */
const SINCE_06 = /"const"|"contains"|"propertyNames"|true\]|false\]|:true|:false|^true|^false|"exclusive|"if"/;

const READERS: readonly [string, readonly Row[], (schema: string) => ReturnType<typeof judgeByInput>][] = [
  ["a policy's schema", [...KEYWORD_ROWS, ...CONDITION_ROWS], (schema) => judgeByPolicy(readJson(schema))],
  ["no draft named", [...KEYWORD_ROWS, ...CONDITION_ROWS], (schema) => judgeByInput(readJson(schema))],
  ["2020-12", [...KEYWORD_ROWS, ...CONDITION_ROWS], (schema) => judgeByInput(declare(readJson(schema), URI_2020))],
  ["2019-09", [...KEYWORD_ROWS, ...CONDITION_ROWS], (schema) => judgeByInput(declare(readJson(schema), URI_2019))],
  ["draft-07", [...KEYWORD_ROWS, ...CONDITION_ROWS], (schema) => judgeByInput(declare(readJson(schema), URI_07))],
  ["draft-06", KEYWORD_ROWS.filter((row) => !row.schema.includes('"if"')), (schema) => judgeByInput(declare(readJson(schema), URI_06))],
  ["draft-04", KEYWORD_ROWS.filter((row) => !SINCE_06.test(row.schema)), (schema) => judgeByInput(declare(readJson(schema), URI_04))],
];

describe.each(READERS)("%s", (_, rows, judge) => {
  test.each(rows.map((row) => [row.about, row] as const))("%s", (_about, row) => {
    expect((row.good?.length ?? 0) + (row.bad?.length ?? 0)).toBeGreaterThan(0);
    expect(listSurprises(row, judge(row.schema))).toEqual([]);
  });
});
