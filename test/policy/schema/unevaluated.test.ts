/** `unevaluatedProperties` and `unevaluatedItems`: what counts as evaluated, by whom, and what does not. */
import { expect, test } from "vitest";
import { judgeByInput, judgeByPolicy, listSurprises, type Row, readJson } from "./read.ts";

const ROWS: readonly Row[] = [
  { about: "properties: true", schema: '{"type":"object","unevaluatedProperties":true}', good: ["{}", '{"foo":1}'] },
  {
    about: "properties: a schema",
    schema: '{"unevaluatedProperties":{"type":"string","minLength":3}}',
    good: ["{}", '{"foo":"foo"}', "[1]", "12"],
    bad: ['{"foo":"fo"}'],
  },
  { about: "properties: false", schema: '{"unevaluatedProperties":false}', good: ["{}", "[]"], bad: ['{"foo":"foo"}', '{"__proto__":1}'] },
  {
    about: "beside properties",
    schema: '{"properties":{"foo":{}},"unevaluatedProperties":false}',
    good: ['{"foo":1}'],
    bad: ['{"foo":1,"bar":2}'],
  },
  {
    about: "beside patternProperties",
    schema: '{"patternProperties":{"^foo":{}},"unevaluatedProperties":false}',
    good: ['{"foo":1}'],
    bad: ['{"foo":1,"bar":2}'],
  },
  {
    about: "beside additionalProperties",
    schema: '{"properties":{"foo":{}},"additionalProperties":true,"unevaluatedProperties":false}',
    good: ['{"foo":1,"bar":2}'],
  },
  {
    about: "additionalProperties of a kind",
    schema: '{"additionalProperties":{"type":"string"},"unevaluatedProperties":{"type":"number"}}',
    good: ['{"a":"x"}'],
    bad: ['{"a":1}'],
  },
  {
    about: "through allOf",
    schema: '{"properties":{"foo":{}},"allOf":[{"properties":{"bar":{}}}],"unevaluatedProperties":false}',
    good: ['{"foo":1,"bar":2}'],
    bad: ['{"foo":1,"bar":2,"baz":3}'],
  },
  {
    about: "through allOf with additionalProperties",
    schema: '{"allOf":[{"additionalProperties":true}],"unevaluatedProperties":false}',
    good: ['{"foo":1}'],
  },
  {
    about: "through allOf with patterns",
    schema: '{"allOf":[{"patternProperties":{"^bar":{}}}],"unevaluatedProperties":false}',
    good: ['{"bar":1}'],
    bad: ['{"baz":1}'],
  },
  {
    about: "through a nested unevaluatedProperties",
    schema: '{"allOf":[{"unevaluatedProperties":true}],"unevaluatedProperties":{"type":"string","maxLength":2}}',
    good: ['{"foo":"foo"}', '{"foo":"foo","bar":"bar"}'],
  },
  {
    about: "an outer true, an inner false",
    schema: '{"allOf":[{"properties":{"foo":{}},"unevaluatedProperties":false}],"unevaluatedProperties":true}',
    good: ['{"foo":1}'],
    bad: ['{"foo":1,"bar":2}'],
  },
  {
    about: "cousins see nothing of each other",
    schema: '{"allOf":[{"properties":{"foo":{}}},{"unevaluatedProperties":false}]}',
    good: ["{}"],
    bad: ['{"foo":1}'],
  },
  {
    about: "cousins under one that sees all",
    schema: '{"allOf":[{"properties":{"foo":{}}},{"unevaluatedProperties":false}],"unevaluatedProperties":true}',
    good: ["{}"],
    bad: ['{"foo":1}'],
  },
  {
    about: "cousins the other way round",
    schema: '{"allOf":[{"unevaluatedProperties":false},{"properties":{"foo":{}}}]}',
    bad: ['{"foo":1}'],
  },
  {
    about: "through anyOf, every branch that fits",
    schema:
      '{"anyOf":[{"properties":{"bar":{"const":"bar"}},"required":["bar"]},{"properties":{"baz":{"const":"baz"}},"required":["baz"]},{"properties":{"quux":{}},"required":["quux"]}],"unevaluatedProperties":false}',
    good: ['{"bar":"bar"}', '{"bar":"bar","baz":"baz"}'],
    bad: ['{"bar":"bar","baz":"not-baz"}', '{"bar":"bar","x":1}'],
  },
  {
    about: "through oneOf, the one",
    schema:
      '{"oneOf":[{"properties":{"bar":{"const":"bar"}},"required":["bar"]},{"properties":{"baz":{"const":"baz"}},"required":["baz"]}],"unevaluatedProperties":false}',
    good: ['{"bar":"bar"}'],
    bad: ['{"bar":"bar","quux":1}'],
  },
  {
    about: "not through not",
    schema:
      '{"properties":{"foo":{}},"not":{"not":{"properties":{"bar":{"const":"bar"}},"required":["bar"]}},"unevaluatedProperties":false}',
    bad: ['{"foo":1,"bar":"bar"}'],
  },
  {
    about: "within not",
    schema: '{"not":{"$comment":"x","unevaluatedProperties":false,"properties":{"a":{}}}}',
    good: ['{"b":1}'],
    bad: ['{"a":1}', "{}"],
  },
  {
    about: "if, then and else",
    schema:
      '{"if":{"properties":{"foo":{"const":"then"}},"required":["foo"]},"then":{"properties":{"bar":{}},"required":["bar"]},"else":{"properties":{"baz":{}},"required":["baz"]},"unevaluatedProperties":false}',
    good: ['{"foo":"then","bar":1}', '{"baz":1}'],
    bad: ['{"foo":"then","bar":1,"baz":1}', '{"foo":"else","baz":1}'],
  },
  {
    about: "if without then and else",
    schema: '{"if":{"patternProperties":{"foo":{"type":"string"}}},"unevaluatedProperties":false}',
    good: ['{"foo":"a"}'],
    bad: ['{"bar":"a"}', '{"foo":1}'],
  },
  {
    about: "if that fails evaluates nothing",
    schema: '{"if":{"properties":{"foo":{"const":1}},"required":["foo"]},"else":true,"unevaluatedProperties":false}',
    good: ['{"foo":1}'],
    bad: ['{"foo":2}'],
  },
  {
    about: "dependentSchemas",
    schema:
      '{"properties":{"foo":{}},"dependentSchemas":{"foo":{"properties":{"bar":{"const":"bar"}},"required":["bar"]}},"unevaluatedProperties":false}',
    good: ['{"foo":1,"bar":"bar"}'],
    bad: ['{"bar":"bar"}'],
  },
  {
    about: "through $ref",
    schema: '{"$ref":"#/$defs/bar","properties":{"foo":{}},"unevaluatedProperties":false,"$defs":{"bar":{"properties":{"bar":{}}}}}',
    good: ['{"foo":1,"bar":2}'],
    bad: ['{"foo":1,"bar":2,"baz":3}'],
  },
  {
    about: "through $dynamicRef",
    schema:
      '{"$id":"https://x.test/derived","$ref":"base","$defs":{"derived":{"$dynamicAnchor":"addons","properties":{"bar":{}}},"base":{"$id":"base","$dynamicRef":"#addons","properties":{"foo":{}},"unevaluatedProperties":false,"$defs":{"defaultAddons":{"$dynamicAnchor":"addons"}}}}}',
    good: ['{"foo":1,"bar":2}'],
    bad: ['{"foo":1,"bar":2,"baz":3}'],
  },
  {
    about: "a recursive schema",
    schema:
      '{"$ref":"#/$defs/one","unevaluatedProperties":false,"$defs":{"one":{"properties":{"node":true,"branches":{"$ref":"#/$defs/branches","unevaluatedProperties":false}}},"branches":{"properties":{"a":{"$ref":"#/$defs/one","unevaluatedProperties":false}}}}}',
    good: ['{"node":1,"branches":{"a":{"node":2}}}'],
    bad: ['{"node":1,"branches":{"a":{"x":2}}}'],
  },
  {
    about: "only of this very object",
    schema: '{"properties":{"foo":{"properties":{"bar":{}},"unevaluatedProperties":false}}}',
    good: ['{"foo":{"bar":1},"x":1}'],
    bad: ['{"foo":{"bar":1,"faz":2}}'],
  },
  {
    about: "an outer schema does not reach in",
    schema: '{"properties":{"foo":{"type":"object"}},"unevaluatedProperties":false}',
    good: ['{"foo":{"anything":1}}'],
  },
  {
    about: "a false one evaluates nothing of what it refuses",
    schema: '{"anyOf":[{"properties":{"a":{}},"unevaluatedProperties":false},true],"unevaluatedProperties":false}',
    good: ['{"a":1}'],
    bad: ['{"a":1,"b":2}'],
  },
  { about: "items: false", schema: '{"unevaluatedItems":false}', good: ["[]", "{}", "7"], bad: ["[null]", "[[]]"] },
  { about: "items: a schema", schema: '{"unevaluatedItems":{"minimum":10}}', good: ["[]", "[10,11.5]", '["x"]'], bad: ["[10,9]"] },
  { about: "beside items", schema: '{"items":{"maximum":3},"unevaluatedItems":false}', good: ["[1,2,3]"], bad: ["[4]"] },
  {
    about: "beside prefixItems",
    schema: '{"prefixItems":[{"type":"null"},{}],"unevaluatedItems":false}',
    good: ["[]", "[null]", "[null,0]"],
    bad: ["[null,0,0]", "[0]"],
  },
  {
    about: "the longest prefix of all that hold",
    schema: '{"prefixItems":[{},{},{}],"allOf":[{"prefixItems":[{"type":"number"}]}],"unevaluatedItems":{"type":"boolean"}}',
    good: ["[1,2,3]", '[1,"x","y",true]'],
    bad: ["[1,2,3,4]"],
  },
  {
    about: "items in a branch cover everything",
    schema: '{"oneOf":[{"type":"array","items":{"type":"number"},"minItems":1},{"maxItems":0}],"unevaluatedItems":false}',
    good: ["[]", "[1,2,3,4]"],
    bad: ['[1,"x"]'],
  },
  {
    about: "a pair or a triple, whichever holds",
    schema:
      '{"anyOf":[{"prefixItems":[{"const":"pair"},{}]},{"prefixItems":[{"type":"string"},{},{"type":"integer"}],"minItems":3}],"unevaluatedItems":false}',
    good: ['["pair",0]', '["other",0,1]', '["pair",0,1]', '["pair"]'],
    bad: ['["pair",0,"x"]', '["other",0,1,2]'],
  },
  {
    about: "a branch that fails evaluates nothing",
    schema: '{"anyOf":[{"prefixItems":[{},{},{},{}],"required":[],"maxItems":2},{}],"unevaluatedItems":false}',
    good: ["[]", "[1,2]"],
    bad: ["[1,2,3]"],
  },
  {
    about: "a header tells how long a row is",
    schema:
      '{"if":{"prefixItems":[{"const":2}],"minItems":1},"then":{"prefixItems":[{},{},{}]},"else":{"prefixItems":[{},{}]},"unevaluatedItems":false}',
    good: ["[2,0,0]", "[1,0]", "[]"],
    bad: ["[2,0,0,0]", "[1,0,0]"],
  },
  {
    about: "contains evaluates what it finds, wherever it is",
    schema: '{"contains":{"minimum":100},"unevaluatedItems":{"maximum":5}}',
    good: ["[100]", "[1,100,2,200]"],
    bad: ["[1,50,100]"],
  },
  {
    about: "two contains, each its own",
    schema: '{"allOf":[{"contains":{"type":"string"}},{"contains":{"type":"null"}}],"unevaluatedItems":false}',
    good: ['["x",null]', '[null,"x","y",null]'],
    bad: ['["x",null,1]'],
  },
  {
    about: "contains in a condition counts when it holds",
    schema: '{"if":{"contains":{"type":"boolean"}},"unevaluatedItems":{"type":"integer"}}',
    good: ["[1,true,2]", "[1,2]"],
    bad: ['["x",true]', '["x"]'],
  },
  {
    about: "minContains zero evaluates all the same",
    schema: '{"contains":{"type":"null"},"minContains":0,"unevaluatedItems":{"type":"integer"}}',
    good: ["[]", "[null,1]", "[1]"],
    bad: ["[true]", "[null,true]"],
  },
  { about: "items of cousins", schema: '{"allOf":[{"items":true},{"unevaluatedItems":false}]}', good: ["[]"], bad: ["[1]"] },
  {
    about: "items of cousins under one that sees all",
    schema: '{"allOf":[{"items":true},{"unevaluatedItems":false}],"unevaluatedItems":true}',
    good: ["[]"],
    bad: ["[1]"],
  },
  { about: "not through not", schema: '{"not":{"not":{"items":true}},"unevaluatedItems":false}', good: ["[]"], bad: ["[1]"] },
  {
    about: "items of a member are its own",
    schema: '{"properties":{"row":{"prefixItems":[{}],"unevaluatedItems":false}}}',
    good: ['{"row":[1]}'],
    bad: ['{"row":[1,2]}'],
  },
];

test.each(ROWS.map((row) => [row.about, row] as const))("%s", (_about, row) => {
  const schema = readJson(row.schema);
  expect(listSurprises(row, judgeByInput(schema))).toEqual([]);
  expect(listSurprises(row, judgeByPolicy(schema))).toEqual([]);
});
