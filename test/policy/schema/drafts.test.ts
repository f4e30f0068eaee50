/** What the drafts tell apart: lists in `items`, siblings of `$ref`, dependencies, exclusive flags, and what each lacks. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { type JsonObject, printJson } from "../../../src/kernel/json.ts";
import { compileInputSchema } from "../../../src/policy/schema/input-schema.ts";
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

const MODERN: readonly Row[] = [
  {
    about: "prefixItems",
    schema: '{"prefixItems":[{"type":"integer"},{"type":"string"}]}',
    good: ['[1,"foo"]', "[1]", '[1,"foo",true]', "[]", '{"0":"invalid","length":1}'],
    bad: ['["foo",1]'],
  },
  {
    about: "items after prefixItems",
    schema: '{"prefixItems":[{"type":"string"}],"items":{"type":"integer"}}',
    good: ['["x",2,3]', '["x"]'],
    bad: ['["x","y"]', "[1,2]"],
  },
  { about: "items false after prefixItems", schema: '{"prefixItems":[{},{}],"items":false}', good: ["[]", "[1,2]"], bad: ["[1,2,3]"] },
  { about: "items with booleans", schema: '{"items":false}', good: ["[]", '"a"'], bad: ['[1,"foo",true]'] },
  {
    about: "items do not look into applicators",
    schema: '{"allOf":[{"prefixItems":[{"minimum":3}]}],"items":{"minimum":5}}',
    good: ["[5,5]"],
    bad: ["[3,5]"],
  },
  {
    about: "dependentRequired",
    schema: '{"dependentRequired":{"quux":["foo","bar"]}}',
    good: ["{}", '{"foo":1,"bar":2}', '{"foo":1,"bar":2,"quux":3}', '["quux"]', '"quux"'],
    bad: ['{"foo":1,"quux":2}', '{"bar":1,"quux":2}', '{"quux":1}'],
  },
  {
    about: "dependentRequired by a prototype's name",
    schema: '{"dependentRequired":{"toString":["a"],"__proto__":["b"]}}',
    good: ["{}", '{"toString":1,"a":1}'],
    bad: ['{"toString":1}', '{"__proto__":1}'],
  },
  {
    about: "dependentSchemas",
    schema: '{"dependentSchemas":{"bar":{"properties":{"foo":{"type":"integer"},"bar":{"type":"integer"}}}}}',
    good: ['{"foo":1,"bar":2}', '{"foo":"quux"}', '["bar"]'],
    bad: ['{"foo":"quux","bar":2}', '{"foo":2,"bar":"quux"}'],
  },
  {
    about: "dependentSchemas with booleans",
    schema: '{"dependentSchemas":{"foo":true,"bar":false}}',
    good: ['{"foo":1}', "{}"],
    bad: ['{"bar":2}', '{"foo":1,"bar":2}'],
  },
  {
    about: "dependentSchemas beside additionalProperties",
    schema: '{"properties":{"foo":{}},"dependentSchemas":{"foo":{"properties":{"bar":{}},"additionalProperties":false}}}',
    good: ['{"bar":1}'],
    bad: ['{"foo":1}', '{"foo":1,"bar":2}'],
  },
  {
    about: "minContains",
    schema: '{"contains":{"const":1},"minContains":2}',
    good: ["[1,1]", "[1,2,1]", '"x"'],
    bad: ["[]", "[1]", "[1,2]"],
  },
  { about: "maxContains", schema: '{"contains":{"const":1},"maxContains":1}', good: ["[1]", "[1,2]"], bad: ["[]", "[1,1]"] },
  { about: "minContains zero", schema: '{"contains":{"const":1},"minContains":0}', good: ["[]", "[2]"] },
  {
    about: "minContains zero with maxContains",
    schema: '{"contains":{"const":1},"minContains":0,"maxContains":1}',
    good: ["[]", "[1]"],
    bad: ["[1,1]"],
  },
  {
    about: "maxContains below minContains",
    schema: '{"contains":{"const":1},"maxContains":1,"minContains":3}',
    bad: ["[]", "[1]", "[1,1]", "[1,1,1]"],
  },
  {
    about: "counts with a decimal point",
    schema: '{"contains":{"const":1},"minContains":2.0,"maxContains":2.0}',
    good: ["[1,1]"],
    bad: ["[1]", "[1,1,1]"],
  },
  { about: "minContains without contains", schema: '{"minContains":1,"maxContains":1}', good: ["[]", "[1,2]"] },
  {
    about: "keywords beside $ref count",
    schema: '{"$defs":{"a":{"type":"array"}},"properties":{"foo":{"$ref":"#/$defs/a","maxItems":2}}}',
    good: ['{"foo":[]}'],
    bad: ['{"foo":[1,2,3]}', '{"foo":"string"}'],
  },
];

describe("2020-12", () => {
  describe.each([
    ["declared", (row: Row) => judgeByInput(declare(readJson(row.schema), URI_2020))],
    ["not declared", (row: Row) => judgeByInput(readJson(row.schema))],
    ["a policy's", (row: Row) => judgeByPolicy(readJson(row.schema))],
  ] as const)("%s", (_, judge) => {
    test.each(MODERN.map((row) => [row.about, row] as const))("%s", (_about, row) => {
      expect(listSurprises(row, judge(row))).toEqual([]);
    });
  });

  test("has no additionalItems, dependencies or lists in items where it is declared", () => {
    const judge = judgeByInput(declare(readJson('{"prefixItems":[{}],"additionalItems":false,"dependencies":{"a":["b"]}}'), URI_2020));
    expect([judge(readJson("[1,2]")), judge(readJson('{"a":1}'))]).toEqual([undefined, undefined]);
    expect(compileInputSchema(declare(readJson('{"items":[{}]}'), URI_2020))).toHaveProperty("unusable");
  });
});

const OLDER: readonly Row[] = [
  {
    about: "items as a list",
    schema: '{"items":[{"type":"integer"},{"type":"string"}]}',
    good: ['[1,"foo"]', "[1]", '[1,"foo",true]', "[]"],
    bad: ['["foo",1]'],
  },
  {
    about: "additionalItems after a list",
    schema: '{"items":[{}],"additionalItems":{"type":"integer"}}',
    good: ["[null,2,3]"],
    bad: ['[null,2,"foo"]'],
  },
  { about: "additionalItems false", schema: '{"items":[{},{}],"additionalItems":false}', good: ["[1,2]", "[]"], bad: ["[1,2,3]"] },
  { about: "additionalItems beside one schema says nothing", schema: '{"items":{},"additionalItems":false}', good: ["[1,2,3]"] },
  { about: "additionalItems by itself says nothing", schema: '{"additionalItems":false}', good: ["[1,2,3]"] },
  {
    about: "dependencies on names",
    schema: '{"dependencies":{"bar":["foo"]}}',
    good: ["{}", '{"foo":1}', '{"foo":1,"bar":2}', '["bar"]'],
    bad: ['{"bar":2}'],
  },
  {
    about: "dependencies on a schema",
    schema: '{"dependencies":{"bar":{"properties":{"foo":{"type":"integer"}}}}}',
    good: ['{"foo":"x"}', '{"foo":1,"bar":2}'],
    bad: ['{"foo":"x","bar":2}'],
  },
];

describe.each([
  ["draft-07", URI_07],
  ["draft-06", URI_06],
  ["draft-04", URI_04],
  ["no draft named", undefined],
] as const)("idioms of older drafts: %s", (_, uri) => {
  test.each(OLDER.map((row) => [row.about, row] as const))("%s", (_about, row) => {
    const schema = readJson(row.schema);
    expect(listSurprises(row, judgeByInput(uri === undefined ? schema : declare(schema, uri)))).toEqual([]);
  });
});

describe("draft-07", () => {
  const judge = (schema: string): ReturnType<typeof judgeByInput> => judgeByInput(declare(readJson(schema), URI_07));

  test("keywords beside $ref are void, definitions can still be named", () => {
    const schema = '{"definitions":{"a":{"type":"array"}},"properties":{"foo":{"$ref":"#/definitions/a","maxItems":2}}}';
    expect(listSurprises({ about: "", schema, good: ['{"foo":[1,2,3]}'], bad: ['{"foo":"x"}'] }, judge(schema))).toEqual([]);
    const top = '{"$ref":"#/definitions/a","type":"number","definitions":{"a":{"type":"string"}}}';
    expect(listSurprises({ about: "", schema: top, good: ['"x"'], bad: ["1"] }, judge(top))).toEqual([]);
  });

  test("does not know what came later", () => {
    const row: Row = {
      about: "",
      schema:
        '{"dependentRequired":{"a":["b"]},"prefixItems":[false],"unevaluatedProperties":false,"contains":{"const":1},"minContains":2,"$anchor":5}',
      good: ['{"a":1}', "[1]"],
    };
    expect(listSurprises(row, judge(row.schema))).toEqual([]);
  });

  test("an identifier of only a fragment is an anchor, and beside $ref it is none", () => {
    const row: Row = {
      about: "",
      schema: '{"allOf":[{"$ref":"#foo"}],"definitions":{"A":{"$id":"#foo","type":"integer"}}}',
      good: ["1"],
      bad: ['"a"'],
    };
    expect(listSurprises(row, judge(row.schema))).toEqual([]);
    const beside =
      '{"$id":"http://x.test/base/","definitions":{"foo":{"$id":"http://x.test/foo.json","type":"string"},"base":{"$id":"foo.json","type":"number"}},"allOf":[{"$id":"http://x.test/","$ref":"foo.json"}]}';
    expect(listSurprises({ about: "", schema: beside, good: ["1"], bad: ['"a"'] }, judge(beside))).toEqual([]);
  });

  test("generated identifiers that are pointers say nothing", () => {
    expect(
      judge(
        '{"$id":"http://x.test/s","properties":{"a":{"$id":"#/properties/a","type":"string"},"b":{"$id":"#/properties/a","type":"string"}}}',
      )(readJson("{}")),
    ).toBeUndefined();
  });
});

test("2019-09 has lists in items, recursive references and contains that evaluates nothing", () => {
  const judge = (schema: string): ReturnType<typeof judgeByInput> => judgeByInput(declare(readJson(schema), URI_2019));
  const rows: Row[] = [
    { about: "", schema: '{"items":[{"type":"string"}],"unevaluatedItems":false}', good: ['["a"]'], bad: ['["a","b"]'] },
    { about: "", schema: '{"items":[{"type":"string"}],"additionalItems":true,"unevaluatedItems":false}', good: ['["a",1]'] },
    { about: "", schema: '{"contains":{"const":1},"unevaluatedItems":false}', good: [], bad: ["[1]"] },
    {
      about: "",
      schema: '{"properties":{"foo":{"$recursiveRef":"#"}},"additionalProperties":false}',
      good: ['{"foo":{"foo":{}}}'],
      bad: ['{"foo":{"bar":1}}'],
    },
    {
      about: "the outermost recursive anchor",
      schema:
        '{"$id":"http://x.test/a","$recursiveAnchor":true,"$defs":{"b":{"$id":"b","$recursiveAnchor":true,"anyOf":[{"type":"integer"},{"type":"object","additionalProperties":{"$recursiveRef":"#"}}]}},"anyOf":[{"type":"boolean"},{"$ref":"b"}]}',
      good: ["true", '{"foo":true}', '{"foo":{"bar":true}}', "1"],
      bad: ['"a"', '{"foo":"a"}'],
    },
    {
      about: "without an anchor outside, the nearest",
      schema:
        '{"$id":"http://x.test/a","$defs":{"b":{"$id":"b","$recursiveAnchor":true,"anyOf":[{"type":"integer"},{"type":"object","additionalProperties":{"$recursiveRef":"#"}}]}},"anyOf":[{"type":"boolean"},{"$ref":"b"}]}',
      good: ["true", '{"foo":1}', '{"foo":{"bar":1}}'],
      bad: ['{"foo":true}', '{"foo":{"bar":true}}'],
    },
  ];
  for (const row of rows) expect(listSurprises(row, judge(row.schema))).toEqual([]);
});

test("exclusive flags of draft-04, named or not", () => {
  const row: Row = {
    about: "",
    schema: '{"minimum":1.1,"exclusiveMinimum":true,"maximum":3,"exclusiveMaximum":false}',
    good: ["1.2", "3"],
    bad: ["1.1", "3.1"],
  };
  for (const schema of [readJson(row.schema), declare(readJson(row.schema), URI_04)])
    expect(listSurprises(row, judgeByInput(schema))).toEqual([]);
  expect(compileInputSchema(declare(readJson(row.schema), URI_07))).toHaveProperty("unusable");
});

test("an embedded schema may name another draft", () => {
  const schema = `{"$schema":"${URI_2020}","properties":{"a":{"$id":"http://x.test/old","$schema":"${URI_07}","items":[{"type":"string"}],"additionalItems":false}}}`;
  expect(
    listSurprises({ about: "", schema, good: ['{"a":["x"]}'], bad: ['{"a":["x","y"]}', '{"a":[1]}'] }, judgeByInput(readJson(schema))),
  ).toEqual([]);
});

describe("the published suite of draft-04", () => {
  const folder = join(dirname(createRequire(import.meta.url).resolve("json-schema-test-suite/package.json")), "tests/draft4");
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

  const isRemote = (group: JsonObject): boolean => /"http:\/\/(json-schema\.org|localhost)/.test(printJson(group["schema"] ?? null));

  test.each([...files, "optional/bignum.json"])("%s", (file) => {
    const groups = readJson(readFileSync(join(folder, file), "utf8")) as readonly JsonObject[];
    const rows = groups
      .filter((group) => !isRemote(group))
      .flatMap((group) => {
        const judge = judgeByInput(declare(group["schema"] ?? null, URI_04));
        return (group["tests"] as readonly JsonObject[]).map((row) => ({ ...row, judged: judge(row["data"] ?? null) === undefined }));
      });
    expect(rows.filter((row: JsonObject) => row["judged"] !== row["valid"])).toEqual([]);
    // A group that asks for the network is refused as a whole.
    const remote = groups.filter(isRemote);
    for (const group of remote) expect(compileInputSchema(declare(group["schema"] ?? null, URI_04))).toHaveProperty("unusable");
    expect(rows.length + remote.length).toBeGreaterThan(0);
  });
});
