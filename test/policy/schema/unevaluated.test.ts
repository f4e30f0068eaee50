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
  { about: "items: false", schema: '{"unevaluatedItems":false}', good: ["[]", "{}"], bad: ['["foo"]'] },
  { about: "items: a schema", schema: '{"unevaluatedItems":{"type":"string"}}', good: ["[]", '["foo"]'], bad: ["[42]"] },
  { about: "beside items", schema: '{"items":{"type":"string"},"unevaluatedItems":false}', good: ['["foo","bar"]'] },
  {
    about: "beside prefixItems",
    schema: '{"prefixItems":[{"type":"string"}],"unevaluatedItems":false}',
    good: ['["foo"]', "[]"],
    bad: ['["foo","bar"]'],
  },
  {
    about: "nested prefixItems",
    schema: '{"prefixItems":[{"type":"string"}],"allOf":[{"prefixItems":[true,{"type":"number"}]}],"unevaluatedItems":false}',
    good: ['["foo",42]'],
    bad: ['["foo",42,true]'],
  },
  {
    about: "nested items",
    schema: '{"unevaluatedItems":{"type":"boolean"},"anyOf":[{"items":{"type":"string"}},true]}',
    good: ["[true,false]", '["yes","no"]'],
    bad: ['["yes",false]'],
  },
  {
    about: "anyOf of prefixes",
    schema:
      '{"prefixItems":[{"const":"foo"}],"anyOf":[{"prefixItems":[true,{"const":"bar"}]},{"prefixItems":[true,true,{"const":"baz"}]}],"unevaluatedItems":false}',
    good: ['["foo","bar"]', '["foo","bar","baz"]'],
    bad: ['["foo","bar",42]', '["foo","bar","baz",42]'],
  },
  {
    about: "oneOf, failed branches evaluate nothing",
    schema:
      '{"prefixItems":[{"const":"foo"}],"oneOf":[{"prefixItems":[true,{"const":"bar"}]},{"prefixItems":[true,true,{"const":"baz"}]}],"unevaluatedItems":false}',
    good: ['["foo","quux","baz"]'],
    bad: ['["foo","bar",42]'],
  },
  {
    about: "if, then and else of prefixes",
    schema:
      '{"prefixItems":[{"const":"foo"}],"if":{"prefixItems":[true,{"const":"bar"}]},"then":{"prefixItems":[true,true,{"const":"then"}]},"else":{"prefixItems":[true,true,true,{"const":"else"}]},"unevaluatedItems":false}',
    good: ['["foo","bar","then"]', '["foo",42,42,"else"]'],
    bad: ['["foo","bar","then","else"]', '["foo",42,42,"else",42]'],
  },
  {
    about: "contains evaluates what it finds",
    schema: '{"prefixItems":[true],"contains":{"type":"string"},"unevaluatedItems":false}',
    good: ['[1,"foo"]'],
    bad: ["[1,2]", '[1,2,"foo"]'],
  },
  {
    about: "several contains",
    schema: '{"allOf":[{"contains":{"multipleOf":2}},{"contains":{"multipleOf":3}}],"unevaluatedItems":{"multipleOf":5}}',
    good: ["[2,3,4,5,6]"],
    bad: ["[2,3,4,7,8]"],
  },
  {
    about: "contains by cases",
    schema:
      '{"if":{"contains":{"const":"a"}},"then":{"if":{"contains":{"const":"b"}},"then":{"if":{"contains":{"const":"c"}}}},"unevaluatedItems":false}',
    good: ["[]", '["a","a"]', '["a","b","a"]', '["c","a","c","b"]'],
    bad: ['["b","b"]', '["c","c"]', '["c","b"]', '["c","a"]'],
  },
  {
    about: "minContains zero evaluates all the same",
    schema: '{"contains":{"type":"string"},"minContains":0,"unevaluatedItems":false}',
    good: ["[]", '["a"]'],
    bad: ["[0]", '["a",0]'],
  },
  { about: "items of cousins", schema: '{"allOf":[{"prefixItems":[true]},{"unevaluatedItems":false}]}', good: ["[]"], bad: ["[1]"] },
  { about: "null items", schema: '{"unevaluatedItems":false}', bad: ["[null]"] },
  {
    about: "items within a property",
    schema: '{"properties":{"foo":{"prefixItems":[{"type":"string"}],"unevaluatedItems":false}}}',
    good: ['{"foo":["test"]}'],
    bad: ['{"foo":["test","test"]}'],
  },
];

test.each(ROWS.map((row) => [row.about, row] as const))("%s", (_about, row) => {
  const schema = readJson(row.schema);
  expect(listSurprises(row, judgeByInput(schema))).toEqual([]);
  expect(listSurprises(row, judgeByPolicy(schema))).toEqual([]);
});
