/** A policy's own schema: whatever would protect nothing is a fault, all faults are told at once, each at its place. */
import { expect, test } from "vitest";
import { compilePolicySchema } from "../../../src/policy/schema/policy-schema.ts";
import { readJson, URI_07, URI_2019, URI_2020 } from "./read.ts";

function listPointers(text: string): string[] {
  const prepared = compilePolicySchema(readJson(text));
  return "faults" in prepared ? prepared.faults.map((fault) => fault.pointer) : [];
}

const FAULTS: readonly [string, string[]][] = [
  ['{"type":"object","requierd":["a"]}', ["/requierd"]],
  [`{"$schema":"${URI_07}"}`, ["/$schema"]],
  [`{"$schema":"${URI_2019}"}`, ["/$schema"]],
  ['{"$schema":"http://json-schema.org/draft/2020-12/schema"}', ["/$schema"]],
  ['{"$schema":5}', ["/$schema"]],
  [`{"properties":{"a":{"$schema":"${URI_2020}"}}}`, ["/properties/a/$schema"]],
  ['{"properties":{"a":{"pattern":"^(?!b)"}}}', ["/properties/a/pattern"]],
  ['{"properties":{"a":{"pattern":"\\\\u0041"}}}', ["/properties/a/pattern"]],
  ['{"patternProperties":{"^a/(?=b)":{},"ok":{"x":1}}}', ["/patternProperties/^a~1(?=b)", "/patternProperties/ok/x"]],
  ['{"format":"datetime"}', ["/format"]],
  [
    '{"definitions":{},"dependencies":{},"additionalItems":false,"id":"a","$recursiveRef":"#"}',
    ["/definitions", "/dependencies", "/additionalItems", "/id", "/$recursiveRef"],
  ],
  ['{"items":[{}]}', ["/items"]],
  ['{"minimum":1,"exclusiveMinimum":true}', ["/exclusiveMinimum"]],
  ['{"required":["a","a"]}', ["/required/1"]],
  ['{"required":["a",1,2]}', ["/required/1", "/required/2"]],
  ['{"type":["string","string"]}', ["/type/1"]],
  ['{"type":"strin"}', ["/type"]],
  ['{"dependentRequired":{"a/b":["c","c"],"d":"e"}}', ["/dependentRequired/a~1b/1", "/dependentRequired/d"]],
  [
    '{"title":5,"description":1,"$comment":[],"deprecated":"no","readOnly":0,"writeOnly":null,"examples":{},"contentEncoding":1,"contentMediaType":2,"$vocabulary":{"a":1}}',
    [
      "/title",
      "/description",
      "/$comment",
      "/deprecated",
      "/readOnly",
      "/writeOnly",
      "/examples",
      "/contentEncoding",
      "/contentMediaType",
      "/$vocabulary/a",
    ],
  ],
  ['{"contentSchema":{"typ":"object"}}', ["/contentSchema/typ"]],
  ['{"contentSchema":5}', ["/contentSchema"]],
  ['{"$ref":"https://x.test/a"}', ["/$ref"]],
  ['{"$ref":"#/$defs/a"}', ["/$ref"]],
  ['{"$dynamicRef":"#a"}', ["/$dynamicRef"]],
  ['{"$id":"a#b"}', ["/$id"]],
  ['{"$anchor":"1a"}', ["/$anchor"]],
  ['{"$defs":{"a":{"not":{"if":{"x":1}}}}}', ["/$defs/a/not/if/x"]],
  [
    '{"properties":{"a":1,"b":null,"c":{"minimum":"1"}},"allOf":[],"oneOf":[2]}',
    ["/allOf", "/properties/a", "/properties/b", "/properties/c/minimum", "/oneOf/0"],
  ],
  ["5", [""]],
  ["[]", [""]],
  ["null", [""]],
  ['"object"', [""]],
];

test.each(FAULTS)("%s", (text, pointers) => {
  expect(listPointers(text).sort()).toEqual([...pointers].sort());
});

test("every keyword of 2020-12 is known", () => {
  const text = `{"$schema":"${URI_2020}","$id":"http://x.test/a","$anchor":"a","$dynamicAnchor":"b","$ref":"#/$defs/a","$dynamicRef":"#c","$vocabulary":{"http://x.test":true},"$comment":"c",
    "$defs":{"a":{"$dynamicAnchor":"c"}},"prefixItems":[{}],"items":{},"contains":{},"minContains":0,"maxContains":5,"additionalProperties":true,"properties":{"p":{}},
    "patternProperties":{"^x":{}},"dependentSchemas":{"a":{}},"dependentRequired":{"a":["b"]},"propertyNames":{},"if":{},"then":{},"else":{},"allOf":[{}],"anyOf":[{}],"oneOf":[{}],"not":false,
    "unevaluatedItems":{},"unevaluatedProperties":{},"type":["object","null"],"const":{},"enum":[{}],"multipleOf":1,"maximum":1,"exclusiveMaximum":1,"minimum":1,"exclusiveMinimum":1,
    "maxLength":1,"minLength":0,"pattern":"a","maxItems":1,"minItems":0,"uniqueItems":true,"maxProperties":1,"minProperties":0,"required":["a"],"title":"t","description":"d","default":null,
    "deprecated":false,"readOnly":true,"writeOnly":false,"examples":[1],"format":"email","contentEncoding":"base64","contentMediaType":"text/plain","contentSchema":{}}`;
  const prepared = compilePolicySchema(readJson(text));
  expect("faults" in prepared ? prepared.faults : []).toEqual([]);
  expect("properties" in prepared && [...prepared.properties]).toEqual(["p"]);
});

test("the identifier of 2020-12 may end in an empty fragment", () => {
  expect(listPointers(`{"$schema":"${URI_2020}#","type":"object"}`)).toEqual([]);
});

test("an old keyword's successor is named", () => {
  expect(compilePolicySchema(readJson('{"definitions":{}}'))).toEqual({
    faults: [{ pointer: "/definitions", message: expect.stringContaining("`$defs`") }],
  });
});

test("contentSchema is judged as a schema and asserts nothing", () => {
  const prepared = compilePolicySchema(
    readJson('{"contentMediaType":"application/json","contentEncoding":"base64","contentSchema":{"type":"integer"}}'),
  );
  expect("check" in prepared && prepared.check("not base64!")).toBeUndefined();
});
